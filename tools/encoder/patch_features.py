"""Patch features: an encoder's local features at each position of an image, before pooling.

One function for every architecture: the pocket tower's cells, a ViT's patch tokens, or the last
feature map of a convolutional tower.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.encoder.clip import Encoder


def patch_features(encoder: Encoder, crops: Sequence[np.ndarray]) -> np.ndarray | None:
    """Features of every cell of images (s, s, 3) uint8 RGB: (n, h, w, c) float32.

    In image order. None if the architecture gives no spatial features.
    """
    import torch

    tower = getattr(encoder.model, "visual", None)
    own = getattr(getattr(tower, "trunk", None), "cells", None)
    general = getattr(tower, "forward_intermediates", None)
    looks: Any = own or general
    if looks is None:
        return None
    with torch.inference_mode():
        batch = encoder.preprocess(crops)
        if own is not None:
            maps = looks(batch)[0]
        else:
            # For a ViT, the patch tokens only: the class token has no position.
            maps = looks(batch, indices=1, intermediates_only=True)["image_intermediates"][-1]
        cells: np.ndarray = maps.permute(0, 2, 3, 1).float().cpu().numpy()
    return cells
