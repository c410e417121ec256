"""Heat map overlay on a face, for screen and report."""

import cv2
import numpy as np

FULL_HEAT = 3.0
_STRONGEST = 0.65


def overlay_heatmap(
    aligned: np.ndarray, heat: np.ndarray, *, full_heat: float = FULL_HEAT
) -> np.ndarray:
    """Overlay a heat map on a face (h, w, 3) uint8 RGB; same size, uint8 RGB.

    `heat` of any size is in logits, or in the unit of `full_heat`. Values below zero are not drawn,
    and the colour is constant from `full_heat` on, so that maps of different faces can be compared
    and an empty map stays dark. The face is grey, the heat yellow to red.
    """
    height, width = aligned.shape[:2]
    scaled = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    amount = np.clip(scaled / full_heat, 0, 1)[..., None]
    grey = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    # Yellow to red: differs in lightness, so it works in both themes and for colour-blind people.
    colour = np.concatenate(
        [np.full_like(amount, 255.0), 210.0 * (1 - amount), 40.0 * (1 - amount)], axis=2
    )
    opacity = _STRONGEST * np.sqrt(amount)
    mixed: np.ndarray = np.rint(grey * (1 - opacity) + colour * opacity).astype(np.uint8)
    return mixed
