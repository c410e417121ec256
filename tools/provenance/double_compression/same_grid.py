"""An earlier compression on the same grid: gaps and peaks in the histograms of coefficients.

Lukáš & Fridrich, "Estimation of primary quantization matrix in double compressed JPEG images"
(DFRWS 2003); Popescu & Farid, "Statistical tools for digital forensics" (IH 2004). A coefficient
that was rounded to multiples of one step and then of another takes some values too often and others
too seldom. What a single compression would give is estimated from the decoded picture, moved by
about half a block, as in the former paper; each possible first step is laid over that, and the
likelihoods of the two explanations are compared.

Does not show: a first compression with the same table, with steps that divide the later ones, or
much finer than the last one.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from tools.provenance.double_compression.coefficients import Luma, block_coefficients
from tools.provenance.quantisation import standard_tables

LEAST_GAIN = 25.0
"""Nats from which an earlier compression is reported.

Measured on photographs that were compressed once or twice (evals/LOG.md, 2026-11-30).
"""

QUALITIES = range(20, 101)
_PLACES = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))
_SET_ASIDE = 2  # coefficients with the most gain: a smooth slope can give one of them a comb
_FIRST_STEPS = range(1, 46)
_VALUES = 40  # steps up to which values of a coefficient are counted
_NOISE = 0.35  # standard deviation of a coefficient after decoding to whole grey levels
_STRAY = 0.05  # share of coefficients that an edit may have taken off the multiples
_MOVES = (3, 4, 5)  # px by which the picture is moved, down and to the right
_BINS = 2200  # of a half: no coefficient is larger than 1,024
_EQUAL = 3.0  # nats by which qualities that explain a histogram equally well may differ
_EXPLAINED = 0.8  # share of the gain from which the steps are those of a standard quality


@dataclass(frozen=True, slots=True)
class EarlierCompression:
    """How much better an earlier compression explains the histograms than a single one.

    `gain` is the difference of log-likelihoods in nats, each coefficient with the first step that
    fits it best, without the coefficients that gain most. `qualities` are the lowest and highest
    standard quality (20..100) whose steps explain the histograms; None for a table of another kind.
    """

    gain: float
    qualities: tuple[int, int] | None


def earlier_compression(luma: Luma) -> EarlierCompression:
    """The earlier compression that explains the histograms best, whether or not there was one."""
    observed = block_coefficients(luma.grey, _PLACES)
    moves = [(top, left) for top in _MOVES for left in _MOVES]
    moved = np.concatenate(
        [block_coefficients(luma.grey, _PLACES, top=top, left=left) for top, left in moves]
    )
    steps = [luma.table[8 * row + column] for row, column in _PLACES]
    gains = np.stack([_gains(*it) for it in zip(observed.T, moved.T, steps, strict=True)])
    most = np.sort(gains.max(axis=1))[:-_SET_ASIDE]
    return EarlierCompression(float(most.sum()), _qualities(gains))


def _qualities(gains: np.ndarray) -> tuple[int, int] | None:
    """The standard qualities that explain the histograms; `gains` by coefficient and first step."""
    coefficients = np.arange(len(_PLACES))
    totals = np.empty(len(QUALITIES))
    for at, quality in enumerate(QUALITIES):
        table = standard_tables(quality)[0]
        steps = np.array([table[8 * row + column] for row, column in _PLACES])
        totals[at] = gains[coefficients, np.minimum(steps, len(_FIRST_STEPS)) - 1].sum()
    if totals.max() < _EXPLAINED * gains.max(axis=1).sum():
        return None
    near = np.flatnonzero(totals >= totals.max() - _EQUAL)
    return QUALITIES[int(near[0])], QUALITIES[int(near[-1])]


def _gains(observed: np.ndarray, moved: np.ndarray, step: int) -> np.ndarray:
    """Nats gained by each first step; 0 for the last step itself, at least 0 for the best one."""
    values = np.abs(np.rint(observed / step)).astype(int)
    counts = np.bincount(values[values <= _VALUES], minlength=_VALUES + 1)[1:]
    halves = np.minimum((np.abs(moved) * 2).astype(int), _BINS - 1)
    sizes = np.bincount(halves, minlength=_BINS).astype(float)
    once = _shares(_rounded(sizes, step, _VALUES + 2)[1:-1])
    found = np.zeros(len(_FIRST_STEPS))
    for at, first in enumerate(_FIRST_STEPS):
        multiples = math.ceil((_VALUES + 1) * step / first) + 2
        twice = _shares(_rounded(sizes, first, multiples) @ _landing(first, step, multiples))
        mixed = (1 - _STRAY) * twice + _STRAY * once
        found[at] = 0.0 if first == step else float(counts @ np.log(mixed / once))
    return found


def _rounded(sizes: np.ndarray, step: int, most: int) -> np.ndarray:
    """Counts of absolute values in bins of a half, as counts of multiples of a step from 0.

    There are `most`; the last one also holds everything larger.
    """
    multiples = np.minimum((np.arange(_BINS) + step) // (2 * step), most - 1)
    return np.bincount(multiples, weights=sizes, minlength=most)


def _landing(first: int, step: int, multiples: int) -> np.ndarray:
    """The chance that a multiple of the first step becomes 1, 2 … of the last: (multiples, values).

    In between, decoding to whole grey levels adds noise.
    """
    edges = (np.arange(_VALUES + 1) + 0.5) * step
    return np.diff(ndtr((edges - first * np.arange(multiples)[:, None]) / _NOISE), axis=1)


def _shares(counts: np.ndarray) -> np.ndarray:
    """Counts as shares; half a count is added to each, so that none is impossible."""
    return np.asarray((counts + 0.5) / (counts + 0.5).sum())
