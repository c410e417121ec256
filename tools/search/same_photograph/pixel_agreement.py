"""Local correlation of two aligned pictures, insensitive to changes of light and colour.

Local normalised correlation of grey values: it ignores brightness, contrast, gamma and colour
casts, and on slightly blurred pictures it hardly reacts to compression, noise or sharpening.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLUR_PX = 1.5
"""Standard deviation of the blur on both pictures: alignment is accurate to about a pixel."""

WINDOW_PX = 15
"""Side of the correlation window."""

MIN_CONTRAST = 0.12
"""Windows whose standard deviation is below this share of the picture's are not informative."""

_NOISE_LEVELS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class LocalCorrelation:
    """Local correlation (h, w) float32 in -1..1, and where it is informative, (h, w) bool.

    `first` and `second` are the grey values (h, w) that were compared, slightly blurred.
    """

    correlation: Floats
    informative: NDArray[np.bool_]
    first: Floats
    second: Floats

    def apart(self, fitted: NDArray[np.bool_]) -> Floats:
        """Difference of grey values (h, w), in standard deviations of those at `fitted` (h, w).

        Brightness and contrast of the second picture are fitted to the first there.
        """
        ours, theirs = self.first[fitted], self.second[fitted]
        if len(ours) < WINDOW_PX**2 or theirs.std() < _NOISE_LEVELS:
            return np.zeros_like(self.first)
        gain, offset = np.polyfit(theirs, ours, 1)
        spread = max(2 * _NOISE_LEVELS, float(ours.std()))
        return np.asarray(np.abs(gain * self.second + offset - self.first) / spread, np.float32)


def local_correlation(
    first: np.ndarray, second: np.ndarray, overlap: np.ndarray
) -> LocalCorrelation:
    """Compare two pictures (h, w, 3) uint8 RGB pixel by pixel, where `overlap` (h, w) bool."""
    shown: NDArray[np.bool_] = overlap.astype(bool)
    a, b = (_grey(pixels, shown) for pixels in (first, second))
    weight = _mean(shown.astype(np.float32))
    safe = np.maximum(weight, 1e-6)
    mean_a, mean_b = _mean(a) / safe, _mean(b) / safe
    var_a = np.maximum(_mean(a * a) / safe - mean_a**2, 0)
    var_b = np.maximum(_mean(b * b) / safe - mean_b**2, 0)
    covariance = _mean(a * b) / safe - mean_a * mean_b
    floors = [_floor(values, shown) for values in (a, b)]
    correlation = covariance / (np.sqrt(var_a * var_b) + floors[0] * floors[1] / 4)
    textured = (var_a > floors[0] ** 2) | (var_b > floors[1] ** 2)
    return LocalCorrelation(
        correlation=np.clip(correlation, -1, 1).astype(np.float32),
        informative=textured & shown & (weight > 0.5),
        first=a,
        second=b,
    )


def _grey(pixels: np.ndarray, shown: np.ndarray) -> Floats:
    """Grey values inside `shown`, blurred without the pixels outside; zero outside."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = shown.astype(np.float32)
    blurred = cv2.GaussianBlur(grey * inside, (0, 0), BLUR_PX)
    weight = cv2.GaussianBlur(inside, (0, 0), BLUR_PX)
    level = float(grey[shown].mean()) if shown.any() else 0.0
    found: Floats = ((blurred / np.maximum(weight, 1e-3)) - level).astype(np.float32) * inside
    return found


def _mean(values: np.ndarray) -> Floats:
    smoothed = cv2.blur(
        values.astype(np.float32), (WINDOW_PX, WINDOW_PX), borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(smoothed, np.float32)


def _floor(values: np.ndarray, shown: np.ndarray) -> float:
    spread = float(values[shown].std()) if shown.any() else 0.0
    return max(_NOISE_LEVELS, MIN_CONTRAST * spread)
