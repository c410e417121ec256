"""Impostor threshold: the similarity that identity must exceed in a gallery of n faces.

One face against one stranger is one chance of a false match; a gallery of n faces has n chances.
The threshold bounds the probability that *any* of n strangers exceeds it. It is fitted on queries
of persons that no part was trained on, each against one photograph of every stranger.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Sizes = tuple[int, ...]
DECADE = (1, 2, 5)
"""Gallery sizes at which thresholds are fitted, times powers of ten."""


@dataclass(frozen=True, slots=True)
class ImpostorThreshold:
    """Cosine similarities that the most similar of n strangers exceeds in ≤ `alpha` of searches.

    `edges` are the thresholds for `sizes` (faces), both ascending; between sizes they are linear in
    log n. Beyond the last size nothing was measured: the steepest rise of the last decade is
    extrapolated, and `measured` is False. `queries` is the number of query persons; with fewer than
    1/alpha − 1 there is no guarantee, and no similarity is sufficient. Does not show: strangers
    more similar than random people in news photographs, such as relatives, look-alikes and
    children.
    """

    alpha: float
    sizes: Sizes
    edges: tuple[float, ...]
    rise: float
    queries: int

    def threshold(self, faces: int) -> float:
        """The cosine similarity threshold for a gallery of this many faces."""
        size, last = math.log(max(faces, 1)), math.log(self.sizes[-1])
        inside = float(np.interp(size, np.log(self.sizes), self.edges))
        return inside + self.rise * max(0.0, size - last)

    def measured(self, faces: int) -> bool:
        """Whether the threshold was measured for this many strangers, not extrapolated."""
        return faces <= self.sizes[-1]

    @property
    def has_guarantee(self) -> bool:
        """Whether there were enough query persons for `alpha`."""
        return self.queries + 1 >= 1 / self.alpha

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ImpostorThreshold":
        """From the output of `dataclasses.asdict`."""
        return cls(
            float(data["alpha"]), tuple(data["sizes"]), tuple(data["edges"]),
            float(data["rise"]), int(data["queries"]),
        )  # fmt: skip

    @classmethod
    def fit(cls, similarities: np.ndarray, *, alpha: float) -> "ImpostorThreshold":
        """Fit on cosines (queries, strangers), NaN where query and photo show the same person.

        Every subset of n strangers of a query is equally likely. The probability that one of them
        exceeds the threshold is averaged over queries; one unseen query counts as always exceeded
        (split conformal prediction over persons).
        """
        rows = [np.sort(row[np.isfinite(row)]) for row in similarities]
        most = min((len(row) for row in rows), default=0)
        if not most:
            raise ValueError("an impostor threshold needs queries and strangers")
        sizes = _sizes(most)
        found = [_edge(rows, size, alpha) for size in sizes]
        edges = np.maximum.accumulate(found)
        return cls(alpha, sizes, tuple(map(float, edges)), _rise(sizes, edges), len(rows))


def _sizes(most: int) -> Sizes:
    powers = range(int(math.log10(most)) + 1)
    steps = [factor * 10**power for power in powers for factor in DECADE]
    return (*(step for step in steps if step < most), most)


def _edge(rows: Sequence[np.ndarray], size: int, alpha: float) -> float:
    """The lowest similarity exceeded in at most `alpha` of searches; above 1 if there is none."""
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
    """How often any of `size` strangers exceeds the edge; an unseen query counts as always."""
    chances = [_any(len(row), len(row) - int(np.searchsorted(row, edge, "right")), size)
               for row in rows]  # fmt: skip
    return (sum(chances) + 1) / (len(rows) + 1)


def _any(total: int, above: int, drawn: int) -> float:
    """Probability that `drawn` of `total` include one of the `above` (hypergeometric)."""
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
