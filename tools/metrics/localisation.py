"""How well a heat map points at what was forged, and whether it explains the score it is of.

A map is (h, w) of any unit, hotter is more; the truth (h, w) bool. Only the order of a map's
values counts, so that localisers with different units can be compared.
"""

from collections.abc import Sequence

import numpy as np


def pointing_game(heat: np.ndarray, truth: np.ndarray, *, tolerance_px: float = 0) -> float:
    """1.0 when the hottest place lies in the truth, else 0.0; NaN where nothing is true.

    The pointing game (Zhang et al., IJCV 2018), who count a place no further than 15 pixels off
    as a hit. Of several places that are equally hot, the share that hits: an empty map is as good
    as chance.
    """
    from scipy.ndimage import distance_transform_edt

    _check(heat, truth)
    if not truth.any():
        return float("nan")
    hit = distance_transform_edt(~truth) <= tolerance_px
    return float(hit[heat == heat.max()].mean())


def iou_at(heat: np.ndarray, truth: np.ndarray, fraction: float | None = None) -> float:
    """Intersection over union of the truth with the hottest `fraction` of the map; NaN if empty.

    Without a fraction, as many places as the truth has: then nothing but the order decides.
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
    """Places of a map as indices into its ravelled values (h·w,); equal ones in reading order."""
    order: np.ndarray = np.argsort(-heat, axis=None, kind="stable")
    return order


def deletion_steps(heat: np.ndarray, steps: int) -> np.ndarray:
    """What is hidden at each step (steps + 1, h, w) bool: nothing, then hottest first, then all.

    Petsiuk, Das & Saenko, "RISE", BMVC 2018, §4.2. Hiding the opposite is insertion: first all,
    and then the hottest comes back first.
    """
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, not {steps}")
    rank = np.empty(heat.size, np.int64)
    rank[hottest_first(heat)] = np.arange(heat.size)
    counts = np.rint(np.linspace(0, heat.size, steps + 1)).astype(np.int64)
    return rank.reshape(1, *heat.shape) < counts[:, None, None]


def mean_area_under(scores: Sequence[float] | np.ndarray) -> float:
    """Area under scores at even steps from 0 to 1, by trapezoids; of probabilities in 0..1.

    Deletion: the lower the better. Insertion: the higher the better. NaN when one is missing.
    """
    values = np.asarray(scores, np.float64)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"two scores or more make an area, not {values.shape}")
    return float(((values[1:] + values[:-1]) / 2).mean())


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's correlation of two maps of one shape, -1 to 1; NaN when one is even throughout.

    The measure of Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: a map that
    stays the same when the weights it explains are randomised does not explain them.
    """
    from scipy.stats import rankdata

    if one.shape != other.shape:
        raise ValueError(f"maps must be of one shape, not {one.shape} and {other.shape}")
    ranks = [rankdata(values.ravel()) for values in (one, other)]
    if any(it.std() == 0 for it in ranks):
        return float("nan")
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _check(heat: np.ndarray, truth: np.ndarray) -> None:
    if heat.shape != truth.shape:
        raise ValueError(f"map {heat.shape} and truth {truth.shape} must be of one shape")
    if truth.dtype != bool:
        raise ValueError(f"the truth must be bool, not {truth.dtype}")
    if not np.isfinite(heat).all():
        raise ValueError("a map must be finite everywhere")
