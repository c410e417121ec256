"""The segments of a JPEG before its pixels, read from the bytes, whatever follows them.

ITU-T T.81, annex B. Reading stops at the first thing that is no segment, so a file cut off at any
byte gives what precedes the cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_ALONE = {0x01, *range(0xD0, 0xD9)}
_SEGMENTS_MOST = 4000

# Position in an 8×8 block, row by row, of each value in the order of a quantisation table.
ZIGZAG = tuple(
    y * 8 + x
    for x, y in sorted(
        ((x, y) for x in range(8) for y in range(8)),
        key=lambda it: (sum(it), it[1] if sum(it) % 2 else it[0]),
    )
)


@dataclass(slots=True)
class JpegParts:
    """What a JPEG holds before its pixels.

    `tables` maps a table's number to its 64 values, row by row; `size` is (width, height) in px, or
    None; `sampling` holds (horizontal, vertical) per component. `exif` begins with the TIFF header.
    """

    exif: bytes = b""
    xmp: bytes = b""
    comments: list[bytes] = field(default_factory=list)
    tables: dict[int, tuple[int, ...]] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    sampling: tuple[tuple[int, int], ...] = ()
    progressive: bool = False


def read_segments(data: bytes) -> JpegParts:
    """Read the segments up to the first scan; what is malformed is left out."""
    parts = JpegParts()
    for marker, body in _segments(data):
        if marker == 0xE1 and body.startswith(_EXIF) and not parts.exif:
            parts.exif = body[len(_EXIF) :]
        elif marker == 0xE1 and body.startswith(_XMP) and not parts.xmp:
            parts.xmp = body[len(_XMP) :]
        elif marker == 0xFE:
            parts.comments.append(body)
        elif marker == 0xDB:
            parts.tables.update(_tables(body))
        elif marker in _FRAMES and len(body) >= 6 and parts.size is None:
            height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
            parts.size = (width, height)
            parts.progressive = marker in (0xC2, 0xC6, 0xCA, 0xCE)
            held = [body[6 + 3 * n : 9 + 3 * n] for n in range(body[5])]
            parts.sampling = tuple((it[1] >> 4, it[1] & 15) for it in held if len(it) == 3)
    return parts


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 2
    for _ in range(_SEGMENTS_MOST):
        if data[:2] != b"\xff\xd8" or data[at : at + 1] != b"\xff" or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xDA or length < 2 or at + 2 + length > len(data):
            return
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length


def _tables(body: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    at = 0
    while at < len(body):
        width, number = (body[at] >> 4) + 1, body[at] & 15
        held = body[at + 1 : at + 1 + 64 * width]
        if width > 2 or number > 3 or len(held) < 64 * width:
            return
        table = [0] * 64
        for index, place in enumerate(ZIGZAG):
            table[place] = int.from_bytes(held[index * width : (index + 1) * width])
        yield number, tuple(table)
        at += 1 + 64 * width
