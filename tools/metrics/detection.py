"""Binary classification metrics: AUC, AP, EER, TPR at FPR, TAR at FAR, rank-k, accuracies.

For forged vs authentic and same vs different person. All return NaN if a class is missing. Infinite
scores are allowed (the logit of a probability of exactly 1): they rank first or last.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRows:
    """Rows with a score: `scores` (n,) float64, `labels` (n,) bool, and the number `dropped`."""

    scores: np.ndarray
    labels: np.ndarray
    dropped: int

    @property
    def kinds(self) -> int:
        """Number of classes present: 0, 1 or 2."""
        return len(np.unique(self.labels))


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The `tpr` at scores ≥ `threshold`; a threshold of inf accepts nothing."""

    tpr: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Accuracies:
    """Accuracy on authentic and on forged samples, their mean, and over all samples.

    `accuracy` is often called the average in the field's tables; it is dominated by the larger
    class.
    """

    real: float
    fake: float
    average: float
    accuracy: float


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """A ROC curve, arrays (m,): both rates rise from 0 to 1 while `thresholds` fall."""

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoidal rule: ties count half."""
        return float(np.trapezoid(self.tpr, self.fpr))

    @property
    def eer(self) -> float:
        """Equal error rate: where FNR = FPR, linearly interpolated between points."""
        excess = 1 - self.tpr - self.fpr
        right = int(np.argmax(excess <= 0))
        left = right - 1
        way = excess[left] / (excess[left] - excess[right])
        return float(self.fpr[left] + way * (self.fpr[right] - self.fpr[left]))

    def at(self, fpr: float) -> OperatingPoint:
        """The point with the highest TPR at an FPR of at most `fpr`, without interpolation.

        Among equal TPRs, the highest threshold.
        """
        last = int(np.searchsorted(self.fpr, fpr, side="right")) - 1
        first = int(np.searchsorted(self.tpr, self.tpr[last], side="left"))
        return OperatingPoint(float(self.tpr[first]), float(self.thresholds[first]))


def drop_unmeasured(scores: ArrayLike, labels: ArrayLike) -> ScoredRows:
    """The rows whose score is not NaN. Raises ValueError if the lengths differ."""
    values, flags = np.asarray(scores, float), np.asarray(labels, bool)
    if values.shape != flags.shape or values.ndim != 1:
        raise ValueError(f"scores {values.shape} and labels {flags.shape} are not rows of one list")
    known = ~np.isnan(values)
    return ScoredRows(values[known], flags[known], int((~known).sum()))


def roc(scores: ArrayLike, labels: ArrayLike, *, weights: ArrayLike | None = None) -> Roc | None:
    """The ROC curve with all its points; None if a class is missing. `weights` (n,) per row."""
    from sklearn.metrics import roc_curve

    values = np.asarray(scores)
    # Keep the precision of floating-point scores, and so of the thresholds.
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(float)
    known = ~np.isnan(values)
    flags = np.asarray(labels, bool)[known]
    if flags.all() or not flags.any():
        return None
    weight = None if weights is None else np.asarray(weights, float)[known]
    # scikit-learn's default drops collinear points, and with them tied operating points.
    return Roc(
        *roc_curve(
            flags, _finite(values[known]), sample_weight=weight, drop_intermediate=False
        )
    )  # fmt: skip


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: share of pairs in which `True` scores higher; ties count half."""
    from sklearn.metrics import roc_auc_score

    rows = drop_unmeasured(scores, labels)
    return float(roc_auc_score(rows.labels, _finite(rows.scores))) if rows.kinds == 2 else _NAN


def ap(scores: ArrayLike, labels: ArrayLike) -> float:
    """Average precision of the `True` class over all rows; tied rows share a threshold."""
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
    """True positive rate at a false positive rate of at most `fpr`.

    With n negatives, an `fpr` below 1/n allows no false alarm.
    """
    curve = roc(scores, labels)
    return _NAN if curve is None else curve.at(fpr).tpr


def tar_at_far(genuine: ArrayLike, impostor: ArrayLike, far: float) -> float:
    """True accept rate at a false accept rate of at most `far`."""
    same, different = np.asarray(genuine, float), np.asarray(impostor, float)
    labels = np.repeat([True, False], [len(same), len(different)])
    return tpr_at_fpr(np.concatenate([same, different]), labels, far)


def mate_ranks(similarity: ArrayLike, mates: ArrayLike) -> np.ndarray:
    """Rank (q,), from 1, of each query's most similar mate in the gallery.

    `similarity` (q, g): NaN excludes an image from that query's gallery; `mates` (q, g) is True for
    the same person. Ties count as worse ranks. NaN for a query without a mate.
    """
    values, same = np.asarray(similarity, float), np.asarray(mates, bool)
    known = ~np.isnan(values)
    best = np.where(same & known, values, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    ahead = (known & ~same & (values >= best)).sum(axis=1)
    return np.where((same & known).any(axis=1), ahead + 1.0, np.nan)


def rank_k(ranks: ArrayLike, k: int) -> float:
    """Share of queries whose first mate is among the k most similar, from `mate_ranks`.

    Queries without a mate (NaN) are excluded.
    """
    known = np.asarray(ranks, float)
    known = known[~np.isnan(known)]
    return float((known <= k).mean()) if len(known) else _NAN


def accuracies(
    probabilities: ArrayLike, labels: ArrayLike, threshold: float = 0.5
) -> Accuracies:  # fmt: skip
    """Accuracies at a threshold (forged if above); NaN for a missing class, and so for the mean."""
    rows = drop_unmeasured(probabilities, labels)
    right = (rows.scores > threshold) == rows.labels
    real, fake, every = (
        float(chosen.mean()) if len(chosen) else _NAN
        for chosen in (right[~rows.labels], right[rows.labels], right)
    )
    return Accuracies(real, fake, (real + fake) / 2, every)


_NAN = float("nan")


def _finite(scores: np.ndarray) -> np.ndarray:
    """Clip infinite scores to large finite ones, because scikit-learn rejects infinities.

    The limit leaves room for differences, which must not overflow either.
    """
    limit = np.finfo(scores.dtype).max / 4
    finite: np.ndarray = np.clip(scores, -limit, limit)
    return finite
