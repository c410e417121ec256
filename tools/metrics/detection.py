"""How well scores tell two kinds apart: forged from authentic, same person from another.

All of them return NaN where a kind is missing. Scores may be infinite (a probability of exactly 1
has such a logit): they rank first or last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRows:
    """Rows that have a score: `scores` (n,) float64, `labels` (n,) bool, and how many had none."""

    scores: np.ndarray
    labels: np.ndarray
    dropped: int

    @property
    def kinds(self) -> int:
        """How many of the two kinds there are: 0, 1 or 2."""
        return len(np.unique(self.labels))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The share found (`tpr`) with scores of at least `threshold`; inf: nothing can be accepted."""

    tpr: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Shares called right: of authentic, of forged, the mean of the two, and of all samples.

    `accuracy` is what the field's tables often call the average: it follows the larger class.
    """

    real: float
    fake: float
    average: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """A receiver operating curve (m,): both rates rise from 0 to 1 while `thresholds` fall."""

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray

    @property
    def area(self) -> float:
        """The area under the curve, by trapezoids: ties count half."""
        return float(np.trapezoid(self.tpr, self.fpr))

    @property
    def eer(self) -> float:
        """The rate at which misses are as frequent as false alarms, between points linearly."""
        excess = 1 - self.tpr - self.fpr
        right = int(np.argmax(excess <= 0))
        left = right - 1
        way = excess[left] / (excess[left] - excess[right])
        return float(self.fpr[left] + way * (self.fpr[right] - self.fpr[left]))

    def at(self, fpr: float) -> OperatingPoint:
        """The best point of the curve with no more false alarms than that; nothing between points.

        Of several thresholds that find as much, the highest.
        """
        last = int(np.searchsorted(self.fpr, fpr, side="right")) - 1
        first = int(np.searchsorted(self.tpr, self.tpr[last], side="left"))
        return OperatingPoint(float(self.tpr[first]), float(self.thresholds[first]))


def drop_unmeasured(scores: ArrayLike, labels: ArrayLike) -> ScoredRows:
    """The rows that were measured. Raises ValueError where the lengths differ."""
    values, flags = np.asarray(scores, float), np.asarray(labels, bool)
    if values.shape != flags.shape or values.ndim != 1:
        raise ValueError(f"scores {values.shape} and labels {flags.shape} are not rows of one list")
    known = ~np.isnan(values)
    return ScoredRows(values[known], flags[known], int((~known).sum()))


def roc(scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None) -> Roc | None:
    """The curve with all its points; None where a kind is missing. `weights` (n,) of the rows."""
    from sklearn.metrics import roc_curve

    values = np.asarray(scores)
    # Single precision stays what it is, and so do the thresholds.
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(float)
    known = ~np.isnan(values)
    flags = np.asarray(labels, bool)[known]
    if flags.all() or not flags.any():
        return None
    weight = None if weights is None else np.asarray(weights, float)[known]
    # Dropping points on straight stretches, scikit-learn's default, drops tied operating points.
    return Roc(
        *roc_curve(
            flags, _finite(values[known]), sample_weight=weight, drop_intermediate=False
        )
    )  # fmt: skip


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """The share of pairs in which the `True` one scores higher, ties counting half."""
    from sklearn.metrics import roc_auc_score

    rows = drop_unmeasured(scores, labels)
    return float(roc_auc_score(rows.labels, _finite(rows.scores))) if rows.kinds == 2 else _NAN


def ap(scores: ArrayLike, labels: ArrayLike) -> float:
    """Average precision of the `True` ones over all rows, tied rows taken together."""
    from sklearn.metrics import average_precision_score

    rows = drop_unmeasured(scores, labels)
    if rows.kinds < 2:
        return _NAN
    return float(average_precision_score(rows.labels, _finite(rows.scores)))


def eer(scores: ArrayLike, labels: ArrayLike) -> float:
    """Equal error rate, see `Roc.eer`."""
    curve = roc(scores, labels)
    return _NAN if curve is None else curve.eer


def tpr_at_fpr(scores: ArrayLike, labels: ArrayLike, fpr: float) -> float:
    """The share of `True` rows found while at most `fpr` of the others are called so too.

    With n others, a rate below 1/n allows no false alarm at all.
    """
    curve = roc(scores, labels)
    return _NAN if curve is None else curve.at(fpr).tpr


def tar_at_far(genuine: ArrayLike, impostor: ArrayLike, far: float) -> float:
    """The share of genuine comparisons accepted while at most `far` of the impostors are."""
    same, different = np.asarray(genuine, float), np.asarray(impostor, float)
    labels = np.repeat([True, False], [len(same), len(different)])
    return tpr_at_fpr(np.concatenate([same, different]), labels, far)


def mate_ranks(similarity: ArrayLike, mates: ArrayLike) -> np.ndarray:
    """Rank (q,), from 1, of each query's most similar mate in the gallery.

    `similarity` (q, g): NaN leaves an image out of that query's gallery; `mates` (q, g) is True
    for the same person. Ties count against us. NaN for a query without a mate to find.
    """
    values, same = np.asarray(similarity, float), np.asarray(mates, bool)
    known = ~np.isnan(values)
    best = np.where(same & known, values, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    ahead = (known & ~same & (values >= best)).sum(axis=1)
    return np.where((same & known).any(axis=1), ahead + 1.0, np.nan)


def rank_k(ranks: ArrayLike, k: int) -> float:
    """The share of queries whose first mate is among the k most similar; `mate_ranks` gives ranks.

    Queries without a mate (NaN) do not count.
    """
    known = np.asarray(ranks, float)
    known = known[~np.isnan(known)]
    return float((known <= k).mean()) if len(known) else _NAN


def accuracies(
    probabilities: ArrayLike, labels: ArrayLike, threshold: float = 0.5
) -> Accuracies:  # fmt: skip
    """Called forged when above the threshold. A kind without samples has NaN, and so its mean."""
    rows = drop_unmeasured(probabilities, labels)
    right = (rows.scores > threshold) == rows.labels
    real, fake, every = (
        float(chosen.mean()) if len(chosen) else _NAN
        for chosen in (right[~rows.labels], right[rows.labels], right)
    )
    return Accuracies(real, fake, (real + fake) / 2, every)


_NAN = float("nan")


def _finite(scores: np.ndarray) -> np.ndarray:
    """Infinities become very large numbers, because scikit-learn refuses them.

    It takes differences, which must not overflow either.
    """
    limit = np.finfo(scores.dtype).max / 4
    finite: np.ndarray = np.clip(scores, -limit, limit)
    return finite
