"""Small fake face analyser and encoder: fast, with outputs that depend on the pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tools.errors import ToolError
from tools.faces.alignment import KEYPOINT_TEMPLATE
from tools.faces.analyser import Face
from tools.faces.quality import FaceQuality

FINGERPRINT = {"faces": "a" * 64, "encoder": "b" * 64}
DIMENSION = 64


@dataclass
class FakeFaceAnalyser:
    """Finds a "face" in the centre of every picture of at least 32 px; counts its pictures.

    Its embedding is the picture itself, 8×8, grey, mean-free. Pictures with a pure green corner are
    rejected, as a real analyser may reject one.
    """

    analysed: int = 0
    batches: list[int] = field(default_factory=list)

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """One face or none per picture."""
        if any(tuple(image[0, 0]) == (0, 255, 0) for image in images):
            raise ToolError("a green corner")
        self.analysed += len(images)
        self.batches.append(len(images))
        return [[face_of(image)] if min(image.shape[:2]) >= 32 else [] for image in images]

    def find_faces(self, image: np.ndarray) -> list[tuple[np.ndarray, None]]:
        """Keypoints of the faces that `analyse` finds."""
        return [(face_of(image).keypoints, None)] if min(image.shape[:2]) >= 32 else []

    def embed(self, looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Embeddings of the "faces"; a picture has the same one wherever it is analysed."""
        return [embedding_of(image) for image, _ in looks]


@dataclass
class OtherFaceAnalyser(FakeFaceAnalyser):
    """Finds the same faces and embeds them otherwise, as `other_embedding_of`; counts them."""

    embedded: int = 0

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """One face or none per picture."""
        return [
            [replace(face, embedding=other_embedding_of(image)) for face in faces]
            for image, faces in zip(images, super().analyse(images), strict=True)
        ]

    def embed(self, looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Embeddings of the "faces"."""
        self.embedded += len(looks)
        return [other_embedding_of(image) for image, _ in looks]


class FakeEncoder:
    """Features are the picture's pixels, 4×4, in colour."""

    image_size = 32
    face_margin = 1.3
    sha256 = FINGERPRINT["encoder"]
    model = None  # it has no places that could be told apart

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Features (n, 48)."""
        rows = [cv2.resize(image, (4, 4), interpolation=cv2.INTER_AREA).ravel() for image in images]
        return np.array(rows, np.float32).reshape(len(images), 48)


def embedding_of(image: np.ndarray) -> np.ndarray:
    """What `FakeFaceAnalyser` embeds a picture as: (64,) float32 of unit length."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    small[0] += 1e-3  # so that a flat picture has a direction too
    return np.asarray(small / np.linalg.norm(small), np.float32)


def other_embedding_of(image: np.ndarray) -> np.ndarray:
    """What `OtherFaceAnalyser` embeds a picture as: (192,) float32 of unit length."""
    small = cv2.resize(image, (8, 8), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean() - 1e-3
    return np.asarray(small / np.linalg.norm(small), np.float32)


def face_of(image: np.ndarray) -> Face:
    """The face that `FakeFaceAnalyser` finds in a picture."""
    height, width = image.shape[:2]
    side = min(height, width) / 2
    corner = np.array([width / 2 - side / 2, height / 2 - side / 2])
    return Face(
        box=np.array([*corner, *(corner + side)], np.float32),
        keypoints=(KEYPOINT_TEMPLATE * side + corner).astype(np.float32),
        landmarks=None,
        quality=quality(width_px=side),
        embedding=embedding_of(image),
    )


def quality(*, width_px: float = 64.0, problems: tuple[str, ...] = ()) -> FaceQuality:
    """A face quality without or with problems."""
    return FaceQuality(
        width_px=width_px,
        interocular_px=width_px / 3,
        sharpness=10.0,
        yaw_deg=float("nan"),
        detector_score=0.9,
        problems=problems,
    )


def picture(seed: int, *, side: int = 64) -> np.ndarray:
    """A different picture for every seed: (side, side, 3) uint8 RGB, coarse blocks of colour."""
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(blocks, (side, side), interpolation=cv2.INTER_NEAREST))


def write_pictures(folder: Path, count: int, *, first: int = 0) -> list[Path]:
    """Different PNG files in a folder, named by their seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{seed:04}.png" for seed in range(first, first + count)]
    for seed, path in enumerate(paths, start=first):
        Image.fromarray(picture(seed)).save(path)
    return paths
