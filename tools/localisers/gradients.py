"""Helpers of gradient-based localisers: a differentiable forgery score and relative maps."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from tools.localisers.protocol import GradientEncoder, LinearHead

if TYPE_CHECKING:
    import torch

UNIT = "times the mean, above it"
"""Unit of relative maps: 0 is the mean of the crop, 1 twice the mean."""


def forgery_score_function(
    encoder: GradientEncoder, head: LinearHead, crop: np.ndarray
) -> "Callable[[], torch.Tensor] | None":
    """The forgery score of a crop (s, s, 3) uint8 RGB as a differentiable function, or None.

    None if the head's scores are not `features @ weight + bias`, so it is not linear.
    """
    import torch

    weight = np.asarray(head.weight)
    if weight.ndim != 1 or not _is_linear(head, weight):
        return None
    batch = encoder.preprocess([crop])
    direction = torch.as_tensor(weight, dtype=torch.float32, device=batch.device)

    def score() -> torch.Tensor:
        # Clone: inference-mode tensors cannot be part of a graph.
        return encoder.forward(batch.clone().requires_grad_())[0] @ direction + float(head.bias)

    return score


def _is_linear(head: LinearHead, weight: np.ndarray) -> bool:
    """Whether it scores by its weights alone; a head that scales features first does not."""
    probe = 5 * np.random.default_rng(0).normal(size=(2, len(weight)))
    return bool(np.allclose(head.score(probe), probe @ weight + head.bias, rtol=1e-3, atol=1e-3))


def relative_excess(cells: np.ndarray) -> np.ndarray:
    """Cells (h, w) ≥ 0 divided by their mean, minus 1: float32 ≥ -1; zeros if all are 0."""
    mean = float(cells.mean())
    if mean <= 0:
        return np.zeros(cells.shape, np.float32)
    return np.asarray(cells / mean - 1, np.float32)


def upsample_map(cells: np.ndarray, *, side: int) -> np.ndarray:
    """Cells (h, w) float32 bilinearly enlarged to the crop, (side, side) float32."""
    import cv2

    heat = cv2.resize(cells, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(heat, np.float32)
