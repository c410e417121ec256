"""Generate any number of different photographs with faces from pictures in installed packages.

Crops, sizes, brightness and JPEG qualities of scikit-image's astronaut and insightface's group
`t1`: the files differ, but show only seven people. For measuring speed, not recognition.
"""

from pathlib import Path

import cv2
import numpy as np


def write_variants(folder: Path, count: int, *, seed: int, longer_side_px: int = 400) -> list[Path]:
    """Write `count` different JPEG files and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    sources = _sources()
    paths = []
    for number in range(count):
        picture = varied(sources[number % len(sources)], rng, longer_side_px)
        paths.append(folder / f"{number:05}.jpg")
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(75, 97))]
        cv2.imwrite(str(paths[-1]), picture, quality)
    return paths


def _sources() -> list[np.ndarray]:
    """Pictures (h, w, 3) uint8 BGR."""
    from insightface.data import get_image
    from skimage.data import astronaut

    portrait = np.asarray(astronaut())  # type: ignore[no-untyped-call]
    return [np.ascontiguousarray(portrait[..., ::-1]), get_image("t1")]


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
