"""What an encoder's tower sees at each place of a picture, before it is made one feature.

One function for every architecture: the pocket tower's cells, the patch tokens of a ViT, the last
map of a convolutional tower.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tools.encoder.clip import Encoder


def patch_features(encoder: Encoder, crops: Sequence[np.ndarray]) -> np.ndarray | None:
    """Features of every cell of pictures (s, s, 3) uint8 RGB: (n, h, w, c) float32.

    Row by row as in the picture. None where the architecture has no places to tell apart.
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
            # Of a ViT's tokens those of the patches; the class token has no place.
            maps = looks(batch, indices=1, intermediates_only=True)["image_intermediates"][-1]
        cells: np.ndarray = maps.permute(0, 2, 3, 1).float().cpu().numpy()
    return cells
