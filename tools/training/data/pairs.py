"""Interfaces and containers for training pairs of authentic and forged pictures.

A source draws one authentic picture with one forgery. Depending on the source, both may show the
same original, and the changed area may be known. Groups are persons (or originals); splits are made
by group.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from tools.training.data.forgery_batches import Degradation, Pool, face_matrix, warped
from tools.training.data.harmless_edits import edited_pair


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImage:
    """A picture (h, w, 3) uint8 RGB with its face: keypoints (5, 2) px, landmarks (68, 2) px.

    `mask` (h, w) uint8 is how much each pixel was changed; None if unknown.
    """

    pixels: np.ndarray
    keypoints: np.ndarray
    landmarks: np.ndarray | None
    mask: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPair:
    """An authentic picture and a forgery; `paired`: both show one original, pixel-aligned."""

    real: TrainingImage
    fake: TrainingImage
    family: str
    paired: bool


class PairSource(Protocol):
    """A source of pairs."""

    def __len__(self) -> int:
        """Number of pairs."""

    def group(self, index: int) -> str:
        """The person or original of a pair."""

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """One pair; None if this pair cannot be made."""


@dataclass(slots=True, eq=False)
class DerivedPairs:
    """The pairs of a source made into others; as many, of the same persons."""

    source: PairSource

    def __len__(self) -> int:
        return len(self.source)

    def group(self, index: int) -> str:
        """The source's."""
        return self.source.group(index)


@dataclass(frozen=True, slots=True, eq=False)
class PoolPairs:
    """The pairs of a pool on disk (`tools.training.data.forgery_pool`)."""

    pool: Pool

    def __len__(self) -> int:
        return self.pool.refresh()

    def group(self, index: int) -> str:
        """The LFW person, or the DFDC original."""
        return str(self.pool.notes(index)["origin"]).split("/")[0]

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair:
        """The stored pair, unchanged."""
        real, fake, mask, notes = self.pool.pair(index)
        points = np.array(notes["keypoints"], np.float32)
        placed = notes.get("landmarks")
        landmarks = None if placed is None else np.array(placed, np.float32)
        size = real.shape[1], real.shape[0]
        whole = cv2.resize(np.ascontiguousarray(mask), size, interpolation=cv2.INTER_LINEAR)
        return TrainingPair(
            TrainingImage(np.array(real), points, landmarks, np.zeros_like(whole)),
            TrainingImage(np.array(fake), points, landmarks, whole),
            str(notes["family"]),
            paired=True,
        )


@dataclass(frozen=True, slots=True, eq=False)
class ConcatPairs:
    """Several sources concatenated."""

    parts: Sequence[PairSource]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def group(self, index: int) -> str:
        """The group within the part that holds the pair."""
        part, at = self._place(index)
        return part.group(at)

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """The pair from the part that holds it."""
        part, at = self._place(index)
        return part.draw(at, rng)

    def _place(self, index: int) -> tuple[PairSource, int]:
        for part in self.parts:
            if index < len(part):
                return part, index
            index -= len(part)
        raise IndexError(index)


class EditedPairs(DerivedPairs):
    """The pairs of a source, some with a harmless edit of both pictures or of the authentic one."""

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """The pair, perhaps edited; masks stay, since no edit moves a pixel."""
        drawn = self.source.draw(index, rng)
        if drawn is None:
            return None
        real, fake = edited_pair(drawn.real.pixels, drawn.fake.pixels, rng)
        return replace(
            drawn,
            real=replace(drawn.real, pixels=real),
            fake=replace(drawn.fake, pixels=fake),
        )


@dataclass(frozen=True, slots=True, eq=False)
class CropSample:
    """One training crop: `image` (s, s, 3) uint8 RGB, `mask` (s, s) float32 in 0..1 or None.

    `look` is the picture it was cut from.
    """

    image: np.ndarray
    forged: bool
    family: str
    group: str
    mask: np.ndarray | None
    look: TrainingImage


def crops(
    drawn: TrainingPair,
    rng: np.random.Generator,
    *,
    group: str,
    size: int,
    margin: float,
    augment: bool = True,
) -> tuple[CropSample, CropSample]:
    """Crop both members, and mirror and degrade them identically; authentic first.

    Members of one original get exactly the same crop, so that they differ only in the forgery;
    other pairs get one crop each. Without `augment` they are only cropped.
    """
    from tools.faces.alignment import crop_matrix

    looks = drawn.real, drawn.fake
    if augment:
        first = face_matrix(drawn.real.keypoints, rng, size=size, margin=margin)
        second = (
            first if drawn.paired
            else face_matrix(drawn.fake.keypoints, rng, size=size, margin=margin)
        )  # fmt: skip
    else:
        first, second = (crop_matrix(it.keypoints, size=size, margin=margin) for it in looks)
    mirrored = augment and rng.random() < 0.5
    if mirrored:
        flip = np.array([[-1.0, 0, size - 1], [0, 1, 0]])
        first, second = (flip @ np.vstack([it, [0, 0, 1]]) for it in (first, second))
    images = [
        warped(look.pixels, matrix, size=size)
        for look, matrix in zip(looks, (first, second), strict=True)
    ]
    if augment:
        images = Degradation(rng, size=size)(*images)
    samples = []
    for look, matrix, image, forged in zip(
        looks, (first, second), images, (False, True), strict=True
    ):
        mask = None if look.mask is None else _cut(look.mask, matrix, size)
        family = drawn.family if forged else "authentic"
        samples.append(CropSample(image, forged, family, group, mask, look))
    return samples[0], samples[1]


def _cut(mask: np.ndarray, matrix: np.ndarray, size: int) -> np.ndarray:
    """A mask (h, w) uint8 warped by the matrix: (size, size) float32 in 0..1."""
    seen = cv2.warpAffine(mask, matrix, (size, size), borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(seen / 255, np.float32)
