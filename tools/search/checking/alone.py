"""Judge a face without a query: the measurements of the closer look that need no query photo."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tools.gallery.records import AnalysedFace, AnalysedImage, FaceRecord, ImageRecord
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query, QueryFace, build_query
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.rerank_input import RerankInput
from tools.search.reranking.stability import VERDICT_STABILITY, scores_under_perturbation
from tools.search.scoring import EmbeddedFace, scores_without_query
from tools.verdict.calibration import Scores
from tools.verdict.evidence import FIRST_RERANK_NUMBER, Evidence, collect_evidence
from tools.verdict.rule import NOT_ASSESSED, Assessment, VerdictRule

_NUMBERS = (2, 3, 4, 5, 9, 10)
"""Evidence of the first stage that needs no query, by number."""


@dataclass(frozen=True, slots=True)
class AloneResult:
    """A face's scores without a query, the rule's assessment of them, and the evidence."""

    scores: Scores
    assessment: Assessment
    evidence: tuple[Evidence, ...]


def judge_alone(
    pixels: np.ndarray,
    image: AnalysedImage | ImageRecord,
    face: AnalysedFace | FaceRecord,
    *,
    instruments: ModelBundle,
) -> AloneResult:
    """Judge a measured face in its picture (h, w, 3) uint8 RGB, with retakes for steadiness.

    A verdict that mild JPEG, resizing or blur would change becomes inconclusive, as in a search.
    """
    rule = instruments.rule
    scores = scores_without_query(image, face, detectors=instruments.detectors)
    usable = face.face.quality.usable
    if rule is None:
        return AloneResult(scores, NOT_ASSESSED, alone_evidence(scores, None))
    query = _itself(image, face) if usable else None
    if query is None:
        assessment = rule.assess_alone(scores, usable=usable)
        return AloneResult(scores, assessment, alone_evidence(scores, rule))
    look = RerankInput(pixels, face.face, scores, query, (), instruments)
    (further,) = picture_scores([look])
    scores |= further
    given = rule.assess_alone(scores, usable=usable)
    needed = rule.forgery_scores_alone(scores)
    (perturbed,) = scores_under_perturbation(
        [replace(look, scores=scores, requested_scores=needed)],
        measurements=[picture_scores] if needed & further.keys() else [],
        needed=lambda _: needed,
    )
    retaken = {
        name: rule.assess_alone({**scores, **taken}, usable=usable)
        for name, taken in perturbed.items()
    }
    if retaken and given.verdict != "not assessed":
        kept = sum(it.verdict == given.verdict for it in retaken.values())
        scores[VERDICT_STABILITY] = kept / len(retaken)
    assessment = rule.check_stability(given, retaken)
    return AloneResult(scores, assessment, alone_evidence(scores, rule))


def scores_alone(
    pixels: np.ndarray,
    image: AnalysedImage | ImageRecord,
    face: EmbeddedFace,
    *,
    instruments: ModelBundle,
) -> dict[str, float | None]:
    """The scores of a face by itself that the rule can use, without retakes."""
    scores = scores_without_query(image, face, detectors=instruments.detectors)
    query, rule = _itself(image, face), instruments.rule
    if query is None or rule is None:
        return scores
    look = RerankInput(
        pixels, face.face, scores, query, (), instruments, requested_scores=rule.needs
    )
    return scores | dict(picture_scores([look])[0])


def alone_evidence(scores: Scores, rule: VerdictRule | None) -> tuple[Evidence, ...]:
    """The evidence that needs no query."""
    found = collect_evidence(scores, rule.references if rule else {}, rule=rule)
    numbers = [int(item.id.removeprefix("E")) for item in found]
    return tuple(
        item
        for number, item in zip(numbers, found, strict=True)
        if number in _NUMBERS or number >= FIRST_RERANK_NUMBER
    )


def _itself(image: AnalysedImage | ImageRecord, face: EmbeddedFace) -> Query | None:
    """The face as its own query: the retakes need one, and no score relative to it is used."""
    if face.features is None or face.face_hash is None:
        return None
    row = QueryFace(image.id, Path(), "", False, face.face, face.features, face.face_hash)
    return build_query([row])
