"""Decoded images as pixels: turned upright, 8-bit RGB."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tools.media.odd_pictures.bit_depth import to_uint8
from tools.media.pictures.metadata import exif_orientation
from tools.media.pictures.opening import translate_decoder_errors

Pixels = NDArray[np.uint8]

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned(image: Image.Image, orientation: int | None) -> Image.Image:
    """An image turned upright by an EXIF orientation; unknown ones leave it as it is."""
    turn = _UPRIGHT.get(orientation or 1)
    return image if turn is None else image.transpose(turn)


def apply_exif_orientation(image: Image.Image) -> Image.Image:
    """The current frame of an image, rotated by the image's EXIF orientation."""
    return turned(image, exif_orientation(image))


def to_rgb(image: Image.Image) -> Pixels:
    """A decoded image of any mode as (h, w, 3) uint8 RGB, transparency composited over white."""
    if image.mode == "F" or image.mode.startswith("I"):
        grey = to_uint8(np.asarray(image))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        with translate_decoder_errors():
            layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, "white")
        image = Image.alpha_composite(white, layers)
    with translate_decoder_errors():
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))
