"""What the network is shown of a picture: the whole, a detail at its own scale, and the face."""

import cv2
import numpy as np

from tools.faces.alignment import aligned_crop

SIDE = 224
LONGEST_PX = 768
"""A detail is cut from the picture at this longest side: about as large as on a screen."""

FACE_MARGIN = 1.3


def whole_view(pixels: np.ndarray) -> np.ndarray:
    """The whole picture (h, w, 3) uint8 RGB, squeezed into (224, 224, 3)."""
    return _resized(pixels, (SIDE, SIDE))


def detail_view(pixels: np.ndarray) -> np.ndarray:
    """The middle (224, 224, 3) of the picture at a longest side of at most 768 px.

    A smaller picture is not enlarged, unless its shorter side is below 224 px.
    """
    height, width = pixels.shape[:2]
    scale = max(min(1.0, LONGEST_PX / max(height, width)), SIDE / min(height, width))
    size = max(SIDE, round(width * scale)), max(SIDE, round(height * scale))
    shown = _resized(pixels, size)
    top, left = (size[1] - SIDE) // 2, (size[0] - SIDE) // 2
    return np.ascontiguousarray(shown[top : top + SIDE, left : left + SIDE])


def face_view(pixels: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """The aligned face (224, 224, 3) with some of its surroundings; keypoints (5, 2) px."""
    return aligned_crop(pixels, keypoints, size=SIDE, margin=FACE_MARGIN)


def _resized(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    smaller = size[0] <= width and size[1] <= height
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    shown: np.ndarray = cv2.resize(pixels, size, interpolation=how)
    return shown
