"""`unmask detectors`: the detectors listed, their figures, and missing ones."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from assistant.cli.main import app
from assistant.settings import Settings
from evals.suites.detector_table.detector_list import evaluated_detectors
from tests.tools.detectors.test_image_classifier import REAL_FIRST, vit, write
from tools.checkpoints.store import PROFILES, fingerprint, locate
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.calibration import fit_calibration
from tools.detectors.catalogue import (
    FEATURE_HEAD_ENTRIES,
    FITTED_ENTRIES,
    METRICS_FILE,
    PUBLISHED_ENTRIES,
    VLM_ENTRY,
    ZERO_SHOT_ENTRIES,
    MetricRecord,
    read_metrics,
)
from tools.detectors.clip_heads.prompt_tuning import LinearProbe
from tools.detectors.folders import (
    DETECTORS_FOLDER,
    DetectorDescription,
    StoredDetector,
    find_stored_detectors,
)
from tools.errors import SetupError
from tools.media.hashing import file_sha256
from tools.training.fitting.trainers import TRAINERS

HEADS = WEIGHTS_DIR / "heads"
SHELF = WEIGHTS_DIR / DETECTORS_FOLDER


def run(*arguments: str) -> Result:
    """`unmask` with these words."""
    return CliRunner().invoke(app, list(arguments))


def listed(*before: str) -> dict[tuple[str | None, str], dict[str, Any]]:
    """Rows of --json by profile and detector."""
    result = run(*before, "detectors", "--json")
    assert result.exit_code == 0, result.stderr
    rows = json.loads(result.stdout)["detectors"]
    found = {(row["profile"], row["detector"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def shipped() -> dict[tuple[str | None, str], DetectorDescription]:
    """What lies on the shelf of the package, by profile and title."""
    found = [one.about for one in find_stored_detectors([SHELF])]
    return {("pocket" if it.encoder_sha256 else None, f"{it.inputs}/{it.name}"): it for it in found}


def put_detector(folder: Path, *, encoder_sha256: str | None, **fields: Any) -> StoredDetector:
    """A detector of the user's own on the shelf: a linear probe."""
    said = {
        "kind": "linear_probe", "name": folder.name, "inputs": "face", "needs": "features",
        "licence": "mine alone", "trained_on": "12 photos of mine",
        "settings": {"preprocessing": "resize"}, **fields,
    }  # fmt: skip
    about = DetectorDescription(**said, encoder_sha256=encoder_sha256)
    about.save(folder)
    probe = LinearProbe(np.ones((2, 256)), np.zeros(2), "face")
    probe.save(folder / "model.safetensors", encoder_sha256=encoder_sha256 or "")
    return StoredDetector(folder, about)


def pocket_encoder(home: Path) -> str:
    """The sha256 of the shipped encoder."""
    return fingerprint("pocket", home, parts=("encoder",))["encoder"]


def test_every_known_detector_is_listed_once(home: Path) -> None:
    """The profiles', those on the shelf and those that nobody ships: each has its row."""
    known = {(it.profile, it.title) for it in (*FEATURE_HEAD_ENTRIES, *ZERO_SHOT_ENTRIES)}
    here = {title for _, title in shipped()}
    others = (*PUBLISHED_ENTRIES, *FITTED_ENTRIES, VLM_ENTRY)
    known |= {(it.profile, it.title) for it in others if it.title not in here}
    assert set(listed()) == known | set(shipped())


def test_every_kind_that_can_be_fitted_has_a_row(home: Path) -> None:
    """On the shelf, or with the command that fits it."""
    rows = list(listed().values())
    here = {row["name"] for row in rows if row["state"] != "not here"}
    told = " ".join(row["get"] for row in rows)
    assert [kind for kind in TRAINERS if kind not in here]
    assert all(kind in here or f"unmask fit {kind} --real DIR" in told for kind in TRAINERS)


def test_the_other_ways_of_asking_are_those_of_the_table(home: Path) -> None:
    """Every entrant of the evaluations has a row, or is named as another way of one."""
    rows = listed().values()
    named = {row["detector"] for row in rows} | {name for row in rows for name in row["ways"]}
    assert {it.name for it in evaluated_detectors(Settings.load()).evaluated_detectors} <= named


def test_a_fitted_detector_is_listed_from_its_folder(home: Path) -> None:
    """What lies below MODELS/detectors has a row: licence, training, preprocessing, profile."""
    folder = home / "models" / "detectors" / "mine"
    one = put_detector(folder, encoder_sha256=pocket_encoder(home))
    row = listed()["pocket", "face/mine"]
    assert (row["state"], row["needs"], row["problem"]) == ("here", "features", "")
    assert (row["licence"], row["trained_on"]) == ("mine alone", "12 photos of mine")
    assert (row["preprocessing"], row["checkpoint"]["sha256"]) == ("resize", one.sha256)
    assert (row["figures"], row["calibration"]) == ([], None)
    shown = " ".join(run("detectors").stdout.split())
    assert "face/mine" in shown
    assert "calibrated no: its scores are no probabilities" in shown


def test_a_shelved_detector_shows_its_own_figures_and_calibration(home: Path) -> None:
    """Those of the weights that lie there; when they change, neither is shown any more."""
    folder = home / "models" / "detectors" / "mine"
    one = put_detector(folder, encoder_sha256=pocket_encoder(home))
    logits = np.linspace(-2, 2, 40)
    asked = replace(
        LinearProbe(np.ones((2, 256)), np.zeros(2), "face"), name="mine", sha256=one.sha256
    )
    fit_calibration(
        asked, logits, logits + 0.5 * np.sin(9 * logits) > 0, fitted_on={"data": "my own"}
    ).save(folder / "calibration.json")
    figure = MetricRecord(
        "face/mine", one.sha256, "album", "own", "AUC", 0.75, (0.5, 0.9), 9, 9, "x", "y"
    )
    (folder / METRICS_FILE).write_text(json.dumps([asdict(figure)]), "utf-8")
    row = listed()["pocket", "face/mine"]
    assert row["figures"][0]["value"] == 0.75
    assert (row["calibration"]["method"], row["calibration"]["fitted_on"]["data"]) == (
        "platt", "my own",
    )  # fmt: skip
    assert "platt, on my own; inconclusive from" in " ".join(run("detectors").stdout.split())
    put_detector(folder, encoder_sha256=pocket_encoder(home), trained_on="other photos")
    row = listed()["pocket", "face/mine"]
    assert (row["figures"], row["calibration"]) == ([], None)


def test_what_is_on_the_shelf_is_no_longer_said_to_be_missing(home: Path) -> None:
    """A detector that nobody ships leaves the list of those when somebody puts it there."""
    folder = home / "models" / "detectors" / "any"
    put_detector(folder, encoder_sha256=pocket_encoder(home), name="coop", kind="linear_probe")
    rows = [row for (_, title), row in listed().items() if title == "face/coop"]
    assert [row["state"] for row in rows] == ["here"]


def test_what_cannot_be_used_is_listed_with_the_reason(home: Path) -> None:
    """An encoder that is not here, weights that are gone, a description that is damaged."""
    shelf = home / "models" / "detectors"
    put_detector(shelf / "foreign", encoder_sha256="f" * 64)
    put_detector(shelf / "empty", encoder_sha256=None)
    (shelf / "empty" / "model.safetensors").unlink()
    put_detector(shelf / "torn", encoder_sha256=None)
    (shelf / "torn" / "detector.json").write_text("{", "utf-8")
    put_detector(shelf / "bare", encoder_sha256=None)
    (shelf / "bare" / "detector.json").write_text('{"kind": "coop"}', "utf-8")
    rows = {title: row for (_, title), row in listed().items()}
    for name, reason in (
        ("foreign", "unmask fit"), ("empty", "is missing"), ("torn", "cannot be read"),
        ("bare", "lacks 'name', 'inputs', 'needs', 'licence', 'trained_on'"),
    ):  # fmt: skip
        assert rows[f"face/{name}"]["state"] == "unusable"
        assert reason in rows[f"face/{name}"]["problem"]


def test_the_pocket_heads_are_in_use_with_what_one_must_know(home: Path) -> None:
    """Checkpoint, licence, training and preprocessing of a shipped head are all there."""
    row = listed()["pocket", "face/unifd_linear"]
    assert (row["state"], row["inputs"], row["needs"]) == ("in use", "face", "features")
    assert row["preprocessing"] == "resize"
    assert row["checkpoint"]["sha256"] == file_sha256(HEADS / "face_linear.safetensors")
    assert "research and evaluation" in row["licence"]
    assert "LFW" in row["trained_on"]
    assert (row["problem"], row["get"]) == ("", "")


def test_the_verdict_uses_exactly_those_in_use(home: Path) -> None:
    """What is listed as in use is what the profile's list of detectors loads."""
    from tools.checkpoints.store import fingerprint
    from tools.detectors import load_detectors

    encoder = fingerprint("pocket", home, parts=("encoder",))["encoder"]
    loaded = {f"{it.inputs}/{it.name}" for it in load_detectors(HEADS, encoder)}
    assert {name for (_, name), row in listed().items() if row["state"] == "in use"} == loaded


def test_figures_are_of_the_shipped_checkpoints(home: Path) -> None:
    """Every figure names command, date and counts, and holds for a file that is shipped."""
    figures = read_metrics(HEADS)
    assert {it.detector for it in figures} >= {
        "face/unifd_linear", "face/unifd_neighbours", "image/unifd_linear",
        "image/unifd_neighbours", "face/prompts",
    }  # fmt: skip
    rows = {row["detector"]: row for (profile, _), row in listed().items() if profile == "pocket"}
    for it in figures:
        assert it.checkpoint == rows[it.detector]["checkpoint"]["sha256"]
        assert 0 <= it.interval[0] <= it.value <= it.interval[1] <= 1
        assert it.command.startswith("python -m evals ")
        assert it.date
        assert it.note
        assert min(it.authentic, it.forged) > 0
    assert "dfdc" in {it["dataset"] for it in rows["face/unifd_linear"]["figures"]}


def test_what_was_not_measured_is_said(home: Path) -> None:
    """Without figures a detector has none, in words on the screen and empty in JSON."""
    assert listed()["full", "face/unifd_linear"]["figures"] == []
    assert "not measured by this project" in run("detectors").stdout


def test_figures_are_shown_with_how_near_their_data_is(home: Path) -> None:
    """On the screen a value stands with its interval, its kind of data and its command."""
    shown = " ".join(run("detectors").stdout.split())
    figure = next(
        it
        for it in read_metrics(HEADS)
        if (it.detector, it.dataset) == ("face/unifd_linear", "lfw/partial_swap")
    )
    low, high = figure.interval
    assert "families left out of training" in figure.note
    assert f"{figure.note}: lfw/partial_swap {figure.value:.2f}" in shown
    assert f"({low:.2f}–{high:.2f})" in shown
    assert f"{figure.command}, {figure.date}" in shown


def test_figures_of_another_checkpoint_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """A head that was trained anew has no figures until somebody measures it."""
    from tools.detectors import catalogue

    stale = json.loads((HEADS / METRICS_FILE).read_text("utf-8"))
    for row in stale:
        row["checkpoint"] = "0" * 64
    (tmp_path / METRICS_FILE).write_text(json.dumps(stale), "utf-8")
    read = catalogue.read_metrics
    monkeypatch.setattr(catalogue, "read_metrics", lambda _: read(tmp_path))
    assert all(row["figures"] == [] for row in listed().values())


def test_damaged_figures_are_told(tmp_path: Path) -> None:
    """A file that is no list of figures is named; a folder without one has none."""
    assert read_metrics(tmp_path) == ()
    for text in ("{", '[{"detector": "x"}]', '{"a": 1}'):
        (tmp_path / METRICS_FILE).write_text(text, "utf-8")
        with pytest.raises(SetupError, match=r"FIGURES\.json is damaged"):
            read_metrics(tmp_path)


def test_what_is_not_here_says_how_to_have_it(home: Path) -> None:
    """Downloads name their command, others the folder or the file that is missing."""
    for (profile, _), row in listed().items():
        if row["state"] == "not here":
            assert row["get"]
            assert row["checkpoint"] is None
            assert ("unmask models download full" in row["get"]) == (profile == "full")


def test_another_profile_turns_the_states_around(home: Path) -> None:
    """With the full profile, the pocket heads are here but do not make the verdict."""
    rows = listed("--profile", "full")
    assert rows["pocket", "face/unifd_linear"]["state"] == "here"
    assert not [row for row in rows.values() if row["state"] == "in use"]


def test_a_classifier_is_listed_from_its_folder(home: Path) -> None:
    """What a person puts below `classifiers` is a detector: classes, licence, preprocessing."""
    folder = write(home / "models" / "classifiers" / "image" / "mine", vit, REAL_FIRST)
    (folder / "README.md").write_text("---\ntags: [a]\nlicense: apache-2.0\n---\n# Mine\n", "utf-8")
    row = listed()[None, "image/mine"]
    assert (row["state"], row["needs"], row["licence"]) == ("here", "pixels", "apache-2.0")
    assert row["classes"] == {"fake": ["Fake"], "real": ["Real"]}
    assert "ViTImageProcessor" in row["preprocessing"]
    assert len(row["checkpoint"]["sha256"]) == 64
    shown = run("detectors").stdout
    assert "image/mine" in shown
    assert "fake: Fake; real: Real" in shown


def test_a_classifier_that_does_not_say_its_fake_class_is_unusable(home: Path) -> None:
    """The list goes on, and says what to write where; a known name is not listed twice."""
    name = "Deep-Fake-Detector-Model"
    write(home / "models" / "classifiers" / "face" / name, vit, ("LABEL_0", "LABEL_1"))
    row = listed()[None, f"face/{name}"]
    assert row["state"] == "unusable"
    assert "classes.json" in row["problem"]
    assert "ask its author" in row["licence"]
    assert "Installed, but not usable" in run("detectors").stdout


def test_a_classifier_without_its_processor_is_unusable(home: Path) -> None:
    """Half a checkpoint does not end the list."""
    folder = write(home / "models" / "classifiers" / "image" / "half", vit, REAL_FIRST)
    (folder / "preprocessor_config.json").unlink()
    row = listed()[None, "image/half"]
    assert row["state"] == "unusable"
    assert "preprocessor_config.json is missing" in row["problem"]


def test_help_teaches_by_example() -> None:
    """What an AUC says, what it does not, and how to add a detector stand in the help."""
    shown = run("detectors", "--help").stdout
    for words in ("unmask detectors --json", "0.5 is chance", "classifiers/face", "verdict"):
        assert words in shown


def test_rows_agree_with_the_table_of_heads() -> None:
    """Every head that can be loaded is described, and nothing else is."""
    from tools.detectors import FEATURE_HEADS

    assert {(it.file, it.inputs) for it in FEATURE_HEAD_ENTRIES} == {it[:2] for it in FEATURE_HEADS}
    assert locate(PROFILES["pocket"]["heads"], Path()) == HEADS
