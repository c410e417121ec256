"""`python -m evals`: list, run by name, gates, and figures that were not measured."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import evals.__main__ as entry
from evals.options import EvalOptions
from evals.suite_table import GROUPS, SUITES
from evals.suites.performance import size
from tests.support.paths import ROOT
from tools.errors import SetupError


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The entry tells libraries to stay offline; a test leaves the environment alone."""
    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[EvalOptions]:
    """What the size evaluation was told, with figures made up instead of measured."""
    told: list[EvalOptions] = []

    def run(options: EvalOptions) -> dict[str, object]:
        told.append(options)
        return {"auc": 0.98765, "by_group": {"a": float("nan"), "b": None}, "counts": [1, 2]}

    monkeypatch.setattr(size, "run", run)
    return told


def test_every_suite_is_a_file_with_a_question() -> None:
    """The table names modules that exist, each asking something."""
    for suite in SUITES.values():
        assert find_spec(suite.module) is not None
        assert suite.question.endswith("?")
        assert suite.group in GROUPS


def test_every_file_with_a_run_is_in_the_table() -> None:
    """A suite that nobody can start by name does not exist."""
    folder = Path(str(entry.__file__)).parent
    files = [
        it.relative_to(folder).with_suffix("")
        for it in folder.rglob("*.py")
        if "\ndef run(options: EvalOptions)" in it.read_text()
    ]
    modules = {".".join(("evals", *it.parts)) for it in files}
    assert modules == {it.module for it in SUITES.values()}


def test_list_names_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    """`list` prints every name."""
    assert entry.main(["list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in [*SUITES, *GROUPS])


def test_an_unknown_name_ends_with_2_and_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped evaluation is answered by what there is."""
    assert entry.main(["run", "sise"]) == 2
    output = capsys.readouterr()
    assert "'sise'" in output.err
    assert "chaos" in output.err
    assert output.out == ""


def test_missing_data_end_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the data, one line says how to name them."""
    assert entry.main(["run", "embedder", "--data", str(tmp_path / "nowhere")]) == 1
    error = capsys.readouterr().err
    assert "--data DIR" in error
    assert len(error.splitlines()) == 1


def test_options_reach_the_evaluation(seen: list[EvalOptions], tmp_path: Path) -> None:
    """Data, limit, seed, output, layout and peers arrive as given; the output folder is made."""
    output, peer = tmp_path / "a" / "b", tmp_path / "peer.csv"
    peer.write_text("path,score\n")
    arguments = ["--data", str(tmp_path), "--limit", "5", "--seed", "3", "--output", str(output)]
    arguments += ["--layout", "lfw", "--peer", f"other={peer}"]
    assert entry.main(["run", "size", *arguments]) == 0
    assert seen == [
        EvalOptions(
            data=tmp_path,
            limit=5,
            seed=3,
            output=output,
            layout="lfw",
            peers=(("other", peer),),
        )
    ]
    assert output.is_dir()


def test_figures_are_a_table(seen: list[EvalOptions], capsys: pytest.CaptureFixture[str]) -> None:
    """Figures are aligned lines; NaN and None read as not measured."""
    assert entry.main(["run", "size"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        "auc         0.9877",
        "by_group.a  not measured",
        "by_group.b  not measured",
        "counts      1, 2",
    ]
    assert "kept in" in output.err


def test_json_has_no_nan(seen: list[EvalOptions], capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, what was not measured is null."""
    assert entry.main(["run", "size", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "auc": 0.98765,
        "by_group": {"a": None, "b": None},
        "counts": [1, 2],
    }


def test_what_suites_print_is_no_result(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stdout carries the figures only, in text that cannot steer the terminal."""

    def run(options: EvalOptions) -> dict[str, object]:
        print("half way")
        return {"worst": "\x1b[31m.png"}

    monkeypatch.setattr(size, "run", run)
    assert entry.main(["run", "size"]) == 0
    output = capsys.readouterr()
    assert output.out == "worst  \\x1b[31m.png\n"
    assert "half way" in output.err


def test_quiet_says_nothing(seen: list[EvalOptions], capsys: pytest.CaptureFixture[str]) -> None:
    """With --quiet, a run that went well prints nothing."""
    assert entry.main(["run", "size", "--quiet"]) == 0
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "")


def test_what_a_person_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A SetupError of an evaluation ends with 1 and its message."""

    def run(options: EvalOptions) -> dict[str, object]:
        raise SetupError("no weights: run `unmask models verify`")

    monkeypatch.setattr(size, "run", run)
    assert entry.main(["run", "size"]) == 1
    assert capsys.readouterr().err == "error: no weights: run `unmask models verify`\n"


@pytest.mark.parametrize("limit", ["0", "-3", "many"])
def test_impossible_limits_are_refused(limit: str) -> None:
    """A limit that leaves nothing to measure is wrong usage."""
    with pytest.raises(SystemExit) as stop:
        entry.main(["run", "size", "--limit", limit])
    assert stop.value.code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--min", "auc"], ["--max", "auc=high"], ["--min", "=1"], ["--min", "auc=nan"],
        ["--peer", "file.csv"], ["--peer", "a b=file.csv"],
        ["--peer", "a=x.csv", "--peer", "a=y.csv"],
    ],
)  # fmt: skip
def test_malformed_bounds_and_peers_are_refused(words: list[str]) -> None:
    """A bound without a number, a peer without a name or with another's: wrong usage."""
    with pytest.raises(SystemExit) as stop:
        entry.main(["run", "size", *words])
    assert stop.value.code == 2


@pytest.mark.parametrize(
    ("bound", "status", "said"),
    [
        (["--min", "auc=0.98"], 0, ""),
        (["--min", "auc=0.99"], 3, "gate: auc: 0.98765 is below 0.99"),
        (["--max", "auc=0.9"], 3, "gate: auc: 0.98765 is above 0.9"),
        (["--max", "counts.1=1"], 3, "gate: counts.1: 2 is above 1"),
        (["--min", "by_group.a=0"], 3, "gate: by_group.a: not measured"),
        (["--max", "by_group.b=9"], 3, "gate: by_group.b: not measured"),
        (["--min", "acu=0"], 3, "gate: acu: not measured, no figure has that name"),
        (["--min", "auc=0.1", "--max", "counts.0=0"], 3, "gate: counts.0: 1 is above 0"),
    ],
)
def test_gates_end_with_3(
    seen: list[EvalOptions],
    capsys: pytest.CaptureFixture[str],
    bound: list[str],
    status: int,
    said: str,
) -> None:
    """A bound that is not kept, or a figure that was not measured, fails the gate by name."""
    assert entry.main(["run", "size", *bound]) == status
    error = capsys.readouterr().err
    assert ("gate:" in error) == (status == 3)
    assert said in error


def test_a_peers_missing_file_is_said_before_anything_is_measured(
    seen: list[EvalOptions], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scores file that is not there stops the run at once."""
    assert entry.main(["run", "size", "--peer", f"other={tmp_path / 'gone.csv'}"]) == 1
    assert "no scores of 'other'" in capsys.readouterr().err
    assert seen == []


def test_size_counts_every_byte(tmp_path: Path) -> None:
    """Files at every depth of a part count, caches of Python do not."""
    for name, count in (("a.onnx", 1_000_000), ("b/c.bin", 500_000), ("__pycache__/x.pyc", 999)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(count))
    assert size.size_mb(tmp_path) == 1.5
    assert size.size_mb(tmp_path / "a.onnx") == 1.0


def test_the_weights_fit_and_the_import_is_light() -> None:
    """All pocket weights stay under 60 MB, and importing the assistant brings no torch."""
    figures = size.run(EvalOptions(data=Path()))
    assert figures["within_limit"] is True
    assert figures["import_brings_torch"] is False
    total = figures["total_mb"]
    assert isinstance(total, float)
    assert total > 0


def test_the_entry_can_be_started() -> None:
    """`python -m evals list` works as a program."""
    answer = subprocess.run(
        [sys.executable, "-m", "evals", "list"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "impersonation" in answer.stdout


def test_a_reader_that_has_enough_is_no_error() -> None:
    """`python -m evals list | head -0` ends without a traceback."""
    reader = subprocess.Popen(
        [sys.executable, "-m", "evals", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert reader.stdout is not None
    reader.stdout.close()
    reader.stdout = None
    _, error = reader.communicate(timeout=60)
    assert "Traceback" not in error
