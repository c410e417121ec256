"""How much more the face of an aligned photograph changed than its surroundings.

Edits of a whole photograph (light, colours, compression, a watermark) change the face as much as
the rest; edits of the face alone do not. The colours of one picture are fitted to the other's
around the face; then the residual in the face is compared with the residual around it. How much of
it a strong blur leaves tells another face from one that was blurred or pixelated.

Does not show: a forgery of the whole picture, or one fainter than compression artefacts.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from tools.search.same_photograph.registration import Bools

BLUR_PX = 0.7
"""Blur of both pictures: alignment is accurate to about a pixel."""

WINDOW_PX = 5
"""Side of the window over which residuals are averaged."""

FACE_QUANTILE, AROUND_QUANTILE = 0.97, 0.9
"""Quantiles compared: of the face nearly the maximum, of its surroundings slightly less."""

FLAT_LEVELS, TEXTURE_LEVELS, TEXTURE_PX = 1.0, 4.0, 9
"""Texture (in levels, over a window of so many px) below which a place is flat, and of a place with
features."""

COARSE = 0.13
"""Blur (standard deviation) that removes what hiding a face changed, as a share of the face's
diameter: a little more than a cell of a face pixelated to eight cells."""

LEAST_PX = 50
"""Minimum number of pixels of the face and of its surroundings."""

_FLOOR = 0.3
_FITS, _FITTED_SHARE = 3, 0.8


@dataclass(frozen=True, slots=True, eq=False)
class ChangeMap:
    """Where a face changed: the residual that `FaceChange.change` is read from, place by place.

    `crop` (h, w, 3) uint8 RGB is the first picture around the face. `times` (h, w) float32 is each
    place's residual over that of the surroundings: exp(`change`) is its nearly highest value in the
    face. Places that only one picture shows have 1.

    Does not show: which of the two pictures was altered.
    """

    crop: np.ndarray
    times: np.ndarray


@dataclass(frozen=True, slots=True)
class FaceChange:
    """How a face changed between two aligned pictures; None where an area is too small.

    `change` is the log ratio of the residual in the face to the residual around it; about 0 if
    alike. `coarse` is the share of the residual in the face (root mean square) that a strong blur
    leaves, 0 or more: blur and pixelation take away details but keep the face's colours on the
    large scale, so they leave almost nothing; another face differs on every scale. `flat` is the
    share of the face that is flat in one picture and has features in the other, 0..1: a bar or a
    mask over a face is flat; another face has features of its own. `places` is the map of `change`.

    Does not show: by `coarse`, a face hidden under something with colours of its own, such as a
    bar; by `flat`, a face that was blurred or pixelated.
    """

    change: float | None = None
    coarse: float | None = None
    flat: float | None = None
    places: ChangeMap | None = field(default=None, compare=False)


def face_change(first: np.ndarray, second: np.ndarray, *, shown: Bools, face: Bools) -> FaceChange:
    """Compare pictures (h, w, 3) uint8 RGB, pixel-aligned; `shown` and `face` (h, w) bool."""
    inside, around = shown & face, shown & ~face
    if min(inside.sum(), around.sum()) < LEAST_PX:
        return FaceChange()
    left = _residual(_blurred(first), _blurred(second), around)
    diameter = float(np.sqrt(4 / np.pi * face.sum()))
    times = _times(left, around)
    return FaceChange(
        float(np.log(np.quantile(times[inside], FACE_QUANTILE))),
        _coarse_share(left, inside, diameter),
        _flat_share(first, second, inside, around),
        ChangeMap(first, np.where(shown, times, 1.0).astype(np.float32)),
    )


def _times(left: np.ndarray, around: Bools) -> np.ndarray:
    """The residual (h, w) around each place, over that of the surroundings of the face."""
    size = cv2.blur(np.abs(left).mean(axis=2), (WINDOW_PX, WINDOW_PX))
    of_rest = float(np.quantile(size[around], AROUND_QUANTILE))
    return np.asarray((size + _FLOOR) / (of_rest + _FLOOR))


def _coarse_share(left: np.ndarray, inside: Bools, diameter: float) -> float:
    """Colours are averaged: compression coarsens them on the large scale too."""
    mean = left.mean(axis=2)
    coarse = cv2.GaussianBlur(mean, (0, 0), COARSE * diameter)
    return float(np.sqrt((coarse[inside] ** 2).mean() / max((mean[inside] ** 2).mean(), _FLOOR**2)))


def _flat_share(first: np.ndarray, second: np.ndarray, inside: Bools, around: Bools) -> float:
    ours, theirs = _texture(first), _texture(second)
    theirs = theirs * (1 + np.median(ours[around])) / (1 + np.median(theirs[around]))
    flat = [
        float(((one < FLAT_LEVELS) & (other > TEXTURE_LEVELS))[inside].mean())
        for one, other in ((ours, theirs), (theirs, ours))
    ]
    return max(flat)


def _texture(pixels: np.ndarray) -> np.ndarray:
    """Local standard deviation (h, w) of the grey values, in levels."""
    grey = cv2.GaussianBlur(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (0, 0), 1.0).astype(
        np.float32
    )
    mean, square = (cv2.blur(it, (TEXTURE_PX, TEXTURE_PX)) for it in (grey, grey * grey))
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0)))


def _blurred(pixels: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), BLUR_PX).astype(np.float32)


def _residual(first: np.ndarray, second: np.ndarray, around: Bools) -> np.ndarray:
    """Residual (h, w, 3) in levels of the first picture after predicting it from the second.

    The prediction is an affine map of colours, fitted around the face to the places that fit best.
    """
    colours = np.dstack([second, np.ones(second.shape[:2], np.float32)])
    fitted = around
    for _ in range(_FITS):
        mapped, *_ = np.linalg.lstsq(colours[fitted], first[fitted], rcond=None)
        left: np.ndarray = first - colours @ mapped
        size = np.abs(left).mean(axis=2)
        fitted = around & (size <= np.quantile(size[around], _FITTED_SHARE))
    return left
