"""Detection figures with bootstrap intervals: AUC, AP, EER, TPR at FPR, accuracies.

All figures share one bootstrap: each round draws groups, weights their rows, and computes every
figure on the weighted curve. Scores are sorted once.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from tools.metrics import Accuracies, accuracies, ap, drop_unmeasured, resamples, roc
from tools.metrics.detection import Roc

ROUNDS = 1000
FALSE_POSITIVE_RATE = 0.01
CHUNK_VALUES = 2_000_000
"""Weights in memory at a time, in a few arrays of 16 MB."""

Figures = dict[str, object]

NAMES = (
    "auc", "ap", "eer", "tpr_at_fpr_1%",
    "real_accuracy", "fake_accuracy", "average_accuracy", "accuracy",
)  # fmt: skip


def figures_of(
    scores: np.ndarray, labels: np.ndarray, groups: np.ndarray,
    *, threshold: float, seed: int, rounds: int = ROUNDS, probabilities: np.ndarray | None = None,
) -> Figures:  # fmt: skip
    """Every figure and its 95 % interval as `<name>_95`, with counts; NaN where undefined.

    `threshold` decides the accuracies: scores above it are called forged. With `probabilities` (n,)
    it applies to them instead, and if they are missing so are the accuracies. `average_accuracy` is
    the mean over the two classes, `accuracy` over pictures.
    """
    rows = drop_unmeasured(scores, labels)
    known = ~np.isnan(np.asarray(scores, float))
    judging = rows.scores if probabilities is None else np.asarray(probabilities, float)[known]
    values = _values(rows.scores, rows.labels, judging, threshold)
    drawn = _drawn(
        rows.scores, rows.labels, judging, np.asarray(groups)[known],
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


def _values(
    scores: np.ndarray, labels: np.ndarray, judging: np.ndarray, threshold: float
) -> list[float]:
    curve = roc(scores, labels)
    return [*_curve(curve, ap(scores, labels)), *_shares(accuracies(judging, labels, threshold))]


def _curve(curve: Roc | None, precision: float) -> list[float]:
    if curve is None:
        return [float("nan")] * 4
    return [curve.area, precision, curve.eer, curve.at(FALSE_POSITIVE_RATE).tpr]


def _shares(found: Accuracies) -> list[float]:
    return [asdict(found)[name] for name in ("real", "fake", "average", "accuracy")]


def _drawn(
    scores: np.ndarray, labels: np.ndarray, judging: np.ndarray, groups: np.ndarray,
    *, threshold: float, seed: int, rounds: int,
) -> np.ndarray:  # fmt: skip
    """The figures (rounds, 8) of every round; none with fewer than two groups."""
    if len(np.unique(groups)) < 2:
        return np.empty((0, len(NAMES)))
    levels = _Levels.of(scores, labels, judging, threshold)
    draws = resamples(groups, seed=seed, rounds=rounds)
    chunk = max(1, CHUNK_VALUES // len(scores))
    found = []
    while some := list(islice(draws, chunk)):
        found.append(levels.figures(np.stack(some)))
    return np.concatenate(found)


def _edges(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """Rows (n,) by descending score; `starts` are the indices where the score changes.

    `right` (n,) is 1 for a correct call and NaN without a call.
    """

    order: np.ndarray
    starts: np.ndarray
    labels: np.ndarray
    right: np.ndarray

    @classmethod
    def of(
        cls, scores: np.ndarray, labels: np.ndarray, judging: np.ndarray, threshold: float
    ) -> "_Levels":
        order = np.argsort(-scores, kind="stable")
        falls = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
        right = np.where(np.isnan(judging), np.nan, (judging > threshold) == labels)
        return cls(order, falls, labels[order], right[order])

    def figures(self, weights: np.ndarray) -> np.ndarray:
        """(rounds, 8) in the order of `NAMES`, row i weighted `weights[:, i]`.

        NaN if a class has no weight.
        """
        weight = weights[:, self.order].astype(float)
        forged, others = (
            np.add.reduceat(weight * kind, self.starts, axis=1).cumsum(axis=1)
            for kind in (self.labels, ~self.labels)
        )
        with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 is NaN, and meant so
            tpr, fpr = (_from_zero(it / it[:, -1:]) for it in (forged, others))
            return np.stack([*_curves(tpr, fpr, forged, others), *self._shares(weight)], axis=1)

    def _shares(self, weight: np.ndarray) -> Iterator[np.ndarray]:
        real, fake, every = (
            (weight[:, kind] * self.right[kind]).sum(axis=1) / weight[:, kind].sum(axis=1)
            for kind in (~self.labels, self.labels, np.ones(len(self.labels), bool))
        )
        yield from (real, fake, (real + fake) / 2, every)


def _curves(
    tpr: np.ndarray, fpr: np.ndarray, forged: np.ndarray, others: np.ndarray
) -> Iterator[np.ndarray]:
    """AUC, AP, EER and TPR of every round (rounds,), equal to `tools.metrics` for one round."""
    undefined = np.isnan(tpr[:, -1] + fpr[:, -1])
    area = (np.diff(fpr, axis=1) * (tpr[:, 1:] + tpr[:, :-1]) / 2).sum(axis=1)
    # A round without weight here contributes no step.
    precision = forged / np.maximum(forged + others, 1)
    average = (np.diff(tpr, axis=1) * precision).sum(axis=1)
    rows, excess = np.arange(len(tpr)), 1 - tpr - fpr
    right = np.maximum(np.argmax(excess <= 0, axis=1), 1)
    before, after = excess[rows, right - 1], excess[rows, right]
    way = before / (before - after)
    equal = fpr[rows, right - 1] + way * (fpr[rows, right] - fpr[rows, right - 1])
    found = np.where(fpr <= FALSE_POSITIVE_RATE, tpr, 0).max(axis=1)
    for figure in (area, average, equal, found):
        yield np.where(undefined, np.nan, figure)


def _from_zero(rates: np.ndarray) -> np.ndarray:
    """Prepend the curve's starting point, where nothing is called."""
    return np.pad(rates, ((0, 0), (1, 0)))
