"""What the rule makes of a picture's scores: without a query, and for the person depicted.

As the search asks its leading hits: with all that a closer look adds, where the rule was fitted
with it. The question is always whether the face was forged, whoever it is; that the query is of
the right person is given here.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from evals.protocol.measured import MeasuredDataset, load_models
from evals.suites.detection.detector_inputs import MeasuredViews
from tools.errors import ToolError
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
"""Scores of a closer look that speak of forgery, and so stand in the table."""

ALL_QUERY_SCORES = (*QUERY_SCORES, COSINE)
_OTHERS = tuple(it for it in RERANK_MEASURES if it is not picture_scores)
"""The detectors are asked apart, many pictures at a time."""

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Fused:
    """Log-odds of forgery (n,), and the band (n, 2) of each; NaN where nothing was decided."""

    logits: np.ndarray
    bands: np.ndarray


def fuse(rule: VerdictRule, asked: QuestionKind, rows: Sequence[Scores | None]) -> Fused:
    """What the rule says of every row; None for a row of which this cannot be asked."""
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
    """A row's scores by name, as rules and evidence call them."""
    count = min(map(len, columns.values()), default=0)
    return [{name: float(column[at]) for name, column in columns.items()} for at in range(count)]


def add_query_scores(
    rows: Sequence[Scores], measured: MeasuredDataset, queries: Sequence[Query | None]
) -> list[Scores | None]:
    """The scores with those relative to each row's query; None where there is none, or no face."""
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
    """What a closer look adds (n,), by name; NaN without a query or a face."""
    found = {name: np.full(len(views), np.nan) for name in ALL_QUERY_SCORES}
    photos = {id(it): tuple(iter_readable_photos(it)) for it in queries if it is not None}
    looks = zip(views.images_with_keypoints(), views.measured.faces, queries, strict=True)
    for index, ((pixels, keypoints), face, query) in enumerate(looks):
        if pixels is None or keypoints is None or face is None or query is None:
            continue
        alike = {"cosine_similarity": float(face.face.embedding @ query.template)}
        look = RerankInput(pixels, face.face, alike, query, photos[id(query)], load_models())
        for measurement in _OTHERS:
            with suppress(ToolError):  # it cannot be measured on this picture
                for name, value in measurement(look).items():
                    if name in found and value is not None:
                        found[name][index] = value
    return found
