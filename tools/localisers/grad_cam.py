"""Grad-CAM: where the last layer that still has places raised the forgery score.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, eq. 1 and 2. For a ViT the layer is the norm before the last attention,
its patches as places: after it only the class token reaches the score, and patches have no
gradient. These lines instead of the package `grad-cam`, because that brings a second OpenCV
(`opencv-python-headless`), which overwrites the one in use.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.localisers.gradients import forgery_score_function, relative_excess, upsample_map
from tools.localisers.protocol import GradientEncoder, LinearHead, MapEncoder, ScoringHead

if TYPE_CHECKING:
    import torch

METHOD = (
    "Grad-CAM of the face's forgery score in the encoder's last layer with places; mean over the "
    "region, 0 is as much as the whole crop's mean"
)
LIMITS = (
    "Shows what raised this detector's score, in coarse cells, which need not be where a face was "
    "changed; the map of an authentic face is as bright."
)


@dataclass(frozen=True, slots=True)
class TargetLayer:
    """A module whose output has places; `grid` for tokens, of which the first `prefix` are none."""

    module: "torch.nn.Module"
    grid: tuple[int, int] | None = None
    prefix: int = 0

    def places(self, output: "torch.Tensor") -> "torch.Tensor":
        """The output for one picture as (channels, h, w)."""
        if self.grid is None:
            return output[0]
        tokens = output.reshape(-1, output.shape[-1])[self.prefix :]
        return tokens.T.reshape(-1, *self.grid)


def grad_cam(crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead) -> np.ndarray | None:
    """Grad-CAM on an aligned face (s, s, 3) uint8 RGB: (s, s) float32 around 0, or None.

    0 is a place that raised the score as much as the mean did, 1 twice as much, -1 not at all.
    None when the encoder's tower cannot be differentiated or has no layer with places, or the
    head is not linear.

    Does not show: where a face was forged, nor what lowered the score; a cell is as coarse as
    the layer (an eighth to a thirty-second of the crop) and sees its surroundings too.
    """
    if not isinstance(encoder, GradientEncoder) or not isinstance(head, LinearHead):
        return None
    score = forgery_score_function(encoder, head, crop)
    visual = getattr(encoder.model, "visual", None)
    if score is None or visual is None:
        return None
    cells = class_activation(visual, score)
    return None if cells is None else upsample_map(relative_excess(cells), side=crop.shape[0])


def class_activation(
    tower: "torch.nn.Module",
    score: "Callable[[], torch.Tensor]",
    *,
    layer: TargetLayer | None = None,
) -> np.ndarray | None:
    """Grad-CAM of any network: (h, w) float32 ≥ 0 cells; None when no layer of it has places.

    `score()` runs the tower on one picture and gives one number, e.g. a classifier's fake logit.
    `layer` is to be named where pictures are not square: only square maps are found unaided.
    """
    import torch

    with torch.enable_grad():
        layer = layer or last_token_layer(tower) or last_convolutional(tower, score)
        if layer is None:
            return None
        value, output = _watched(layer.module, score)
        (gradient,) = torch.autograd.grad(value, output)
    return weight_activations(layer.places(output.detach()), layer.places(gradient))


def weight_activations(activation: "torch.Tensor", gradient: "torch.Tensor") -> np.ndarray:
    """Both (channels, h, w): channels weighted by their mean gradient, summed, negatives cut."""
    weights = gradient.float().mean(dim=(1, 2))
    cells = (weights[:, None, None] * activation.float()).sum(dim=0).clamp(min=0)
    found: np.ndarray = cells.cpu().numpy()
    return found


def last_token_layer(tower: "torch.nn.Module") -> TargetLayer | None:
    """The norm before the last attention of open_clip's or timm's ViT; None for other towers."""
    blocks: Any = getattr(getattr(tower, "transformer", None), "resblocks", ())
    grid = getattr(tower, "grid_size", None)
    if len(blocks) and grid is not None:
        return TargetLayer(blocks[-1].ln_1, tuple(grid), prefix=1)
    trunk: Any = getattr(tower, "trunk", tower)
    norm = getattr(trunk.blocks[-1], "norm1", None) if hasattr(trunk, "blocks") else None
    grid = getattr(getattr(trunk, "patch_embed", None), "grid_size", None)
    if norm is None or grid is None:
        return None
    return TargetLayer(norm, tuple(grid), prefix=int(getattr(trunk, "num_prefix_tokens", 0)))


def last_convolutional(
    tower: "torch.nn.Module", score: "Callable[[], torch.Tensor]"
) -> TargetLayer | None:
    """The module that last gave channels over places, found by running the tower once.

    One channel alone is a map already, and one place alone is pooled: neither counts.
    """
    import torch

    ours, found = threading.get_ident(), list[torch.nn.Module]()

    def hook(module: torch.nn.Module, _: object, output: object) -> None:
        # The encoder may be indexing in another thread, whose pass is at another layer.
        if threading.get_ident() != ours:
            return
        if isinstance(output, torch.Tensor) and output.ndim == 4:
            _, channels, height, width = output.shape
            if channels > 1 and height == width > 1:
                found.append(module)

    handles = [module.register_forward_hook(hook) for module in tower.modules()]
    try:
        with torch.no_grad():
            score()
    finally:
        for handle in handles:
            handle.remove()
    return TargetLayer(found[-1]) if found else None


def _watched(
    module: "torch.nn.Module", score: "Callable[[], torch.Tensor]"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """The score, and what the module gave while it was computed."""
    ours, seen = threading.get_ident(), []

    def hook(_: object, __: object, output: "torch.Tensor") -> None:
        # The encoder may be indexing in another thread.
        if threading.get_ident() == ours:
            seen.append(output)

    handle = module.register_forward_hook(hook)
    try:
        value = score()
    finally:
        handle.remove()
    return value, seen[-1]
