"""Describe a picture without a search: its format, size, faces, quality and metadata.

Metadata is text from outside: it is shortened, stripped of control characters and quoted as a JSON
string, and it does not affect any verdict.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tools.agent_tools.state.pictures import Pictures
from tools.search.checking.impression import Impression
from tools.search.query import NoFace, SeveralFaces
from tools.verdict.handles import sanitise_text

PICTURE_SIDE_PX = 224
"""Longest side of a picture shown to a model."""

_LARGE_PX, _MEDIUM_PX = 1200, 480
_WITHOUT_DIGITS = {"JPEG2000": "JPEG", "MP4": "MPEG video"}
"""Format names without digits, because a model sees words only."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """A picture by handle: `pixels` (h, w, 3) uint8 RGB; `faces` is the number of faces found.

    `quality` lists the problems of the chosen face, empty if it is usable or if no single face is
    chosen; `metadata` are texts as in the file, unquoted. `impression` is what a
    network names; None without the network.
    """

    handle: str
    format: str
    pixels: np.ndarray
    faces: int
    quality: tuple[str, ...]
    metadata: Mapping[str, str]
    impression: Impression | None = None

    def to_words(self) -> dict[str, Any]:
        """For a model: words only; metadata shortened, as data."""
        longest = max(self.pixels.shape[:2])
        return {
            "image": self.handle,
            "format": _WITHOUT_DIGITS.get(self.format, self.format),
            "size": (
                "large" if longest >= _LARGE_PX else "medium" if longest >= _MEDIUM_PX else "small"
            ),
            "faces": "none" if self.faces == 0 else "one" if self.faces == 1 else "several",
            "quality": list(self.quality),
            "metadata": {name: sanitise_text(text) for name, text in self.metadata.items()},
        }


def describe(
    pictures: Pictures, handle: str, *, look: Callable[[str], Impression | None]
) -> Description:
    """Describe a query photo or a hit; `look` gives the impression of it, None without a network.

    ToolError if there is no such picture.
    """
    photo = pictures.photo(handle)
    return Description(
        handle=handle,
        format=photo.format,
        pixels=photo.pixels,
        faces=pictures.count_faces(handle),
        quality=_quality(pictures, handle),
        metadata=pictures.metadata(handle),
        impression=look(handle),
    )


def image_content_block(pixels: np.ndarray, *, side: int = PICTURE_SIDE_PX) -> dict[str, Any]:
    """A picture, at most `side` px large, as LangChain's standard image block."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    text = base64.b64encode(jpeg.tobytes()).decode("ascii")
    return {"type": "image", "base64": text, "mime_type": "image/jpeg"}


def _quality(pictures: Pictures, handle: str) -> tuple[str, ...]:
    try:
        return pictures.face(handle).face.quality.problems
    except (NoFace, SeveralFaces):
        return ()
