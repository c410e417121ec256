"""Face-free pictures for training: procedural textures, and sample photographs of our
dependencies."""

from typing import Any

import cv2
import numpy as np


def natural_backgrounds() -> list[np.ndarray]:
    """Training photographs and drawings without faces (RGB uint8).

    scikit-learn's two samples and six of scikit-image's, excluding those on which
    `python -m evals run faces` counts false positives.
    """
    import skimage.data
    from sklearn.datasets import load_sample_images

    data: Any = skimage.data  # its functions have no annotations
    left, right, _ = data.stereo_motorcycle()
    shapes = [load() for load in (data.horse, data.shepp_logan_phantom, data.microaneurysms)]
    pictures = [*load_sample_images().images, left, right, data.logo()[..., :3]]
    return [np.ascontiguousarray(p) for p in pictures] + [_as_rgb(p) for p in shapes]


def texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A random procedural picture (height, width, 3) uint8 in random colours."""
    kinds = (_plain, _noise, _noise, _noise, _stripes, _discs, _writing, _boxes)
    grey = kinds[rng.integers(len(kinds))](rng, height, width)
    dark, light = rng.uniform(0, 255, (2, 3))
    if rng.random() < 0.3:
        dark, light = np.full(3, dark.mean()), np.full(3, light.mean())
    mixed = dark + grey[..., None] * (light - dark)
    if rng.random() < 0.4:
        mixed += rng.normal(0, rng.uniform(2, 15), mixed.shape)
    shown: np.ndarray = np.clip(mixed, 0, 255).astype(np.uint8)
    return shown


def _plain(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width] / max(height, width)
    ramp: np.ndarray = (x * rng.normal() + y * rng.normal()) * 0.5 + 0.5
    return np.asarray(np.clip(ramp, 0, 1))


def _noise(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Sum of noise at several scales, like clouds, cloth or foliage."""
    total = np.zeros((height, width), np.float32)
    for grain in 2.0 ** rng.uniform(0, 6, rng.integers(1, 4)):
        shape = (max(2, int(height / grain)), max(2, int(width / grain * rng.uniform(0.3, 1))))
        grid = rng.random(shape, dtype=np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    low, high = total.min(), total.max()
    return np.asarray((total - low) / (high - low + 1e-6))


def _stripes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 60)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period)
    return np.asarray(np.sign(wave) / 2 + 0.5 if rng.random() < 0.5 else wave / 2 + 0.5)


def _discs(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Ellipses with smaller ellipses inside, like coins, plates, dials and wheels."""
    canvas = np.full((height, width), rng.random(), np.float32)
    for _ in range(rng.integers(1, 12)):
        centre = rng.integers(0, (width, height))
        axes = rng.uniform(0.05, 0.4, 2) * min(height, width)
        for shrink in (1.0, 0.85, rng.uniform(0.1, 0.7)):
            offset = rng.normal(0, 0.25 * (1 - shrink), 2) * axes
            size = np.maximum(axes * shrink, 1).astype(int)
            place = (centre + offset).astype(int).tolist()
            cv2.ellipse(canvas, place, size.tolist(), rng.uniform(0, 180), 0, 360,
                        rng.random(), -1 if rng.random() < 0.8 else 2)  # fmt: skip
    return canvas + 0.15 * _noise(rng, height, width)


def _writing(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    canvas = np.full((height, width), rng.uniform(150, 255), np.uint8)
    scale = rng.uniform(0.3, 2.5)
    for line in range(0, height + 30, max(8, int(30 * scale))):
        letters = "".join(chr(c) for c in rng.integers(33, 126, 60))
        font = int(rng.integers(0, 8))
        cv2.putText(canvas, letters, (int(rng.integers(-40, 10)), line), font, scale,
                    int(rng.integers(0, 80)), int(rng.integers(1, 3)), cv2.LINE_AA)  # fmt: skip
    return canvas / np.float32(255)


def _boxes(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Rectangles, like buildings and furniture."""
    canvas = _plain(rng, height, width).astype(np.float32)
    for _ in range(rng.integers(3, 30)):
        x, y = rng.integers(0, (width, height)).tolist()
        w, h = (rng.uniform(0.03, 0.5, 2) * max(height, width)).astype(int).tolist()
        cv2.rectangle(canvas, (x, y), (x + w, y + h), rng.random(), -1)
    return canvas


def _as_rgb(grey: np.ndarray) -> np.ndarray:
    scaled = grey.astype(np.float32)
    scaled = (scaled - scaled.min()) / (scaled.max() - scaled.min()) * 255
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=2)
