"""Converts samples of more than 8 bits, and floating-point samples, to 8 bits."""

import numpy as np
from numpy.typing import NDArray

# Scanners and cameras leave the upper bits of a 16-bit sample empty: white is the smallest of
# these levels that holds all values.
_WHITE_LEVELS = (255.0, 1023.0, 4095.0, 16383.0, 65535.0)
_BRIGHTEST_SHARE = 0.995  # quantile that becomes white in HDR images; brighter values are clipped
_BRIGHTEST_LINEAR = 32.0


def to_uint8(samples: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Convert samples of any type to 8 bits, with the range taken from their values.

    Integers: the bit depth (8, 10, 12, 14, 16) that holds them. Floats: 0 to 1, or one of those
    depths; HDR images, whose lamps lie far above 1, are clipped. If there are negative values, the
    minimum becomes black. NaN and infinities become black.
    """
    values = np.nan_to_num(samples.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    least, largest = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    if samples.dtype.kind != "u" and least < -0.01 * max(largest, 1e-12):
        values -= least
        white = largest - least
    else:
        white = _white(values, largest, is_float=samples.dtype.kind == "f")
    reduced: NDArray[np.uint8] = np.clip(np.rint(values * (255.0 / white)), 0, 255).astype(np.uint8)
    return reduced


def _white(values: NDArray[np.float32], largest: float, *, is_float: bool) -> float:
    if is_float and largest <= _BRIGHTEST_LINEAR:
        usual = float(np.quantile(values, _BRIGHTEST_SHARE)) if largest > 1.0 else 1.0
        return max(1.0, usual)
    return next((level for level in _WHITE_LEVELS if largest <= level), largest)
