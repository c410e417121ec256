"""The README is accurate: commands exist, examples run, figures and folders match."""

import json
import re
import tomllib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from assistant.cli.main import app
from evals.suite_table import SUITES
from tests.support.paths import ROOT
from tools.errors import SetupError

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = ("README.md", "evals/README.md", "evals/RESULTS.md", "tools/checkpoints/README.md")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_two_commands_come_first_and_ci_runs_them() -> None:
    """The first two shell blocks are the two promised commands, and CI runs both."""
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    assert blocks[0].strip() == "pip install -e . && unmask setup --yes && unmask demo"
    assert blocks[1].strip() == "pip install -e '.[test]' && pytest"
    ci = (ROOT / ".ci" / "run").read_text()
    first = "install --quiet -e . && unmask setup --yes && unmask demo"
    for command in (first, "-e '.[test]' && pytest"):
        assert command in ci


def test_ci_installs_what_a_person_gets_and_then_what_figures_were_measured_with() -> None:
    """The README's commands run without constraints; a second, short lane installs with them."""
    script = (ROOT / ".ci" / "run").read_text()
    before, pinned = script.split("\n# With constraints")
    assert "constraints.txt" not in before
    assert "PIP_CONSTRAINT=constraints.txt pip install --quiet -e '.[test]'\n" in pinned
    (named,) = re.findall(r"^CI=true pytest (.*)$", pinned, flags=re.MULTILINE)
    assert named
    assert all((ROOT / name).is_file() for name in named.split())


def test_no_dependency_is_held_back_without_a_reason() -> None:
    """Lower bounds are what the code needs; an upper one has its reason in the line above."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    optional = project["optional-dependencies"].values()
    named = [
        *project["dependencies"],
        *chain.from_iterable(optional),
    ]
    lines = [line.strip() for line in text.splitlines()]
    for held in (it for it in named if re.search(r"<|==|~=", it)):
        before = lines[lines.index(f'"{held}",') - 1]
        assert before.startswith("#"), held


@pytest.mark.parametrize("page", PAGES)
def test_every_command_exists(page: str) -> None:
    """Each `unmask COMMAND --option` and each suite that a page names is known."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for command, rest in re.findall(
        r"(?:^|`|&& )unmask (?!--)(\w+)([^`\n#|]*)", text, re.MULTILINE
    ):
        actions = r"^ (list|verify|download|forget|upgrade|note|log|create|add|role)\b"
        words = [command, *re.findall(actions, rest)]
        words = words if command in ("models", "galleries", "tokens", "accounts") else [command]
        shown = CliRunner().invoke(app, [*words, "--help"])
        assert shown.exit_code == 0, words
        for option in re.findall(r"--[a-z]+", rest):
            assert option in shown.output, f"{command} {option}"
    assert set(re.findall(r"python -m evals run (\w+)", text)) <= SUITES.keys()


@pytest.mark.parametrize("page", PAGES)
def test_every_named_file_exists(page: str) -> None:
    """Links lead somewhere, from where the page lies; paths of ours in backticks are there."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert "://" in target or (ROOT / page).parent.joinpath(target).exists(), target
    for path in re.findall(r"`((?:assistant|tools|prompts|evals|tests)/[^`\s]*)`", text):
        assert (ROOT / path).exists(), path


def run_example(code: str) -> None:
    """Execute a code block as it stands."""
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README


def test_the_python_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path, astronaut: np.ndarray,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Search, check and toolkit work as they stand, on a collection of one photo."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "collection").mkdir()
    Image.fromarray(astronaut).save(tmp_path / "ada.jpg")
    Image.fromarray(astronaut[:, ::-1]).save(tmp_path / "collection" / "found.jpg")
    Image.fromarray(astronaut[:, ::-1]).save(tmp_path / "suspect.jpg", quality=80)
    run_example(EXAMPLES[0])
    printed = capsys.readouterr().out
    assert "found.jpg" in printed
    assert "E1 identity similarity" in printed
    run_example(EXAMPLES[1])
    assert "They are the same photograph" in capsys.readouterr().out
    run_example(EXAMPLES[2])
    found, scored = capsys.readouterr().out.strip().split("\n")
    assert '"H1"' in found or "H1" in json.loads(found)["hits"][0]
    assert json.loads(scored)["image"] == "H1"
    assert json.loads(scored)["evidence"]


def test_the_fitting_example_asks_for_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """The last code block builds its engines, and the fit goes as far as to miss the photos."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SetupError, match="photos"):
        run_example(EXAMPLES[-1])


def test_what_it_says_of_the_rule_is_in_the_rule() -> None:
    """The forgeries that pass unseen are those that the shipped rule counted."""
    rule = json.loads((ROOT / "tools/checkpoints/weights/verdict.json").read_text("utf-8"))
    seen = rule["fitted_on"]["unseen"]
    stages = [told for name, told in seen.items() if name.endswith("with_query")]
    assert len(stages) == 3
    swaps, left_out = (max((it[of] for it in stages), key=_passed) for of in (0, 1))
    assert f"{swaps['passed']} of {swaps['forgeries']} face swaps by unseen tools" in README
    assert f"{left_out['passed']} of {left_out['forgeries']} forgeries of families left" in README
    alone = [told for name, told in seen.items() if name.endswith("alone")]
    worst = max((it[0] for it in alone), key=_passed)
    assert f"by itself, another question: {worst['passed']} of {worst['forgeries']}" in README
    bands = [
        it["band"]
        for of in (rule["questions"], *rule["further"].values())
        for name, it in of.items()
        if name != "one_of_two"  # its lower edge finds no forgery absent
    ]
    assert {band["alpha_low"] for band in bands} == {0.1}, "at most one in ten forgeries"


def _passed(told: dict[str, int]) -> int:
    return told["passed"]


def test_the_map_shows_every_folder() -> None:
    """The packages and every folder right below them stand in the map, and no other."""
    tree = README.split("## Folders")[1].split("```")[1].removeprefix("text\n")
    assert len(tree.strip().splitlines()) <= 27
    shown, top = set[str](), ""
    for line in tree.strip().splitlines():
        names = re.findall(r"([a-z_]+)/", line[:28])
        if line.startswith(" "):
            shown |= {f"{top}/{name}" for name in names}
        else:
            (top,) = names
            shown.add(top)
    tops = ("assistant", "tools", "prompts", "evals", "tests")
    below = chain.from_iterable((ROOT / top).glob("*/__init__.py") for top in tops)
    assert shown == {*tops} | {str(path.parent.relative_to(ROOT)) for path in below}
