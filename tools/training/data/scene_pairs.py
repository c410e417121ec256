"""Photographs and forgeries of them whose whole picture is looked at, background and all.

LFW's photographs were turned upright, which left black wedges at their borders. Nothing about a
forgery, but a network that sees whole pictures would learn to know the data set by them: only the
part without wedges is used.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import keypoints_from_landmarks
from tools.forge.forgery import FAMILIES, FAMILIES_WITH_SOURCE, SCENE_FAMILIES, forge
from tools.training.data.forgery_pool import HELD_OUT_FAMILY, ForgeryPair, LfwPhotographs

FACE_FAMILIES = tuple(family for family in FAMILIES if family != HELD_OUT_FAMILY)
LEAST_PX = 144
"""A photograph that is smaller without its wedges is left out: its face would be all of it."""

_DARK = 8
_TOLERATED = 0.01
_EDGE_PX = 2


def drawn_family(rng: np.random.Generator, *, scenes: float = 0.6) -> str:
    """A family to learn from: mostly a forged scene, else a forged face that is not held out."""
    families = SCENE_FAMILIES if rng.random() < scenes else FACE_FAMILIES
    return str(rng.choice(families))


def borderless(pixels: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns without the black wedges that reach the border; empty where all is dark.

    Sides are cut off, the worst first, until hardly a pixel of any of them is part of a wedge.
    """
    dark = (pixels.max(axis=2) < _DARK).astype(np.uint8)
    _, parts = cv2.connectedComponents(dark, connectivity=4)
    at_border = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    wedge = np.isin(parts, at_border[at_border > 0])
    top, left, bottom, right = 0, 0, *wedge.shape
    while bottom > top and right > left:
        inside = wedge[top:bottom, left:right]
        sides = [it.mean() for it in (inside[0], inside[-1], inside[:, 0], inside[:, -1])]
        worst = int(np.argmax(sides))
        if sides[worst] < _TOLERATED:
            break
        top, bottom = top + (worst == 0), bottom - (worst == 1)
        left, right = left + (worst == 2), right - (worst == 3)
    # The wedge's edge was blurred by the turning.
    margins = [_EDGE_PX if moved else 0 for moved in (
        top > 0, bottom < wedge.shape[0], left > 0, right < wedge.shape[1],
    )]  # fmt: skip
    rows = slice(top + margins[0], max(top + margins[0], bottom - margins[1]))
    return rows, slice(left + margins[2], max(left + margins[2], right - margins[3]))


def inner_photo(faces: LfwPhotographs, index: int) -> tuple[np.ndarray, np.ndarray] | None:
    """A photograph without wedges, with its landmarks; None where too little is left."""
    pixels = faces.read(index)
    rows, columns = borderless(pixels)
    inner = np.ascontiguousarray(pixels[rows, columns])
    if min(inner.shape[:2]) < LEAST_PX:
        return None
    return inner, faces.landmarks[index] - np.array([columns.start, rows.start], np.float32)


def scene_pair(
    faces: LfwPhotographs, index: int, *, family: str, rng: np.random.Generator
) -> ForgeryPair | None:
    """A photograph's inner part and a forgery of it; None where that cannot be made."""
    photo = inner_photo(faces, index)
    source = None
    if family in FAMILIES_WITH_SOURCE:
        source = inner_photo(faces, faces.source_for(index, rng))
    if photo is None or (source is None and family in FAMILIES_WITH_SOURCE):
        return None
    return forged_photo(
        *photo, family=family, rng=rng, source=source, origin=str(faces.paths[index])
    )


def forged_photo(
    pixels: np.ndarray,
    landmarks: np.ndarray,
    *,
    family: str,
    rng: np.random.Generator,
    source: tuple[np.ndarray, np.ndarray] | None,
    origin: str,
) -> ForgeryPair | None:
    """A photograph and a forgery of it; `source` is another person's photo with its landmarks."""
    others = (None, None) if source is None else source
    try:
        made = forge(
            pixels, landmarks, family=family, rng=rng,
            source_pixels=others[0], source_landmarks=others[1],
        )  # fmt: skip
    except ToolError:
        return None
    mask = (made.mask * 255).astype(np.uint8)
    points = keypoints_from_landmarks(landmarks)
    return ForgeryPair(pixels, made.pixels, mask, points, family, made.regions, origin, landmarks)


def resized(pictures: Sequence[np.ndarray], scale: float) -> list[np.ndarray]:
    """Pictures (h, w, …) made smaller or larger alike."""
    height, width = pictures[0].shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return [cv2.resize(one, size, interpolation=how) for one in pictures]
