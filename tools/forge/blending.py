"""Blending of one face onto another: warping, colour matching, alpha and Poisson blending.

Clean-room implementation from the published descriptions of multi-scale facial swaps (CADDM, CVPR
2023) and self-blended images (CVPR 2022); none of their code was used.
"""

import cv2
import numpy as np

from tools.faces.alignment import estimate_similarity_transform, transform_points
from tools.forge.masks import estimate_forehead, face_outline


def warp_face(
    source: np.ndarray,
    source_landmarks: np.ndarray,
    target_landmarks: np.ndarray,
    *,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Warp the source face piecewise-affinely to the target's landmarks: (h, w, 3) uint8.

    Triangles span the 68 landmarks, an estimated forehead and a ring outside the face; the ring and
    everything beyond it follow the similarity between the two faces.
    """
    there, here = _anchors(source_landmarks), _anchors(target_landmarks)
    whole = estimate_similarity_transform(
        target_landmarks.astype(float), source_landmarks.astype(float)
    )
    ring = _ring(target_landmarks)
    here, there = (
        np.concatenate([here, ring]),
        np.concatenate([there, transform_points(ring, whole)]),
    )
    map_x, map_y = _piecewise_map(here, there, shape=shape, elsewhere=whole)
    warped: np.ndarray = cv2.remap(
        source, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return warped


def _anchors(landmarks: np.ndarray) -> np.ndarray:
    return np.concatenate([landmarks, estimate_forehead(landmarks)]).astype(np.float64)


def _ring(landmarks: np.ndarray) -> np.ndarray:
    hull = face_outline(landmarks).astype(np.float64)
    centre = hull.mean(axis=0)
    ring: np.ndarray = centre + 1.35 * (hull - centre)
    return ring


def _piecewise_map(
    here: np.ndarray, there: np.ndarray, *, shape: tuple[int, ...], elsewhere: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sampling positions (x, y), each (h, w) float32, of the piecewise-affine map here -> there."""
    from scipy.spatial import Delaunay

    height, width = shape[:2]
    triangles = Delaunay(here).simplices
    first, second, third = here[triangles].transpose(1, 0, 2)
    a, b = second - first, third - first
    triangles = triangles[np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) > 1e-3]
    labels = np.full((height, width), len(triangles), np.int32)
    # Each triangle's affine matrix maps a pixel here to its position there.
    corners = np.concatenate([here[triangles], np.ones((len(triangles), 3, 1))], axis=2)
    affine = np.linalg.solve(corners, there[triangles]).transpose(0, 2, 1)
    for index, triangle in enumerate(triangles):
        points = np.round(here[triangle] * 16).astype(np.int32)
        cv2.fillConvexPoly(labels, points, index, shift=4)
    table = np.concatenate([affine, elsewhere[None]]).astype(np.float32)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    rows = table[labels]
    map_x = rows[..., 0, 0] * x + rows[..., 0, 1] * y + rows[..., 0, 2]
    map_y = rows[..., 1, 0] * x + rows[..., 1, 1] * y + rows[..., 1, 2]
    return map_x, map_y


def match_colour(
    pixels: np.ndarray, like: np.ndarray, *, area: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Match the mean and std of Lab colours inside `area` to those of `like`."""
    inside = area > 0.5
    if not inside.any():
        return pixels
    ours = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    theirs = cv2.cvtColor(like, cv2.COLOR_RGB2LAB).astype(np.float32)
    mean, spread = ours[inside].mean(axis=0), ours[inside].std(axis=0) + 1e-3
    wanted_mean, wanted_spread = theirs[inside].mean(axis=0), theirs[inside].std(axis=0)
    gain = np.clip(wanted_spread / spread, 0.5, 2.0)
    moved = (ours - mean) * gain + wanted_mean
    mixed = np.clip(ours + strength * (moved - ours), 0, 255).round().astype(np.uint8)
    matched: np.ndarray = cv2.cvtColor(mixed, cv2.COLOR_LAB2RGB)
    return matched


def alpha_blend(target: np.ndarray, new: np.ndarray, *, mask: np.ndarray) -> np.ndarray:
    """Blend `new` over `target` by weights `mask` (h, w) in 0..1; exact `target` where it is 0."""
    weight = mask[..., None]
    mixed = weight * new.astype(np.float32) + (1 - weight) * target
    blended = np.clip(np.round(mixed), 0, 255).astype(np.uint8)
    kept: np.ndarray = np.where(weight > 0, blended, target)
    return kept


def poisson_blend(target: np.ndarray, new: np.ndarray, *, mask: np.ndarray) -> np.ndarray | None:
    """Gradient-domain blending (Pérez et al., 2003); None if OpenCV cannot solve it.

    OpenCV pastes around the centre of the mask's bounding box, so a box that reaches the image
    border would be displaced: such masks are refused.
    """
    area = (mask > 0.02).astype(np.uint8) * 255
    x, y, width, height = cv2.boundingRect(area)
    if min(x, y) < 2 or x + width > target.shape[1] - 2 or y + height > target.shape[0] - 2:
        return None
    if width < 8 or height < 8:
        return None
    centre = (x + width // 2, y + height // 2)
    try:
        cloned: np.ndarray = cv2.seamlessClone(new, target, area, centre, cv2.NORMAL_CLONE)
    except cv2.error:
        return None
    return alpha_blend(target, cloned, mask=mask)


def coarsen(pixels: np.ndarray, *, factor: float, interpolation: int) -> np.ndarray:
    """Downsample by `factor` and upsample again, like the output of a low-resolution generator."""
    height, width = pixels.shape[:2]
    small = (max(2, round(width / factor)), max(2, round(height / factor)))
    reduced = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    restored: np.ndarray = cv2.resize(reduced, (width, height), interpolation=interpolation)
    return restored


def sharpen(pixels: np.ndarray, *, amount: float) -> np.ndarray:
    """Unsharp masking with a radius of about one pixel."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), 1.0)
    sharp: np.ndarray = cv2.addWeighted(pixels, 1 + amount, blurred, -amount, 0)
    return sharp
