"""Where the encoder's own tower sees a forgery: a map that its training supervised."""

import numpy as np

from tools.localisers.protocol import Head, MapEncoder

METHOD = "the encoder tower's own map of forged cells; 80th percentile over the region"
LIMITS = "It learnt from forgeries made by the forge; other kinds can leave it dark or mislead it."

STRONG_LOGITS, WEAK_LOGITS = 2.0, 1.2
"""From here on a region reads strong, or weak.

Chosen on LFW training persons. On 154 forged photographs of validation persons (region swaps and
inpainting, JPEG 75 to 95) the region that scored highest had been forged in 91 % (chance: 55 %;
region swaps alone 90 %, chance 29 %); of the regions that read strong 93 % had been forged, of
those that read strong or weak 86 %. On 60 authentic photographs of theirs no region read strong,
and on 3 % of them some region read weak.
"""


def tower_map(crop: np.ndarray, *, encoder: MapEncoder, head: Head) -> np.ndarray | None:
    """The tower's map of an aligned face (s, s, 3) uint8 RGB: (s, s) float32 logits, or None.

    None when the encoder's architecture makes no map. `head` has no part in it.

    Does not show: by what a place was changed; a cell of the pocket encoder is a sixteenth of
    the face crop wide, half of an eye. It was supervised with the forge's families, so a
    forgery of another kind can stay dark, and a dark map is no proof of authenticity.
    """
    return encoder.evidence_map(crop)
