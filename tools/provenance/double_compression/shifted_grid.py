"""An earlier compression on a shifted grid, as in a picture that was cropped and saved again.

Bianchi & Piva, "Detection of nonaligned double JPEG compression based on integer periodicity maps"
(IEEE TIFS 7, 2012). On the grid of the first compression, coefficients still lie near multiples of
its steps, if the second one was finer; on all other grids they do not.

Does not show: a first compression that was finer than the last, one above quality 93, or a crop by
a multiple of eight pixels in one direction, whose grid shares lines with the last one.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from tools.provenance.double_compression.coefficients import Luma, block_coefficients
from tools.provenance.double_compression.same_grid import QUALITIES
from tools.provenance.quantisation import standard_tables

LEAST_LEAD = 8.0
"""Lead of a grid over all others from which it is reported.

Measured on photographs that were cropped between two compressions (evals/LOG.md, 2026-11-30).
"""

_PLACES = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1))
_STEPS = np.arange(2, 41)
_BINS_A_UNIT, _LARGEST = 4, 1050
_INNER = range(1, 8)
_LEAST_PLACES = 4  # fewer coefficients agree by chance in drawn pictures


@dataclass(frozen=True, slots=True)
class ShiftedGrid:
    """The grid on which coefficients lie nearest to multiples of a standard quality's steps.

    `lead` is how far it stands out from the second of 49 grids, in standard deviations of their
    periodicity; `top` and `left` (1..7 px) are where its first whole block begins.
    """

    lead: float
    top: int
    left: int
    quality: int


def shifted_grid(luma: Luma) -> ShiftedGrid:
    """The grid that stands out most."""
    periodicity = np.stack(
        [_periodicity(luma.grey, top, left) for top in _INNER for left in _INNER]
    )
    best = ShiftedGrid(0.0, 1, 1, 0)
    for quality in QUALITIES:
        table = standard_tables(quality)[0]
        held = [
            periodicity[:, at, step - _STEPS[0]]
            for at, step in enumerate(table[8 * row + column] for row, column in _PLACES)
            if _STEPS[0] <= step <= _STEPS[-1]
        ]
        if len(held) < _LEAST_PLACES:
            continue
        total = np.sum(held, axis=0) / np.sqrt(len(_PLACES))
        spread = 1.4826 * float(np.median(np.abs(total - np.median(total)))) + 0.3
        second, first = np.sort(total)[-2:]
        lead = float(first - second) / spread
        if lead > best.lead:
            top, left = divmod(int(total.argmax()), len(_INNER))
            best = ShiftedGrid(lead, top + 1, left + 1, quality)
    return best


def _periodicity(grey: np.ndarray, top: int, left: int) -> np.ndarray:
    """How near coefficients lie to multiples of each step: (places, steps), mean 0, spread 1.

    The real part of the characteristic function at each step, for values without any period.
    """
    values = block_coefficients(grey, _PLACES, top=top, left=left)
    half = _BINS_A_UNIT * _LARGEST
    bins = np.clip(np.rint(values * _BINS_A_UNIT).astype(int) + half, 0, 2 * half)
    counts = np.stack([np.bincount(it, minlength=2 * half + 1) for it in bins.T])
    return np.asarray(counts @ _waves() * np.sqrt(2 / max(1, len(values))))


@cache
def _waves() -> np.ndarray:
    half = _BINS_A_UNIT * _LARGEST
    values = np.arange(-half, half + 1) / _BINS_A_UNIT
    return np.cos(2 * np.pi * values[:, None] / _STEPS)
