"""Self-blended images (SBI): training forgeries made from single authentic photographs.

Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022 (arXiv 2204.08376),
sections 3.2 to 3.4, written from the paper. One of two copies of a photograph is recoloured,
downscaled or sharpened; the pasted copy is shifted slightly; the mask is made from the landmarks,
distorted and blurred; then the copies are blended. Lengths are shares of the picture, as published.
"""

import cv2
import numpy as np

from tools.forge import masks
from tools.training.data.pairs import DerivedPairs, TrainingImage, TrainingPair

RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""Blending ratios of the mask."""


class SelfBlends(DerivedPairs):
    """The authentic members of a source, each blended with itself."""

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """A photograph and its self-blend; None without landmarks or a face in the picture."""
        drawn = self.source.draw(index, rng)
        if drawn is None or drawn.real.landmarks is None:
            return None
        return self_blend(drawn.real, rng)


def self_blend(look: TrainingImage, rng: np.random.Generator) -> TrainingPair | None:
    """Target and self-blend of one photograph; None if the mask lies outside the picture."""
    if look.landmarks is None:
        return None
    first = second = look.pixels
    # Change either the pasted copy or the target photograph.
    if rng.random() < 0.5:
        first = changed(first, rng)
    else:
        second = changed(second, rng)
    mask = _mask(look.landmarks, look.pixels.shape, rng)
    moved, mask = _moved(first, mask, rng)
    mask = _blurred(mask, rng) * float(rng.choice(RATIOS))
    if float(mask.sum()) < 16:
        return None
    weight = mask[..., None]
    pasted = np.clip(np.rint(weight * moved + (1 - weight) * second), 0, 255).astype(np.uint8)
    whole = (mask * 255).astype(np.uint8)
    empty = np.zeros_like(whole)
    return TrainingPair(
        TrainingImage(second, look.keypoints, look.landmarks, empty),
        TrainingImage(pasted, look.keypoints, look.landmarks, whole),
        "self_blend",
        paired=True,
    )


def changed(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A recoloured, then downscaled or sharpened copy: the paper's source-target generator."""
    shift = rng.uniform(-20, 20, 3) if rng.random() < 0.3 else np.zeros(3)
    table = np.clip(
        (np.arange(256)[:, None] + shift) * (1 + rng.uniform(-0.1, 0.1)) + rng.uniform(-25, 25),
        0, 255,
    ).astype(np.uint8)  # fmt: skip
    coloured = cv2.LUT(pixels, table[:, None, :])
    hsv = cv2.cvtColor(coloured, cv2.COLOR_RGB2HSV).astype(np.int16)
    # Up to a third of a step in hue and a tenth in the others: small, as published.
    hsv += np.round(rng.uniform(-0.3, 0.3, 3) * [10, 30, 30]).astype(np.int16)
    hsv[..., 0] %= 180
    coloured = cv2.cvtColor(np.clip(hsv, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB)
    if rng.random() < 0.5:
        factor = int(rng.choice([2, 4]))
        height, width = coloured.shape[:2]
        small = cv2.resize(
            coloured, (max(2, width // factor), max(2, height // factor)),
            interpolation=cv2.INTER_NEAREST,
        )  # fmt: skip
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    amount = float(rng.uniform(0.2, 0.5))
    blurred = cv2.GaussianBlur(coloured, (0, 0), 1.0)
    return np.asarray(cv2.addWeighted(coloured, 1 + 2 * amount, blurred, -2 * amount, 0))


def _mask(landmarks: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """The convex hull of the landmarks, with or without the forehead, or of a part of the face."""
    drawn = rng.random()
    if drawn < 0.25:
        points = landmarks
    elif drawn < 0.85:
        points = masks.face_outline(landmarks)
    else:
        lower = drawn < 0.93
        points = landmarks[[*range(2, 15), 29]] if lower else landmarks[[*range(17, 48), 1, 15]]
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    area = masks.polygon_mask(shape, hull)
    return masks.elastic_deform(area, rng=rng, amount_px=0.03 * min(shape[:2]))


def _moved(
    pixels: np.ndarray, mask: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Shift picture and mask by up to 3 % horizontally and 1.5 % vertically, and scale by up to 5
    %."""
    height, width = mask.shape
    scale = float(rng.uniform(0.95, 1 / 0.95))
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0, scale)
    matrix[:, 2] += rng.uniform(-1, 1, 2) * [0.03 * width, 0.015 * height]
    size = width, height
    moved = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved), np.asarray(cv2.warpAffine(mask, matrix, size))


def _blurred(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blurred twice with independent sizes, so that no two edges match; within the area only."""
    height, width = mask.shape
    size = (int(rng.integers(192, 257)), int(rng.integers(192, 257)))
    area: np.ndarray = cv2.GaussianBlur(cv2.resize(mask, size), _kernel(rng), 0)
    area = area / max(float(area.max()), 1e-6)
    inner = np.where(area < 0.999, 0, area).astype(np.float32)
    area = cv2.GaussianBlur(inner, _kernel(rng), float(rng.uniform(5, 46)))
    area = area / max(float(area.max()), 1e-6)
    whole = np.asarray(area, np.float32)
    return np.asarray(cv2.resize(whole, (width, height)), np.float32)


def _kernel(rng: np.random.Generator) -> tuple[int, int]:
    side = int(rng.choice(np.arange(5, 26, 2)))
    return side, side
