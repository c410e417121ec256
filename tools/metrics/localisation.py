"""Localisation metrics of heat maps: pointing game, IoU, deletion and insertion, rank correlation.

A map is (h, w) in any unit, hotter means more; the truth is (h, w) bool. Only the order of a map's
values counts, so localisers with different units can be compared.
"""

from collections.abc import Sequence

import numpy as np


def pointing_game(heat: np.ndarray, truth: np.ndarray, *, tolerance_px: float = 0) -> float:
    """1.0 if the hottest pixel lies in the truth, otherwise 0.0; NaN if the truth is empty.

    The pointing game (Zhang et al., IJCV 2018), which counts pixels up to 15 px away as a hit. If
    several pixels are equally hot, the share of hits: a constant map scores like chance.
    """
    from scipy.ndimage import distance_transform_edt

    _check(heat, truth)
    if not truth.any():
        return float("nan")
    hit = distance_transform_edt(~truth) <= tolerance_px
    return float(hit[heat == heat.max()].mean())


def iou_at(heat: np.ndarray, truth: np.ndarray, fraction: float | None = None) -> float:
    """Intersection over union of the truth with the hottest `fraction` of the map; NaN if empty.

    Without a fraction, as many pixels as the truth has: then only the order of values matters.
    """
    _check(heat, truth)
    if not truth.any():
        return float("nan")
    count = int(truth.sum()) if fraction is None else max(1, round(fraction * heat.size))
    flags = np.zeros(heat.size, bool)
    flags[hottest_first(heat)[:count]] = True
    hot = flags.reshape(heat.shape)
    return float((hot & truth).sum() / (hot | truth).sum())


def hottest_first(heat: np.ndarray) -> np.ndarray:
    """Indices into the ravelled map (h·w,), hottest first; ties in reading order."""
    order: np.ndarray = np.argsort(-heat, axis=None, kind="stable")
    return order


def deletion_steps(heat: np.ndarray, steps: int) -> np.ndarray:
    """Pixels hidden at each deletion step, (steps + 1, h, w) bool: none, hottest first, …, all.

    Petsiuk, Das & Saenko, "RISE", BMVC 2018, §4.2. Insertion hides the complement: all at first,
    then the hottest pixels are revealed first.
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}")
    rank = np.empty(heat.size, np.int64)
    rank[hottest_first(heat)] = np.arange(heat.size)
    counts = np.rint(np.linspace(0, heat.size, steps + 1)).astype(np.int64)
    return rank.reshape(1, *heat.shape) < counts[:, None, None]


def mean_area_under(scores: Sequence[float] | np.ndarray) -> float:
    """Area under scores at equal steps from 0 to 1, by the trapezoidal rule.

    Deletion: lower is better. Insertion: higher is better. In 0..1 for probabilities; NaN if a
    score is missing.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"an area needs two scores or more, not {values.shape}")
    return float(((values[1:] + values[:-1]) / 2).mean())


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's rank correlation of two maps of equal shape, -1 to 1; NaN if one is constant.

    The measure of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: a map that stays
    the same when the weights are randomised does not explain them.
    """
    from scipy.stats import rankdata

    if one.shape != other.shape:
        raise ValueError(f"maps must have the same shape, not {one.shape} and {other.shape}")
    ranks = [rankdata(values.ravel()) for values in (one, other)]
    if any(it.std() == 0 for it in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _check(heat: np.ndarray, truth: np.ndarray) -> None:
    if heat.shape != truth.shape:
        raise ValueError(f"map {heat.shape} and truth {truth.shape} must have the same shape")
    if truth.dtype != bool:
        raise ValueError(f"the truth must be bool, not {truth.dtype}")
    if not np.isfinite(heat).all():
        raise ValueError("a map must be finite everywhere")
