"""Camera raw files: recognises them and extracts the camera's full-size embedded JPEG.

A raw file holds undeveloped sensor data and one or more JPEGs made by the camera. The full-size
JPEG is the photograph as the camera showed it; thumbnails are never used in its place. We parse the
TIFF directories ourselves rather than use LibRaw (`rawpy`), which would develop the sensor data at
a cost of seconds a file; its pixels would also come from a program that was not there when the
photograph was taken.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MIN_PREVIEW_SIDE_PX = 1000
"""Minimum longer side of an embedded JPEG; a smaller one must be as large as the sensor image."""

FORMAT = "camera raw"

_ORDERS = {b"II": "<", b"MM": ">"}
_MAGICS = (42, 0x4F52, 0x5352, 0x55)  # TIFF; Olympus "RO" and "RS"; Panasonic
_FOREIGN_MAGICS = _MAGICS[1:]
_FUJI, _CANON_3 = b"FUJIFILMCCD-RAW", b"ftypcrx "
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 9: 4, 13: 4}  # bytes of the types that are read
_MOST_DIRECTORIES, _MOST_VALUES = 64, 4096

_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 259, 262
_STRIPS, _ORIENTATION, _STRIP_SIZES, _SUBDIRECTORIES = 273, 274, 279, 330
_JPEG_AT, _JPEG_SIZE, _PANASONIC_JPEG, _EXIF = 513, 514, 46, 34665
_DNG_VERSION, _MOSAIC_TAGS = 50706, (33421, 33422)
_MOSAIC_COLOURS = (32803, 34892)  # colour filter array, linear raw
_MAKERS_COMPRESSIONS = (32767, 32769, 32770, 34713, 34316, 65535)
_JPEG_COMPRESSIONS = (6, 7)
_FRAMES = (0xC0, 0xC1, 0xC2)  # not lossless JPEG (0xC3): it packs sensor data


@dataclass(frozen=True, slots=True)
class CameraRaw:
    """A camera raw: `preview` holds a JPEG's bytes, or None if no embedded JPEG is large enough.

    `orientation` is the file's EXIF orientation, 1 to 8.
    """

    preview: bytes | None
    orientation: int


@dataclass(slots=True)
class _Walk:
    data: bytes
    order: str
    directories: list[dict[int, tuple[int, ...]]] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)

    def follow(self, first: int) -> None:
        waiting = [first]
        while waiting and len(self.directories) < _MOST_DIRECTORIES:
            at = waiting.pop(0)
            if at in self.seen or not 0 < at <= len(self.data) - 2:
                continue
            self.seen.add(at)
            entries, following = self._directory(at)
            self.directories.append(entries)
            waiting += [*entries.get(_SUBDIRECTORIES, ()), *entries.get(_EXIF, ()), following]

    def _directory(self, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
        (number,) = struct.unpack_from(f"{self.order}H", self.data, at)
        end = at + 2 + 12 * number
        if end > len(self.data):
            return {}, 0
        entries = dict(self._entry(at + 2 + 12 * it) for it in range(number))
        has_next = end + 4 <= len(self.data)
        return entries, struct.unpack_from(f"{self.order}I", self.data, end)[0] if has_next else 0

    def _entry(self, at: int) -> tuple[int, tuple[int, ...]]:
        tag, kind, count = struct.unpack_from(f"{self.order}HHI", self.data, at)
        size = _SIZES.get(kind, 0)
        if tag == _PANASONIC_JPEG and size == 1:  # the JPEG itself, as offset and length
            return tag, (struct.unpack_from(f"{self.order}I", self.data, at + 8)[0], count)
        if not size or count > _MOST_VALUES:
            return tag, ()
        place = at + 8
        if size * count > 4:
            (place,) = struct.unpack_from(f"{self.order}I", self.data, place)
        if place + size * count > len(self.data):
            return tag, ()
        letter = {1: "B", 2: "H", 4: "I"}[size]
        return tag, struct.unpack_from(f"{self.order}{count}{letter}", self.data, place)


def read_camera_raw(data: bytes) -> CameraRaw | None:
    """Parse a camera raw file; None for any other file, including ordinary TIFF photographs."""
    if data.startswith(_FUJI):
        at, size = struct.unpack_from(">II", data.ljust(92, b"\0"), 84)
        return CameraRaw(_large_enough([data[at : at + size]], 0), 1)
    if data[4:12] == _CANON_3:
        return CameraRaw(None, 1)
    order = _ORDERS.get(data[:2])
    if order is None or len(data) < 8:
        return None
    magic, first = struct.unpack_from(f"{order}HI", data, 2)
    if magic not in _MAGICS:
        return None
    walk = _Walk(data, order)
    walk.follow(first)
    if magic not in _FOREIGN_MAGICS and data[8:10] != b"CR" and not _is_raw(walk.directories):
        return None
    sensor = max((_longer(entries) for entries in walk.directories), default=0)
    turned = next((it[_ORIENTATION] for it in walk.directories if it.get(_ORIENTATION)), (1,))
    return CameraRaw(_large_enough(list(_jpegs(walk)), sensor), turned[0])


def tiff_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of the largest image in a TIFF's directories; None for other files."""
    order = _ORDERS.get(data[:2])
    if order is None or len(data) < 8 or struct.unpack_from(f"{order}H", data, 2)[0] != 42:
        return None
    walk = _Walk(data, order)
    walk.follow(struct.unpack_from(f"{order}I", data, 4)[0])
    sizes = [(_one(it, _WIDTH), _one(it, _HEIGHT)) for it in walk.directories]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _is_raw(directories: list[dict[int, tuple[int, ...]]]) -> bool:
    def is_raw(entries: dict[int, tuple[int, ...]]) -> bool:
        return (
            _DNG_VERSION in entries
            or any(tag in entries for tag in _MOSAIC_TAGS)
            or _one(entries, _PHOTOMETRIC) in _MOSAIC_COLOURS
            or _one(entries, _COMPRESSION) in _MAKERS_COMPRESSIONS
        )

    return any(map(is_raw, directories))


def _jpegs(walk: _Walk) -> Iterator[bytes]:
    """The JPEG streams listed in the directories, in the order found."""
    for entries in walk.directories:
        places = [(_one(entries, _JPEG_AT), _one(entries, _JPEG_SIZE))]
        if len(entries.get(_PANASONIC_JPEG, ())) == 2:
            places.append((entries[_PANASONIC_JPEG][0], entries[_PANASONIC_JPEG][1]))
        whole = len(entries.get(_STRIPS, ())) == 1
        if whole and _one(entries, _COMPRESSION) in _JPEG_COMPRESSIONS:
            places.append((_one(entries, _STRIPS), _one(entries, _STRIP_SIZES)))
        yield from (walk.data[at : at + size] for at, size in places if at and size)


def _large_enough(jpegs: list[bytes], sensor_side: int) -> bytes | None:
    """The largest JPEG, if large enough; data that are not JPEG, or lossless JPEG, do not count."""
    sides = [max(_jpeg_size(jpeg)) for jpeg in jpegs]
    largest = max(sides, default=0)
    if largest >= MIN_PREVIEW_SIDE_PX or 0 < 0.9 * sensor_side <= largest:
        return jpegs[sides.index(largest)]
    return None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the frame header of a displayable JPEG; (0, 0) otherwise."""
    at = 2 if data.startswith(b"\xff\xd8") else len(data)
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(
                data[at + 5 : at + 7], "big"
            )
        at += 1 if kind == 0xFF else 2 + length
    return 0, 0


def _longer(entries: dict[int, tuple[int, ...]]) -> int:
    return max(_one(entries, _WIDTH), _one(entries, _HEIGHT))


def _one(entries: dict[int, tuple[int, ...]], tag: int) -> int:
    values = entries.get(tag, ())
    return values[0] if values else 0
