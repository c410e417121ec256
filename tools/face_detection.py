"""Runs a face detector over a photograph: at which sizes, and what counts as found.

Works on insightface's SCRFD objects, which `faces.py` loads; the same for pocket and full models.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

# Photographs are shown to the detector no larger than this: 640 px is what SCRFD is trained for.
# Smaller ones are not enlarged, which is most of the time saved over insightface's own choice.
DETECTION_SIDE_PX = 640
# A second look at a copy of a third of that size: large faces are found more surely there.
SECOND_LOOK_REDUCTION = 3
LARGE_FACE_PX = 160  # in the first look; smaller ones are placed better by that
SAME_FACE = 0.4  # intersection over union, as insightface suppresses
PART_OF_A_FACE = 0.8  # of the smaller box that lies in the larger one
DETECTION_THRESHOLD = 0.5
SMALLEST_SIDE_PX = 10  # of what the detector sees; below there is no room for a face


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A detection: `box` (4,) as the detector gave it, `score` 0..1, `keypoints` (5, 2)."""

    box: np.ndarray
    score: float
    keypoints: np.ndarray


def detect(detector: Any, image: np.ndarray) -> list[Found]:
    """The faces of an image (h, w, 3) uint8, blue first, from left to right."""
    longer = max(image.shape[:2])
    side = min(longer, DETECTION_SIDE_PX)
    found = _look(detector, image, side)
    if side > LARGE_FACE_PX:
        large = LARGE_FACE_PX * longer / side
        again = _look(detector, image, side // SECOND_LOOK_REDUCTION)
        found += [face for face in again if max(face.box[2:] - face.box[:2]) >= large]
        found = _distinct(found)
    inside = [face for face in found if _area(clipped(face.box, image)) > 0]
    return sorted(inside, key=lambda face: (float(face.box[0]), float(face.box[1])))


def clipped(box: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The part of a box x1 y1 x2 y2 that lies in the image."""
    height, width = image.shape[:2]
    return np.asarray(np.clip(box, 0, [width, height, width, height]), dtype=np.float32)


def _distinct(found: list[Found]) -> list[Found]:
    """The surest of every group of boxes that show one face."""
    kept: list[Found] = []
    for face in sorted(found, key=lambda face: -face.score):
        if not any(_same(face.box, other.box) for other in kept):
            kept.append(face)
    return kept


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    shared = _area(np.concatenate([np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])]))
    smaller, larger = sorted((_area(a), _area(b)))
    union = smaller + larger - shared
    return shared > SAME_FACE * union or shared > PART_OF_A_FACE * smaller


def _look(detector: Any, image: np.ndarray, side: int) -> list[Found]:
    """Detections in a copy whose longer side is at most `side` px, in pixels of the image."""
    canvas, scale = _canvas(image, side=side, fixed=detector.static_input_size)
    if canvas is None:
        return []
    size = canvas.shape[1], canvas.shape[0]
    boxes, keypoints = detector.detect(canvas, input_size=size)
    return [
        Found(box=box[:4] / scale, score=float(box[4]), keypoints=points / scale)
        for box, points in zip(boxes, keypoints, strict=True)
    ]


def _canvas(
    image: np.ndarray, *, side: int, fixed: tuple[int, int] | None
) -> tuple[np.ndarray | None, float]:
    """The image reduced to the side, padded in black to multiples of 32, and the reduction.

    `fixed` (width, height) is the only size that some exported detectors accept.
    """
    height, width = image.shape[:2]
    limits = fixed or (side, side)
    scale = min(1.0, limits[0] / width, limits[1] / height)
    new = max(1, round(width * scale)), max(1, round(height * scale))
    if min(new) < SMALLEST_SIDE_PX:
        return None, scale
    columns, rows = fixed or (-(-new[0] // 32) * 32, -(-new[1] // 32) * 32)
    canvas = np.zeros((rows, columns, 3), np.uint8)
    small = image if scale == 1.0 else cv2.resize(image, new, interpolation=cv2.INTER_AREA)
    canvas[: new[1], : new[0]] = small
    return canvas, scale


def _area(box: np.ndarray) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))
