"""Verification and rank-1 figures over all pairs of labelled faces."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tools.metrics import mate_ranks, roc

FALSE_ACCEPT_RATES = (1e-2, 1e-3)
ROUNDS = 200


def with_intervals(pairs: "EmbeddingPairs", *, seed: int) -> dict[str, object]:
    """Every figure with its bootstrap interval over persons."""
    ones = np.ones(int(pairs.person.max()) + 1)
    draws = np.random.default_rng(seed).multinomial(len(ones), ones / len(ones), size=ROUNDS)
    rounds = [pairs.figures(weights.astype(float)) for weights in draws]
    return {
        name: {"value": value, "interval": _interval([figures[name] for figures in rounds])}
        for name, value in pairs.figures(ones).items()
    }


@dataclass(frozen=True, eq=False)
class EmbeddingPairs:
    """All pairs of unit `embeddings` (n, d), images of `person` (n,) 0-based, most similar first.

    `rates` are the false accept rates at which the true accept rate is reported.
    """

    embeddings: np.ndarray
    person: np.ndarray
    rates: tuple[float, ...] = FALSE_ACCEPT_RATES

    @cached_property
    def _similarity(self) -> np.ndarray:
        matrix: np.ndarray = self.embeddings @ self.embeddings.T
        return matrix

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.triu_indices(len(self.person), 1)
        order = np.argsort(-self._similarity[rows, columns], kind="stable")
        return rows[order], columns[order]

    @cached_property
    def genuine(self) -> np.ndarray:
        """Whether each pair shows one person."""
        rows, columns = self._order
        same: np.ndarray = self.person[rows] == self.person[columns]
        return same

    @cached_property
    def queries(self) -> np.ndarray:
        """Whether each image's person has further images."""
        more: np.ndarray = np.bincount(self.person)[self.person] > 1
        return more

    @cached_property
    def _hits(self) -> np.ndarray:
        others = self._similarity.copy()
        np.fill_diagonal(others, np.nan)
        return mate_ranks(others, self.person[:, None] == self.person) <= 1

    def figures(self, weights: np.ndarray) -> dict[str, float]:
        """Every figure with person p weighted `weights[p]`; NaN without genuine pairs."""
        rows, columns = self._order
        first, second = weights[self.person[rows]], weights[self.person[columns]]
        # A person drawn twice doubles its own pairs, but makes no pairs between its copies.
        weight = np.where(self.genuine, first, first * second)
        kept = weight > 0
        scores = self._similarity[rows[kept], columns[kept]]
        curve = roc(scores, self.genuine[kept], weights=weight[kept])
        if curve is None:
            return dict.fromkeys(self._names(), float("nan"))
        found = {"auc": curve.area}
        for rate in self.rates:
            point = curve.at(rate)
            found[f"tar_at_far_{rate:g}"] = point.tpr
            found[f"cosine_at_far_{rate:g}"] = point.threshold
        asked = self.queries * weights[self.person]
        return {**found, "rank_1": float((asked * self._hits).sum() / asked.sum())}

    def _names(self) -> list[str]:
        rates = [f"{what}_at_far_{rate:g}" for rate in self.rates for what in ("tar", "cosine")]
        return ["auc", *rates, "rank_1"]


def _interval(values: list[float]) -> tuple[float, float]:
    known = np.asarray(values)[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
