"""Retrieval metrics and intervals that scikit-learn does not have."""

from collections.abc import Callable, Sequence

import numpy as np


def average_precision(relevant: Sequence[bool], total: int) -> float:
    """AP = Σ_k precision(k) · relevant(k) / total, over a ranked list.

    `total` counts all relevant items, so those that were never retrieved count as missed.
    NaN when there are none.
    """
    if total == 0:
        return float("nan")
    flags = np.asarray(relevant, bool)
    precision = np.cumsum(flags) / np.arange(1, len(flags) + 1)
    return float(precision[flags].sum() / total)


def interval(
    values: Sequence[float], *, seed: int = 0, rounds: int = 1000,
    statistic: Callable[..., np.ndarray] = np.nanmean,
) -> tuple[float, float]:  # fmt: skip
    """The 95 % percentile bootstrap interval of a mean; one value a person or original.

    Resampling persons, not images, keeps images of one person from posing as independent.
    NaN edges for fewer than two values.
    """
    known = np.asarray([value for value in values if not np.isnan(value)], float)
    if len(known) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = known[rng.integers(0, len(known), (rounds, len(known)))]
    low, high = np.quantile(statistic(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)
