"""What the model may name about a picture: groups of classes, of which one holds."""

from collections.abc import Mapping
from types import MappingProxyType

PICTURE_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "colour": ("colour", "grey", "toned"),
        "sharpness": ("sharp", "soft", "blurred"),
        "compression": ("no", "yes"),
        "screenshot": ("no", "yes"),
        "text": ("no", "yes"),
        "watermark": ("no", "yes"),
        "frame": ("no", "yes"),
        "collage": ("no", "yes"),
        "rephotographed": ("no", "yes"),
        "faces": ("none", "one", "two", "several"),
        "position": ("left", "middle", "right"),
    }
)
"""Groups about the whole picture; the position is that of the largest face."""

FACE_PARTS = ("eyes", "nose", "mouth")
"""Parts of a face that may look altered; eyes with eyebrows."""

WHOLE_FACE = "whole face"
PLACES = (*FACE_PARTS, WHOLE_FACE)
"""What may be named of a face: one part, or all of it."""

BLOCKS = (3, 6, 9, 12)
"""Blocks of the tower whose tokens the heads read, from 1."""
FACE_BLOCKS = 3
"""Of these, the first ones are read for faces: traces of editing fade in the last block."""
