"""Labelled LFW faces in memory, and augmented ArcFace crops for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from tools.errors import SetupError
from tools.faces.alignment import keypoints_from_landmarks
from tools.faces.analyser import recognition_matrix
from tools.training.faces.embedder_network import SIZE


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingTrainingFaces:
    """Decoded photographs of one split with the labels of their central face.

    `pixels`: n arrays (h, w, 3) uint8 RGB; `alignment` (n, 2, 3) maps a photograph onto its 112×112
    ArcFace crop; `teacher` (n, 256) float32 unit vectors; `person` (n,) int64, 0-based.
    """

    pixels: Sequence[np.ndarray]
    alignment: np.ndarray
    teacher: np.ndarray
    person: np.ndarray


def load_lfw(data: Path, split: str) -> EmbeddingTrainingFaces:
    """Decode one split (`train`, `val`) of `data/lfw`; about 0.14 MB of memory per image.

    Raises SetupError if the folder does not exist.
    """
    labels_file = data / "lfw" / "labels.npz"
    if not labels_file.is_file():
        raise SetupError(f"no labelled faces at {str(labels_file)!r}: pass --data DIR")
    with np.load(labels_file) as labels:
        chosen = labels["split"] == split
        paths = labels["path"][chosen]
        landmarks = labels["landmarks68"][chosen].astype(np.float32)
        teacher = labels["embedding256"][chosen].astype(np.float32)
    teacher /= np.linalg.norm(teacher, axis=1, keepdims=True)
    names = [str(path).split("/")[0] for path in paths]
    person = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return EmbeddingTrainingFaces(
        pixels=[_read(data / "lfw" / "images" / str(path)) for path in paths],
        alignment=np.stack(
            [
                recognition_matrix(keypoints_from_landmarks(points), size=SIZE)
                for points in landmarks
            ]
        ),
        teacher=teacher,
        person=person,
    )


def plain_crop(faces: EmbeddingTrainingFaces, index: int) -> np.ndarray:
    """Crop the face as `face_align.norm_crop` does: (112, 112, 3) uint8 RGB."""
    return cv2.warpAffine(faces.pixels[index], faces.alignment[index], (SIZE, SIZE))


def augmented_crop(
    faces: EmbeddingTrainingFaces, index: int, *, rng: np.random.Generator
) -> np.ndarray:
    """Crop the face with the errors of a weak detector on a poor photograph: (112, 112, 3) uint8
    RGB."""
    return augmented(faces.pixels[index], faces.alignment[index], rng=rng)


def augmented(pixels: np.ndarray, alignment: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Augmented crop of one picture (h, w, 3) uint8 RGB, given its ArcFace matrix (2, 3).

    Rotation ±12°, scale 0.88–1.12, shift ±4 px, mirroring, lost resolution, blur, JPEG.
    """
    angle, scale = np.deg2rad(rng.uniform(-12, 12)), rng.uniform(0.88, 1.12)
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    linear = np.array([[cos * mirror, -sin], [sin * mirror, cos]])
    centre = np.full(2, (SIZE - 1) / 2)
    shift = centre - linear @ centre + rng.uniform(-4, 4, 2)
    moved = linear @ alignment
    moved[:, 2] += shift
    return _degraded(cv2.warpAffine(pixels, moved, (SIZE, SIZE)), rng=rng)


def to_input_tensor(crops: Sequence[np.ndarray]) -> Tensor:
    """Stack uint8 RGB crops into a (n, 3, 112, 112) float tensor in [−1, 1], channels last."""
    return (torch.from_numpy(np.stack(crops)).float() / 127.5 - 1.0).permute(0, 3, 1, 2)


def jitter(images: Tensor, *, generator: torch.Generator) -> Tensor:
    """Vary contrast, brightness and colour of a batch in [−1, 1], and occlude parts of faces."""
    count = len(images)

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator) * (high - low) + low

    gain = draw(0.65, 1.35, 1, 1, 1) * draw(0.9, 1.1, 3, 1, 1)
    images = images * gain + draw(-0.25, 0.25, 1, 1, 1) + draw(-0.05, 0.05, 3, 1, 1)
    images = images.clamp_(-1.0, 1.0)
    for index in (draw(0, 1) < 0.1).nonzero().flatten().tolist():
        images[index] = images[index].mean(0, keepdim=True)
    corners, sides = draw(0, SIZE - 12, 2).long(), draw(12, 48, 2).long()
    for index in (draw(0, 1) < 0.35).nonzero().flatten().tolist():
        (x, y), (width, height) = corners[index].tolist(), sides[index].tolist()
        shade = torch.rand(3, 1, 1, generator=generator) * 2 - 1
        images[index, :, y : y + height, x : x + width] = shade
    return images


def _read(path: Path) -> np.ndarray:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise SetupError(f"cannot read {str(path)!r}: is the data complete? pass --data DIR")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _degraded(crop: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    if rng.random() < 0.25:
        side = int(SIZE * rng.uniform(0.25, 0.8))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = cv2.resize(small, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.15:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.5, 1.8))
    if rng.random() < 0.25:
        quality = int(rng.integers(25, 90))
        _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return crop
