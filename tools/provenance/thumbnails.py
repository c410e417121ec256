"""Compares the thumbnail in a file's EXIF with the picture: shape and content."""

from collections.abc import Iterator

import cv2
import numpy as np

from tools.media.pictures.opening import open_image, translate_decoder_errors
from tools.media.pictures.pixels import to_rgb
from tools.media.skip_reasons import UnreadableImage
from tools.provenance.findings import Finding

ASPECT_TOLERANCE = 0.05
"""Relative difference of aspect ratios that rounding to the pixels of a thumbnail can make."""

LEAST_CORRELATION = 0.85
"""Correlation of the greys below which a thumbnail shows something else. Measured on made files
(tests/tools/provenance/test_thumbnails.py): re-encoding, brightness and contrast leave it above
0.97; another picture or a mirror image lies below."""

_BAR_LEVEL = 12  # of 255: cameras fill a thumbnail of another shape with black bars
_SIDE = 32
_THUMBNAIL_PIXELS_MOST = 2_000_000


def thumbnail_findings(thumbnail: bytes, data: bytes) -> Iterator[Finding]:
    """Findings about a thumbnail's JPEG in the bytes of a file."""
    small = _greys(thumbnail, most=_THUMBNAIL_PIXELS_MOST)
    if small is None:
        yield Finding("unread", "fact", "EXIF thumbnail", "cannot be decoded")
        return
    large = _greys(data)
    if large is None:
        return
    trimmed, whole = without_bars(small), without_bars(large)
    turned = min((0, 1), key=lambda turn: _aspect_gap(np.rot90(trimmed, turn), whole))
    gaps = [_aspect_gap(np.rot90(it, turned), whole) for it in (small, trimmed)]
    if min(gaps) > ASPECT_TOLERANCE:
        text = f"has another shape ({_size(trimmed)}) than the picture ({_size(large)})"
        yield Finding("thumbnail", "contradiction", "EXIF thumbnail", text)
        return
    shown = small if gaps[0] < gaps[1] else trimmed
    if similarity(shown, whole) < LEAST_CORRELATION:
        text = "does not show what the picture shows"
        yield Finding("thumbnail", "contradiction", "EXIF thumbnail", text)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    """Largest correlation (-1..1) of two grey pictures over quarter turns of the first.

    Quarter turns, because software turns the picture without its thumbnail. Featureless pictures
    correlate as 1: nothing can be told from them.
    """
    wanted = _small(other)
    return max(_correlation(_small(np.rot90(one, turn)), wanted) for turn in range(4))


def without_bars(grey: np.ndarray) -> np.ndarray:
    """The picture without black rows and columns at its edges; the whole if all is black."""
    rows = np.flatnonzero((grey > _BAR_LEVEL).mean(axis=1) > 0.05)
    columns = np.flatnonzero((grey > _BAR_LEVEL).mean(axis=0) > 0.05)
    if not rows.size or not columns.size:
        return grey
    return grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _greys(data: bytes, *, most: int | None = None) -> np.ndarray | None:
    """The stored pixels as (h, w) uint8, reduced while decoding; None if they cannot be decoded."""
    try:
        with open_image(data) as image:
            if most is not None and image.width * image.height > most:
                return None
            with translate_decoder_errors():
                image.draft("L", (512, 512))
                image.load()
            pixels = to_rgb(image)
    except UnreadableImage:
        return None
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _small(grey: np.ndarray) -> np.ndarray:
    small = cv2.resize(np.ascontiguousarray(grey), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float64)


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale > 1e-6 * one.size else 1.0


def _aspect_gap(one: np.ndarray, other: np.ndarray) -> float:
    ratio = float(one.shape[1] * other.shape[0]) / float(one.shape[0] * other.shape[1])
    return max(ratio, 1 / ratio) - 1


def _size(grey: np.ndarray) -> str:
    return f"{grey.shape[1]} × {grey.shape[0]}"
