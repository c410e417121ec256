"""What can be said of a picture by looking: its format, size, faces, quality and metadata.

Metadata is text from outside: it is cut and stripped of control characters, stands between the
quotes of a JSON string, and takes no part in any verdict.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

from tools.media.images import Photo
from tools.search.query import NoFace, SeveralFaces
from tools.search.scoring import EmbeddedFace
from tools.verdict.handles import sanitise_text

PICTURE_SIDE_PX = 224
"""Longest side of a picture that a model is shown."""

_LARGE_PX, _MEDIUM_PX = 1200, 480
_WITHOUT_DIGITS = {"JPEG2000": "JPEG", "MP4": "MPEG video"}
"""A model sees words only."""


class ImageSource(Protocol):
    """Where pictures come from by handle; a Workspace is one."""

    def photo(self, handle: str) -> Photo:
        """The picture, decoded."""

    def metadata(self, handle: str) -> Mapping[str, str]:
        """What its file says about itself."""

    def count_faces(self, handle: str) -> int:
        """How many faces were found in it; of a query video, how many persons."""

    def face(self, handle: str) -> EmbeddedFace:
        """The face that is meant."""


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """A picture by handle: `pixels` (h, w, 3) uint8 RGB; `faces` how many were found.

    `quality` names the problems of the face that is meant, none when it is usable or when there
    is no one face; `metadata` are texts as the file holds them, unquoted.
    """

    handle: str
    format: str
    pixels: np.ndarray
    faces: int
    quality: tuple[str, ...]
    metadata: Mapping[str, str]

    def to_words(self) -> dict[str, Any]:
        """For a model: words only; metadata, cut, as data."""
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


def describe(pictures: ImageSource, handle: str) -> Description:
    """Look at a query photo or a hit; ToolError when there is no such picture."""
    photo = pictures.photo(handle)
    return Description(
        handle=handle,
        format=photo.format,
        pixels=photo.pixels,
        faces=pictures.count_faces(handle),
        quality=_quality(pictures, handle),
        metadata=pictures.metadata(handle),
    )


def image_content_block(pixels: np.ndarray, *, side: int = PICTURE_SIDE_PX) -> dict[str, Any]:
    """A picture, at most `side` px large, as LangChain's standard image block."""
    scale = min(1.0, side / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    text = base64.b64encode(jpeg.tobytes()).decode("ascii")
    return {"type": "image", "base64": text, "mime_type": "image/jpeg"}


def _quality(pictures: ImageSource, handle: str) -> tuple[str, ...]:
    try:
        return pictures.face(handle).face.quality.problems
    except (NoFace, SeveralFaces):
        return ()
