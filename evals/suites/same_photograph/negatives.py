"""Pictures that must not count as versions of one photograph with another face.

`COVERINGS` hide a face (pixels, landmarks) -> pixels, as people do for privacy or fun: the picture
was altered, but nobody else's face is in it. `another_person` puts somebody else before the same
background, as two photographs by one fixed camera show it.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

Pixels = np.ndarray
Covering = Callable[[Pixels, np.ndarray], Pixels]
"""Changes the face of a picture (h, w, 3) uint8 RGB with 68 landmarks (68, 2) px."""


def _box(landmarks: np.ndarray) -> tuple[slice, slice]:
    left, top = np.maximum(landmarks.min(axis=0) - 5, 0).astype(int)
    right, bottom = (landmarks.max(axis=0) + 5).astype(int)
    return slice(top, bottom), slice(left, right)


def _pixelated(cells: int) -> Covering:
    def covered(pixels: Pixels, landmarks: np.ndarray) -> Pixels:
        found, box = pixels.copy(), _box(landmarks)
        part = found[box]
        small = cv2.resize(part, (cells, cells), interpolation=cv2.INTER_AREA)
        found[box] = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        return found

    return covered


def _blurred(pixels: Pixels, landmarks: np.ndarray) -> Pixels:
    found, box = pixels.copy(), _box(landmarks)
    found[box] = cv2.GaussianBlur(found[box], (0, 0), 4)
    return found


def _bar(pixels: Pixels, landmarks: np.ndarray) -> Pixels:
    found = pixels.copy()
    left, top = np.maximum(landmarks[36:48].min(axis=0) - 8, 0).astype(int)
    right, bottom = (landmarks[36:48].max(axis=0) + 8).astype(int)
    found[top:bottom, left:right] = 0
    return found


def _sunglasses(pixels: Pixels, landmarks: np.ndarray) -> Pixels:
    found, dark = pixels.copy(), (15, 15, 20)
    eyes = [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)]
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    places = [(int(eye[0]), int(eye[1])) for eye in eyes]
    for place in places:
        cv2.ellipse(found, place, (int(0.38 * apart), int(0.27 * apart)), 0, 0, 360, dark, -1)
    return cv2.line(found, places[0], places[1], dark, 3)


def _face_mask(pixels: Pixels, landmarks: np.ndarray) -> Pixels:
    outline = np.concatenate([landmarks[2:15], landmarks[29:30]]).astype(np.int32)
    return cv2.fillPoly(pixels.copy(), [outline], (200, 215, 225))


def _circled(pixels: Pixels, landmarks: np.ndarray) -> Pixels:
    middle = landmarks.mean(axis=0).astype(int)
    width, height = ((np.ptp(landmarks, axis=0) / 2) + 11).astype(int)
    return cv2.ellipse(
        pixels.copy(), (int(middle[0]), int(middle[1])), (int(width), int(height)), 0, 0, 360,
        (255, 0, 0), 3,
    )  # fmt: skip


COVERINGS: Mapping[str, Covering] = {
    "pixelated, 24 cells": _pixelated(24), "pixelated, 16 cells": _pixelated(16),
    "pixelated, 10 cells": _pixelated(10), "blurred": _blurred, "black bar": _bar,
    "sunglasses": _sunglasses, "face mask": _face_mask, "circled": _circled,
}  # fmt: skip

_SOFT_PX = 3.0


def another_person(
    background: Pixels, there: np.ndarray, person: Pixels, mine: np.ndarray
) -> Pixels:
    """The background's picture with head and shoulders of the person in place of its own.

    `there` and `mine` are 68 landmarks (68, 2) px of the two faces; the person is scaled to the
    size of the face that was there.
    """
    target, source = there[[36, 45, 8]].astype(np.float32), mine[[36, 45, 8]].astype(np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.LMEDS)
    height, width = background.shape[:2]
    moved = cv2.warpAffine(person, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    middle, size = there.mean(axis=0), np.ptp(there, axis=0)
    mask = np.zeros((height, width), np.float32)
    head = (int(middle[0]), int(middle[1] - 0.15 * size[1]))
    cv2.ellipse(mask, head, (int(0.8 * size[0]), int(1.0 * size[1])), 0, 0, 360, 1.0, -1)
    shoulders = (int(middle[0]), int(middle[1] + 1.9 * size[1]))
    cv2.ellipse(mask, shoulders, (int(1.7 * size[0]), int(1.3 * size[1])), 0, 0, 360, 1.0, -1)
    share = cv2.GaussianBlur(mask, (0, 0), _SOFT_PX)[..., None]
    return np.asarray(np.rint(moved * share + background * (1 - share)), np.uint8)
