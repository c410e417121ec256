"""What a picture's file says of itself: texts, date, size, orientation, the mark of our forgeries.

Anyone can write or remove metadata, so none of it is proof of anything.
"""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import Image

from tools.media.decoder_process.plain_pictures import is_plain
from tools.media.decoder_process.pool import POOL
from tools.media.odd_pictures import camera_raw, repair
from tools.media.pictures.opening import DECODER_ERRORS, SIGNATURES, open_image

UNMASK_MARK = "Forgery made by Unmask"
"""`tools.forge.forgery` writes this into the metadata of everything it saves."""

_EXIF_DESCRIPTION = 0x010E
_EXIF_TEXTS = {
    "software": 0x0131,
    "camera": 0x0110,
    "author": 0x013B,
    "description": _EXIF_DESCRIPTION,
}
_EXIF_ORIENTATION = 0x0112
_EXIF_IFD, _EXIF_DATE_TAKEN = 0x8769, 0x9003
_EXIF_POSITION = 0x8825


def metadata_texts(data: bytes) -> dict[str, str]:
    """The file's own metadata texts: software, camera, author, description, comment.

    Verbatim; anyone can edit them, so they are data to be shown as a quotation, never obeyed.
    Absent ones are left out. Raises `UnreadableImage`.
    """
    if is_plain(data):
        return _metadata_texts(data)
    return dict(POOL.call("tools.media.pictures.metadata:metadata_for_parent", data)[0]["texts"])


def date_taken(data: bytes) -> datetime | None:
    """When a picture was taken by its EXIF (`DateTimeOriginal`), in the camera's own time zone.

    None without such an entry, or with one that is no date. Anyone can edit it. Raises
    `UnreadableImage`.
    """
    if is_plain(data):
        return _date_taken(data)
    taken = POOL.call("tools.media.pictures.metadata:metadata_for_parent", data)[0]["taken"]
    return None if taken is None else datetime.fromisoformat(taken)


@dataclass(frozen=True, slots=True)
class FileHeader:
    """What stands in a file before its pixels.

    `size_px` is (width, height) as stored, before any turning; None if only decoding tells.
    `holds_position` is true if its EXIF names a place on earth.
    """

    size_px: tuple[int, int] | None
    holds_position: bool


def read_header(data: bytes) -> FileHeader:
    """The header of an image file. Raises `UnreadableImage`."""
    if is_plain(data):
        return _header(data)
    found = POOL.call("tools.media.pictures.metadata:metadata_for_parent", data)[0]
    size = found["size"]
    return FileHeader(None if size is None else (int(size[0]), int(size[1])), found["position"])


def metadata_for_parent(data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """In the decoder process: the texts of a picture, when it was taken, and its header."""
    texts, taken, header = _metadata_texts(data), _date_taken(data), _header(data)
    when = None if taken is None else taken.isoformat()
    told = {"texts": texts, "taken": when}
    yield told | {"size": header.size_px, "position": header.holds_position}, b""


def _header(data: bytes) -> FileHeader:
    developed, as_raw = _developed(data)
    with open_image(developed) as image:
        try:
            placed = image.getexif().get_ifd(_EXIF_POSITION)
        except DECODER_ERRORS:
            placed = {}
        return FileHeader(None if as_raw else image.size, {2, 4} <= placed.keys())


def _metadata_texts(data: bytes) -> dict[str, str]:
    with open_image(repair.strip_pixels(_developed(data)[0])) as image:
        texts = {
            # EXIF, or a PNG text chunk of that name.
            name: _exif(image, tag) or image.info.get(name.title())
            for name, tag in _EXIF_TEXTS.items()
        }
        texts["comment"] = image.info.get("comment") or image.info.get("Comment")
    plain = {
        name: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for name, value in texts.items()
    }
    return {
        name: value for name, value in plain.items() if isinstance(value, str) and value.strip()
    }


def _date_taken(data: bytes) -> datetime | None:
    with open_image(repair.strip_pixels(_developed(data)[0])) as image:
        try:
            written = image.getexif().get_ifd(_EXIF_IFD).get(_EXIF_DATE_TAKEN)
        except DECODER_ERRORS:
            return None
    with contextlib.suppress(ValueError):
        return datetime.strptime(str(written).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    return None


def _developed(data: bytes) -> tuple[bytes, bool]:
    """The JPEG in a camera raw that Pillow cannot open, or the bytes; and whether it is such a raw.

    A raw without a large JPEG stays as it is.
    """
    raw = None if data.startswith(SIGNATURES) else camera_raw.read_camera_raw(data)
    return (data, False) if raw is None else (raw.preview or data, True)


def has_unmask_mark(image: Image.Image) -> bool:
    """Search the fields the forge writes: EXIF description, JPEG comment, PNG text (in `info`)."""
    values: Iterable[object] = (*image.info.values(), _exif(image, _EXIF_DESCRIPTION))
    mark = UNMASK_MARK.encode()
    return any(
        mark in value if isinstance(value, bytes) else UNMASK_MARK in value
        for value in values
        if isinstance(value, (bytes, str))
    )


def exif_orientation(image: Image.Image) -> int | None:
    """The orientation in the EXIF, 1 (upright) to 8; None without one."""
    orientation = _exif(image, _EXIF_ORIENTATION)
    return orientation if isinstance(orientation, int) else None


def _exif(image: Image.Image, tag: int) -> object:
    """One EXIF value, or None; broken EXIF does not prevent decoding."""
    try:
        return image.getexif().get(tag)
    except DECODER_ERRORS:
        return None
