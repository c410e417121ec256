"""EXIF values by name, with the thumbnail's bytes; broken directories are left out."""

from dataclasses import dataclass, field
from datetime import datetime

from PIL import ExifTags, Image

from tools.media.pictures.opening import translate_decoder_errors
from tools.media.skip_reasons import UnreadableImage

_DIRECTORIES = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.IFD1)
_THUMBNAIL_AT, _THUMBNAIL_BYTES = 0x0201, 0x0202
_VALUE_BYTES_MOST = 200_000
_USER_COMMENT = 0x9286
_XP_FIRST, _XP_LAST = 0x9C9B, 0x9C9F
"""Windows' own fields (XPComment and others): UTF-16."""


@dataclass(frozen=True, slots=True)
class Exif:
    """EXIF values: `main`, `photo` (the Exif directory) and `location` (GPS), by tag number.

    `thumbnail` holds the preview's JPEG, or nothing.
    """

    main: dict[int, object] = field(default_factory=dict)
    photo: dict[int, object] = field(default_factory=dict)
    location: dict[int, object] = field(default_factory=dict)
    thumbnail: bytes = b""

    def text(self, tag: int) -> str:
        """A value of the main or the photo directory as text; empty if there is none."""
        value = self.main.get(tag, self.photo.get(tag))
        if tag == _USER_COMMENT or (tag in range(_XP_FIRST, _XP_LAST + 1)):
            return _encoded_text(value, tag)
        if isinstance(value, bytes):
            value = value[:_VALUE_BYTES_MOST].decode("utf-8", "replace")
        return value[:_VALUE_BYTES_MOST].strip("\0 \r\n\t") if isinstance(value, str) else ""

    def number(self, tag: int) -> int | None:
        """A whole number of the main or the photo directory; None if it is none."""
        value = self.main.get(tag, self.photo.get(tag))
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def date(self, tag: int) -> datetime | None:
        """A date of the main or the photo directory: local time of an unknown place, or None."""
        return parse_exif_date(self.text(tag))


def parse_exif(data: bytes) -> Exif:
    """Parse EXIF that begins with its TIFF header; raises UnreadableImage if it is malformed."""
    data = data.removeprefix(b"Exif\0\0")
    held = Image.Exif()
    with translate_decoder_errors():
        held.load(data)
        main = dict(held)
    photo, location, first = (_directory(held, it) for it in _DIRECTORIES)
    start, length = first.get(_THUMBNAIL_AT), first.get(_THUMBNAIL_BYTES)
    thumbnail = b""
    if isinstance(start, int) and isinstance(length, int) and start > 0 and length > 0:
        thumbnail = data[start : start + length]
    return Exif(main, photo, location, thumbnail)


def _directory(held: Image.Exif, which: int) -> dict[int, object]:
    try:
        with translate_decoder_errors():
            return dict(held.get_ifd(which))
    except UnreadableImage:
        return {}


def parse_exif_date(text: str) -> datetime | None:
    """`2026:11:29 07:30:00` as a date; None for anything else, zeros included."""
    try:
        return datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None


def _encoded_text(value: object, tag: int) -> str:
    if isinstance(value, tuple) and all(isinstance(it, int) and 0 <= it < 256 for it in value):
        value = bytes(value)
    if isinstance(value, str):
        return value[:_VALUE_BYTES_MOST].strip("\0 \r\n\t")
    if not isinstance(value, bytes):
        return ""
    code, rest = (b"UNICODE\0", value) if tag != _USER_COMMENT else (value[:8], value[8:])
    rest = rest[:_VALUE_BYTES_MOST]
    if code == b"UNICODE\0":
        little = tag != _USER_COMMENT or rest[1:2] == b"\0"
        text = rest.decode("utf-16-le" if little else "utf-16-be", "replace")
    else:
        text = rest.decode("utf-8", "replace")
    return text.strip("\0 \r\n\t")
