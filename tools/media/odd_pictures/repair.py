"""Repairs image files that decoders refuse although all pixel data are present.

Nothing is guessed: only bytes that decide no pixel are removed, and a file with missing pixels
stays refused.
"""

import re
import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_STARTS = (b"\xff\xd8\xff", _PNG, b"GIF87a", b"GIF89a")
_MOST_JUNK = 1024  # bytes
# Whitespace, and text such as the HTTP headers of a saved response. Other bytes more likely belong
# to a file that merely contains an image: an archive, a song with a cover.
_JUNK = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r\0 -~]*")
_NO_JUNK = (b"%PDF", b"%!", b"PK")

# Ancillary chunks that change the picture: transparency, animation, orientation.
_NEEDED = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf"))
_PIXELS = frozenset((b"IDAT", b"acTL", b"fcTL", b"fdAT"))
_TEXT = b"tEXt"
_LONGEST_TEXT = 64 * 1024


def strip_leading_junk(data: bytes) -> bytes | None:
    """The image after leading whitespace or lines of text; None if there is no such prefix."""
    starts = [at for start in _STARTS if (at := data[:_MOST_JUNK].find(start)) > 0]
    if not starts or data.startswith(_NO_JUNK):
        return None
    begin = min(starts)
    return data[begin:] if _JUNK.fullmatch(data, 0, begin) else None


def strip_ancillary_chunks(data: bytes) -> bytes | None:
    """A PNG without chunks that decide no pixel or have a wrong checksum; None for other files.

    Removes colour profiles, compressed and very long texts, and every ancillary chunk with a wrong
    checksum. Critical chunks stay: if they are damaged, so is the picture.
    """
    if not data.startswith(_PNG):
        return None
    return _PNG + b"".join(it for it in _chunks(data) if _is_kept(it))


def strip_pixels(data: bytes) -> bytes:
    """A PNG without its pixels: Pillow decodes them all for texts that may stand behind them.

    Other files stay as they are.
    """
    if not data.startswith(_PNG):
        return data
    return _PNG + b"".join(it for it in _chunks(data) if it[4:8] not in _PIXELS)


def _chunks(data: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at : at + 12 + length]
        at += 12 + length


def _is_kept(chunk: bytes) -> bool:
    kind = chunk[4:8]
    if not kind[0] & 0x20:  # upper-case letter: critical chunk (PNG specification, 5.4)
        return True
    if kind not in _NEEDED and not (kind == _TEXT and len(chunk) <= _LONGEST_TEXT):
        return False
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def append_jpeg_end_marker(data: bytes) -> tuple[bytes, bytes] | None:
    """A JPEG without an end marker, completed in two different ways; None for other files.

    If both versions decode to the same pixels, no pixel data were missing: a decoder would fill
    missing pixels from the padding added here, which differs between the two.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    return data + bytes(4096) + b"\xff\xd9", data + b"\x55" * 4096 + b"\xff\xd9"
