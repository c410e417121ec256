"""Pictures of a collection that may be the same photograph as a given one, by their hashes.

The index holds a perceptual hash of every picture and of every aligned face. A face swap hardly
changes either: 32 swaps by published tools differ from the photograph they were made from in at
most 12 of 64 bits as pictures, and 28 of them as faces. The faces' hashes also survive crops,
borders and screenshots, which change the pictures' hashes. Mirror images are found as well.

Does not show: that two pictures are the same photograph; only aligning them does.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tools.faces.alignment import face_hash
from tools.gallery.records import PictureLayouts
from tools.media.pictures.perceptual_hash import perceptual_hash

MOST_BITS = 12
"""Maximum number of bits of 64 in which pictures, or aligned faces, of one photograph differ.

Of 1,211 photographs of LFW's validation persons one has on average 0.07 others within it as a
picture and 0.33 as a face.
"""

MOST_LISTED = 24
"""Maximum number of pictures returned of each kind."""


def similar_pictures(
    layouts: PictureLayouts, pixels: np.ndarray, keypoints: np.ndarray
) -> tuple[list[str], list[str]]:
    """Ids of the pictures with a layout like that of a picture (h, w, 3) uint8 RGB, nearest first.

    The second list are those that only a face in them resembles, whose `keypoints` (5, 2) px are
    given. The picture itself may be among them.
    """
    views = (pixels, keypoints), _mirrored(pixels, keypoints)
    as_picture = _bits(layouts.image_hashes, [perceptual_hash(it) for it, _ in views])
    by_face = np.full(len(as_picture), 64)
    np.minimum.at(
        by_face, layouts.face_images, _bits(layouts.face_hashes, [face_hash(*it) for it in views])
    )
    by_face[as_picture <= MOST_BITS] = 64
    return _nearest(layouts.image_ids, as_picture), _nearest(layouts.image_ids, by_face)


def _nearest(ids: Sequence[str], bits: NDArray[np.int_]) -> list[str]:
    nearest = np.argsort(bits, kind="stable")[:MOST_LISTED]
    return [ids[place] for place in nearest if bits[place] <= MOST_BITS]


def _mirrored(pixels: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = np.array(keypoints, float)[[1, 0, 2, 4, 3]]  # left and right change places
    points[:, 0] = pixels.shape[1] - 1 - points[:, 0]
    return np.ascontiguousarray(pixels[:, ::-1]), points


def _bits(hashes: NDArray[np.uint64], of: Sequence[int]) -> NDArray[np.int_]:
    """Differing bits (n,) of each hash from the nearest of several."""
    bits = [np.bitwise_count(hashes ^ np.uint64(it)) for it in of]
    return np.asarray(np.minimum.reduce(bits), int)
