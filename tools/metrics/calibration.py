"""Calibration of probabilities and likelihood ratios: ECE, Brier score, reliability, Cllr.

`probabilities` are of `True` (forged, or same person), in [0, 1]; rows with NaN are excluded.
Likelihood ratios are natural logarithms, so that they do not overflow.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tools.metrics.detection import drop_unmeasured


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions between two edges: their count, mean prediction and observed share.

    Both are NaN in an empty bin. The last bin includes its upper edge.
    """

    low: float
    high: float
    count: int
    probability: float
    share: float


def reliability(
    probabilities: ArrayLike, labels: ArrayLike, bins: int = 15
) -> tuple[Bin, ...]:  # fmt: skip
    """Equal-width bins over [0, 1]. Raises ValueError for values outside."""
    rows = drop_unmeasured(probabilities, labels)
    if ((rows.scores < 0) | (rows.scores > 1)).any():
        raise ValueError("probabilities must lie in [0, 1]")
    place = np.minimum((rows.scores * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    # An empty bin has no mean: 0 / 0 is NaN, on purpose.
    with np.errstate(invalid="ignore"):
        predicted = np.bincount(place, rows.scores, bins) / counts
        happened = np.bincount(place, rows.labels.astype(float), bins) / counts
    return tuple(
        Bin(index / bins, (index + 1) / bins, int(counts[index]),
            float(predicted[index]), float(happened[index]))
        for index in range(bins)
    )  # fmt: skip


def ece(probabilities: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error: |mean prediction − observed share|, weighted by bin counts.

    Guo et al. 2017, for the probability of one class. Depends on the bins; small samples raise it
    even if the calibration is perfect. NaN without rows.
    """
    filled = [part for part in reliability(probabilities, labels, bins) if part.count]
    total = sum(part.count for part in filled)
    gaps = sum(part.count * abs(part.probability - part.share) for part in filled)
    return gaps / total if total else float("nan")


def brier(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared error of a probability; 0.25 for a constant prediction of 0.5."""
    from sklearn.metrics import brier_score_loss

    rows = drop_unmeasured(probabilities, labels)
    if not len(rows.scores):
        return float("nan")
    # Named labels: with one class present scikit-learn would guess which one it is.
    return float(brier_score_loss(rows.labels, rows.scores, labels=[False, True]))


def cllr(llr_same: ArrayLike, llr_different: ArrayLike) -> float:
    """Cost of log likelihood ratios, in bits: 0 perfect, 1 uninformative, above: misleading.

    Cllr = ½ [mean over same-source log2(1 + 1/LR) + mean over different-source log2(1 + LR)]
    (Brümmer & du Preez 2006). Inputs: ln LR. NaN without comparisons of either kind.
    """
    same, different = _known(llr_same), _known(llr_different)
    if not len(same) or not len(different):
        return float("nan")
    bits = np.logaddexp(0, -same).mean() + np.logaddexp(0, different).mean()
    return float(bits / 2 / np.log(2))


def cllr_min(llr_same: ArrayLike, llr_different: ArrayLike) -> float:
    """Cllr after the best monotone recalibration: the loss due to discrimination alone.

    Pool-adjacent-violators fitted on these comparisons, so optimistic for small samples; accepts
    any scores that rise with the likelihood ratio. Cllr − Cllr_min is the calibration loss.
    """
    from sklearn.isotonic import IsotonicRegression

    same, different = _known(llr_same), _known(llr_different)
    if not len(same) or not len(different):
        return float("nan")
    # Ranks have the same order as the scores and stay finite if those are infinite.
    ranks = np.unique(np.concatenate([same, different]), return_inverse=True)[1]
    truth = np.repeat([1.0, 0.0], [len(same), len(different)])
    posterior = IsotonicRegression(y_min=0, y_max=1).fit_transform(ranks, truth)
    # A posterior of 0 or 1 has an infinite ratio, which costs nothing: here it is never wrong.
    with np.errstate(divide="ignore"):
        llr = np.log(posterior) - np.log1p(-posterior) - np.log(len(same) / len(different))
    return cllr(llr[: len(same)], llr[len(same) :])


def _known(values: ArrayLike) -> np.ndarray:
    array = np.asarray(values, float)
    known: np.ndarray = array[~np.isnan(array)]
    return known
