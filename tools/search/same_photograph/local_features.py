"""Local features (SIFT) of photographs, and the affine map between two photographs.

SIFT keypoints (Lowe, 2004) with RootSIFT descriptors (Arandjelović and Zisserman, CVPR 2012), the
ratio test, and RANSAC. A mirror image needs no second run: a SIFT descriptor is a grid of gradient
histograms, so mirroring the picture reorders its entries.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

WORKING_PX = 640
"""Longer side to which larger photographs are downscaled."""

MAX_KEYPOINTS, MAX_KEYPOINTS_PER_CELL, GRID = 1200, 40, 8
"""Limits on keypoints: the strongest overall, and at most so many in each of 8 x 8 cells.

Without the limit per cell, the letters of a page would leave none for the photograph on it.
"""

_CANDIDATES = 4000
RATIO = 0.8
"""A match counts if the second nearest descriptor is at least 1 / RATIO times as far (Lowe)."""

REPROJECTION_PX = 3.0
"""Maximum distance of a keypoint from its mapped position, in pixels of the working size."""

MIN_INLIERS = 8
"""Three matches determine the six parameters exactly, and a few more can fit by chance."""

_MOST_STRETCH = 1.6
_LEAST_SCALE, _MOST_SCALE = 0.08, 12.0
_ITERATIONS, _CONFIDENCE = 600, 0.999


@dataclass(frozen=True, slots=True, eq=False)
class LocalFeatures:
    """One photograph at its working size, with its keypoints.

    `pixels` (h, w, 3) uint8 RGB; `scale` is working size over given size; `points` (n, 2) float32
    px of the working size, `sizes` (n,) their diameters; `descriptors` (n, 128), of unit length.
    """

    pixels: np.ndarray
    scale: float
    points: Floats
    sizes: Floats
    descriptors: Floats

    def mirrored(self) -> "LocalFeatures":
        """The features of the photograph flipped left to right."""
        points = self.points * np.array([-1, 1], np.float32)
        points[:, 0] += self.pixels.shape[1] - 1
        return replace(
            self,
            pixels=np.ascontiguousarray(self.pixels[:, ::-1]),
            points=points,
            descriptors=self.descriptors[:, _MIRRORED],
        )


@dataclass(frozen=True, slots=True, eq=False)
class FeatureMatch:
    """An affine map (2, 3) from the second photograph's pixels to the first's, and its inliers.

    `inliers` (n, 2) px of the first photograph, at working sizes; each keypoint is used once.
    """

    matrix: np.ndarray
    inliers: Floats


def _mirrored_entries() -> NDArray[np.intp]:
    """Source index of each entry of a mirrored descriptor: rows across orientation are reversed."""
    rows, columns, bins = np.indices((4, 4, 8))
    places = np.ravel_multi_index((3 - rows, columns, -bins % 8), (4, 4, 8))
    return np.asarray(places, np.intp).ravel()


_MIRRORED = _mirrored_entries()


def local_features(pixels: np.ndarray) -> LocalFeatures:
    """Compute the features of a photograph (h, w, 3) uint8 RGB; without texture, no keypoints."""
    scale = min(1.0, WORKING_PX / max(pixels.shape[:2]))
    if scale < 1:
        size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    # The threshold is low so that faint pictures have keypoints too; the strongest are kept.
    sift = cv2.SIFT.create(nfeatures=_CANDIDATES, contrastThreshold=0.02)
    found, raw = sift.detectAndCompute(grey, None)
    if raw is None or not len(found):
        empty = np.zeros((0, 2), np.float32)
        return LocalFeatures(pixels, scale, empty, empty[:, 0], np.zeros((0, 128), np.float32))
    points = np.array([it.pt for it in found], np.float32)
    kept = _spread(points, np.array([it.response for it in found]), grey.shape)
    shares = raw[kept] / np.maximum(raw[kept].sum(axis=1, keepdims=True), 1e-6)
    return LocalFeatures(
        pixels=pixels,
        scale=scale,
        points=points[kept],
        sizes=np.array([found[row].size for row in kept], np.float32),
        descriptors=np.sqrt(shares).astype(np.float32),
    )


def _spread(
    points: Floats, strengths: NDArray[np.floating], shape: tuple[int, ...]
) -> NDArray[np.intp]:
    """Rows of the strongest points, at most `MAX_KEYPOINTS_PER_CELL` in each cell of the grid."""
    size = np.array(shape[1::-1])
    cells = np.clip(points * GRID / size, 0, GRID - 1).astype(int) @ [1, GRID]
    order = np.lexsort((-strengths, cells))  # by cell, the strongest first
    starts = np.searchsorted(cells[order], cells[order])
    kept = order[np.arange(len(order)) - starts < MAX_KEYPOINTS_PER_CELL]
    strongest = np.argsort(-strengths[kept], kind="stable")[:MAX_KEYPOINTS]
    return np.sort(kept[strongest])


def match_features(first: LocalFeatures, second: LocalFeatures) -> FeatureMatch | None:
    """The map of the second photograph onto the first; None if too few keypoints agree."""
    ours, theirs = _pairs(first.descriptors, second.descriptors)
    if len(ours) < MIN_INLIERS:
        return None
    target, source = first.points[ours], second.points[theirs]
    enlarged = float(np.median(first.sizes[ours] / second.sizes[theirs]))
    most_px = REPROJECTION_PX * max(1.0, enlarged)
    candidates = [
        estimate(
            source, target, method=cv2.RANSAC, ransacReprojThreshold=most_px,
            maxIters=_ITERATIONS, confidence=_CONFIDENCE,
        )
        for estimate in (cv2.estimateAffinePartial2D, cv2.estimateAffine2D)
    ]  # fmt: skip
    found = [
        FeatureMatch(matrix, _distinct(target[inside.ravel() > 0]))
        for matrix, inside in candidates
        if matrix is not None and _plausible(matrix)
    ]
    best = max(found, key=lambda it: len(it.inliers), default=None)
    return best if best is not None and len(best.inliers) >= MIN_INLIERS else None


def _pairs(ours: Floats, theirs: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of mutual nearest neighbours that pass the ratio test."""
    if len(ours) < 2 or len(theirs) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    alike = ours @ theirs.T
    nearest = alike.argmax(axis=1)
    rows = np.arange(len(ours))
    best = alike[rows, nearest]
    mutual = alike.argmax(axis=0)[nearest] == rows
    alike[rows, nearest] = -1
    # For unit vectors, the squared distance is 2 - 2 · cosine.
    distinct = (1 - best) < RATIO**2 * (1 - alike.max(axis=1))
    kept = rows[distinct & mutual]
    return kept, nearest[kept]


def _plausible(matrix: np.ndarray) -> bool:
    """Whether the scaling, rotation and stretching are no stronger than people apply."""
    if not np.isfinite(matrix).all() or np.linalg.det(matrix[:, :2]) <= 0:
        return False
    large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return bool(small > _LEAST_SCALE and large < _MOST_SCALE and large < _MOST_STRETCH * small)


def _distinct(points: Floats) -> Floats:
    """The distinct positions: a corner can be a keypoint several times."""
    return np.unique(np.round(points), axis=0)
