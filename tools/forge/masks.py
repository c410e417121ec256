"""Face region masks from 68 landmarks: the areas that forgeries change and that evidence names."""

from collections.abc import Mapping

import cv2
import numpy as np

REGIONS = (
    "whole face",
    "skin",
    "left eye",
    "right eye",
    "eyebrows",
    "nose",
    "mouth",
    "face boundary",
)
BACKGROUND = "background"
"""Everything outside the face, including the head's outline; not a region of a face."""

# Margin around the face that must stay unchanged for it to count as untouched, in eye distances.
_UNTOUCHED_REACH = 0.45

# A region counts as changed from this share of its area on.
_TOUCHED_SHARE = 0.25
# The skin is large: half of it changed is a face swap, a tenth is a visible patch.
_SHARE_BY_REGION = {"whole face": 0.6, "skin": 0.15, "face boundary": 0.1}

_PARTS = {
    "left eye": (range(36, 42),),
    "right eye": (range(42, 48),),
    "eyebrows": (range(17, 22), range(22, 27)),
    "nose": (range(27, 36),),
    "mouth": (range(48, 68),),
}


def eye_distance(landmarks: np.ndarray) -> float:
    """Distance between the eye centres in px, the forge's unit of length."""
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    return max(1.0, float(np.linalg.norm(right - left)))


def estimate_forehead(landmarks: np.ndarray) -> np.ndarray:
    """Ten points above the brows (10, 2), missing in iBUG's 68: brows shifted up the face axis."""
    chin, between_brows = landmarks[8], landmarks[[21, 22]].mean(axis=0)
    up = between_brows - chin
    reach = np.array([0.16, 0.24, 0.28, 0.30, 0.31, 0.31, 0.30, 0.28, 0.24, 0.16])
    points: np.ndarray = landmarks[17:27] + reach[:, None] * up
    return points


def face_outline(landmarks: np.ndarray) -> np.ndarray:
    """The face outline (n, 2): convex hull of the landmarks and the estimated forehead."""
    points = np.concatenate([landmarks, estimate_forehead(landmarks)]).astype(np.float32)
    hull: np.ndarray = cv2.convexHull(points)[:, 0]
    return hull


def polygon_mask(shape: tuple[int, ...], points: np.ndarray) -> np.ndarray:
    """A polygon's area as (h, w) float32, 1 inside; points in px, with sub-pixel precision."""
    canvas = np.zeros(shape[:2], np.uint8)
    corners = np.round(np.asarray(points, np.float64) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 1, lineType=cv2.LINE_8, shift=4)
    return canvas.astype(np.float32)


def face_part_mask(landmarks: np.ndarray, shape: tuple[int, ...], *, name: str) -> np.ndarray:
    """One part of the face as (h, w) float32 in {0, 1}, slightly wider than its landmarks."""
    area = np.zeros(shape[:2], np.float32)
    for indices in _PARTS[name]:
        hull = cv2.convexHull(landmarks[list(indices)].astype(np.float32))[:, 0]
        area = np.maximum(area, polygon_mask(shape, hull))
    return dilate_area(area, radius_px=0.16 * eye_distance(landmarks))


def protected_face_mask(landmarks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The face and its surroundings, (h, w) float32 in {0, 1}: scene forgeries leave it unchanged.

    It extends about half an eye distance beyond the outline, like a face crop without a margin.
    """
    face = polygon_mask(shape, face_outline(landmarks))
    if not face.any():
        return face
    return dilate_area(face, radius_px=_UNTOUCHED_REACH * eye_distance(landmarks))


def face_region_masks(landmarks: np.ndarray, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Each region of `REGIONS` as (h, w) float32 in {0, 1}; left and right as seen in the image.

    "skin" is the face without its parts; "face boundary" is a ring of a fifth of the eye distance
    on either side of the outline, where swapped faces are blended in.
    """
    face = polygon_mask(shape, face_outline(landmarks))
    regions = {name: face_part_mask(landmarks, shape, name=name) for name in _PARTS}
    inner = np.maximum.reduce(list(regions.values()))
    reach = 0.2 * eye_distance(landmarks)
    ring = dilate_area(face, radius_px=reach) - erode_area(face, radius_px=reach)
    regions |= {"whole face": face, "skin": face * (1 - inner), "face boundary": ring}
    return {name: regions[name] for name in REGIONS}


def regions_covered(mask: np.ndarray, regions: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    """Names of the regions of which a mask (h, w) in 0..1 changes a visible share.

    The face boundary counts only where the mask ends, because blending is visible there.
    """
    covered = []
    for name, area in regions.items():
        share = float((mask * area).sum() / max(1.0, float(area.sum())))
        if share >= _SHARE_BY_REGION.get(name, _TOUCHED_SHARE):
            covered.append(name)
    return tuple(covered)


def dilate_area(area: np.ndarray, *, radius_px: float) -> np.ndarray:
    """Dilate the area by a disc."""
    widened: np.ndarray = cv2.dilate(area, _disc(radius_px))
    return widened


def erode_area(area: np.ndarray, *, radius_px: float) -> np.ndarray:
    """Erode the area by a disc."""
    narrowed: np.ndarray = cv2.erode(area, _disc(radius_px))
    return narrowed


def feather(area: np.ndarray, *, sigma_px: float) -> np.ndarray:
    """Soften the area's edge inwards, so that nothing outside changes."""
    if sigma_px < 0.3:
        return area
    inner = erode_area(area, radius_px=1.5 * sigma_px)
    if inner.sum() < 0.2 * area.sum():
        inner = area
    soft: np.ndarray = cv2.GaussianBlur(inner, (0, 0), sigma_px) * area
    # Weights below one grey level change no pixel, so the mask must be 0 there.
    soft[soft < 1 / 255] = 0
    return soft


def elastic_deform(area: np.ndarray, *, rng: np.random.Generator, amount_px: float) -> np.ndarray:
    """Bend the area's outline by a smooth random field (elastic deformation)."""
    height, width = area.shape
    field = rng.standard_normal((2, 6, 6)).astype(np.float32)
    bend = [
        cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC) * amount_px for f in field
    ]
    grid_x, grid_y = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    bent: np.ndarray = cv2.remap(area, grid_x + bend[0], grid_y + bend[1], cv2.INTER_LINEAR)
    return bent


def _disc(radius_px: float) -> np.ndarray:
    size = 2 * max(1, round(radius_px)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
