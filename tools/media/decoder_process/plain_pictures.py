"""Which picture files are small and plain enough to be decoded without a process of their own.

JPEG, PNG and WebP, still, of moderate size, with headers that say nothing unusual: what nearly
every photograph is. Only headers are read.
"""

MOST_PIXELS = 25_000_000
_MOST_SCANS = 40  # of a progressive JPEG; encoders write about ten, and each costs a whole pass
_MOST_CHUNKS = 10_000

_PNG = b"\x89PNG\r\n\x1a\n"
_ANIMATED = b"acTL"
_FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive
_OTHER_FRAMES = frozenset({*range(0xC3, 0xD0)} - {0xC4, 0xC8, 0xCC})
_START_OF_SCAN, _END = 0xDA, 0xD9
_ANIMATION_FLAG = 0x02


def is_plain(data: bytes) -> bool:
    """Whether a file's bytes are a plain JPEG, PNG or WebP; False also for damaged headers."""
    if data.startswith(b"\xff\xd8\xff"):
        return _is_plain_jpeg(data)
    if data.startswith(_PNG):
        return _is_plain_png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _is_plain_webp(data)
    return False


def _is_moderate(width: int, height: int) -> bool:
    return 0 < width * height <= MOST_PIXELS


def _is_plain_jpeg(data: bytes) -> bool:
    at, frames = 2, 0
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == _START_OF_SCAN:
            # Compressed data have a zero after 0xFF, so that this finds scans only, besides those
            # of thumbnails.
            return frames == 1 and data.count(b"\xff\xda") <= _MOST_SCANS
        if kind in _OTHER_FRAMES or kind == _END:
            return False
        if kind in _FRAMES:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            frames += 1
            if data[at + 4] != 8 or not _is_moderate(width, height):
                return False
        at += 1 if kind == 0xFF else 2 + length
    return False


def _is_plain_png(data: bytes) -> bool:
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if data[12:16] != b"IHDR" or not _is_moderate(width, height):
        return False
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            return True
        if data[at + 4 : at + 8] == _ANIMATED:
            return False
        at += 12 + int.from_bytes(data[at : at + 4], "big")
    return False


def _is_plain_webp(data: bytes) -> bool:
    kind = data[12:16]
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        still = len(data) >= 30 and not data[20] & _ANIMATION_FLAG
        return still and _is_moderate(width, height)
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return _is_moderate(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    width, height = (int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return kind == b"VP8 " and _is_moderate(width, height)
