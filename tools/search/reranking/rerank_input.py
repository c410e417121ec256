"""What a closer look at one leading hit sees: its picture, its face, and the query's own pictures.

Everything in `tools.verdict.evidence.RERANK_ONLY_MEASURES` is measured from this; each measurement
takes a `RerankInput` and returns {score name: value}, None where it could not be measured.
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

    `pixels` (h, w, 3) uint8 RGB is its upright picture (of a video: the strongest frame), `face`
    the face in it, in pixels of it; `scores` are those of the first stage. `query_photos` are the
    query's pictures and faces, in the order of `query.faces`; a photo that can no longer be read
    is left out, so there may be none. `requested_scores` are the scores that matter, None for all
    there are: a measurement may leave out what is costly and not among them.
    `query_local_features`, where given, are the local features of `query_photos`, computed once for
    all hits.
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
"""From a closer look to {score name: value}; raises ToolError where a picture does not allow it."""
