"""Counts a picture's frames, pages and scans by its headers, and refuses files with far too many.

A file of a few kilobytes can hold thousands of frames on a huge canvas, and decoding one of them
means going through all before it. Only headers are read here: the largest files take milliseconds.
"""

import re
import struct

from PIL import Image

from tools.media.skip_reasons import UnreadableImage

MOST_PARTS = 10_000
"""Frames or pages of a file: at 25 frames per second, an animation of more than six minutes."""

MOST_FRAME_PIXELS = 1_200_000_000
"""Frames × width × height of an animation: 578 frames of 1920 × 1080. Pages are not counted so,
because a page is decoded without those before it."""

MOST_PAGES = 5_000
"""Pages of a TIFF, whose directories are read several times, each in a third of a millisecond."""

MOST_SCANS = 100
"""Scans of a progressive JPEG: encoders write about ten, and each costs a pass over all pixels."""

_ANIMATIONS = frozenset(("GIF", "WEBP", "PNG", "AVIF"))
_SCAN = b"\xff\xda"
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # restarts and stuffed bytes go on
_STANDALONE = frozenset((0x01, *range(0xD0, 0xD9)))
_GIF_BLOCK = re.compile(rb"[,!;]")  # Pillow skips what lies between blocks
_SHORTEST_GIF_FRAME = 12
_END = 0xD9


def refuse_too_many_parts(image: Image.Image, data: bytes) -> None:
    """Raise UnreadableImage ("too many frames", or "too slow") for a file opened but not decoded.

    `data` are its bytes.
    """
    format, pixels = image.format, image.width * image.height
    if format in ("JPEG", "MPO"):
        scans = jpeg_scans(data)
        if scans > MOST_SCANS:
            raise UnreadableImage("too slow", f"more than {MOST_SCANS} scans in one JPEG")
    elif format == "TIFF":
        if tiff_pages(data, at_most=MOST_PAGES) > MOST_PAGES:
            raise UnreadableImage("too many frames", f"more than {MOST_PAGES} pages")
    elif format in _ANIMATIONS:
        allowed = min(MOST_PARTS, MOST_FRAME_PIXELS // max(1, pixels))
        if _frames(image, data, at_most=allowed) > max(1, allowed):
            size = f"{image.width} × {image.height} pixels"
            raise UnreadableImage("too many frames", f"more than {allowed} frames of {size}")


def _frames(image: Image.Image, data: bytes, *, at_most: int) -> int:
    if image.format == "GIF":  # only going through the file tells
        return gif_frames(data, at_most=at_most)
    return int(getattr(image, "n_frames", 1))


def jpeg_scans(data: bytes) -> int:
    """The scans of the first image in a JPEG; never more than one above `MOST_SCANS`.

    Thumbnails and what cameras append (videos, depth maps) do not count.
    """
    if data.count(_SCAN) <= MOST_SCANS:
        return data.count(_SCAN)
    at, scans = 2, 0
    while scans <= MOST_SCANS and (found := _NEXT_MARKER.search(data, at)):
        at, kind = found.start(), data[found.start() + 1]
        if kind == _END:
            break
        scans += kind == _SCAN[1]
        at += 2 if kind in _STANDALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return scans


def gif_frames(data: bytes, *, at_most: int) -> int:
    """The frames of a GIF; counting stops at one more than `at_most`."""
    if len(data) < _SHORTEST_GIF_FRAME * at_most:
        return 0
    at, frames = 13 + _palette_bytes(data[10:11]), 0
    while frames <= at_most and (found := _GIF_BLOCK.search(data, at)):
        at, kind = found.end(), found[0]
        if kind == b";":
            break
        if kind == b",":
            frames += 1
            at += 9 + _palette_bytes(data[at + 8 : at + 9])
        at += 1  # the size of LZW codes, or the kind of an extension
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return frames


def _palette_bytes(flags: bytes) -> int:
    return 3 * 2 << (flags[0] & 7) if flags and flags[0] & 0x80 else 0


def tiff_pages(data: bytes, *, at_most: int) -> int:
    """The directories in a TIFF's chain; counting stops at one more than `at_most`."""
    order = ">" if data.startswith(b"MM") else "<"
    big = data[2:4] in (b"+\0", b"\0+")
    offset, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen = set[int]()
    try:
        (at,) = struct.unpack_from(order + offset, data, 8 if big else 4)
        while at and at not in seen and len(seen) <= at_most:
            seen.add(at)
            (number,) = struct.unpack_from(order + count, data, at)
            end = at + struct.calcsize("=" + count) + number * entry
            (at,) = struct.unpack_from(order + offset, data, end)
    except (struct.error, OverflowError):  # the chain leaves the file
        return len(seen)
    return len(seen)
