"""The README is true: its commands exist, its example runs, its tree lists the files there are."""

import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from assistant.cli.main import app
from tests.support.paths import ROOT
from tools.errors import SetupError

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_two_commands_come_first_and_ci_runs_them() -> None:
    """The first two shell blocks are the two promised commands, and CI runs both."""
    blocks = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    assert blocks[0].strip() == "pip install -e . && unmask demo"
    assert blocks[1].strip() == "pip install -e '.[test]' && pytest"
    ci = (ROOT / ".ci" / "run").read_text()
    for command in ("install --quiet -e . && unmask demo", "-e '.[test]' && pytest"):
        assert command in ci


def test_ci_installs_what_a_person_gets_and_then_what_figures_were_measured_with() -> None:
    """The README's commands run without constraints; a second, short lane installs with them."""
    script = (ROOT / ".ci" / "run").read_text()
    before, pinned = script.split("\nfresh pinned\n")
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


def test_every_unmask_command_in_it_exists() -> None:
    """Each `unmask COMMAND --option` of the README is known to the command line."""
    for command, rest in re.findall(r"unmask (\w+)([^`\n#|]*)", README):
        if command in ("is", "finds") or f"unmask {command}" not in README:
            continue
        shown = CliRunner().invoke(app, [command, "--help"])
        assert shown.exit_code == 0, command
        for option in re.findall(r"--[a-z]+", rest):
            assert option in shown.output, f"{command} {option}"


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path, astronaut: np.ndarray,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The code block of the README works as it stands, on a collection of one photo."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "collection").mkdir()
    Image.fromarray(astronaut).save(tmp_path / "ada.jpg")
    Image.fromarray(astronaut[:, ::-1]).save(tmp_path / "collection" / "found.jpg")
    code = re.search(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert code is not None
    exec(compile(code.group(1), "README.md", "exec"), {})  # noqa: S102 - our own README
    printed = capsys.readouterr().out
    assert "found.jpg" in printed
    assert "E1 identity similarity" in printed


def test_the_fitting_example_asks_for_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """The second code block builds its engines, and `fit` goes as far as to miss the photos."""
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)[1]
    with pytest.raises(SetupError, match="photos"):
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own README


def test_the_tree_lists_every_python_file() -> None:
    """A file that is added, moved or removed must be so in the README's tree."""
    listing = subprocess.run(
        ["git", "ls-files", "*.py"],  # noqa: S607 - git from the PATH
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    tree = README.split("## Architecture")[1]
    for name in listing:
        path = Path(name)
        if path.parts[0] != "tests" and path.name not in ("__init__.py", "__main__.py"):
            assert re.search(rf"\b{re.escape(path.name)}\b", tree), name
