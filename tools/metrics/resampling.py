"""Confidence intervals and tests: bootstraps over persons or originals, paired differences, Holm.

Groups are resampled, not images: images of one person, or frames of one video, are not independent.
A group whose scores are all missing is drawn too, as part of the sampling variation. Intervals are
95 % percentile intervals; with very few groups their coverage is too low.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Statistic = Callable[..., float]


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two systems' metrics, with its 95 % interval and p-value."""

    value: float
    low: float
    high: float
    p: float


def mean(values: ArrayLike) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    array = np.asarray(values, float)
    known = array[~np.isnan(array)]
    return float(known.mean()) if len(known) else float("nan")


def interval(
    values: Sequence[float], *, seed: int = 0, rounds: int = 1000,
    statistic: Callable[..., np.ndarray] = np.nanmean,
) -> tuple[float, float]:  # fmt: skip
    """95 % percentile bootstrap interval of a mean, with one value per person or original.

    Resampling persons rather than images does not treat images of one person as independent. NaN
    bounds for fewer than two values.
    """
    known = np.asarray([value for value in values if not np.isnan(value)], float)
    if len(known) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    drawn = known[rng.integers(0, len(known), (rounds, len(known)))]
    low, high = np.quantile(statistic(drawn, axis=1), [0.025, 0.975])
    return float(low), float(high)


def resamples(groups: ArrayLike, *, seed: int = 0, rounds: int = 1000) -> Iterator[np.ndarray]:
    """Yield bootstrap weights (n,) int per row: how often the row's group was drawn.

    As many groups are drawn as there are, with replacement. `groups` (n,) are names or numbers.
    """
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    if not len(names):
        return
    rng = np.random.default_rng(seed)
    chances = np.full(len(names), 1 / len(names))
    for _ in range(rounds):
        yield rng.multinomial(len(names), chances)[places]


def grouped_interval(
    statistic: Statistic, groups: ArrayLike, *arrays: ArrayLike, seed: int = 0, rounds: int = 1000
) -> tuple[float, float]:
    """Bootstrap interval of `statistic(*arrays)`; arrays (n, …) have rows in groups (n,).

    Rounds with an undefined statistic (NaN) are excluded; NaN bounds with fewer than two groups.
    """
    values = _rounds(statistic, groups, (arrays,), seed=seed, rounds=rounds)[:, 0]
    return _edges(values)


def paired_difference(
    statistic: Statistic, groups: ArrayLike, a_arrays: Sequence[ArrayLike],
    b_arrays: Sequence[ArrayLike], *, seed: int = 0, rounds: int = 1000,
) -> Difference:  # fmt: skip
    """statistic(*a_arrays) − statistic(*b_arrays), both resampled by the same draws of groups.

    Two-sided: p = 2 · min(share of rounds with a difference ≤ 0, share with one ≥ 0), at most 1 and
    at least 1/rounds, the resolution of that many rounds. NaN if undefined.
    """
    both = _rounds(statistic, groups, (a_arrays, b_arrays), seed=seed, rounds=rounds)
    drawn = both[:, 0] - both[:, 1]
    drawn = drawn[~np.isnan(drawn)]
    value = statistic(*map(np.asarray, a_arrays)) - statistic(*map(np.asarray, b_arrays))
    low, high = _edges(drawn)
    if len(drawn) < 2 or np.isnan(value):
        return Difference(float(value), low, high, float("nan"))
    share = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return Difference(float(value), low, high, float(np.clip(2 * share, 1 / len(drawn), 1)))


def _rounds(
    statistic: Statistic, groups: ArrayLike, systems: Sequence[Sequence[ArrayLike]],
    *, seed: int, rounds: int,
) -> np.ndarray:  # fmt: skip
    """The statistic (rounds, systems) of each draw; no rounds with fewer than two groups."""
    columns = [[np.asarray(array) for array in arrays] for arrays in systems]
    rows = np.asarray(groups)
    if any(len(array) != len(rows) for arrays in columns for array in arrays):
        raise ValueError("arrays and groups must have the same length")
    if len(np.unique(rows)) < 2:
        return np.empty((0, len(columns)))
    found = []
    for weights in resamples(rows, seed=seed, rounds=rounds):
        chosen = np.repeat(np.arange(len(rows)), weights)
        found.append([statistic(*(array[chosen] for array in arrays)) for arrays in columns])
    return np.asarray(found, float)


def _edges(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def auc_interval(
    scores: ArrayLike, labels: ArrayLike, groups: ArrayLike, *, seed: int = 0, rounds: int = 1000
) -> tuple[float, float]:
    """Same result as `grouped_interval(auc, groups, scores, labels)`, many times faster."""
    values, flags = np.asarray(scores, float), np.asarray(labels, bool)
    if len(np.unique(np.asarray(groups))) < 2:
        return float("nan"), float("nan")
    known = ~np.isnan(values)
    ranks, truth = np.unique(values[known], return_inverse=True)[1], flags[known]
    draws = resamples(groups, seed=seed, rounds=rounds)
    return _edges(
        np.array([weighted_auc(ranks, truth, draw[known].astype(float)) for draw in draws])
    )


def weighted_auc(ranks: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Weighted share of pairs in which the forged one ranks higher, ties count half.

    `ranks` (n,) are integers from 0, equal for equal scores: one sort serves every bootstrap round.
    NaN if a class has no weight.
    """
    levels = int(ranks.max(initial=-1)) + 1
    forged = np.bincount(ranks[labels], weights[labels], levels)
    authentic = np.bincount(ranks[~labels], weights[~labels], levels)
    pairs = forged.sum() * authentic.sum()
    below = np.cumsum(authentic) - authentic
    return float(forged @ (below + authentic / 2) / pairs) if pairs > 0 else float("nan")


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for multiple comparisons; NaN stays NaN and is not counted."""
    adjusted = np.asarray(p_values, float).copy()
    known = np.flatnonzero(~np.isnan(adjusted))
    order = known[np.argsort(adjusted[known], kind="stable")]
    stepped = adjusted[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return [float(value) for value in adjusted]
