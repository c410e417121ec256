"""Grad-CAM: which cells of the last spatial layer raised the forgery score.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", ICCV 2017, eq. 1 and 2. For a ViT the layer is the norm before the last attention,
with its patches as cells: after it only the class token reaches the score, so patches have no
gradient. We do not use the package `grad-cam` because it installs a second OpenCV
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
    """A module with spatial output; for tokens, their `grid` and the number of `prefix` tokens."""

    module: "torch.nn.Module"
    grid: tuple[int, int] | None = None
    prefix: int = 0

    def places(self, output: "torch.Tensor") -> "torch.Tensor":
        """The output for one image as (channels, h, w)."""
        if self.grid is None:
            return output[0]
        tokens = output.reshape(-1, output.shape[-1])[self.prefix :]
        return tokens.T.reshape(-1, *self.grid)


def grad_cam(crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead) -> np.ndarray | None:
    """Grad-CAM of an aligned face (s, s, 3) uint8 RGB: (s, s) float32 around 0, or None.

    0 means the mean contribution, 1 twice the mean, -1 none. None if the encoder's tower is not
    differentiable or has no spatial layer, or if the head is not linear.

    Does not show: where a face was forged, nor what lowered the score; a cell is as coarse as the
    layer (an eighth to a thirty-second of the crop) and also depends on its surroundings.
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
    """Grad-CAM of any network: (h, w) float32 ≥ 0 cells; None if it has no spatial layer.

    `score()` runs the tower on one image and returns one number, e.g. a classifier's fake logit.
    `layer` is required for images that are not square: automatic detection finds only square maps.
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
    """Weight channels by their mean gradient, sum them and clip at 0; both (channels, h, w)."""
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
    """The last module with a spatial output, found by running the tower once.

    A single channel is already a map, and a single cell is pooled: neither counts.
    """
    import torch

    ours, found = threading.get_ident(), list[torch.nn.Module]()

    def hook(module: torch.nn.Module, _: object, output: object) -> None:
        # The encoder may be indexing in another thread, whose forward pass also calls this hook.
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
    """The score, and the module's output while it was computed."""
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
