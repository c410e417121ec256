"""A heat map laid over a face, for screen and report."""

import cv2
import numpy as np

FULL_HEAT = 3.0
_STRONGEST = 0.65


def overlay_heatmap(
    aligned: np.ndarray, heat: np.ndarray, *, full_heat: float = FULL_HEAT
) -> np.ndarray:
    """The face (h, w, 3) uint8 RGB with the heat over it, uint8 RGB of the same size.

    `heat` of any size is in logits, or in the unit of `full_heat`: nothing below zero is drawn,
    and from `full_heat` on the colour no longer grows, so that maps of different faces can be
    compared and an empty map stays dark. The face beneath is grey, the heat yellow to red.
    """
    height, width = aligned.shape[:2]
    scaled = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    amount = np.clip(scaled / full_heat, 0, 1)[..., None]
    grey = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    # From yellow to red, readable in both themes and for most colour-blind people by lightness.
    colour = np.concatenate(
        [np.full_like(amount, 255.0), 210.0 * (1 - amount), 40.0 * (1 - amount)], axis=2
    )
    opacity = _STRONGEST * np.sqrt(amount)
    mixed: np.ndarray = np.rint(grey * (1 - opacity) + colour * opacity).astype(np.uint8)
    return mixed
