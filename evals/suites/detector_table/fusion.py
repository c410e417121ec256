"""Fused forgery scores of the verdict rule: without a query, and with one of the depicted person.

As for the leading hits of a search: with all rerank scores if the rule was fitted with them. The
question is always whether the face was forged, whoever it shows; the query is always of the right
person here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.protocol.measured import MeasuredDataset, load_models
from evals.suites.detection.detector_inputs import MeasuredViews
from tools.faces.further_embedders import COSINE, DIFFERENCE
from tools.search.query import Query
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.reference_comparison import INNER_OUTER, PATCH_DISTANCE
from tools.search.reranking.rerank_input import RerankInput
from tools.search.reranking.reranker import RERANK_MEASURES, iter_readable_photos
from tools.search.scoring import score_faces
from tools.verdict.calibration import Scores
from tools.verdict.rule import QuestionKind, VerdictRule

FUSED_ALONE, FUSED_WITH_QUERY = "fused", "fused with query"
RULE_METHODS: Mapping[str, QuestionKind] = {FUSED_ALONE: "alone", FUSED_WITH_QUERY: "with_query"}

QUERY_SCORES = (INNER_OUTER, PATCH_DISTANCE, DIFFERENCE)
"""Rerank scores about forgery, which are rows of the table."""

ALL_QUERY_SCORES = (*QUERY_SCORES, COSINE)
_OTHERS = tuple(it for it in RERANK_MEASURES if it is not picture_scores)
"""Detectors that are run separately, on many pictures at a time."""

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """Log-odds of forgery (n,), and the band (n, 2) of each; NaN without a decision."""

    logits: np.ndarray
    bands: np.ndarray


def fuse(rule: VerdictRule, asked: QuestionKind, rows: Sequence[Scores | None]) -> Fused:
    """The rule's result for every row; None for a row on which the question does not apply."""
    logits, bands = np.full(len(rows), np.nan), np.full((len(rows), 2), np.nan)
    for index, scores in enumerate(rows):
        if scores is None:
            continue
        question = rule.question(asked, scores)
        logit = question.calibrator.logit(scores)
        if logit is not None:
            logits[index] = logit
            bands[index] = question.band.low, question.band.high
    return Fused(logits, bands)


def scores_by_row(columns: Columns) -> list[dict[str, float | None]]:
    """A row's scores by their names in rules and evidence."""
    count = min(map(len, columns.values()), default=0)
    return [{name: float(column[at]) for name, column in columns.items()} for at in range(count)]


def add_query_scores(
    rows: Sequence[Scores], measured: MeasuredDataset, queries: Sequence[Query | None]
) -> list[Scores | None]:
    """Scores relative to each row's query; None without a query or a face."""
    found: list[Scores | None] = []
    for index, (scores, query) in enumerate(zip(rows, queries, strict=True)):
        if query is None or not measured.found[index]:
            found.append(None)
            continue
        faces = measured.take([index]).columns
        (relative,) = score_faces(query, faces, detectors=load_models().detectors)
        found.append({**scores, **relative})
    return found


def query_scores(views: MeasuredViews, queries: Sequence[Query | None]) -> dict[str, np.ndarray]:
    """Rerank scores (n,) by name; NaN without a query or a face."""
    found = {name: np.full(len(views), np.nan) for name in ALL_QUERY_SCORES}
    photos = {id(it): tuple(iter_readable_photos(it)) for it in queries if it is not None}
    looks = zip(views.images_with_keypoints(), views.measured.faces, queries, strict=True)
    for index, ((pixels, keypoints), face, query) in enumerate(looks):
        if pixels is None or keypoints is None or face is None or query is None:
            continue
        alike = {"cosine_similarity": float(face.face.embedding @ query.template)}
        look = RerankInput(pixels, face.face, alike, query, photos[id(query)], load_models())
        for measurement in _OTHERS:
            (given,) = measurement([look])
            for name, value in given.items():
                if name in found and value is not None:
                    found[name][index] = value
    return found
