"""Retakes: mild, equal for any picture size; a verdict that they change is withdrawn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from assistant import Unmask
from tests.support.cases import astronaut_pixels
from tests.tools.verdict.test_rule import HIGH, LOW, MIDDLE, RULE, scores
from tools.faces.alignment import aligned_crop
from tools.faces.analyser import Face
from tools.search.query_files import query_from_files
from tools.search.reranking import stability
from tools.search.reranking.rerank_input import RerankInput
from tools.search.reranking.stability import (
    PERTURBATIONS,
    Perturbation,
    scores_under_perturbation,
)
from tools.search.scoring import FaceColumns, score_faces
from tools.verdict.calibration import Scores
from tools.verdict.rule import Verdict

AS_IT_IS = Perturbation("nothing", lambda pixels, _: pixels)


@pytest.fixture(scope="module")
def rerank_input(case: Unmask) -> RerankInput:
    """The portrait with itself as the query, and its scores as a gallery has them."""
    models, photo = case.models, case.settings.home / "SECRET_NAME.png"
    query = query_from_files([photo], faces=models.faces, encoder=models.encoder)
    (face,) = query.faces
    whole = models.encoder.encode_images([astronaut_pixels()])
    columns = FaceColumns(
        face.embedding[None], query.features, whole, query.face_hashes,
        [face.quality.interocular_px], [False],
    )  # fmt: skip
    (own,) = score_faces(query, columns, detectors=models.detectors)
    return RerankInput(astronaut_pixels(), face, own, query, (), models)


def known(found: Scores) -> dict[str, float]:
    """The scores that were measured."""
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize("retake", PERTURBATIONS, ids=lambda retake: retake.name)
def test_a_retake_is_mild(retake: Perturbation, rerank_input: RerankInput) -> None:
    """It changes the picture, and so little that one has to look for it."""
    again = retake.of(rerank_input.pixels, rerank_input.face)
    assert again.shape == rerank_input.pixels.shape
    assert again.dtype == np.uint8
    assert 0.5 < np.abs(again.astype(int) - rerank_input.pixels).mean() < 6


def test_blur_is_as_wide_as_the_face_is_large(rerank_input: RerankInput) -> None:
    """A photograph three times as large is blurred as much, seen at the size of a face crop."""
    (blur,) = [retake for retake in PERTURBATIONS if "blur" in retake.name]
    large = cv2.resize(rerank_input.pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    face = replace(rerank_input.face, keypoints=rerank_input.face.keypoints * 3 + 1)
    small = _sharpness(blur.of(rerank_input.pixels, rerank_input.face), rerank_input.face)
    assert _sharpness(blur.of(large, face), face) == pytest.approx(small, rel=0.1)
    assert small < 0.8 * _sharpness(rerank_input.pixels, rerank_input.face)


def _sharpness(pixels: np.ndarray, face: Face) -> float:
    crop = aligned_crop(pixels, face.keypoints, size=112, margin=1.0)
    return float(np.abs(cv2.Laplacian(crop, cv2.CV_64F)).mean())


def test_a_retake_that_changes_nothing_gives_the_scores_of_the_gallery(
    rerank_input: RerankInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken again is measured as at indexing: the same face, crops and features."""
    monkeypatch.setattr(stability, "PERTURBATIONS", (AS_IT_IS,))
    (again,) = scores_under_perturbation([rerank_input])[0].values()
    assert known(again) == pytest.approx(known(rerank_input.scores), abs=1e-3)
    assert {"cosine_similarity", "face/unifd_linear", "query/face_hash_distance"} <= {*known(again)}


def test_every_retake_moves_every_score_of_the_pixels(rerank_input: RerankInput) -> None:
    """Nothing is carried over from the picture as it was, but the size and the marks."""
    for again in scores_under_perturbation([rerank_input])[0].values():
        moved = {name for name, value in known(again).items() if value != rerank_input.scores[name]}
        assert {"cosine_similarity", "face/unifd_linear", "image/unifd_linear"} <= moved
        assert again["interocular_px"] == rerank_input.scores["interocular_px"]


def test_a_video_moves_as_its_strongest_frame_does(rerank_input: RerankInput) -> None:
    """Its scores are means over frames: what a retake changes in the frame is added to them."""
    means = {name: value - 0.25 for name, value in known(rerank_input.scores).items()}
    of_frame = scores_under_perturbation([rerank_input])[0]
    of_video = scores_under_perturbation([replace(rerank_input, scores=means)], videos=[True])[0]
    for name, again in of_frame.items():
        wanted = {score: value - 0.25 for score, value in known(again).items()}
        del wanted["unmask_mark"], wanted["query/face_hash_distance"]
        assert {score: of_video[name][score] for score in wanted} == pytest.approx(wanted, abs=1e-3)


def test_what_was_not_measured_stays_so(rerank_input: RerankInput) -> None:
    """A score without a value gets none, and a face without keypoints is not taken again."""
    without = replace(rerank_input, scores={**rerank_input.scores, "face/unifd_linear": None})
    assert {
        again["face/unifd_linear"] for again in scores_under_perturbation([without])[0].values()
    } == {None}
    nowhere = replace(rerank_input.face, keypoints=np.full((5, 2), np.nan, np.float32))
    assert scores_under_perturbation([replace(rerank_input, face=nowhere)]) == [{}]


def test_a_measurement_that_the_rule_needs_is_taken_again(rerank_input: RerankInput) -> None:
    """It sees the pixels of each retake."""
    rerank_input = replace(
        rerank_input, scores={**rerank_input.scores, "mean": float(rerank_input.pixels.mean())}
    )
    (again,) = scores_under_perturbation(
        [rerank_input],
        measurements=[lambda looks: [{"mean": float(it.pixels.mean())} for it in looks]],
    )
    wanted = [
        float(retake.of(rerank_input.pixels, rerank_input.face).mean()) for retake in PERTURBATIONS
    ]
    assert [it["mean"] for it in again.values()] == pytest.approx(wanted)


def test_what_cannot_change_the_verdict_is_not_measured(rerank_input: RerankInput) -> None:
    """It keeps the value of the picture as it was; the rest is measured as without the limit."""
    (whole,) = scores_under_perturbation([rerank_input])
    needed = frozenset({"face/unifd_linear"})
    (lazy,) = scores_under_perturbation([rerank_input], needed=lambda _: needed)
    (settled,) = scores_under_perturbation([rerank_input], needed=lambda _: frozenset())
    for name, again in whole.items():
        assert known(lazy[name]) == pytest.approx(known(again), abs=1e-4)
        cosine = {"cosine_similarity": again["cosine_similarity"]}
        assert known(settled[name]) == pytest.approx(known({**rerank_input.scores, **cosine}))


# -- the rule -----------------------------------------------------------------------------------

GIVEN = {
    "impersonation": scores(HIGH, HIGH),
    "no forgery found": scores(HIGH, LOW),
    "inconclusive": scores(HIGH, MIDDLE),
    "copy": scores(HIGH, LOW, same_photo=1.0),
    "other": scores(LOW, HIGH),
    "not assessed": scores(HIGH, None),
}


def steadied(verdict: Verdict, *again: Verdict) -> Verdict:
    """What is left of a verdict whose retakes have these."""
    retakes = {f"retake {number}": RULE.assess(GIVEN[it], usable=True)
               for number, it in enumerate(again)}  # fmt: skip
    return RULE.check_stability(RULE.assess(GIVEN[verdict], usable=True), retakes).verdict


@pytest.mark.fast
@pytest.mark.parametrize(
    ("verdict", "again", "left"),
    [
        ("impersonation", ("impersonation",) * 3, "impersonation"),
        ("impersonation", ("no forgery found", "impersonation", "impersonation"), "inconclusive"),
        ("impersonation", ("inconclusive", "impersonation", "impersonation"), "impersonation"),
        ("impersonation", ("inconclusive", "inconclusive", "impersonation"), "inconclusive"),
        (
            "no forgery found",
            ("impersonation", "no forgery found", "no forgery found"),
            "inconclusive",
        ),
        ("copy", ("impersonation", "copy", "copy"), "copy"),
        ("other", ("impersonation", "other", "other"), "inconclusive"),
        ("inconclusive", ("impersonation",) * 3, "inconclusive"),
        ("not assessed", ("no forgery found",) * 3, "not assessed"),
        ("no forgery found", (), "no forgery found"),
    ],
)
def test_what_retakes_leave_of_a_verdict(
    verdict: Verdict, again: tuple[Verdict, ...], left: Verdict
) -> None:
    """Another decided verdict, or most left open, take it away; nothing is ever decided by them."""
    assert steadied(verdict, *again) == left
