"""Perceptual hashes: near-equal numbers for pictures with a near-equal coarse layout."""

import cv2
import numpy as np

from tools.media.pictures.pixels import Pixels


def perceptual_hash(pixels: Pixels) -> int:
    """64-bit hash (unsigned) that survives re-encoding, scaling and mild changes of light.

    pHash (Zauner 2010, §3.2.1): grey 32×32, DCT-II, the 8×8 lowest frequencies without the constant
    row and column, each compared with their median. Ten lines on cv2 replace the imagehash package,
    which would bring PyWavelets for hashes that we do not use.

    Does not show: that two images are the same photograph. Near-equal hashes mean a near-equal
    coarse layout; featureless images all look alike; a crop or a mirror image looks different.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[1:9, 1:9]
    # Rounded, so that the bits of a featureless image are not floating-point noise.
    low = np.round(low, 2)
    bits = np.packbits(low > np.median(low))
    return int.from_bytes(bits.tobytes(), "big")


def hash_distance(a: int, b: int) -> int:
    """Hamming distance of two perceptual hashes: 0 to 64; about 32 for unrelated images."""
    return (a ^ b).bit_count()
