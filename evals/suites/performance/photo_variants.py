"""Varied copies of a photograph, for measuring speed on any number of files, not recognition."""

import cv2
import numpy as np


def varied(picture: np.ndarray, rng: np.random.Generator, longer_side_px: int) -> np.ndarray:
    """A crop of a picture with another size and brightness; its longer side is about as
    requested."""
    height, width = picture.shape[:2]
    top, left = rng.uniform(0, 0.15, 2) * (height, width)
    bottom, right = (1 - rng.uniform(0, 0.15, 2)) * (height, width)
    cut = picture[int(top) : int(bottom), int(left) : int(right)]
    scale = longer_side_px * rng.uniform(0.8, 1.2) / max(cut.shape[:2])
    small = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.convertScaleAbs(small, alpha=rng.uniform(0.85, 1.15), beta=rng.uniform(-12, 12))
