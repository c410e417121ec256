"""Where the encoder's own tower sees a forgery: a map that its training supervised."""

import numpy as np

from tools.localisers.protocol import Head, MapEncoder

METHOD = "the encoder tower's own map of forged cells; 80th percentile over the region"
LIMITS = "It learnt from forgeries made by the forge; other kinds can leave it dark or mislead it."

STRONG_LOGITS, WEAK_LOGITS = 2.0, 1.2
"""From here on a region reads strong, or weak.

Chosen on LFW training persons, measured on validation persons (`python -m evals run localisers`):
the region that scored highest had been forged in 84 % of 75 region swaps (chance 30 %) and 89 % of
53 inpaintings (chance 64 %). Of the regions that read strong 71 % and 97 % had been forged: next
to a swapped part its neighbours light up. Of the forged regions about half read strong or weak. On
150 authentic photographs no region read strong, on 4 % of them some region read weak.
"""


def tower_map(crop: np.ndarray, *, encoder: MapEncoder, head: Head) -> np.ndarray | None:
    """The tower's map of an aligned face (s, s, 3) uint8 RGB: (s, s) float32 logits, or None.

    None when the encoder's architecture makes no map. `head` has no part in it.

    Does not show: by what a place was changed; a cell of the pocket encoder is a sixteenth of
    the face crop wide, half of an eye. It was supervised with the forge's families, so a
    forgery of another kind can stay dark, and a dark map is no proof of authenticity.
    """
    return encoder.evidence_map(crop)
