"""Labelled Faces in the Wild in memory: photographs, 68 landmarks, splits by person."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

# iBUG index of every landmark's mirror image.
MIRROR_68 = np.array([
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTrainingFaces:
    """n photographs 218×218 with one labelled face each.

    `photos` (n, 218, 218, 3) uint8 RGB; `landmarks` (n, 68, 2) float32 px; `alone` (n,) bool is
    False if the data set's landmarker detected further, unlabelled faces; `paths` (n,).
    """

    photos: np.ndarray
    landmarks: np.ndarray
    alone: np.ndarray
    paths: np.ndarray

    def __len__(self) -> int:
        return len(self.photos)


def load_labelled_faces(
    data: Path, split: str, *, limit: int | None = None
) -> LandmarkTrainingFaces:
    """The `train` or `val` part of `data/lfw`; `limit` selects evenly spaced photographs."""
    with np.load(data / "lfw" / "labels.npz") as labels:
        rows = np.flatnonzero(labels["split"] == split)
        if limit is not None and limit < len(rows):
            rows = rows[np.linspace(0, len(rows) - 1, limit).astype(int)]
        paths = labels["path"][rows]
        landmarks = labels["landmarks68"][rows].astype(np.float32)
        alone = labels["faces_found"][rows] == 1
    photos = np.empty((len(rows), 218, 218, 3), np.uint8)
    for photo, path in zip(photos, paths, strict=True):
        bgr = cv2.imread(str(data / "lfw" / "images" / str(path)))
        if bgr is None:
            raise FileNotFoundError(f"{path} is listed in labels.npz but missing")
        cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=photo)
    return LandmarkTrainingFaces(photos, landmarks, alone, paths)
