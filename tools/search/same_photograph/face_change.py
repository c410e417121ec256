"""How much more the face of an aligned photograph changed than what surrounds it.

What is done to a whole photograph (light, colours, compression, a watermark) changes the face as
it changes the rest; what is done to the face alone does not. The colours of one picture are fitted
to the other's around the face; what is left over in the face is compared with what is left over
around it.

Does not show: a forgery of the whole picture, or one fainter than the traces of compression.
"""

import cv2
import numpy as np

from tools.search.same_photograph.registration import Bools

BLUR_PX = 0.7
"""Of both pictures: alignment is good to about a pixel."""

WINDOW_PX = 5
"""Side of the window over which what is left is averaged."""

FACE_QUANTILE, AROUND_QUANTILE = 0.97, 0.9
"""What changed most of the face, with nearly the most of what surrounds it."""

LEAST_PX = 50
"""Fewer pixels of the face or around it say nothing."""

_FLOOR = 0.3
_FITS, _FITTED_SHARE = 3, 0.8


def face_change(
    first: np.ndarray, second: np.ndarray, *, shown: Bools, face: Bools
) -> float | None:
    """The log ratio of what is left of the face to what is left around it; about 0 where alike.

    Pictures (h, w, 3) uint8 RGB, pixel on pixel; `shown` and `face` (h, w) bool. None when there is
    too little of either.
    """
    inside, around = shown & face, shown & ~face
    if min(inside.sum(), around.sum()) < LEAST_PX:
        return None
    left = cv2.blur(_left_over(_blurred(first), _blurred(second), around), (WINDOW_PX, WINDOW_PX))
    of_face = float(np.quantile(left[inside], FACE_QUANTILE))
    of_rest = float(np.quantile(left[around], AROUND_QUANTILE))
    return float(np.log((of_face + _FLOOR) / (of_rest + _FLOOR)))


def _blurred(pixels: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), BLUR_PX).astype(np.float32)


def _left_over(first: np.ndarray, second: np.ndarray, around: Bools) -> np.ndarray:
    """(h, w) levels by which the first differs from what its colours should be, by the second's.

    An affine map of colours, fitted around the face to the places that fit best.
    """
    colours = np.dstack([second, np.ones(second.shape[:2], np.float32)])
    fitted = around
    for _ in range(_FITS):
        mapped, *_ = np.linalg.lstsq(colours[fitted], first[fitted], rcond=None)
        left: np.ndarray = np.abs(colours @ mapped - first).mean(axis=2)
        fitted = around & (left <= np.quantile(left[around], _FITTED_SHARE))
    return left
