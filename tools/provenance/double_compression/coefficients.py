"""The luma of a JPEG as it was decoded, and the coefficients of its 8×8 blocks on any grid."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from tools.media.pictures.opening import open_image, translate_decoder_errors
from tools.media.skip_reasons import UnreadableImage
from tools.provenance.quantisation import Table

DECODED_PIXELS_MOST = 60_000_000
_SIDE_MOST = 1024  # px that are looked at in each direction, in the middle
_LEAST_BLOCKS = 150
_FLAT_MOST = 0.4  # share of blocks of one grey level
_CLIPPED = 2  # grey levels


@dataclass(frozen=True, slots=True, eq=False)
class Luma:
    """Decoded luma `grey` (h, w) uint8, whose rows and columns 0 begin a block of the file.

    `table` are the luma steps with which it was last quantised, row by row.
    """

    grey: np.ndarray
    table: Table


def read_luma(data: bytes) -> Luma | None:
    """The middle of a JPEG's luma.

    None for what is no JPEG in grey or YCbCr, is larger than 60 megapixels or cannot be decoded.
    """
    try:
        with open_image(data) as image:
            if not isinstance(image, JpegImageFile) or not _has_whole_luma(image):
                return None
            with translate_decoder_errors():
                image.draft("L", None)
                image.load()
                grey = np.asarray(image)
            table = image.quantization.get(image.layer[0][3])
    except UnreadableImage:
        return None
    if grey.ndim != 2 or table is None or len(table) != 64 or min(table) < 1:
        return None
    return Luma(_middle(grey), tuple(table))


def _has_whole_luma(image: JpegImageFile) -> bool:
    """Whether the first component is luma at the picture's own resolution."""
    if image.mode not in ("L", "RGB") or image.width * image.height > DECODED_PIXELS_MOST:
        return False
    if image.mode == "RGB" and image.info.get("adobe_transform") == 0:
        return False  # stored as RGB
    first, *others = image.layer
    return all(first[1] >= it[1] and first[2] >= it[2] for it in others)


def _middle(grey: np.ndarray) -> np.ndarray:
    top, left = (max(0, side - _SIDE_MOST) // 16 * 8 for side in grey.shape)
    return grey[top : top + _SIDE_MOST, left : left + _SIDE_MOST]


def can_be_judged(luma: Luma) -> bool:
    """Whether a picture is large enough, and no drawing, diagram or picture of text.

    Those are of one colour in large part, and their coefficients take few values, which looks like
    rounding.
    """
    blocks = _blocks(luma.grey, 0, 0)
    if np.count_nonzero(_unclipped(blocks)) < _LEAST_BLOCKS:
        return False
    return float((blocks.max(axis=1) == blocks.min(axis=1)).mean()) <= _FLAT_MOST


def block_coefficients(
    grey: np.ndarray, places: Sequence[tuple[int, int]], *, top: int = 0, left: int = 0
) -> np.ndarray:
    """The DCT of all whole blocks on the grid that begins at `top`, `left`: (blocks, places).

    `places` are (row, column) of the wanted coefficients, which are scaled as in a JPEG (ITU-T
    T.81, A.3.3). Blocks that may have been clipped are left out.
    """
    blocks = _blocks(grey, top, left)
    levels = blocks[_unclipped(blocks)].astype(np.float32) - 128
    return np.asarray(levels @ _kernels(tuple(places)))


def _blocks(grey: np.ndarray, top: int, left: int) -> np.ndarray:
    """The whole blocks of a grid: (blocks, 64)."""
    high, wide = max(0, grey.shape[0] - top) // 8, max(0, grey.shape[1] - left) // 8
    part = grey[top : top + 8 * high, left : left + 8 * wide]
    return part.reshape(high, 8, wide, 8).swapaxes(1, 2).reshape(-1, 64)


def _unclipped(blocks: np.ndarray) -> np.ndarray:
    """Which blocks keep away from black and white: the others may have been clipped on decoding."""
    low, high = blocks.min(axis=1), blocks.max(axis=1)
    return np.asarray((low > _CLIPPED) & (high < 255 - _CLIPPED))


@cache
def _kernels(places: tuple[tuple[int, int], ...]) -> np.ndarray:
    at = np.arange(8)
    waves = np.cos((2 * at[None] + 1) * at[:, None] * np.pi / 16) / 2
    waves[0] = np.sqrt(1 / 8)
    columns = [np.outer(waves[row], waves[column]).ravel() for row, column in places]
    return np.stack(columns, axis=1).astype(np.float32)
