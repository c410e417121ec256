"""`unmask fit`: instructive help text, one line per mistake, JSON for scripts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner, Result

from assistant.cli.main import app
from assistant.console import progress
from assistant.profile import LoadedModels
from tests.support.own_pictures import engines, photos, with_bad_files
from tools.training.fitting.trainers import TRAINERS

if TYPE_CHECKING:
    from evals.datasets.manifest import Manifest


def run(*arguments: str | Path) -> Result:
    """A run of the command line, in process."""
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture(autouse=True)
def _loaded(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """A data folder of its own; the pocket weights as other tests have loaded them already."""
    loaded = engines()
    monkeypatch.setenv("UNMASK_THREADS", "1")
    monkeypatch.setattr(LoadedModels, "faces", loaded.faces)
    monkeypatch.setattr(LoadedModels, "encoder", loaded.encoder)


@pytest.fixture(scope="module")
def real(made_dataset: "Manifest", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of seven persons, and files of no use."""
    return with_bad_files(photos(made_dataset, tmp_path_factory.mktemp("photos")))


def test_help_teaches() -> None:
    """The help shows commands to copy, every kind with what it is, and what the figures are of."""
    shown = run("fit", "--help").stdout
    for words in ("unmask fit unifd_linear --real ~/photos", "continues where it stopped", "seven"):
        assert words in " ".join(shown.split())
    for kind, row in TRAINERS.items():
        assert f"{kind:<18}{row.title}" in shown


def test_an_unknown_kind_is_wrong_usage(real: Path) -> None:
    """A mistyped detector ends with 2 and the list of those there are."""
    answer = run("fit", "unifd", "--real", real)
    assert answer.exit_code == 2
    assert answer.stdout == ""
    told = " ".join(answer.stderr.split())
    assert "'unifd' cannot be fitted" in told
    assert all(kind in told for kind in TRAINERS)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--epochs", "3"), "error: unifd_linear is not trained in epochs"),
        (("--fake", "nowhere"), "error: 'nowhere' does not exist"),
        (("--name", "../x"), "error: '../x' is not a detector name"),
    ],
)
def test_what_cannot_be_done_is_one_line(more: tuple[str, ...], said: str, real: Path) -> None:
    """A person's mistake ends with 1, in a line that says what to do, and leaves nothing."""
    answer = run("fit", "unifd_linear", "--real", real, *more)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(said)
    assert len(answer.stderr.splitlines()) == 1


def test_too_few_persons_are_one_line(real: Path) -> None:
    """Photos of one person cannot be divided: how many are needed, and what to add."""
    answer = run("fit", "unifd_linear", "--real", real / "person_b", "--no-track")
    assert answer.exit_code == 1
    assert answer.stderr.startswith("error: 1 person has been found, 7 are needed")
    assert len(answer.stderr.splitlines()) == 1


def test_json_is_one_object_and_the_run_is_tracked(real: Path, home: Path) -> None:
    """--json prints one object; the detector is listed with its figures; MLflow has the run."""
    answer = run("fit", "unifd_linear", "--real", real, "--name", "office", "--json", "--track")
    assert answer.exit_code == 0, answer.stderr
    said: dict[str, Any] = json.loads(answer.stdout)
    assert said["detector"] == "face/office"
    assert Path(said["folder"]) == home / "models" / "detectors" / "office"
    assert {Path(it["path"]).name for it in said["skipped_files"]} == {
        "torn.jpg", "letter.jpg", "wall.png", "again.jpg", "slipped_in.png",
    }  # fmt: skip
    listed = json.loads(run("detectors", "--json").stdout)["detectors"]
    (row,) = [it for it in listed if it["detector"] == "face/office"]
    assert row["state"] == "here"
    assert [it["value"] for it in row["figures"]] == [said["figures"]["auc"]]
    assert row["calibration"]["inconclusive"] == [
        said["calibration"]["band"][edge] for edge in ("low", "high")
    ]
    from mlflow import MlflowClient

    kept = MlflowClient(tracking_uri=said["mlflow"]["uri"]).get_run(said["mlflow"]["run_id"])
    assert said["mlflow"]["uri"] == f"sqlite:///{home / 'evals' / 'mlflow.db'}"
    assert kept.data.metrics["auc"] == pytest.approx(said["figures"]["auc"])
    assert kept.data.params["authentic"] == "14"
    assert kept.data.tags["kind"] == "unifd_linear"
    again = run("fit", "unifd_linear", "--real", real, "--name", "office", "--no-track")
    assert again.exit_code == 1
    assert "--force fits it anew" in again.stderr


def test_interrupted_says_how_to_go_on(
    real: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with 130 and says how to continue; nothing is listed yet."""

    def interrupt(self: object, what: str, share: float, said: str) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    monkeypatch.setattr(progress.FitDisplay, "__call__", interrupt)
    answer = run("fit", "unifd_linear", "--real", real, "--no-track")
    assert answer.exit_code == 130
    assert "repeat the command to continue" in answer.stderr
    folder = home / "models" / "detectors" / "my_unifd_linear"
    assert [it.name for it in folder.iterdir()] == [".fit"]


def test_what_was_found_is_shown(real: Path) -> None:
    """On the screen: who was divided how, what was left out and why, figures, where it lies."""
    answer = run("fit", "unifd_neighbours", "--real", real, "--no-track")
    assert answer.exit_code == 0, answer.stderr
    shown = " ".join(answer.stdout.split())
    for words in (
        "face/my_unifd_neighbours: 14 authentic pictures", "2 to learn, 1 to stop", "torn.jpg",
        "5 files left out", "AUC (95 % interval)", "partial_swap", "never learnt",
        "unmask detectors",
    ):  # fmt: skip
        assert words in shown
    assert "note: tested on only 2 persons" in answer.stderr
