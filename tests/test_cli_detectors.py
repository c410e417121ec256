"""`unmask detectors`: what is listed, with which figures, and what is said of what is not there."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from assistant.cli import app
from tests.test_image_classifier import REAL_FIRST, vit, write
from tools.checkpoints import PROFILES, WEIGHTS, locate
from tools.detectors.catalogue import (
    FIGURES,
    HEADS_KNOWN,
    OTHERS_KNOWN,
    PROMPTS_KNOWN,
    read_figures,
)
from tools.errors import SetupError
from tools.hashing import file_sha256

HEADS = WEIGHTS / "heads"


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


def test_every_known_detector_is_listed_once(home: Path) -> None:
    """The profile's, those of the other profile and those that nobody ships: each has its row."""
    known = {(it.profile, it.title) for it in (*HEADS_KNOWN, *PROMPTS_KNOWN, *OTHERS_KNOWN)}
    assert set(listed()) == known


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
    from tools.checkpoints import fingerprint
    from tools.detectors import detectors

    encoder = fingerprint("pocket", home, parts=("encoder",))["encoder"]
    loaded = {f"{it.inputs}/{it.name}" for it in detectors(HEADS, encoder)}
    assert {name for (_, name), row in listed().items() if row["state"] == "in use"} == loaded


def test_figures_are_of_the_shipped_checkpoints(home: Path) -> None:
    """Every figure names command, date and counts, and holds for a file that is shipped."""
    figures = read_figures(HEADS)
    assert {it.detector for it in figures} >= {
        "face/unifd_linear", "face/unifd_neighbours", "image/unifd_linear",
        "image/unifd_neighbours", "face/prompts",
    }  # fmt: skip
    rows = {row["detector"]: row for (profile, _), row in listed().items() if profile == "pocket"}
    for it in figures:
        assert it.checkpoint == rows[it.detector]["checkpoint"]["sha256"]
        assert 0 <= it.interval[0] <= it.value <= it.interval[1] <= 1
        assert it.command.startswith("python -m evals run ")
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
        for it in read_figures(HEADS)
        if (it.detector, it.dataset) == ("face/unifd_linear", "lfw/partial_swap")
    )
    low, high = figure.interval
    assert f"held out of training, unseen persons: lfw/partial_swap {figure.value:.2f}" in shown
    assert f"({low:.2f}–{high:.2f})" in shown
    assert f"{figure.command}, {figure.date}" in shown


def test_figures_of_another_checkpoint_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """A head that was trained anew has no figures until somebody measures it."""
    from tools.detectors import catalogue

    stale = json.loads((HEADS / FIGURES).read_text("utf-8"))
    for row in stale:
        row["checkpoint"] = "0" * 64
    (tmp_path / FIGURES).write_text(json.dumps(stale), "utf-8")
    read = catalogue.read_figures
    monkeypatch.setattr(catalogue, "read_figures", lambda _: read(tmp_path))
    assert all(row["figures"] == [] for row in listed().values())


def test_damaged_figures_are_told(tmp_path: Path) -> None:
    """A file that is no list of figures is named; a folder without one has none."""
    assert read_figures(tmp_path) == ()
    for text in ("{", '[{"detector": "x"}]', '{"a": 1}'):
        (tmp_path / FIGURES).write_text(text, "utf-8")
        with pytest.raises(SetupError, match=r"FIGURES\.json is damaged"):
            read_figures(tmp_path)


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
    assert "not usable as they are" in run("detectors").stdout


def test_help_teaches_by_example() -> None:
    """What an AUC says, what it does not, and how to add a detector stand in the help."""
    shown = run("detectors", "--help").stdout
    for words in ("unmask detectors --json", "0.5 is chance", "classifiers/face", "verdict"):
        assert words in shown


def test_rows_agree_with_the_table_of_heads() -> None:
    """Every head that can be loaded is described, and nothing else is."""
    from tools.detectors import HEADS as LOADABLE

    assert {(it.file, it.inputs) for it in HEADS_KNOWN} == {it[:2] for it in LOADABLE}
    assert locate(PROFILES["pocket"]["heads"], Path()) == HEADS
