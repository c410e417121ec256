"""Runs on disk: complete or absent, resumed, refused, tracked, and free of paths."""

import json
import math
import os
from pathlib import Path

import pytest

import evals.__main__ as entry
from evals.options import EvalOptions
from evals.runs import folder as runs
from evals.runs import samples, tracking
from evals.runs.figures import flatten_figures
from evals.runs.samples import SampleWriter
from evals.suites.performance import size
from tests.support.eval_runs import MadeRun, write_run_folder
from tools.errors import SetupError


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """The entry tells libraries to stay offline; a test leaves the environment alone."""
    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)


def _suite(options: EvalOptions) -> dict[str, object]:
    """Keeps a gallery, a sample and a picture's path among its figures."""
    assert options.output is not None
    gallery = options.output / runs.HOME_DIR
    gallery.mkdir(exist_ok=True)
    with (gallery / "starts").open("a") as file:
        file.write("x")
    SampleWriter(options.output).query(id="q", group="g", values={"ap": 0.5})
    options.progress(1, 2, "measuring")
    return {"auc": 0.5, "auc_95": (0.25, float("nan")), "worst": str(gallery / "a.png")}


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite that measures nothing, in the place of `size`."""
    monkeypatch.setattr(size, "run", _suite)


def test_a_run_is_kept_below_the_data_folder(suite: None, home: Path) -> None:
    """Without --output, the run has a folder of its own, and its gallery of faces is deleted."""
    assert entry.main(["run", "size", "--seed", "7"]) == 0
    assert entry.main(["run", "size", "--seed", "7"]) == 0
    folders = sorted((home / "evals").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert folder.name.startswith("size-20")
        assert {it.name for it in folder.iterdir()} == {"run.json", "samples.jsonl", "report.html"}


def test_a_run_says_what_it_depended_on(suite: None, tmp_path: Path) -> None:
    """Options, versions, checkpoints and figures are kept; no path of this machine is."""
    peer, output = tmp_path / "peer.csv", tmp_path / "out"
    peer.write_text("path,score\n")
    words = ["--limit", "3", "--peer", f"other={peer}", "--output", str(output)]
    assert entry.main(["run", "size", *words]) == 0
    text = (output / "run.json").read_text()
    kept = runs.load_run(output)
    assert kept.options["limit"] == 3
    assert flatten_figures(kept.options)["peers.other.file"] == "peer.csv"
    assert kept.environment["profile"] == "pocket"
    assert set(flatten_figures(kept.environment)) >= {
        "python",
        "libraries.numpy",
        "checkpoints.verdict",
    }
    # The interval's upper end was NaN: null in JSON.
    assert kept.figures == {"auc": 0.5, "auc_95": [0.25, None], "worst": "home/a.png"}
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text


def test_a_completed_run_is_refused_unless_forced(
    suite: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is overwritten unasked; with --force the gallery is used again, samples are new."""
    output = tmp_path / "out"
    words = ["run", "size", "--output", str(output)]
    assert entry.main(words) == 0
    assert entry.main(words) == 1
    assert "holds a completed run" in capsys.readouterr().err
    assert (output / "home" / "starts").read_text() == "x"
    assert entry.main([*words, "--force"]) == 0
    assert (output / "home" / "starts").read_text() == "xx"
    assert len((output / "samples.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("error", [SetupError("the disk is full"), KeyboardInterrupt()])
def test_an_interrupted_run_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
) -> None:
    """What was done is kept and named; the next start finds the gallery, and no old samples."""
    output = tmp_path / "out"
    words = ["run", "size", "--output", str(output)]

    def stopped(options: EvalOptions) -> dict[str, object]:
        _suite(options)
        raise error

    monkeypatch.setattr(size, "run", stopped)
    assert entry.main(words) == (1 if isinstance(error, SetupError) else 130)
    assert f"resume with --output {str(output)!r}" in capsys.readouterr().err
    with pytest.raises(SetupError, match="was interrupted; resume with"):
        runs.load_run(output)
    monkeypatch.setattr(size, "run", _suite)
    assert entry.main(words) == 0
    assert (output / "home" / "starts").read_text() == "xx"
    assert len((output / "samples.jsonl").read_text().splitlines()) == 1


def test_a_run_that_did_nothing_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A suite that fails at once leaves no empty folder behind."""

    def fails(options: EvalOptions) -> dict[str, object]:
        raise SetupError("no weights")

    monkeypatch.setattr(size, "run", fails)
    assert entry.main(["run", "size"]) == 1
    assert list((home / "evals").iterdir()) == []


def test_folders_of_others_are_refused(tmp_path: Path) -> None:
    """An interrupted run of another suite, other files, or a file: nothing is touched."""
    runs.prepare_folder(tmp_path / "run", "speed")
    with pytest.raises(SetupError, match="holds a run of 'speed', not of 'size'"):
        runs.prepare_folder(tmp_path / "run", "size")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(SetupError, match="holds other files"):
        runs.prepare_folder(tmp_path / "mine", "size", force=True)
    with pytest.raises(SetupError, match="is a file"):
        runs.prepare_folder(tmp_path / "mine" / "letter.txt", "size")


def test_runs_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    """A folder without a run, and records that are no records, are one line each."""
    with pytest.raises(SetupError, match="no run in"):
        runs.load_run(tmp_path)
    for text, said in (("{", "cannot be read"), ("[]", "is not a run"), ("{}", "lacks 'suite'")):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(SetupError, match=said):
            runs.load_run(tmp_path)


def test_pictures_outside_of_the_run_are_left_out(tmp_path: Path) -> None:
    """A run from somebody else cannot make the page carry other files of this machine."""
    folder = write_run_folder(tmp_path / "run", MadeRun(picture=("ROC", "")))
    (tmp_path / "secret.png").write_bytes(b"secret")
    listed = json.loads((folder / "pictures.json").read_text())
    for name in ("../secret.png", str(tmp_path / "secret.png"), "run.json", "gone.png"):
        listed.append({"file": name, "title": "t", "caption": "c"})
    (folder / "pictures.json").write_text(json.dumps(listed))
    assert [it.file.name for it in runs.load_pictures(folder)] == ["roc.png"]


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    """Scores, queries, what was not measured and extra values survive the file."""
    kept = SampleWriter(tmp_path)
    kept.score(id="a@1.5", group="g", set="s", label=1, scores={"x": None, "y": 0.5}, face=[1, 2])
    kept.score(id="b", group="g", set="s", label=0, scores={"x": math.nan})
    kept.query(id="q", group="p", values={"ap": 1.0}, source="c")
    scores, queries = samples.read(tmp_path)
    assert [(it.id, it.label) for it in scores] == [("a@1.5", 1), ("b", 0)]
    assert scores[0].extra == {"face": [1, 2]}
    assert math.isnan(scores[0].scores["x"]) and math.isnan(scores[1].scores["x"])
    assert scores[0].scores["y"] == 0.5
    assert [(it.id, dict(it.values), it.extra) for it in queries] == [
        ("q", {"ap": 1.0}, {"source": "c"})
    ]


def test_samples_without_a_folder_are_not_kept() -> None:
    """A suite need not ask whether anybody keeps its samples."""
    SampleWriter(None).query(id="q", group="p", values={})


def test_broken_samples_are_named_by_line(tmp_path: Path) -> None:
    """A line that is no sample is said with its number."""
    line = json.dumps({"kind": "query", "id": "q", "group": "g", "values": {}})
    (tmp_path / samples.NAME).write_text(f'{line}\n{line[:-1]}, "values": 3}}\n')
    with pytest.raises(SetupError, match="line 2: not a sample"):
        samples.read(tmp_path)
    (tmp_path / samples.NAME).write_text(f"{line}\nhalf a li")
    with pytest.raises(SetupError, match="line 2: not JSON"):
        samples.read(tmp_path)


def test_runs_are_tracked(suite: None, home: Path, tmp_path: Path) -> None:
    """--mlflow keeps options, figures and files in a real store, which is read back."""
    output = tmp_path / "out"
    assert entry.main(["run", "size", "--limit", "3", "--output", str(output), "--mlflow"]) == 0
    from mlflow import MlflowClient

    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    client = MlflowClient(tracking_uri=f"sqlite:///{home / 'evals' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("unmask/size")
    [run] = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "out"
    assert run.info.status == "FINISHED"
    # The interval's upper end is NaN and therefore no metric.
    assert run.data.metrics == {"auc": 0.5, "auc_95.low": 0.25}
    assert run.data.params["limit"] == "3"
    assert run.data.tags["suite"] == "size"
    kept = {it.path for it in client.list_artifacts(run.info.run_id)}
    assert kept == {"run.json", "samples.jsonl", "report.html"}
    assert (home / "evals" / "mlflow-artefacts").is_dir()
    assert not Path("mlruns").exists()


def test_a_store_that_is_none_is_said_in_a_line(suite: None, tmp_path: Path) -> None:
    """A tracking URI that MLflow cannot use is the person's to mend; the run is kept."""
    folder = write_run_folder(tmp_path / "run", MadeRun())
    with pytest.raises(SetupError, match="MLflow at"):
        tracking.track(folder, f"nothing://{tmp_path}")
    assert runs.load_run(folder).suite == "detectors"
    assert not list(tmp_path.glob("*.db"))
