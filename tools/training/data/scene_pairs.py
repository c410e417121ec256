"""Authentic and forged whole photographs, including the background, without black borders.

LFW's photographs were rotated upright, which left black wedges at their borders. A network that
sees whole pictures could recognise the data set by the wedges, so only the part without them is
used.
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
"""Minimum size: in a smaller cropped photograph the face would fill the picture."""

_DARK = 8
_TOLERATED = 0.01
_EDGE_PX = 2


def drawn_family(rng: np.random.Generator, *, scenes: float = 0.6) -> str:
    """A training family: mostly a scene forgery, otherwise a face forgery that is not held out."""
    families = SCENE_FAMILIES if rng.random() < scenes else FACE_FAMILIES
    return str(rng.choice(families))


def borderless(pixels: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns without the black border wedges; empty if the whole picture is dark.

    Sides are cropped, the worst first, until hardly any border pixel belongs to a wedge.
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
    # The rotation blurred the wedge's edge.
    margins = [_EDGE_PX if moved else 0 for moved in (
        top > 0, bottom < wedge.shape[0], left > 0, right < wedge.shape[1],
    )]  # fmt: skip
    rows = slice(top + margins[0], max(top + margins[0], bottom - margins[1]))
    return rows, slice(left + margins[2], max(left + margins[2], right - margins[3]))


def inner_photo(faces: LfwPhotographs, index: int) -> tuple[np.ndarray, np.ndarray] | None:
    """A photograph without wedges, with its landmarks; None if too little remains."""
    pixels = faces.read(index)
    rows, columns = borderless(pixels)
    inner = np.ascontiguousarray(pixels[rows, columns])
    if min(inner.shape[:2]) < LEAST_PX:
        return None
    return inner, faces.landmarks[index] - np.array([columns.start, rows.start], np.float32)


def scene_pair(
    faces: LfwPhotographs, index: int, *, family: str, rng: np.random.Generator
) -> ForgeryPair | None:
    """A photograph's inner part and a forgery of it; None if the forgery cannot be made."""
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
    """Scale all pictures (h, w, …) by the same factor."""
    height, width = pictures[0].shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return [cv2.resize(one, size, interpolation=how) for one in pictures]
