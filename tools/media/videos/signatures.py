"""Recognises video files by their signatures, and identifies them by SHA-256."""

from pathlib import Path

from tools.media.hashing import read_sha256
from tools.media.skip_reasons import UnreadableImage

_SIGNATURES = (
    b"\x1aE\xdf\xa3",  # Matroska, WebM
    b"FLV\x01",
    b"OggS",
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"0&\xb2u\x8ef\xcf\x11",  # ASF, WMV
    b"\x06\x0e+4\x02\x05\x01\x01",  # MXF
)
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")  # any can be QuickTime's first
_PICTURE_BRANDS = frozenset(
    (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
     b"crx ")
)  # fmt: skip
_TS_SYNC, _TS_PACKETS = 0x47, ((0, 188), (4, 192))  # packets' first offset and size in bytes


def is_video(path: Path) -> bool:
    """Whether a file starts like a video (or like audio in a video container).

    False for unreadable files: decoding them as an image reports the reason.
    """
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except OSError:
        return False
    if head[4:8] in _ATOMS:
        return head[4:8] != b"ftyp" or _PICTURE_BRANDS.isdisjoint(_brands(head))
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    if head.startswith(_SIGNATURES):
        return True
    packets = [head[at::size][:3] for at, size in _TS_PACKETS]
    return bytes([_TS_SYNC] * 3) in packets and not head.startswith(b"GIF8")


def _brands(head: bytes) -> set[bytes]:
    """The major and compatible brands of an ISO base media file."""
    end = int.from_bytes(head[:4], "big")
    return {head[8:12]} | {head[at : at + 4] for at in range(16, min(end, len(head)), 4)}


def video_sha256(path: Path) -> str:
    """A video's identifier: the SHA-256 of its bytes (64 hex digits), read in chunks."""
    try:
        return read_sha256(path)
    except FileNotFoundError as error:
        raise UnreadableImage("missing") from error
    except OSError as error:
        raise UnreadableImage("unreadable", error.strerror or str(error)) from error
