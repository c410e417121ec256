"""Input of the reranking measurements for one leading hit: its picture, its face and the query.

Every measure in `tools.verdict.evidence.RERANK_ONLY_MEASURES` is computed from it; a measurement
takes a `RerankInput` and returns {score name: value}, None if it could not be measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tools.faces.analyser import Face
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.same_photograph.local_features import LocalFeatures
from tools.verdict.calibration import Scores


@dataclass(frozen=True, slots=True, eq=False)
class RerankInput:
    """One hit, read again.

    `pixels` (h, w, 3) uint8 RGB is its upright picture (for a video, the strongest frame), `face`
    the face in it, in its pixels; `scores` are those of the first stage. `query_photos` are the
    query's pictures and faces, in the order of `query.faces`; photos that can no longer be read are
    left out, so the sequence may be empty. `requested_scores` are the scores needed, None for all:
    a measurement may skip costly scores that are not among them. `query_local_features`, if given,
    returns the local features of `query_photos`, computed once for all hits.
    """

    pixels: np.ndarray
    face: Face
    scores: Scores
    query: Query
    query_photos: tuple[tuple[np.ndarray, Face], ...]
    instruments: ModelBundle
    requested_scores: frozenset[str] | None = None
    query_local_features: Callable[[], Sequence[LocalFeatures]] | None = None


RerankMeasure = Callable[[RerankInput], Mapping[str, float | None]]
"""Maps an input to {score name: value}; raises ToolError if a picture cannot be measured."""
