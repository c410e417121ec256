"""The table of all detectors by forgery family, on a few made pictures, and its calibrations.

Figures on so few pictures mean nothing; who is in the table, what is missing in it, and whose
pictures it rests on is what the tests are about.
"""

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import evals.__main__ as entry
from evals.options import EvalOptions
from evals.protocol.measured import load_models
from evals.runs.figures import jsonable
from evals.runs.folder import EvalRun
from evals.runs.samples import ScoreSample, read
from evals.suite_table import SUITES
from evals.suites.detection import suite
from evals.suites.detection.figures import figures_of
from evals.suites.detection.systems import System
from evals.suites.detector_table import batch_scoring as asking
from evals.suites.detector_table import calibration as table_calibration
from evals.suites.detector_table import card_figures, detector_list, fusion_gain
from evals.suites.detector_table import logit_cache as answers
from evals.suites.detector_table import markdown as written_table
from evals.suites.detector_table import samples as table_samples
from evals.suites.detector_table import suite as table
from evals.suites.detector_table.calibration import figures as calibration_figures
from evals.suites.detector_table.markdown import markdown
from evals.suites.detector_table.score_table import ScoreTable, column, columns
from evals.suites.detector_table.training_distance import (
    POCKET_FAMILIES,
    TrainingFamilies,
    read_training_families,
    training_overlap,
)
from evals.suites.performance import size
from prompts.zero_shot import PROMPT_SETS
from tests.support.made import forgery_data as made_forgery_data
from tests.tools.detectors.test_image_classifier import REAL_FIRST, vit, write
from tools.detectors.calibration import CALIBRATION_FILE, Calibration, fit_calibration
from tools.detectors.clip_heads.profile_heads import (
    calibration_of,
    detector_variants,
    read_calibrations,
    variant_name,
    write_calibrations,
)
from tools.detectors.folders import DETECTORS_FOLDER, StoredDetector, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.errors import SetupError
from tools.forge.forgery import FAMILIES, SCENE_FAMILIES
from tools.training.calibration import detectors as calibrating
from tools.training.calibration.detector_pictures import half_of, lfw_faces
from tools.training.detectors.sbi_caddm import ArtefactLearner
from tools.verdict.calibration import InconclusiveBand

FEW = ("face_swap", "partial_swap", "scene_resynthesis", "morph")
PHOTOS = 4


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with lfw/ and dfdc/ of seven made persons."""
    return made_forgery_data.build(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models' folder with one detector on its shelf, untrained, calibrated by hand."""
    folder = tmp_path_factory.mktemp("models")
    ArtefactLearner("sbi").save(
        folder / DETECTORS_FOLDER / "sbi", trained_on="nothing", families=["self_blend"], name="sbi"
    )
    (one,) = find_stored_detectors([folder / DETECTORS_FOLDER])
    detector = load_detector(one, load_models().encoder)
    logits = np.linspace(-1, 1, 20)
    fit_calibration(detector, logits, logits > 0, fitted_on={}).save(one.folder / CALIBRATION_FILE)
    return folder


def of_models(folder: Path) -> detector_list.DetectorSet:
    """Everyone, with the shelf of this models' folder."""
    return detector_list.evaluated_detectors(
        load_models().settings.model_copy(update={"models_dir": folder})
    )


@dataclass(frozen=True)
class Ran:
    """A run of the table: what it found, its folder, and what it was told."""

    figures: dict[str, object]
    folder: Path
    options: EvalOptions


@pytest.fixture(scope="module")
def small(models: Path) -> Iterator[None]:
    """Few families, prompts and rounds, and no detectors but the heads' and the made one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "evaluated_detectors", lambda _: of_models(models))
        patch.setattr(detector_list, "WEIGHTS_DIR", models / "nowhere")
        patch.setattr(detector_list, "PROMPT_SETS", {"captions": PROMPT_SETS["captions"]})
        patch.setattr(table_samples, "ALL_FAMILIES", FEW)
        for module in (table, fusion_gain, table_calibration):
            patch.setattr(module, "ROUNDS", 5)
        yield


@pytest.fixture(scope="module")
def ran(small: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """What the suite says of the folder."""
    options = EvalOptions(data, limit=PHOTOS, output=tmp_path_factory.mktemp("run"))
    assert options.output is not None
    return Ran(suite.run(options), options.output, options)


def samples(ran: Ran, name: str) -> list[ScoreSample]:
    """Those of one column."""
    return [it for it in read(ran.folder)[0] if it.set == name]


def test_everyone_has_a_row(ran: Ran) -> None:
    """Fusion, every way of the heads, prompts and what lies on the shelf stand in the table."""
    rows = ran.figures["summary"]
    assert isinstance(rows, dict)
    heads = {variant_name(it) for it in detector_variants(load_models().detectors)}
    missing = {"second/difference"} if load_models().second_embedder is None else set()
    assert {"face/unifd_neighbours_k3", "image/unifd_linear official"} < heads
    assert {*rows} == {
        "fused",
        "fused with query",
        "face/prompts",
        "image/prompts",
        "face/sbi",
        *heads,
        "reference/inner_outer",
        "reference/patch_distance",
        "second/difference",
    } - missing
    assert {it for it in rows["fused"] if not it.endswith("_95")} == {
        "families_learnt", "families_held_out", "dfdc"
    }  # fmt: skip


def test_cells_are_those_of_the_samples(ran: Ran) -> None:
    """A cell's AUC is what its samples give, and an authentic photo stands in every family."""
    from tools.metrics import auc

    cells = ran.figures["by_family"]
    assert isinstance(cells, dict)
    for family in ("face_swap", "morph"):
        rows = samples(ran, f"lfw/{family}")
        found = auc([it.scores["face/unifd_linear"] for it in rows], [it.label for it in rows])
        assert cells["auc"]["face/unifd_linear"][family] == pytest.approx(found)
        assert {it.id for it in rows if not it.label} == {
            it.id for it in samples(ran, "lfw/partial_swap") if not it.label
        }


def test_accuracies_need_a_calibration(ran: Ran) -> None:
    """The made detector was calibrated and is right or wrong; an uncalibrated one is neither."""
    cells = ran.figures["by_family"]
    assert isinstance(cells, dict)
    assert math.isfinite(cells["real_accuracy"]["face/sbi"]["morph"])
    plain = cells["real_accuracy"]["reference/patch_distance"].values()
    assert all(math.isnan(it) for it in plain if isinstance(it, float))
    said = ran.figures["calibration"]
    assert isinstance(said, dict)
    assert {"fused", "face/sbi"} <= {*said}
    assert {*said["face/sbi"]} == {"lfw", "lfw_held_out", "dfdc", "pooled"}


def test_forged_scenes_are_not_asked_of_faces(ran: Ran) -> None:
    """Detectors of whole images have a figure for them; those of faces, and fusion, have none."""
    cells = ran.figures["by_family"]
    assert isinstance(cells, dict)
    assert "scene_resynthesis" in cells["auc"]["image/unifd_linear"]
    assert "scene_resynthesis" not in cells["auc"]["face/unifd_linear"]
    assert "scene_resynthesis" not in cells["auc"]["fused"]
    forged = [it for it in samples(ran, "lfw/scene_resynthesis") if it.label]
    assert forged
    assert all("face/sbi" not in it.scores for it in forged)


def test_a_missing_score_is_missing(ran: Ran) -> None:
    """A picture without a face has scores of the whole image alone, and is counted apart."""
    (cup,) = [it for it in samples(ran, "dfdc") if it.id == made_forgery_data.WITHOUT_FACE]
    assert "image/unifd_linear" in cup.scores
    assert not {"face/unifd_linear", "face/sbi", "fused"} & {*cup.scores}
    counts = ran.figures["n"]
    assert isinstance(counts, dict)
    assert counts["dfdc"]["real_without_face"] == 1
    assert counts["lfw/morph"]["real_without_face"] == 0


def test_what_was_learnt_is_said(ran: Ran) -> None:
    """The made detector says `self_blend`, so all families here are left out and DFDC is strange.

    The pocket heads learnt swaps and DFDC, but neither windows of a swap nor morphs.
    """
    said = ran.figures["nearness"]
    assert isinstance(said, dict)
    assert {*said["face/sbi"].values()} == {"left out", "other source"}
    assert said["face/sbi"]["dfdc"] == "other source"
    heads = said["face/unifd_linear"]
    assert (heads["face_swap"], heads["dfdc"]) == ("learnt", "learnt")
    assert (heads["partial_swap"], heads["morph"]) == ("left out", "left out")
    assert said["fused"] == heads


def test_a_query_is_another_photo_of_who_is_depicted(ran: Ran, data: Path) -> None:
    """For a swap the source's other photo; never the pictures that the forgery was made of."""
    faces = lfw_faces(data, "report")
    for batch in table_samples.eval_batches(ran.options, ran.folder / "home" / "forged"):
        if batch.source != "lfw":
            assert not batch.query_photo_of
            continue
        assert batch.query_photo_of
        for row in batch.manifest.rows:
            asked = batch.query_photo_of.get(row.path)
            if asked is not None:
                assert asked.split("/")[0] == row.depicted_id
                assert asked != row.source_video
        if batch.name == "lfw/face_swap":
            assert all(row.depicted_id != row.body_id for row in batch.manifest.rows)
    assert len(set(faces.people.tolist())) == 4


def test_a_frame_of_the_same_clip_is_no_query(tmp_path: Path) -> None:
    """Real swaps are asked about with their authentic source; targets, of one clip, with nobody."""
    folder = tmp_path / "deepfakes"
    folder.mkdir()
    lines = ["fake,authentic_source,authentic_target,method"]
    for frame in ("000", "006"):
        lines.append(f"fake_{frame}.png,ada.png,clip_{frame}.png,GHOST")
    for name in {name for line in lines[1:] for name in line.split(",")[:3]}:
        Image.new("RGB", (8, 8)).save(folder / name)
    (folder / "swaps.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = table_samples.real_swaps(tmp_path, photos=10, seed=0)
    assert found.query_photo_of == {"fake_000.png": "ada.png", "fake_006.png": "ada.png"}


def test_reported_persons_calibrate_nothing(ran: Ran, data: Path) -> None:
    """No person or original of a run's samples is among those that calibrations are fitted on."""
    fitted = {it.group for it in calibrating.lfw_known(data, photos=99)}
    fitted |= {it.group for it in calibrating.dfdc_known(data, photos=99)}
    reported = {it.group for it in read(ran.folder)[0]}
    assert fitted
    assert len(reported) == 8
    assert not fitted & reported


def test_a_run_goes_on_without_asking_again(
    ran: Ran, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was forged and answered is taken from the folder; figures stay as they were."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr(answers, "run_detector", never)
    monkeypatch.setattr(asking, "query_scores", never)
    monkeypatch.setattr(table_samples, "make_forgery", never)
    folder = ran.folder / "home" / "forged"
    batches = table_samples.eval_batches(ran.options, folder)
    entrants = of_models(models).evaluated_detectors
    sheet = ScoreTable.of([asking.score_batch(it, entrants, ran.options) for it in batches])
    rows = {it.name: it for it in columns(sheet)}["lfw/morph"].rows
    again = sheet.logits["face/sbi"][rows]
    kept = [it.scores["face/sbi"] for it in samples(ran, "lfw/morph")]
    np.testing.assert_allclose(again, kept, rtol=1e-5)


def test_other_pictures_are_asked_about_anew(ran: Ran, tmp_path: Path) -> None:
    """Answers are kept for exactly these files: a changed forgery has another digest."""
    name = "home/forged/lfw/morph.json"
    told = json.loads((ran.folder / name).read_text())
    (batch,) = [
        it for it in table_samples.eval_batches(ran.options, ran.folder / "home" / "forged")
        if it.name == "lfw/morph"
    ]  # fmt: skip
    rows = batch.manifest.rows
    assert [row.sha256 for row in rows] == [row["sha256"] for row, _ in told["rows"]]
    changed = replace(batch.manifest, rows=(replace(rows[0], sha256="0"), *rows[1:]))
    assert changed.digest != batch.manifest.digest


def test_cards_show_what_a_run_found(ran: Ran) -> None:
    """A row's AUCs with interval, counts and nearness; what was not measured is no figure."""
    kept = EvalRun(
        "detectors", "?", "2026-01-02T03:04:05+00:00", 1.0, {}, {}, {},
        json.loads(json.dumps(jsonable(ran.figures))),
    )  # fmt: skip
    rows = [*card_figures.figures_of(kept, detector="face/unifd_linear", checkpoint="abc")]
    assert {it.dataset for it in rows} <= {"lfw/face_swap", "lfw/partial_swap", "lfw/morph", "dfdc"}
    (swap,) = [it for it in rows if it.dataset == "lfw/face_swap"]
    cells = ran.figures["by_family"]
    assert isinstance(cells, dict)
    assert swap.value == pytest.approx(cells["auc"]["face/unifd_linear"]["face_swap"], abs=1e-4)
    assert (swap.authentic, swap.forged, swap.date) == (8, PHOTOS, "2026-01-02")
    assert swap.note == card_figures.NOTES["learnt"]
    assert not [*card_figures.figures_of(kept, detector="nobody", checkpoint="abc")]


def test_the_whole_table_is_written(ran: Ran) -> None:
    """All five figures of everyone, the run's own values, and dashes where nothing was measured."""
    told = json.loads(json.dumps(jsonable(ran.figures)))
    kept = EvalRun("detectors", "?", "2026-01-02T03:04:05+00:00", 1.0, {"seed": 0}, {}, {}, told)
    text = markdown(kept, command="python -m evals detectors --limit 4")
    chapters = text.split("\n## ")
    assert len(chapters) == 1 + len(written_table.FIGURES) + 1
    assert "`python -m evals detectors --limit 4`" in chapters[0]
    assert f"{PHOTOS} per family and\n8 photographs" in chapters[0]
    for chapter, figure in zip(chapters[1:], written_table.FIGURES, strict=False):
        rows = {
            line.split("|")[1].strip(): line.split("|")[2:] for line in chapter.split("\n")[4:-1]
        }
        assert {*rows} == {*told["pooled"][figure]}
        value = told["pooled"][figure]["face/unifd_linear"]["families_learnt"]
        assert rows["face/unifd_linear"][0].split()[0] == f"{value:.3f}"
    assert "– " in chapters[1]
    (linear,) = [it for it in chapters[-1].split("\n") if it.startswith("| face/unifd_linear |")]
    assert linear.count("†") == len(
        [it for it in told["nearness"]["face/unifd_linear"].values() if it == "learnt"]
    )


def test_the_table_is_drawn(ran: Ran) -> None:
    """Heat maps, reliability by source and both galleries are listed and there."""
    listed = {it["file"] for it in json.loads((ran.folder / "pictures.json").read_text())}
    assert {"table-auc.png", "table-fake_accuracy.png", "reliability-lfw.png"} <= listed
    assert {"failures-real.png", "failures-fake.png"} <= listed
    assert all((ran.folder / name).stat().st_size for name in listed)


def test_a_suite_may_be_named_without_the_word_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    """`python -m evals size --limit 3` is `python -m evals run size --limit 3`."""
    told: list[EvalOptions] = []

    def run(options: EvalOptions) -> dict[str, object]:
        told.append(options)
        return {"summary": {}}

    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)
    monkeypatch.setattr(size, "run", run)
    for words in (["size"], ["run", "size"]):
        out = tmp_path / words[0]
        assert entry.main([*words, "--limit", "3", "--output", str(out)]) == 0
    assert [it.limit for it in told] == [3, 3]
    assert not {"run", "list", "compare", "report"} & {*SUITES}


def test_a_summary_is_what_a_terminal_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    """Of a suite with a summary: single figures and one table, not every figure."""
    monkeypatch.setattr(entry, "harden_library_environment", lambda: None)
    cells = {"one": {"a": 0.5, "b": None}, "two": {"a": 0.25, "b": 1.0}}
    monkeypatch.setattr(size, "run", lambda _: {"auc": 0.5, "summary": cells, "cells": cells})
    assert entry.main(["size"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["auc  0.5", "", "summary  a      b", "one      0.500  –",
                     "two      0.250  1.000"]  # fmt: skip


# -- what was learnt -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("learnt", "family", "source", "said"),
    [
        (POCKET_FAMILIES, "face_swap", "lfw", "learnt"),
        (POCKET_FAMILIES, "morph", "lfw", "left out"),
        (POCKET_FAMILIES, "dfdc", "dfdc", "learnt"),
        (POCKET_FAMILIES, "GHOST", "swaps", "other source"),
        (TrainingFamilies(frozenset(), ours=False), "face_swap", "lfw", "other source"),
        (TrainingFamilies(frozenset(), ours=True), "face_swap", "lfw", "left out"),
        (None, "face_swap", "lfw", "not said"),
    ],
)
def test_nearness(learnt: TrainingFamilies | None, family: str, source: str, said: str) -> None:
    """Learnt families are learnt, others of our forge left out, all else is another source."""
    assert training_overlap(learnt, family=family, source=source) == said


def test_families_come_from_the_shelf_and_from_the_encoder() -> None:
    """A list in the settings counts, the encoder's on top of it; silence is not nothing."""
    assert read_training_families(None, below=None) is None
    assert read_training_families({"size": 128}, below=None) is None
    own = read_training_families({"families": ["self_blend", "video_deepfake"]}, below=None)
    assert own == TrainingFamilies(frozenset({"self_blend", "dfdc"}), ours=True)
    both = read_training_families({"families": ["morph"]}, below=POCKET_FAMILIES)
    assert both is not None
    assert both.families == POCKET_FAMILIES.families | {"morph"}


# -- calibrations ----------------------------------------------------------------------------------


def calibration(name: str, sha256: str, preprocessing: str = "resize") -> Calibration:
    """One by hand."""
    return Calibration(
        name,
        sha256,
        preprocessing,
        "platt",
        2.0,
        0.5,
        (),
        InconclusiveBand(0.4, 0.6, 0.1, 0.02),
        {"n": 3},
    )


def test_calibrations_beside_the_heads_are_found_by_the_way(tmp_path: Path) -> None:
    """Of two ways of one head each has its own; another checkpoint or preprocessing has none."""
    head = next(it for it in load_models().detectors if it.name == "unifd_neighbours")
    every = {variant_name(it): it for it in detector_variants([head])}
    third = every["face/unifd_neighbours_k3"]
    known = [
        calibration("face/unifd_neighbours", head.sha256),
        calibration("face/unifd_neighbours_k3", head.sha256),
        calibration("face/unifd_neighbours_k5", "another"),
        calibration("face/unifd_neighbours_k1", head.sha256, "official"),
    ]
    assert read_calibrations(tmp_path) == ()
    write_calibrations(tmp_path, known)
    read_again = read_calibrations(tmp_path)
    assert read_again == tuple(known)
    assert calibration_of(third, read_again) == known[1]
    assert calibration_of(every["face/unifd_neighbours_k5"], read_again) is None
    assert calibration_of(every["face/unifd_neighbours_k1"], read_again) is None
    (tmp_path / "CALIBRATIONS.json").write_text("[{}]")
    with pytest.raises(SetupError, match="damaged"):
        read_calibrations(tmp_path)


def test_halves_are_apart_and_always_the_same() -> None:
    """Nobody is in both halves, everybody in one, whatever order the names come in."""
    names = [f"p{number}" for number in range(31)]
    first, second = half_of(names, "fit"), half_of(reversed(names), "report")
    assert not first & second
    assert first | second == {*names}
    assert half_of({f"real/{it}" for it in names}, "fit") == {f"real/{it}" for it in first}


def test_calibrations_weigh_sources_and_classes_alike(data: Path) -> None:
    """As many rows of each; forged scenes count for detectors of images only."""
    known = [
        *calibrating.lfw_known(data, photos=4), *calibrating.dfdc_known(data, photos=2)
    ]  # fmt: skip
    sheet = calibrating.CalibrationDataset.measure(
        known, faces=load_models().faces, encoder=load_models().encoder
    )
    assert {it.source for it in known} == {
        calibrating.FACES, calibrating.SCENES, calibrating.FRAMES
    }  # fmt: skip
    for inputs in ("face", "image"):
        rows = sheet.rows_for(inputs, np.ones(len(known), bool))
        scenes = sheet.sources[rows] == calibrating.SCENES
        frames = sheet.sources[rows] == calibrating.FRAMES
        counts = [int((frames == source)[sheet.forged[rows] == forged].sum())
                  for source in (True, False) for forged in (True, False)]  # fmt: skip
        assert len(set(counts)) == 1
        assert counts[0] == 2
        assert not (inputs == "face" and scenes.any())
    fitted = calibrating.fit_detector_calibration(load_models().detectors[0], sheet)
    assert fitted.matches_detector(load_models().detectors[0])
    assert fitted.fitted_on["persons"] + fitted.fitted_on["originals"] <= 5


def test_a_band_holds_for_the_harder_source_too(data: Path) -> None:
    """It reaches from the lower of both sources' lower edges to the higher of their upper ones."""
    sources = np.repeat([calibrating.FACES, calibrating.FRAMES], 120)
    forged = np.tile(np.repeat([False, True], 60), 2)
    # LFW is told apart with ease; DFDC's authentic frames look as forged as its forgeries.
    logits = np.where(forged, 3.0, -3.0) + np.linspace(-1, 1, 240)
    logits[sources == calibrating.FRAMES] = np.tile(np.linspace(-1, 2, 60), 2)
    found = calibration("face/x", "y")
    sheet = calibrating.CalibrationDataset(
        views=None, official=None, forged=forged, sources=sources, groups=sources  # type: ignore[arg-type]
    )  # fmt: skip
    band = calibrating.widest_band(found, logits, sheet, np.arange(240))
    hardest = found.probabilities(logits[(sources == calibrating.FRAMES) & ~forged])
    assert band.high == pytest.approx(hardest.max())
    assert band.low <= found.probabilities(logits[forged]).min() + 0.2
    assert (band.alpha_low, band.alpha_high) == (0.1, 0.02)


def test_learnt_families_calibrate() -> None:
    """A family that nothing was trained on stays unseen by calibrations as well."""
    assert {*calibrating.LEARNT} == {*FAMILIES} - {"partial_swap"}
    assert not {"morph", *SCENE_FAMILIES} & {*calibrating.LEARNT}


# -- figures by hand -------------------------------------------------------------------------------


def sheet_of(labels: list[bool], **logits: list[float]) -> ScoreTable:
    """Rows of LFW, every forgery a face swap and everybody a person of their own."""
    count = len(labels)
    return ScoreTable(
        ids=np.array([f"{row}" for row in range(count)]),
        labels=np.array(labels, bool),
        groups=np.array([f"p{row}" for row in range(count)]),
        sources=np.array(["lfw"] * count),
        families=np.array(["face_swap" if it else "" for it in labels]),
        persons=(("", ""),) * count,
        places=tuple((0, row) for row in range(count)),
        logits={name: np.array(values, float) for name, values in logits.items()},
        bands={},
    )


def system_of(sheet: ScoreTable, name: str, probabilities: list[float]) -> System:
    """A system with a band from 0.25 to 0.75."""
    bands = np.tile([0.25, 0.75], (len(sheet), 1))
    return System(name, sheet.logits[name], np.array(probabilities, float), bands, None)


def test_calibrated_figures_by_hand() -> None:
    """Genuine 0.1, 0.5, 0.9 and one without a score; forged 0.9, 0.9, 0.5.

    A third of the genuine is called forged, a third is inconclusive; of the forged two thirds and
    a third.
    """
    sheet = sheet_of([False] * 4 + [True] * 3, one=[0.0] * 7)
    system = system_of(sheet, "one", [0.1, 0.5, 0.9, math.nan, 0.9, 0.9, 0.5])
    found = calibration_figures(sheet, system, [np.arange(7)], seed=0)
    assert (found["n_genuine"], found["n_forged"]) == (3, 3)
    for kind, claimed in (("genuine", 1 / 3), ("forged", 2 / 3)):
        assert found[f"{kind}_called_forged"] == pytest.approx(claimed)
        assert found[f"{kind}_inconclusive"] == pytest.approx(1 / 3)
    squares = [0.01, 0.25, 0.81, 0.01, 0.01, 0.25]
    assert found["brier"] == pytest.approx(sum(squares) / 6)


def test_calibration_is_at_even_odds() -> None:
    """One genuine at 0.2, three forged at 0.8, 0.8, 0.2: both kinds weigh a half.

    Brier: ½ · 0.04 + ½ · (0.04 + 0.04 + 0.64) / 3. The bin of 0.2 holds ½ · 0.2 too much and
    ½ · 0.8 / 3 too little, the bin of 0.8 ½ · 0.4 / 3 too little.
    """
    sheet = sheet_of([False] + [True] * 3, one=[0.0] * 4)
    system = system_of(sheet, "one", [0.2, 0.8, 0.8, 0.2])
    found = calibration_figures(sheet, system, [np.arange(4)], seed=0)
    assert found["brier"] == pytest.approx(0.02 + 0.72 / 6)
    assert found["ece"] == pytest.approx(abs(0.1 - 0.4 / 3) + 0.2 / 3)


def test_a_source_without_pictures_is_not_measured() -> None:
    """Neither alone nor pooled with another: missing is never zero."""
    sheet = sheet_of([False, True], one=[0.0] * 2)
    system = system_of(sheet, "one", [0.1, 0.9])
    nothing = np.zeros(0, int)
    for rows in ([nothing], [np.arange(2), nothing]):
        found = calibration_figures(sheet, system, rows, seed=0)
        assert math.isnan(float(str(found["ece"])))
        assert math.isnan(float(str(found["brier"])))


def test_accuracies_follow_the_probabilities() -> None:
    """AUC comes from the logits, accuracies from p = 0.5; without probabilities there are none."""
    logits, labels = np.array([3.0, 1, 2, 0]), np.array([True, True, False, False])
    found, bare = (
        figures_of(
            logits, labels, np.arange(4), threshold=0.5, seed=0, rounds=20,
            probabilities=np.array(probabilities),
        )
        for probabilities in ([0.9, 0.4, 0.6, 0.2], [math.nan] * 4)
    )  # fmt: skip
    assert found["auc"] == pytest.approx(3 / 4)
    assert (found["fake_accuracy"], found["real_accuracy"]) == (0.5, 0.5)
    assert bare["auc"] == pytest.approx(3 / 4)
    assert math.isnan(float(str(bare["fake_accuracy"])))


def test_a_contest_is_on_what_both_measured() -> None:
    """Where the second is missing the first does not count either; better is above zero."""
    labels = [True, True, False, False, False]
    sheet = sheet_of(labels, one=[3, 2, 1, 0, 9], other=[0, 3, 1, 2, math.nan])
    unknown = [math.nan] * 5
    found = fusion_gain.auc_difference(
        sheet, column(sheet, "x", "lfw", ("face_swap",)),
        system_of(sheet, "one", unknown), system_of(sheet, "other", unknown), seed=0,
    )  # fmt: skip
    assert (found["n_fake"], found["n_real"]) == (2, 2)
    assert found["difference"] == pytest.approx(1.0 - 0.5)


def test_swaps_stand_against_their_own_persons() -> None:
    """A method's authentic pictures are its sources and targets, not another method's."""
    sheet = replace(
        sheet_of([True, True, False, False, False], one=[0.0] * 5),
        sources=np.array(["swaps"] * 5),
        families=np.array(["A", "B", "", "", ""]),
        persons=(("ada", "bo"), ("cy", "di"), ("ada", "ada"), ("bo", "bo"), ("di", "di")),
    )
    found = {it.name: it.rows.tolist() for it in columns(sheet)}
    assert found == {"swaps/A": [0, 2, 3], "swaps/B": [1, 4]}


def test_a_detector_for_another_encoder_is_left_out(models: Path, tmp_path: Path) -> None:
    """It is named with the reason, and everyone else is asked."""
    about = StoredDetector(
        models / DETECTORS_FOLDER / "sbi",
        next(find_stored_detectors([models / DETECTORS_FOLDER])).about,
    ).about
    replace(about, name="odd", encoder_sha256="0" * 64).save(tmp_path / DETECTORS_FOLDER / "odd")
    found = of_models(tmp_path)
    (reason,) = [why for name, why in found.left_out if name == "face/odd"]
    assert "trained on the encoder" in reason
    assert "face/unifd_linear" in {it.name for it in found.evaluated_detectors}


def test_a_bad_folder_stops_nobody(models: Path, tmp_path: Path) -> None:
    """A torn description and classifiers without all their files are named; the rest is asked."""
    shutil.copytree(models / DETECTORS_FOLDER, tmp_path / DETECTORS_FOLDER)
    torn = tmp_path / DETECTORS_FOLDER / "torn"
    torn.mkdir()
    (torn / "detector.json").write_text('{"kind": "sbi"}')
    classifiers = tmp_path / "classifiers" / "face"
    for name, file in (
        ("unprepared", "preprocessor_config.json"), ("weightless", "model.safetensors"),
    ):  # fmt: skip
        write(classifiers / name, vit, REAL_FIRST)
        (classifiers / name / file).unlink()
    write(classifiers / "whole", vit, REAL_FIRST)
    write(classifiers / "sbi", vit, REAL_FIRST)
    found = of_models(tmp_path)
    reasons = dict(found.left_out)
    for name, reason in (
        ("torn", "lacks 'name', 'inputs'"), ("face/unprepared", "preprocessor_config.json"),
        ("face/weightless", "cannot be loaded"), ("face/sbi", "has this name"),
    ):  # fmt: skip
        assert reason in reasons[name]
    names = [it.name for it in found.evaluated_detectors]
    assert {"face/sbi", "face/whole", "face/unifd_linear"} <= {*names}
    assert len(set(names)) == len(names)
