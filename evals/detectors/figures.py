"""The figures of one detector on one set of samples, each with its interval.

One bootstrap serves them all: a round draws groups, weighs their rows, and reads every figure off
the weighted curve. Scores are sorted once.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from evals.metrics import Accuracies, accuracies, ap, complete, resamples, roc
from evals.metrics.detection import Roc

ROUNDS = 1000
FALSE_POSITIVE_RATE = 0.01

Figures = dict[str, object]

NAMES = (
    "auc", "ap", "eer", "tpr_at_fpr_1%",
    "real_accuracy", "fake_accuracy", "average_accuracy", "accuracy",
)  # fmt: skip


def figures_of(
    scores: np.ndarray, labels: np.ndarray, groups: np.ndarray,
    *, threshold: float, seed: int, rounds: int = ROUNDS,
) -> Figures:  # fmt: skip
    """Every figure and its 95 % interval as `<name>_95`, with counts; NaN where undefined.

    `threshold` decides the accuracies: forged is what scores above it. `average_accuracy` is the
    mean of the two kinds, `accuracy` counts pictures.
    """
    rows = complete(scores, labels)
    known = ~np.isnan(np.asarray(scores, float))
    values = _values(rows.scores, rows.labels, threshold)
    drawn = _drawn(
        rows.scores, rows.labels, np.asarray(groups)[known],
        threshold=threshold, seed=seed, rounds=rounds,
    )  # fmt: skip
    found: Figures = {
        "n_real": int((~rows.labels).sum()),
        "n_fake": int(rows.labels.sum()),
        "n_groups": len(np.unique(np.asarray(groups)[known])),
        "not_measured": rows.dropped,
        "threshold": threshold,
    }
    for place, name in enumerate(NAMES):
        found[name] = values[place]
        found[f"{name}_95"] = _edges(drawn[:, place])
    return found


def _values(scores: np.ndarray, labels: np.ndarray, threshold: float) -> list[float]:
    curve = roc(scores, labels)
    return [*_curve(curve, ap(scores, labels)), *_shares(accuracies(scores, labels, threshold))]


def _curve(curve: Roc | None, precision: float) -> list[float]:
    if curve is None:
        return [float("nan")] * 4
    return [curve.area, precision, curve.eer, curve.at(FALSE_POSITIVE_RATE).tpr]


def _shares(found: Accuracies) -> list[float]:
    return [asdict(found)[name] for name in ("real", "fake", "average", "accuracy")]


def _drawn(
    scores: np.ndarray, labels: np.ndarray, groups: np.ndarray,
    *, threshold: float, seed: int, rounds: int,
) -> np.ndarray:  # fmt: skip
    """The figures (rounds, 8) of every round; none with fewer than two groups."""
    if len(np.unique(groups)) < 2:
        return np.empty((0, len(NAMES)))
    levels = _Levels.of(scores, labels, threshold)
    draws: Iterator[np.ndarray] = resamples(groups, seed=seed, rounds=rounds)
    return np.array([levels.figures(weights) for weights in draws])


def _edges(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """Scores as ranks (n,) from 0, the highest first, equal for equal scores."""

    ranks: np.ndarray
    labels: np.ndarray
    right: np.ndarray
    thresholds: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, labels: np.ndarray, threshold: float) -> "_Levels":
        thresholds, ranks = np.unique(-scores, return_inverse=True)
        return cls(ranks, labels, (scores > threshold) == labels, -thresholds)

    def figures(self, weights: np.ndarray) -> list[float]:
        """In the order of `NAMES`, row i counted `weights[i]` times; NaN without both kinds."""
        weight, count = weights.astype(float), len(self.thresholds)
        forged = np.bincount(self.ranks, weight * self.labels, count).cumsum()
        others = np.bincount(self.ranks, weight * ~self.labels, count).cumsum()
        n_fake, n_real = forged[-1], others[-1]
        with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, and meant so
            real = (weight * self.right)[~self.labels].sum() / n_real
            fake = (weight * self.right)[self.labels].sum() / n_fake
            every = (weight * self.right).sum() / (n_real + n_fake)
        shares = [float(real), float(fake), float((real + fake) / 2), float(every)]
        if not n_fake or not n_real:
            return [*_curve(None, float("nan")), *shares]
        called = forged + others
        steps = np.diff(forged, prepend=0.0)
        # Where nobody was called yet, no step is taken either.
        precision = float((steps * forged / np.maximum(called, 1)).sum() / n_fake)
        curve = Roc(
            np.concatenate([[0.0], others / n_real]),
            np.concatenate([[0.0], forged / n_fake]),
            np.concatenate([[np.inf], self.thresholds]),
        )
        return [*_curve(curve, precision), *shares]
