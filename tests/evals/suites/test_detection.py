"""The suites on detection, calibration and robustness, end to end on a small data set."""

import json
import math
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from evals.datasets import load, manifest_file
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models, measure_dataset
from evals.runs.figures import flatten_figures, number
from evals.runs.folder import HOME_DIR
from evals.runs.samples import ScoreSample, read
from evals.suites.calibration import suite as calibration
from evals.suites.calibration.figures import LabelledLogits, decision_rates
from evals.suites.calibration.pairs import authentic_pairs
from evals.suites.detection import suite as detectors
from evals.suites.detection.figures import figures_of
from evals.suites.detection.pictures import CURVES, leading
from evals.suites.detection.scores import (
    FUSED,
    LabelledScores,
    aggregate_videos,
    evaluation_rows,
    rows_by_group,
    score_converters,
)
from evals.suites.detector_table import detector_list
from evals.suites.detector_table import logit_cache as answers
from evals.suites.robustness.figures import FUSED_CLOSER, average_over_levels, caddm_table
from evals.suites.robustness.perturbations import ATTACKS, CADDM_SIX, LEVELS
from prompts.zero_shot import PROMPT_SETS
from tests.evals.suite_run import run_suite
from tests.support.made.dataset import FORGED_BY
from tests.support.own_pictures import QUICK, engines, photos
from tests.tools.detectors.test_image_classifier import REAL_FIRST, vit, write
from tools.detectors.clip_heads.profile_heads import detector_variants, variant_name
from tools.detectors.folders import DESCRIPTION_FILE, DETECTORS_FOLDER
from tools.detectors.networks import image_classifier
from tools.detectors.networks.classifier_folders import CLASSIFIERS_FOLDER
from tools.detectors.networks.image_classifier import ImageClassifier
from tools.errors import SetupError
from tools.metrics import auc, cllr
from tools.training.detectors.sbi_caddm import ArtefactLearner
from tools.training.fitting.run import fit_detector
from tools.verdict.calibration import InconclusiveBand

OWN = "face/office"
"""Fitted by `unmask fit` to photos of the made persons."""

SYSTEMS = {
    "face/unifd_linear", "face/unifd_neighbours", "face/prompts",
    "image/unifd_linear", "image/unifd_neighbours", "image/prompts", "fused",
    "face/unifd_neighbours_k3", "image/unifd_linear official", OWN,
}  # fmt: skip
"""Some of those that are calibrated."""

UNCALIBRATED = {"face/sbi", "image/vit"}


@pytest.fixture(scope="module")
def data(made_dataset: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """The made data set, and one authentic picture more, in which there is no face."""
    root, made = tmp_path_factory.mktemp("data") / "made", made_dataset
    shutil.copytree(made.root, root)
    Image.fromarray(np.asarray(skimage.data.coffee())).save(root / "cup.png")
    manifest = Manifest("made", root, (*made.rows, ManifestRow("cup.png", "made", "real", "val")))
    manifest_file.write(manifest, root / "manifest.csv")
    return manifest


@pytest.fixture(scope="module")
def peer(data: Manifest) -> Path:
    """Another system's scores: all fakes 0.9, all authentic 0.2, one of each missing."""
    path = data.root / "peer.csv"
    lines = [f"{row.path},{0.9 if row.label == 'fake' else 0.2}" for row in data.rows]
    kept = [line for line in lines if not line.startswith(("cup.png", f"{data.rows[-2].path},"))]
    path.write_text("\n".join(["path,score", *kept]) + "\n")
    return path


@pytest.fixture(scope="module")
def models(data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models' folder: a detector fitted to own photos, a network, a classifier, two broken."""
    folder = tmp_path_factory.mktemp("models")
    own = photos(data, tmp_path_factory.mktemp("own"))
    fit_detector(
        "unifd_linear",
        own,
        out=folder / DETECTORS_FOLDER / "office",
        engines=engines(),
        options=QUICK,
    )
    ArtefactLearner("sbi").save(
        folder / DETECTORS_FOLDER / "sbi", trained_on="nothing", families=["self_blend"], name="sbi"
    )
    (folder / DETECTORS_FOLDER / "torn").mkdir()
    (folder / DETECTORS_FOLDER / "torn" / DESCRIPTION_FILE).write_text(
        '{"kind": "coop", "name": "torn"}'
    )
    classifiers = folder / CLASSIFIERS_FOLDER / "image"
    write(classifiers / "vit", vit, REAL_FIRST)
    write(classifiers / "half", vit, REAL_FIRST)
    (classifiers / "half" / image_classifier.PROCESSOR).unlink()
    return folder


@pytest.fixture(scope="module", autouse=True)
def small(models: Path) -> Iterator[None]:
    """One set of prompts, and no detectors on the shelf but the ones in the models' folder."""
    settings = load_models().settings.model_copy(update={"models_dir": models})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            detectors, "evaluated_detectors", lambda _: detector_list.evaluated_detectors(settings)
        )
        patch.setattr(detector_list, "WEIGHTS_DIR", models / "nowhere")
        patch.setattr(detector_list, "PROMPT_SETS", {"captions": PROMPT_SETS["captions"]})
        yield


@pytest.fixture(scope="module")
def detection(
    data: Manifest, peer: Path, small: None, made_run: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Mapping[str, object], Path]:  # fmt: skip
    """What the suite `detectors` says of it, and its folder."""
    output = tmp_path_factory.mktemp("detectors") / "run"
    run = run_suite(
        "detectors", data.root / "manifest.csv", output, "--peer", f"oracle={peer}",
        home=made_run / HOME_DIR,
    )  # fmt: skip
    return run.figures, output


def scores(output: Path, group: str | None = None) -> list[ScoreSample]:
    """The samples of a run, those of one set when it is named."""
    return [it for it in read(output)[0] if group in (None, it.set)]


def auc_of(samples: list[ScoreSample], system: str) -> float:
    """The AUC of one system, from samples alone."""
    return auc([it.scores[system] for it in samples], [it.label == 1 for it in samples])


def test_detection_figures_are_those_of_its_samples(
    detection: tuple[Mapping[str, object], Path],
) -> None:
    """Every system has finite figures with intervals, and the samples give the same AUC again."""
    figures, output = detection
    lines, samples = flatten_figures(figures), scores(output)
    heads = {variant_name(it) for it in detector_variants(load_models().detectors)}
    assert set(samples[0].scores) == {*SYSTEMS, *heads, *UNCALIBRATED, "peer/oracle"}
    for system in SYSTEMS:
        assert lines[f"frames.{system}.auc"] == pytest.approx(auc_of(samples, system))
        for name in ("auc", "ap", "eer", "tpr_at_fpr_1%", "average_accuracy"):
            low, high = lines[f"frames.{system}.{name}_95"]
            assert 0 <= low <= lines[f"frames.{system}.{name}"] + 0.1
            assert low <= high <= 1
    assert figures["auc"] == lines["frames.fused.auc"]


def test_own_detectors_and_classifiers_have_rows(
    data: Manifest, models: Path, detection: tuple[Mapping[str, object], Path]
) -> None:
    """What `unmask fit` made is read by its own calibration; without one a detector only ranks.

    Shown the pictures themselves, the classifier gives the very scores of the samples.
    """
    figures, output = detection
    lines, samples = flatten_figures(figures), scores(output)
    assert math.isfinite(lines[f"summary.{OWN}.real_accuracy"])
    for system in UNCALIBRATED:
        assert lines[f"frames.{system}.auc"] == pytest.approx(auc_of(samples, system))
        assert math.isnan(number(lines[f"frames.{system}.real_accuracy"]))
        assert math.isnan(number(lines[f"summary.{system}.fake_accuracy"]))
    classifier = ImageClassifier.from_checkpoint(
        models / "classifiers" / "image" / "vit", inputs="image"
    )
    for row in (samples[0], samples[40], samples[-1]):
        pixels = np.asarray(Image.open(data.root / row.id).convert("RGB"))
        assert row.scores["image/vit"] == pytest.approx(
            classifier.score_images([pixels])[0], abs=1e-4
        )


def test_what_cannot_be_asked_is_told(detection: tuple[Mapping[str, object], Path]) -> None:
    """Neither a torn description nor half a classifier stops the run: both are named with why."""
    told = detection[0]["not_asked"]
    assert isinstance(told, list)
    torn, half = told
    assert torn.startswith("torn: ")
    assert "lacks 'inputs', 'needs', 'licence', 'trained_on'" in torn
    assert "unmask fit" in torn
    assert half.startswith("image/half: ")
    assert "preprocessor_config.json" in half


def asked_again(data: Manifest, models: Path, options: EvalOptions) -> dict[str, np.ndarray]:
    """Everyone's answers in a run's folder that is gone on with."""
    manifest = evaluation_rows(load(data.root / "manifest.csv"))
    everyone = detector_list.evaluated_detectors(
        load_models().settings.model_copy(update={"models_dir": models})
    )
    measured = measure_dataset(manifest, options)
    return answers.collect_logits(
        measured, everyone.evaluated_detectors, options, digest=manifest.digest
    )


def test_a_run_that_was_stopped_asks_nobody_again(
    data: Manifest, models: Path, detection: tuple[Mapping[str, object], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What was answered lies in the run's folder; of the block that is gone everyone is asked."""
    shutil.copytree(detection[1] / "home", tmp_path / "home")
    kept = sorted((tmp_path / "home" / "answers").iterdir())
    assert len(kept) == 3
    kept[1].unlink()
    asked, judge = list[tuple[str, int]](), answers.run_detector

    def counting(detector: Any, views: Any) -> Any:
        asked.append((variant_name(detector), len(views)))
        return judge(detector, views)

    seen = list[tuple[int, int, str]]()
    monkeypatch.setattr(answers, "run_detector", counting)
    again = asked_again(data, models, EvalOptions(
        data.root / "manifest.csv", output=tmp_path, progress=lambda *at: seen.append(at)
    ))  # fmt: skip
    assert sorted(asked) == sorted((name, answers.BATCH_SIZE) for name in again)
    for name, logits in again.items():
        before = [it.scores[name] for it in scores(detection[1])]
        np.testing.assert_allclose(logits, before, rtol=1e-5, atol=1e-6)
    assert [at for at in seen if at[2] == "asking face/sbi"] == [
        (start, 85, "asking face/sbi") for start in (0, 32, 64)
    ]


def test_pictures_are_read_only_where_somebody_looks(
    data: Manifest, models: Path, detection: tuple[Mapping[str, object], Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A detector of features that is new to a finished run costs no picture."""
    shutil.copytree(detection[1] / "home", tmp_path / "home")
    for path in (tmp_path / "home" / "answers").iterdir():
        kept = json.loads(path.read_text())
        known = {key: it for key, it in kept["logits"].items() if not key.startswith(f"{OWN} ")}
        assert len(known) == len(kept["logits"]) - 1
        path.write_text(json.dumps({**kept, "logits": known}))

    def never(_: object) -> None:
        raise AssertionError("pictures are read")

    monkeypatch.setattr(answers.MeasuredViews, "_read", never)
    again = asked_again(data, models, EvalOptions(data.root / "manifest.csv", output=tmp_path))
    before = [it.scores[OWN] for it in scores(detection[1])]
    np.testing.assert_allclose(again[OWN], before, rtol=1e-5, atol=1e-6)


def test_detection_is_told_by_method(detection: tuple[Mapping[str, object], Path]) -> None:
    """Each method's fakes stand against the same authentic pictures, in the table as well."""
    figures, output = detection
    lines = flatten_figures(figures)
    for method in FORGED_BY:
        chosen = [it for it in scores(output) if it.extra["method"] in (None, method)]
        assert lines[f"by_method.{method}.fused.n_fake"] == 14
        assert lines[f"by_method.{method}.fused.auc"] == pytest.approx(auc_of(chosen, "fused"))
        assert (
            lines[f"tables.by_method.auc.fused.{method}"] == lines[f"by_method.{method}.fused.auc"]
        )


def test_pictures_without_a_face_are_counted_apart(
    detection: tuple[Mapping[str, object], Path],
) -> None:
    """The cup has no score on faces, one on the whole picture, and stands in the counts."""
    figures, output = detection
    lines = flatten_figures(figures)
    assert (lines["n.real"], lines["n.fake"], lines["n.real_without_face"]) == (43, 42, 1)
    (cup,) = [it for it in scores(output) if it.id == "cup.png"]
    assert math.isnan(cup.scores["face/unifd_linear"])
    assert math.isnan(cup.scores["fused"])
    assert math.isfinite(cup.scores["image/unifd_linear"])
    assert lines["frames.face/unifd_linear.not_measured"] == 1
    assert lines["frames.image/unifd_linear.n_real"] == 43


def test_a_peer_stands_in_the_same_table(detection: tuple[Mapping[str, object], Path]) -> None:
    """A file of right answers has AUC 1 and accuracy 1; what it lacks is counted, not scored."""
    lines = flatten_figures(detection[0])
    assert lines["frames.peer/oracle.auc"] == 1
    assert lines["frames.peer/oracle.average_accuracy"] == 1
    assert lines["frames.peer/oracle.not_measured"] == 2
    assert lines["peers.peer/oracle.missing"] == 2


def test_videos_without_fakes_are_not_measured(
    detection: tuple[Mapping[str, object], Path],
) -> None:
    """Only authentic pictures are frames here: 14 clips, an accuracy on them, and no AUC."""
    lines = flatten_figures(detection[0])
    assert lines["videos.n"] == 14
    assert (lines["videos.fused.n_real"], lines["videos.fused.n_fake"]) == (14, 0)
    assert math.isfinite(lines["videos.fused.real_accuracy"])
    assert math.isnan(number(lines["videos.fused.auc"]))
    assert math.isnan(number(lines["videos.fused.average_accuracy"]))


def test_detection_draws_what_it_found(detection: tuple[Mapping[str, object], Path]) -> None:
    """Curves, scores, tables and both galleries of mistakes are listed and there."""
    output = detection[1]
    listed = {it["file"] for it in json.loads((output / "pictures.json").read_text())}
    assert listed == {
        "roc.png", "det.png", "scores.png", "method-auc.png", "method-fake_accuracy.png",
        "failures-real.png", "failures-fake.png",
    }  # fmt: skip
    assert all((output / name).stat().st_size > 0 for name in listed)


def test_calibration_figures_are_those_of_its_samples(
    data: Manifest, detection: tuple[Mapping[str, object], Path], tmp_path: Path
) -> None:
    """Both axes are measured, and Cllr follows from the log odds that the samples hold."""
    run = run_suite(
        "calibration", data.root / "manifest.csv", tmp_path, home=detection[1] / HOME_DIR,
        headlines=("forgery.ece", "forgery.brier"),
    )  # fmt: skip
    lines = flatten_figures(run.figures)
    for axis, name in (("forgery", "forgery"), ("identity", "same person")):
        samples = scores(tmp_path, name)
        logits = np.array([it.scores["logit"] for it in samples])
        truth = np.array([it.label == 1 for it in samples])
        assert lines[f"{axis}.cllr"] == pytest.approx(cllr(logits[truth], logits[~truth]))
        assert 0 <= lines[f"{axis}.ece"] <= 1
        assert lines[f"{axis}.cllr_min"] <= lines[f"{axis}.cllr"]
    assert lines["forgery.n_forged"] == 42
    assert lines["forgery.not_measured"] == 1
    assert lines["identity.n_same"] == lines["identity.n_different"] > 0
    assert lines["forged_mates.persons"] == 7
    parts = ("claimed", "inconclusive", "denied")
    assert sum(lines[f"forgery.authentic_{it}"] for it in parts) == pytest.approx(1)
    assert (tmp_path / "reliability-identity.png").is_file()
    assert math.isnan(number(lines["closer_look.forgery.ece"]))  # without the CLIP part
    assert math.isnan(number(lines["closer_look.forgery.authentic_claimed"]))
    assert lines["closer_look.forgery.not_measured"] == lines["forgery.n_forged"] + 43


def test_robustness_figures_are_those_of_its_samples(data: Manifest, tmp_path: Path) -> None:
    """A few pictures under every attack: AUC follows from the samples, undefined is NaN."""
    run = run_suite(
        "robustness", data.root / "manifest.csv", tmp_path, "--limit", "3",
        headlines=("unattacked.auc.face/unifd_linear",),
    )  # fmt: skip
    lines = flatten_figures(run.figures)
    assert lines["n.pictures"] + lines["n.without_face_left_out"] == 3
    assert lines["unattacked.identity_cosine"] == pytest.approx(1, abs=1e-5)
    assert lines["unattacked.faces_lost"] == 0
    for attack in ATTACKS:
        for level in LEVELS:
            samples = scores(tmp_path, f"{attack}/{level}")
            assert len(samples) == lines["n.pictures"]
            stated = number(lines[f"attacks.{attack}.level_{level}.auc.fused"])
            assert stated == pytest.approx(auc_of(samples, "fused"), nan_ok=True)
            assert 0 <= lines[f"attacks.{attack}.level_{level}.faces_lost"] <= 1
    levels = [number(lines[f"attacks.jpeg.level_{level}.auc.fused"]) for level in LEVELS]
    assert lines["average_over_levels.jpeg.auc.fused"] == pytest.approx(np.mean(levels))
    assert lines["attacks.blur.level_5.identity_cosine"] < 0.99
    assert (tmp_path / "caddm-table.png").is_file()
    assert 0 <= lines["all_attacks.first.inconclusive"] <= 1
    for name in ("all_attacks.closer_look", "attacks.jpeg.level_1.closer_look"):  # no CLIP part
        assert math.isnan(number(lines[f"{name}.real_called_forged"]))
    assert math.isnan(number(lines[f"unattacked.auc.{FUSED_CLOSER}"]))
    assert (tmp_path / "attacks.png").is_file()


def test_a_set_without_fakes_has_no_auc(data: Manifest, tmp_path: Path) -> None:
    """Authentic pictures alone: their accuracy is known, everything that needs fakes is NaN."""
    only = data.where(lambda row: row.label == "real")
    manifest_file.write(only.sample(3, 0), data.root / "real.csv")
    lines = flatten_figures(detectors.run(EvalOptions(data.root / "real.csv", output=tmp_path)))
    assert lines["frames.fused.n_fake"] == 0
    assert math.isfinite(lines["frames.image/unifd_linear.real_accuracy"])
    for name in ("auc", "ap", "eer", "tpr_at_fpr_1%", "fake_accuracy", "average_accuracy"):
        assert math.isnan(lines[f"frames.fused.{name}"])


def test_detection_figures_by_hand() -> None:
    """Fakes 3, 1; real 2, 0, −1; one more real without a score; forged above 0.5.

    AUC: pairs won 3 + 2 of 6. AP: ½ · (1/1) + ½ · (2/3). At no false alarm one fake of two is
    found. Real right: 0 and −1 of three; fakes right: both; of all: 4 of 5.
    """
    found = figures_of(
        np.array([3, 1, 2, 0, -1, np.nan]), np.array([True, True, False, False, False, False]),
        np.arange(6), threshold=0.5, seed=0, rounds=50,
    )  # fmt: skip
    assert found["auc"] == pytest.approx(5 / 6)
    assert found["ap"] == pytest.approx(5 / 6)
    assert found["tpr_at_fpr_1%"] == pytest.approx(1 / 2)
    assert found["real_accuracy"] == pytest.approx(2 / 3)
    assert found["fake_accuracy"] == 1
    assert found["average_accuracy"] == pytest.approx(5 / 6)
    assert found["accuracy"] == pytest.approx(4 / 5)
    assert (found["n_real"], found["n_fake"], found["not_measured"]) == (3, 2, 1)


def test_scores_read_as_probabilities_by_their_kind() -> None:
    """Those of fusion as they are; a peer's as they are within [0, 1], else as log-odds."""
    peers = {"peer/x": np.array([0.0, 1.0, np.nan]), "peer/y": np.array([-1.0, 0.0, 1.0])}
    systems = {FUSED: np.array([0.1, 0.9, np.nan]), "face/x": np.array([0.1, 0.9, 1.0]), **peers}
    rows = LabelledScores(np.zeros(3, bool), np.arange(3), systems, score_converters([], peers))
    for name in (FUSED, "peer/x"):
        np.testing.assert_array_equal(rows.probabilities(name), systems[name])
    assert (rows.probabilities("peer/y") > 0.5).tolist() == [False, False, True]
    assert rows.probabilities("peer/y")[2] == pytest.approx(1 / (1 + math.exp(-1)))
    assert np.isnan(rows.probabilities("face/x")).all()


def test_curves_are_of_the_few_that_rank_best() -> None:
    """Fusion and peers always, of the others the highest AUC; who was not measured comes last."""
    labels = np.array([False, True, True])
    good, bad, nothing = np.array([0, 1, 2.0]), np.array([2, 1, 0.0]), np.full(3, np.nan)
    systems = {FUSED: bad, "none": nothing, "worst": bad, "peer/x": bad}
    systems |= {f"good{number}": good for number in range(CURVES - 2)}
    shown = leading(LabelledScores(labels, np.arange(3), systems, {}))
    assert shown == [FUSED, "peer/x", *(f"good{number}" for number in range(CURVES - 2))]


def bare(*rows: ManifestRow) -> MeasuredDataset:
    """Rows of which nothing was measured."""
    return MeasuredDataset(
        Path(), rows, tuple(f"{index}" for index in range(len(rows))), (None,) * len(rows),
        (None,) * len(rows), np.zeros((len(rows), 2), np.float32), (False,) * len(rows), (),
    )  # fmt: skip


def scored(
    measured: MeasuredDataset, values: list[float]
) -> tuple[MeasuredDataset, LabelledScores]:
    """The rows, and one system's scores of them."""
    systems = {"x": np.array(values, float)}
    return measured, LabelledScores(measured.forged, measured.groups, systems, {})


def test_rows_of_a_training_split_are_not_judged() -> None:
    """Nor are those without a label; how many that leaves out is noted."""
    rows = (
        ManifestRow("a", "d", "real", "train"),
        ManifestRow("b", "d", "fake", "val"),
        ManifestRow("c", "d", "unknown"),
    )
    kept = evaluation_rows(Manifest("d", Path(), rows))
    assert [row.path for row in kept.rows] == ["b"]
    assert kept.notes["left out"].startswith("2 ")
    with pytest.raises(SetupError, match="can be judged: 1 unlabelled"):
        evaluation_rows(Manifest("d", Path(), rows[:1]))


def test_a_method_stands_against_its_own_authentic_pictures() -> None:
    """Those that are marked with it, else all of its data set, and none of another."""
    measured = bare(
        ManifestRow("0", "d", "fake", method="a"),
        ManifestRow("1", "d", "real", method="a"),
        ManifestRow("2", "d", "real"),
        ManifestRow("3", "d", "fake", method="b"),
        ManifestRow("4", "e", "real"),
    )
    found = rows_by_group(measured, lambda row: row.method)
    assert {name: rows.tolist() for name, rows in found.items()} == {"a": [0, 1], "b": [1, 2, 3]}


def test_a_video_scores_the_mean_of_its_first_frames() -> None:
    """34 frames, the first not measured: the next 32 are 1, the last, 100, is not looked at."""
    clip = [ManifestRow("v", "d", "fake", video_id="v", frame=number) for number in range(34)]
    found = aggregate_videos(
        *scored(bare(*clip, ManifestRow("p", "d", "real")), [np.nan, *[1.0] * 32, 100, 7])
    )
    assert found.systems["x"].tolist() == [1.0]
    assert found.labels.tolist() == [True]


def test_nobody_is_in_two_couples() -> None:
    """Pairs are even in number, of two clips each, and a couple's persons are in no other."""
    rows = [
        ManifestRow(
            f"{person}/{clip}/{frame}", "d", "real", video_id=f"{person}{clip}", depicted_id=person
        )
        for person in "abcdefg"
        for clip in range(3)
        for frame in range(2)
    ]
    pairs = authentic_pairs(rows, [True] * len(rows), seed=1)
    assert pairs.same.sum() == (~pairs.same).sum() > 0
    couples: dict[str, set[int]] = {}
    for first, second, same, couple in zip(
        pairs.first, pairs.second, pairs.same, pairs.person_pair_ids, strict=True
    ):
        assert (rows[first].depicted_id == rows[second].depicted_id) == same
        assert rows[first].video_id != rows[second].video_id
        for index in (first, second):
            couples.setdefault(str(rows[index].depicted_id), set()).add(int(couple))
    assert len(couples) == pairs.persons == 6
    assert all(len(of_person) == 1 for of_person in couples.values())


def test_decisions_by_hand() -> None:
    """Band 0.25 to 0.75, log odds ±ln 9 are 0.9 and 0.1, 0 is 0.5.

    Authentic: 0.9, 0.5, 0.1, 0.1 → a quarter claimed, a quarter inconclusive, half denied.
    """
    high = math.log(9)
    rows = LabelledLogits(
        np.array([high, 0, -high, -high, high, np.nan]),
        np.array([False, False, False, False, True, True]), np.arange(6),
    )  # fmt: skip
    found = decision_rates(
        rows, InconclusiveBand(0.25, 0.75, 0.1, 0.1), names=("authentic", "forged"), seed=0
    )
    assert found["authentic_claimed"] == 0.25
    assert found["authentic_inconclusive"] == 0.25
    assert found["authentic_denied"] == 0.5
    assert (found["forged_claimed"], found["n_forged"], found["not_measured"]) == (1, 1, 1)


def test_even_odds_draw_the_larger_kind_down() -> None:
    """Four authentic with a probability and two forged become two and two."""
    rows = LabelledLogits(
        np.array([0, 1, 2, 3, np.nan, 4, 5.0]), np.array([False] * 5 + [True] * 2), np.arange(7)
    )
    assert rows.even(seed=0).truth.tolist() == [False, False, True, True]


def test_bins_name_what_they_hold() -> None:
    """24 lies in the bin that begins with it, a missing value in none, empty bins are left out."""
    found = calibration.bins(np.array([10, 24, 500, np.nan]), (0, 24, 40, 60))
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "0 to 24": [0], "24 to 40": [1], "60 and more": [2],
    }  # fmt: skip


def test_an_average_with_a_level_that_cannot_be_measured_is_none() -> None:
    """Four levels of 0.8 and one without: no average over five, 0.8 over the four measured."""
    others = dict.fromkeys(
        ("faces_lost", "identity_cosine", "identity_accepted", "place_changed"), 0.0
    )
    levels = {level: {"auc": {"x": 0.8 if level < 5 else math.nan}, **others} for level in LEVELS}
    averaged = average_over_levels(dict.fromkeys(CADDM_SIX, levels))
    assert math.isnan(averaged["noise"]["auc"]["x"])
    assert averaged["noise"]["levels_measured"]["x"] == 4
    table = caddm_table(averaged)["x"]
    assert math.isnan(table["average"])
    assert table["average_where_measured"] == pytest.approx(0.8)


def test_a_video_without_a_name_is_named_by_its_file() -> None:
    """Two frames of one file, at 0 and 2 s, are one video; a picture is none."""
    frames = bare(
        ManifestRow("v.mp4", "d", "real"),
        ManifestRow("v.mp4", "d", "real"),
        ManifestRow("p.jpg", "d", "real"),
    )
    found = aggregate_videos(*scored(replace(frames, times_s=(0.0, 2.0, None)), [1, 3, 9]))
    assert found.systems["x"].tolist() == [2.0]
