"""Input of the reranking measurements for one leading hit: its picture, its face and the query.

Every measure in `tools.verdict.evidence.RERANK_ONLY_MEASURES` is computed from it. A measurement
takes several inputs at once, so that a network runs once over all of them, and returns a
{score name: value} for each, None if it could not be measured.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.verdict.calibration import Scores

Result = TypeVar("Result")


class QueryResults:
    """What measurements compute of the query photos, once for all hits; thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        self._turns: dict[str, threading.Lock] = {}
        self._turn = threading.Lock()

    def once(self, name: str, compute: Callable[[], Result]) -> Result:
        """The result of that name, computed by the first caller."""
        with self._turn:
            turn = self._turns.setdefault(name, threading.Lock())
        with turn:
            if name not in self._known:
                self._known[name] = compute()
            found: Result = self._known[name]
            return found


@dataclass(frozen=True, slots=True, eq=False)
class RerankInput:
    """One hit, read again.

    `pixels` (h, w, 3) uint8 RGB is its upright picture (for a video, the strongest frame), `face`
    the face in it, in its pixels; `scores` are those of the first stage. `query_photos` are the
    query's pictures and faces, in the order of `query.faces`; photos that can no longer be read are
    left out, so the sequence may be empty. `requested_scores` are the scores needed, None for all:
    a measurement may skip costly scores that are not among them. `query_results` holds what was
    computed of `query_photos` for other hits of the same search.
    """

    pixels: np.ndarray
    face: Face
    scores: Scores
    query: Query
    query_photos: tuple[tuple[np.ndarray, Face], ...]
    instruments: ModelBundle
    requested_scores: frozenset[str] | None = None
    query_results: QueryResults = field(default_factory=QueryResults)

    def asks_for(self, *names: str) -> bool:
        """Whether one of these scores is needed."""
        return self.requested_scores is None or not self.requested_scores.isdisjoint(names)


RerankMeasure = Callable[[Sequence[RerankInput]], Sequence[Scores]]
"""Maps inputs of one query to the {score name: value} of each.

A picture that cannot be measured has no scores. The result for one input does not depend on the
others.
"""


def one_by_one(measure: Callable[[RerankInput], Mapping[str, float | None]]) -> RerankMeasure:
    """A measurement from a function of one input, which may raise ToolError for a picture."""

    @wraps(measure)
    def measured(looks: Sequence[RerankInput]) -> Sequence[Scores]:
        found = list[Mapping[str, float | None]]()
        for look in looks:
            found.append({})
            with suppress(ToolError):
                found[-1] = measure(look)
        return found

    return measured
