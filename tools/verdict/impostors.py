"""How alike the likeliest of many strangers is: what identity must exceed in a gallery of n faces.

One face against one stranger is one chance to be wrong; a gallery of n faces holds n of them. The
edge here bounds the chance that *any* of n strangers passes. It is fitted on queries of persons
whom nothing was trained on, each against one photograph of every stranger.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Sizes = tuple[int, ...]
DECADE = (1, 2, 5)
"""Gallery sizes at which edges are fitted, times powers of ten."""


@dataclass(frozen=True, slots=True)
class ImpostorThreshold:
    """Cosine similarities that the likeliest of n strangers exceeds in at most `alpha` of searches.

    `edges` belong to `sizes` (faces), both in rising order; between them the edge is linear in
    log n. Beyond the last size nothing was measured: the steepest rise of the last decade goes on,
    and `measured` is False. `queries` persons were asked for; with fewer than 1/alpha − 1 of them
    nothing can be promised, and no similarity is enough.
    Does not show: strangers that resemble each other less at random than news photographs do, as
    relatives, look-alikes and children.
    """

    alpha: float
    sizes: Sizes
    edges: tuple[float, ...]
    rise: float
    queries: int

    def threshold(self, faces: int) -> float:
        """The cosine similarity that is exceeded by chance too rarely, among so many faces."""
        size, last = math.log(max(faces, 1)), math.log(self.sizes[-1])
        inside = float(np.interp(size, np.log(self.sizes), self.edges))
        return inside + self.rise * max(0.0, size - last)

    def measured(self, faces: int) -> bool:
        """Whether so many strangers were looked at, or the edge goes on from fewer."""
        return faces <= self.sizes[-1]

    @property
    def has_guarantee(self) -> bool:
        """Whether there were persons enough for `alpha`."""
        return self.queries + 1 >= 1 / self.alpha

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ImpostorThreshold":
        """Read what `dataclasses.asdict` wrote."""
        return cls(
            float(data["alpha"]), tuple(data["sizes"]), tuple(data["edges"]),
            float(data["rise"]), int(data["queries"]),
        )  # fmt: skip

    @classmethod
    def fit(cls, similarities: np.ndarray, *, alpha: float) -> "ImpostorThreshold":
        """Fit on cosines (queries, strangers), NaN where a query and a photo are one person.

        Of each query's strangers every choice of n is as likely; the chance that one of them
        exceeds the edge is averaged over queries, and one query more, never seen, counts as one
        that is always exceeded (split conformal prediction over persons).
        """
        rows = [np.sort(row[np.isfinite(row)]) for row in similarities]
        most = min((len(row) for row in rows), default=0)
        if not most:
            raise ValueError("a stranger's similarity needs queries and strangers")
        sizes = _sizes(most)
        found = [_edge(rows, size, alpha) for size in sizes]
        edges = np.maximum.accumulate(found)
        return cls(alpha, sizes, tuple(map(float, edges)), _rise(sizes, edges), len(rows))


def _sizes(most: int) -> Sizes:
    powers = range(int(math.log10(most)) + 1)
    steps = [factor * 10**power for power in powers for factor in DECADE]
    return (*(step for step in steps if step < most), most)


def _edge(rows: Sequence[np.ndarray], size: int, alpha: float) -> float:
    """The lowest similarity that is exceeded rarely enough; above 1 where none is."""
    low, high = -1.0, 1.0
    if _exceeded(rows, size, high) > alpha:
        return 1.0 + 1e-6
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _exceeded(rows, size, middle) > alpha:
            low = middle
        else:
            high = middle
    return high


def _exceeded(rows: Sequence[np.ndarray], size: int, edge: float) -> float:
    """How often any of `size` strangers exceeds the edge, a query never seen counted as always."""
    chances = [_any(len(row), len(row) - int(np.searchsorted(row, edge, "right")), size)
               for row in rows]  # fmt: skip
    return (sum(chances) + 1) / (len(rows) + 1)


def _any(total: int, above: int, drawn: int) -> float:
    """The chance that `drawn` of `total` hold one of the `above` (hypergeometric)."""
    if drawn > total - above:
        return 1.0 if above else 0.0
    spared = _log_choices(total - above, drawn) - _log_choices(total, drawn)
    return 1.0 - math.exp(min(0.0, spared))


def _log_choices(total: int, drawn: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(drawn + 1) - math.lgamma(total - drawn + 1)


def _rise(sizes: Sizes, edges: np.ndarray) -> float:
    """The steepest rise per unit of log n over the last decade of sizes."""
    logs = np.log(sizes)
    late = logs >= logs[-1] - math.log(10) - 1e-9
    steps = np.diff(edges[late]) / np.diff(logs[late])
    return float(steps.max()) if len(steps) else 0.0
