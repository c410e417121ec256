"""Files that decoders refuse although every pixel is there, made readable without touching one.

Nothing is guessed: what is left out decides no pixel, and where pixels are missing, the file stays
refused.
"""

import re
import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_STARTS = (b"\xff\xd8\xff", _PNG, b"GIF87a", b"GIF89a")
_MOST_JUNK = 1024  # bytes
# Blanks, and text such as the headers of a saved answer of a server; anything else is likelier a
# file that merely holds a picture: an archive, a song with a cover.
_JUNK = re.compile(rb"(?:\xef\xbb\xbf)?[\t\n\r\0 -~]*")
_NO_JUNK = (b"%PDF", b"%!", b"PK")

# What a picture needs beside its critical chunks: transparency, animation, the way up.
_NEEDED = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf"))
_TEXT = b"tEXt"
_LONGEST_TEXT = 64 * 1024


def strip_leading_junk(data: bytes) -> bytes | None:
    """The picture behind blanks or lines of text before it; None when there is none."""
    starts = [at for start in _STARTS if (at := data[:_MOST_JUNK].find(start)) > 0]
    if not starts or data.startswith(_NO_JUNK):
        return None
    begin = min(starts)
    return data[begin:] if _JUNK.fullmatch(data, 0, begin) else None


def strip_ancillary_chunks(data: bytes) -> bytes | None:
    """A PNG without what decides no pixel, or is damaged beside the pixels; None for other files.

    Left out are profiles, compressed and very long texts, and every ancillary chunk whose checksum
    is wrong. Critical chunks stay as they are: if those are damaged, the picture is.
    """
    if not data.startswith(_PNG):
        return None
    kept, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunk = data[at : at + 12 + length]
        if _is_kept(chunk):
            kept.append(chunk)
        at += 12 + length
    return b"".join(kept)


def _is_kept(chunk: bytes) -> bool:
    kind = chunk[4:8]
    if not kind[0] & 0x20:  # a capital: critical (PNG specification, 5.4)
        return True
    if kind not in _NEEDED and not (kind == _TEXT and len(chunk) <= _LONGEST_TEXT):
        return False
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")


def append_jpeg_end_marker(data: bytes) -> tuple[bytes, bytes] | None:
    """A JPEG without its end marker, ended in two ways; None for other files.

    If both decode to the same pixels, none was missing: a decoder takes missing ones from the
    bytes that are added here, and these differ.
    """
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    return data + bytes(4096) + b"\xff\xd9", data + b"\x55" * 4096 + b"\xff\xd9"
