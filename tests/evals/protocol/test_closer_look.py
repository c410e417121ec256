"""The second stage on a data set: the scores of a closer look, and none where it was not taken."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pytest

from assistant.profile import LoadedModels
from evals.datasets.manifest import ManifestRow
from evals.options import EvalOptions
from evals.protocol import closer_look, measured
from evals.protocol.closer_look import CLOSER, FIRST, look_closer, stage_questions
from evals.protocol.measured import MeasuredDataset, load_models, probabilities
from evals.runs.figures import number
from evals.suites.calibration.figures import JudgedStage
from evals.suites.robustness.figures import (
    NOT_MEASURED,
    AttackedScores,
    StageDecisions,
    decisions,
)
from evals.suites.robustness.measuring import measure_attacked
from evals.suites.robustness.perturbations import LEVELS
from tests.evals.suites.test_detection import bare
from tools.gallery.records import ImageRecord
from tools.search.checking.alone import judge_alone
from tools.verdict.rule import TOWER


@dataclass(frozen=True)
class Brightness:
    """A detector that finds bright pictures forged."""

    name: str
    sha256: str = ""
    inputs: Literal["face"] = "face"
    preprocessing: str = "none"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The whole picture."""
        assert keypoints is not None
        return pixels

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Their mean grey level above the middle."""
        return np.array([it.mean() / 64 - 2 for it in pictures])


class WithTower(LoadedModels):
    """The pocket parts, with stand-ins for the detectors of the closer look."""

    tower = object()  # type: ignore[assignment]
    pixel_detectors = [  # noqa: RUF012
        Brightness("sbi_caddm"), Brightness("clip_tuned"), Brightness("clip_synthesis"),
    ]  # fmt: skip


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> WithTower:
    """The profile with a tower."""
    made = WithTower(load_models().settings)
    for module in (closer_look, measured):
        monkeypatch.setattr(module, "load_models", lambda: made)
    return made


def some(made: MeasuredDataset) -> MeasuredDataset:
    """Ten pictures, the last of which shows no face."""
    ten = made.take(np.flatnonzero(made.found)[:10])
    return replace(ten, faces=(*ten.faces[:9], None))


def test_the_closer_look_is_that_of_the_product(
    made_measured: MeasuredDataset, models: WithTower
) -> None:
    """Its probability is the one of `unmask check`, which takes the last stage that it can."""
    rows = look_closer(some(made_measured), EvalOptions(made_measured.root))
    first, closer = (stage_questions()[name] for name in (FIRST, CLOSER))
    assert models.rule is not None
    assert closer is not None
    assert closer is models.rule.further[TOWER]["alone"]
    found = probabilities(rows.forgery_logits(closer))
    assert np.isnan(found).tolist() == [False] * 9 + [True]
    np.testing.assert_array_equal(
        rows.forgery_logits(first), some(made_measured).forgery_logits(first)
    )
    for index in (0, 8):
        face, pixels = rows.faces[index], rows.picture(index)
        assert face is not None
        height, width = pixels.shape[:2]
        image = ImageRecord(
            face.image_id, width, height, "PNG", 1, 0, 0, rows.marks[index],
            rows.image_features[index], "",
        )  # fmt: skip
        judged = judge_alone(pixels, image, face, instruments=models)
        assert judged.assessment.fake_scores == closer.calibrator.features
        assert judged.assessment.fake_probability == pytest.approx(found[index])


def test_rows_keep_their_closer_look(made_measured: MeasuredDataset, models: WithTower) -> None:
    """A subset in another order has the same log odds."""
    rows = look_closer(some(made_measured), EvalOptions(made_measured.root))
    question = stage_questions()[CLOSER]
    chosen = [7, 2]
    np.testing.assert_allclose(
        rows.take(chosen).forgery_logits(question), rows.forgery_logits(question)[chosen], rtol=1e-5
    )


def test_an_attacked_picture_is_looked_at_closer(
    made_measured: MeasuredDataset, models: WithTower
) -> None:
    """The detectors see the attacked pixels: with less contrast, a picture is darker."""
    rows = look_closer(some(made_measured).take([0]), EvalOptions(made_measured.root))
    found = measure_attacked(rows, ("contrast",), EvalOptions(made_measured.root))
    levels = [rows, *(found["contrast", level] for level in LEVELS)]
    scores = [number(it.closer[0]["face/clip_tuned"]) for it in levels]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 0.5


def test_without_the_tower_nothing_is_measured(made_measured: MeasuredDataset) -> None:
    """No detector runs, and every figure of the stage is NaN: never zero."""
    rows = some(made_measured)
    assert look_closer(rows, EvalOptions(made_measured.root)) is rows
    question = stage_questions()[CLOSER]
    assert question is None
    figures = JudgedStage.of(rows, question).figures(seed=0)
    counts = {"n_even": 0, "n_authentic": 0, "n_forged": 0, "not_measured": 10}
    assert {name: it for name, it in figures.items() if isinstance(it, int)} == counts
    assert all(unmeasured(it) for name, it in figures.items() if name not in counts)


def unmeasured(figure: object) -> bool:
    """Whether a figure, or both ends of an interval, are NaN."""
    return bool(np.isnan(np.asarray(figure, float)).all())


def stage(*places: str) -> StageDecisions:
    """Decisions without verdicts."""
    return StageDecisions(np.array(places), np.full(len(places), ""))


def attacked(first: StageDecisions, closer: StageDecisions) -> AttackedScores:
    """Two pictures of which only places are known."""
    nothing = np.full(2, np.nan)
    return AttackedScores({}, np.ones(2, bool), nothing, nothing, {FIRST: first, CLOSER: closer})


def test_decisions_by_hand() -> None:
    """An authentic picture and a forgery under two attacks, the second of which loses a face.

    A lost face is called nothing and counts; a stage that was not asked has no share at all.
    """
    rows = bare(ManifestRow("a", "d", "real"), ManifestRow("b", "d", "fake"))
    unasked = stage(NOT_MEASURED, NOT_MEASURED)
    before = attacked(stage("within", "high"), unasked)
    cases = [attacked(stage("high", "low"), unasked), attacked(stage(NOT_MEASURED, "low"), unasked)]
    found = decisions(rows, before, cases, FIRST, seed=0)
    shares = {name: it for name, it in found.items() if not name.endswith("_95")}
    assert shares == {
        "place_changed": 1, "real_called_forged": 0.5, "fake_called_forged": 0,
        "fake_called_authentic": 1, "inconclusive": 0,
    }  # fmt: skip
    assert all(map(unmeasured, decisions(rows, before, cases, CLOSER, seed=0).values()))
