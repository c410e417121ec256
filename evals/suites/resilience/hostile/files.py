"""More than four hundred hostile files, made by code; the same ones for the same seed.

Each has a kind, and says whether it may be read: a file that holds no whole picture must be
refused, and one that is only odd may be either read or refused.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from evals.suites.resilience.hostile import samples
from evals.suites.resilience.hostile.faces import face_pictures
from evals.suites.resilience.hostile.samples import encoded

KINDS = (
    "cut off", "malformed header", "absurd size", "bomb", "disguise", "polyglot", "metadata",
    "video", "camera raw", "faces",
)  # fmt: skip
_MUTATIONS = 6
_HEADER = 96  # bytes that are changed in malformed headers
_CUTS = (0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class HostileFile:
    """A file's name, kind and bytes; `refused` if no door may take it for a picture."""

    name: str
    kind: str
    data: bytes
    refused: bool = False


def hostile_files(seed: int = 0) -> list[HostileFile]:
    """All files, by kind."""
    rng = np.random.default_rng(seed)
    pictures, videos = samples.pictures(), samples.videos()
    makers = (_cut_off, _malformed, _absurd, _bombs, _disguises, _polyglots, _metadata)
    made = [file for maker in makers for file in maker(pictures, rng)]
    faces = [HostileFile(name, "faces", data) for name, data in face_pictures().items()]
    return [*made, *_videos(videos, rng), *_camera_raws(rng), *faces]


# -- damage ------------------------------------------------------------------------------------


def _cut_off(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    for name, data in pictures.items():
        for at in (4, 12, 32, *(int(len(data) * share) for share in _CUTS)):
            # Later pages, frames and pictures of a file may be missing.
            whole = name.startswith(("moving", "several", "pages")) and at > 32
            yield HostileFile(f"cut-{at}-{name}", "cut off", data[:at], refused=not whole)


def _malformed(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    for name, data in pictures.items():
        for number in range(_MUTATIONS):
            changed = bytearray(data)
            for at in rng.integers(3, min(_HEADER, len(data)), 1 + 2 * number):
                changed[at] = rng.integers(256)
            yield HostileFile(f"mutant-{number}-{name}", "malformed header", bytes(changed))


def _absurd(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    sizes = {
        "none": (0, 0), "a-line": (1, 2**31 - 1), "square": (65535, 65535),
        "most": (2**32 - 1,) * 2, "just-under": (14_100, 14_100), "negative": (2**31, 2**31),
    }  # fmt: skip
    for what, (width, height) in sizes.items():
        png = pictures["plain.png"]
        header = struct.pack(">II", width, height) + png[24:29]
        yield _absurdly(what, "png", _with_chunk(png, b"IHDR", header))
        bmp = bytearray(pictures["plain.bmp"])
        bmp[18:26] = struct.pack("<II", width, height)
        yield _absurdly(what, "bmp", bytes(bmp))
        yield _absurdly(what, "ppm", b"P6\n%d %d\n255\n" % (width, height) + bytes(300))
        small = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        gif = bytearray(pictures["plain.gif"])
        gif[6:10] = small
        yield _absurdly(what, "gif", bytes(gif), refused=False)
        jpeg = bytearray(pictures["baseline.jpg"])
        at = jpeg.index(b"\xff\xc0") + 5
        jpeg[at : at + 4] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
        # A decoder fills in what is missing before the end marker, and says nothing.
        yield _absurdly(what, "jpg", bytes(jpeg), refused=width * height > 200_000_000)
        jp2 = bytearray(pictures["plain.jp2"])
        for mark, skip in ((b"ihdr", 4), (b"\xff\x51", 6)):
            at = jp2.index(mark) + skip
            jp2[at : at + 8] = struct.pack(">II", width, height)
        yield _absurdly(what, "jp2", bytes(jp2), refused=width * height > 200_000_000)
        yield _absurdly(what, "tif", _tiff({256: width, 257: height, 258: 8, 259: 1, 262: 1,
                                            273: 8, 277: 1, 278: height, 279: 100}))  # fmt: skip
        webp = bytearray(pictures["lossy.webp"])
        at = webp.index(b"\x9d\x01\x2a") + 3
        webp[at : at + 4] = small
        yield _absurdly(what, "webp", bytes(webp))
        for name in ("plain.heic", "plain.avif"):
            boxes = bytearray(pictures[name])
            at = boxes.index(b"ispe") + 8
            boxes[at : at + 8] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
            # A decoder may go by the coded picture, which has its own, true size.
            yield _absurdly(what, name[-4:], bytes(boxes), refused=False)


def _absurdly(what: str, ending: str, data: bytes, *, refused: bool = True) -> HostileFile:
    return HostileFile(f"size-{what}.{ending}", "absurd size", data, refused=refused)


# -- bombs -------------------------------------------------------------------------------------


def _bombs(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    def bomb(name: str, data: bytes, *, refused: bool = False) -> HostileFile:
        return HostileFile(f"bomb-{name}", "bomb", data, refused=refused)

    png = pictures["plain.png"]
    yield bomb("pixels.png", _flat_png(30_000, 30_000), refused=True)
    yield bomb("under-the-limit.png", _flat_png(14_000, 14_000))
    yield bomb("colours-under-the-limit.png", _flat_png(14_000, 14_000, depth=8, kind=6))
    yield bomb("deep-under-the-limit.png", _flat_png(14_000, 14_000, depth=16, kind=6))
    yield bomb("interlaced.png", _flat_png(9_000, 9_000, depth=8, kind=2, interlaced=1))
    zeros = _zeros(200_000_000)
    yield bomb("text.png", _with_chunk(png, b"zTXt", b"Comment\0\0" + zeros))
    yield bomb("profile.png", _with_chunk(png, b"iCCP", b"p\0\0" + zeros))
    texts = b"".join(_chunk(b"tEXt", b"k%d\0v" % number) for number in range(50_000))
    yield bomb("many-texts.png", png[:33] + texts + png[33:])
    empty = b"".join(_chunk(b"IDAT", b"") for _ in range(50_000))
    yield bomb("many-chunks.png", png[:33] + empty + png[33:])
    yield bomb("frames.png", _moving_png(4_000, frames=3_000), refused=True)
    yield bomb("frames.gif", _moving_gif(6_000, frames=3_000), refused=True)
    yield bomb("frames-under-the-limit.png", _moving_png(2_000, frames=299))
    yield bomb("frames-under-the-limit.gif", _moving_gif(1_000, frames=1_190))
    yield bomb("canvas.gif", _moving_gif(14_000, frames=400), refused=True)
    yield bomb("loops.gif", pictures["moving.gif"][:-1] * 500)
    progressive = pictures["progressive.jpg"]
    yield bomb("scans.jpg", _many_scans(progressive, scans=3_000, side=9_000), refused=True)
    yield bomb("scans-under-the-limit.jpg", _many_scans(progressive, scans=90, side=14_000))
    yield bomb("restarts.jpg", pictures["baseline.jpg"][:-2] + b"\xff\xd0" * 500_000 + b"\xff\xd9")
    comments = (b"\xff\xfe\xff\xff" + bytes(65533)) * 300
    yield bomb("comments.jpg", b"\xff\xd8" + comments + pictures["baseline.jpg"][2:])
    yield bomb("large.jpg", encoded("JPEG", Image.new("L", (13_000, 13_000)), quality=20))
    yield bomb(
        "large.webp", encoded("WEBP", Image.new("RGB", (12_000, 12_000)), method=0, quality=1)
    )
    yield bomb("pages.tif", _endless_tiff(pages=50_000), refused=True)
    yield bomb("pages-under-the-limit.tif", _endless_tiff(pages=4_900))
    yield bomb("circle.tif", _endless_tiff(pages=3, circle=True))
    yield bomb("deflate.tif", _deflated_tiff(13_000))
    yield bomb("strips.tif", _tiff({256: 10_000, 257: 10_000, 258: 8, 259: 1, 262: 1, 273: 8,
                                    277: 1, 278: 1, 279: 1}), refused=True)  # fmt: skip
    yield bomb(
        "values.tif", _tiff({256: 9, 257: 9, 258: 8, 262: 1}, count=0x7FFFFFFF), refused=True
    )
    yield bomb("ascii.ppm", b"P3\n9000 9000\n255\n" + b"1 " * 3_000_000, refused=True)
    yield bomb("spaces.ppm", b"P6\n" + b" " * 20_000_000 + b"\n# ", refused=True)
    yield bomb("runs.bmp", _rle_bmp(30_000), refused=True)
    yield bomb("bits.bmp", _rle_bmp(13_000))
    yield bomb("tiles.jp2", _many_tiles(pictures["plain.jp2"]))
    for name in ("plain.heic", "plain.avif"):
        yield bomb(f"boxes-{name}", _nested_boxes(pictures[name], depth=20_000))
    yield bomb("zeros.jpg", b"\xff\xd8\xff\xe0" + bytes(40_000_000), refused=True)
    yield bomb("ones.jpg", b"\xff" * 20_000_000, refused=True)
    yield bomb("noise.png", b"\x89PNG\r\n\x1a\n" + rng.bytes(3_000_000), refused=True)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _with_chunk(png: bytes, kind: bytes, data: bytes) -> bytes:
    """The PNG with the chunk after its header, or with another header."""
    rest = png[33:]
    return (
        png[:8] + (_chunk(kind, data) if kind == b"IHDR" else png[8:33] + _chunk(kind, data)) + rest
    )


def _flat_png(
    width: int, height: int, *, depth: int = 1, kind: int = 0, interlaced: int = 0
) -> bytes:
    bits = depth * {0: 1, 2: 3, 6: 4}[kind]
    # Interlaced rows add up to a little more than the plain ones: some padding does no harm.
    total = (1 + (width * bits + 7) // 8) * height * (9 if interlaced else 8) // 8 + 100_000
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", _zeros(total)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _zeros(number: int) -> bytes:
    """That many zero bytes, compressed by zlib: one flushed block, repeated."""
    block = bytes(4_000_000)
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(block[: number % len(block)]) + packer.flush()
    checksum = struct.pack(">HH", number % 65521, 1)  # Adler-32 of zeros
    return b"\x78\xda" + packed * (number // len(block)) + rest + checksum


def _moving_png(side: int, *, frames: int) -> bytes:
    """An animation whose frames are one pixel on a large canvas."""
    still = _flat_png(side, side)
    control = _chunk(b"acTL", struct.pack(">II", frames, 0))
    data = zlib.compress(b"\0\0")
    shown = []
    for number in range(frames - 1):
        box = struct.pack(">IIIIIHHBB", 2 * number + 1, 1, 1, 0, 0, 1, 10, 0, 0)
        shown.append(_chunk(b"fcTL", box))
        shown.append(_chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + data))
    first = _chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 10, 0, 0))
    end = still.rindex(b"IDAT")
    begin = still.index(b"IDAT") - 4
    assert end >= begin  # noqa: S101 - one chunk of data
    return still[:33] + control + first + still[begin:-12] + b"".join(shown) + still[-12:]


def _moving_gif(side: int, *, frames: int) -> bytes:
    """An animation whose frames are one pixel on a large canvas."""
    head = b"GIF89a" + struct.pack("<HH", side, side) + b"\x80\0\0" + bytes(3) + b"\xff" * 3
    frame = b"\x21\xf9\x04\x08\x01\0\0\0" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
    return head + (frame + b"\x02\x02\x44\x01\x00") * frames + b"\x3b"


def _many_scans(jpeg: bytes, *, scans: int, side: int) -> bytes:
    """A progressive JPEG of a large size that repeats its first scan: a decoder redoes each."""
    large = bytearray(jpeg)
    at = large.index(b"\xff\xc2") + 5
    large[at : at + 4] = struct.pack(">HH", side, side)
    begin = large.index(b"\xff\xda")
    end = large.index(b"\xff", begin + 14)
    return bytes(large[:begin]) + bytes(large[begin:end]) * scans + bytes(large[end:])


def _rle_bmp(side: int) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, 0, 0, 0, 256, 0)
    data = b"\xff\0" * 5_000 + b"\0\1"
    offset = 14 + 40 + 1024
    return (
        b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + head + bytes(1024) + data
    )


def _many_tiles(jp2: bytes) -> bytes:
    """Tiles of one pixel in a picture of nominally 10,000 × 10,000."""
    changed = bytearray(jp2)
    at = changed.index(b"ihdr") + 4
    changed[at : at + 8] = struct.pack(">II", 10_000, 10_000)
    at = changed.index(b"\xff\x51") + 6
    changed[at : at + 8] = struct.pack(">II", 10_000, 10_000)
    changed[at + 16 : at + 24] = struct.pack(">II", 1, 1)
    return bytes(changed)


def _nested_boxes(data: bytes, *, depth: int) -> bytes:
    """An ISO file whose `meta` box is preceded by boxes in boxes."""
    begin = int.from_bytes(data[:4])
    boxes = b""
    for _ in range(depth):
        boxes = struct.pack(">I", len(boxes) + 8) + b"moov" + boxes
        if len(boxes) > 200_000:
            break
    return data[:begin] + boxes + data[begin:]


# -- TIFF --------------------------------------------------------------------------------------


def _tiff(
    tags: dict[int, int], *, count: int = 1, following: int = 0, data: bytes = bytes(200)
) -> bytes:
    """A little-endian TIFF: 8 bytes of header, the data, one directory of LONG values."""
    at = 8 + len(data)
    entries = b"".join(
        struct.pack("<HHII", tag, 4, count, value & 0xFFFFFFFF)
        for tag, value in sorted(tags.items())
    )
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", at) + data + directory


def _endless_tiff(*, pages: int, circle: bool = False) -> bytes:
    """Many small directories in a row; with `circle`, the last points to the first."""
    page = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}
    length = 2 + 12 * len(page) + 4
    first = 8 + 200
    parts = []
    for number in range(pages):
        following = first + (number + 1) * length if number + 1 < pages else first * circle
        parts.append(_tiff(page, following=following)[first:])
    return _tiff(page)[:first] + b"".join(parts)


def _deflated_tiff(side: int) -> bytes:
    data = _zeros(side * side)
    tags = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 273: 8, 277: 1, 278: side, 279: len(data)}
    return _tiff(tags, data=data)


# -- other contents ----------------------------------------------------------------------------


def _archive() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("../../evil.jpg", encoded("JPEG"))
    return target.getvalue()


_HTML = b"<!DOCTYPE html><html><script>alert(1)</script><img src=x onerror=alert(2)></html>"
_SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(20))
    + b"]><svg>&u;</svg>"
)
_CONTENTS: dict[str, Callable[[], bytes]] = {
    "page.html": lambda: _HTML,
    "drawing.svg": lambda: _SVG,
    "laughs.svg": lambda: _LAUGHS,
    "outside.svg": lambda: _SVG.replace(b"/>", b'><image href="file:///etc/passwd"/></svg>'),
    "paper.pdf": lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
    "archive.zip": _archive,
    "script.sh": lambda: b"#!/bin/sh\nrm -rf ~\n",
    "program.exe": lambda: b"MZ" + bytes(500) + b"PE\0\0",
    "binary": lambda: b"\x7fELF\x02\x01\x01" + bytes(500),
    "data.json": lambda: b"[" * 100_000,
    "list.m3u8": lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "list.ffconcat": lambda: b"ffconcat version 1.0\nfile /etc/passwd\n",
    "stream.sdp": lambda: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "page.eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n(%pipe%id) (r) file\n",
    "weights.pkl": lambda: b"\x80\x04\x95\x1c\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93",
    "database.sqlite3": lambda: b"SQLite format 3\0" + bytes(500),
    "song.mp3": lambda: b"ID3\x04\0\0\0\0\0\0" + b"\xff\xfb\x90\0" + bytes(800),
    "sound.wav": lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(60),
    "icon.ico": lambda: b"\0\0\1\0\1\0" + bytes(60),
    "text.txt": lambda: "Ein Gruß.\n".encode(),
    "zeros": lambda: bytes(5000),
    "one-byte": lambda: b"\xff",
    "nothing": lambda: b"",
}


def _disguises(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    for name, make in _CONTENTS.items():
        for ending in ("jpg", "mp4"):
            yield HostileFile(f"disguised-{name}.{ending}", "disguise", make(), refused=True)
    for name in ("plain.png", "plain.gif", "plain.heic", "plain.tif"):
        yield HostileFile(f"wrong-{name}.jpg", "disguise", pictures[name])


def _polyglots(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    endings = {"zip": _archive(), "html": _HTML, "pdf": _CONTENTS["paper.pdf"](),
               "sh": _CONTENTS["script.sh"](), "svg": _SVG}  # fmt: skip
    for name in ("baseline.jpg", "plain.png", "plain.gif", "lossy.webp", "plain.tif", "plain.bmp"):
        for other, data in endings.items():
            yield HostileFile(f"both-{name}.{other}", "polyglot", pictures[name] + data)
    for other, data in endings.items():
        jpeg = pictures["baseline.jpg"]
        yield HostileFile(f"hidden-in.{other}", "polyglot", data + jpeg)
        comment = b"\xff\xfe" + struct.pack(">H", len(data) + 2) + data
        yield HostileFile(f"in-a-comment.{other}.jpg", "polyglot", jpeg[:2] + comment + jpeg[2:])


# -- metadata ----------------------------------------------------------------------------------


def _metadata(pictures: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    blocks = {
        "circle": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
        "far-away": b"Exif\0\0II*\0\xff\xff\xff\x7f",
        "many-entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(60_000),
        "huge-count": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\xff\xff\xff\xff\x08\0\0\0",
        "orientation-99": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63" + bytes(7),
        "orientation-text": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0six\0\0\0\0\0",
        "zero-division": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x1a\x01\x05\0\x01\0\0\0\x1a\0\0\0\0\0\0\0"
        + bytes(8),
        "noise": b"Exif\0\0" + rng.bytes(60_000),
        "empty": b"Exif\0\0",
        "big-endian-lie": b"Exif\0\0MM*\0\x08\0\0\0\xff\xff",
    }
    for what, block in blocks.items():
        for name in ("baseline.jpg", "plain.png", "lossy.webp"):
            yield HostileFile(f"exif-{what}-{name}", "metadata", _with_exif(name, block))
    for what, size in (("noise", 50_000), ("short", 3), ("claims", 200)):
        profile = b"\xff\xff\xff\xff" + rng.bytes(size)
        for format in ("JPEG", "PNG", "TIFF", "WEBP"):
            data = encoded(format, icc_profile=profile)
            yield HostileFile(f"profile-{what}.{format.lower()}", "metadata", data)
    packets = {
        "laughs": _LAUGHS, "deep": b"<x>" * 20_000, "not-xml": rng.bytes(5_000),
        "outside": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
    }  # fmt: skip
    for what, packet in packets.items():
        for format in ("JPEG", "WEBP"):
            data = encoded(format, xmp=packet)
            yield HostileFile(f"xmp-{what}.{format.lower()}", "metadata", data)
    texts = PngInfo()
    texts.add_text("Description", "\u202e<script>alert(1)</script>\0\x1b[31m" + "A" * 900_000)
    yield HostileFile("texts.png", "metadata", encoded("PNG", pnginfo=texts))
    deep = dict.fromkeys(range(256, 304), "x" * 900)
    exif = Image.Exif()
    exif.update(
        {tag: text for tag, text in deep.items() if tag in (0x010E, 0x010F, 0x0131, 0x013B)}
    )
    yield HostileFile("many-tags.jpg", "metadata", encoded("JPEG", exif=exif))
    mpf = b"\xff\xe2" + struct.pack(">H", 90) + b"MPF\0II*\0\x08\0\0\0" + b"\xff" * 76
    jpeg = pictures["baseline.jpg"]
    yield HostileFile("mpf.jpg", "metadata", jpeg[:2] + mpf + jpeg[2:])
    c2pa = (
        b"\xff\xeb"
        + struct.pack(">H", 60)
        + b"JP\0\1\0\0\0\1"
        + b"\xff\xff\xff\xffjumb"
        + b"c2pa" * 11
    )
    yield HostileFile("credentials.jpg", "metadata", jpeg[:2] + c2pa[:62] + jpeg[2:])


def _with_exif(name: str, block: bytes) -> bytes:
    format = {"jpg": "JPEG", "png": "PNG", "ebp": "WEBP"}[name[-3:]]
    if format == "PNG":
        return _with_chunk(encoded("PNG"), b"eXIf", block[6:])
    return encoded(format, exif=block)


# -- videos and raws ---------------------------------------------------------------------------


def _videos(clips: dict[str, bytes], rng: np.random.Generator) -> Iterator[HostileFile]:
    def video(name: str, data: bytes, *, refused: bool = False) -> HostileFile:
        return HostileFile(name, "video", data, refused=refused)

    for name, data in clips.items():
        yield video(f"cut-12-{name}", data[:12], refused=True)
        for share in _CUTS:
            yield video(f"cut-{share}-{name}", data[: int(len(data) * share)])
        for number in range(4):
            changed = bytearray(data)
            for at in rng.integers(12, min(len(data), 2_000), 4 + 8 * number):
                changed[at] = rng.integers(256)
            yield video(f"mutant-{number}-{name}", bytes(changed))
    mp4 = clips["clip.mp4"]
    for what, mark, skip, value in (
        ("timescale", b"mvhd", 16, b"\0\0\0\0"),
        ("duration", b"mdhd", 16, b"\0\0\0\1\xff\xff\xff\xff"),
        ("width", b"avc1", 28, b"\xff\xff\xff\xff"),
        ("samples", b"stsz", 12, b"\x7f\xff\xff\xff"),
        ("offsets", b"stco", 12, b"\xff\xff\xff\xff"),
        ("times", b"stts", 12, b"\x7f\xff\xff\xff\0\0\0\0"),
        ("chunks", b"stsc", 12, b"\0\0\0\1\xff\xff\xff\xff"),
        ("matrix", b"tkhd", 44, b"\xff" * 36),
    ):
        changed = bytearray(mp4)
        at = changed.index(mark) + skip
        changed[at : at + len(value)] = value
        yield video(f"{what}.mp4", bytes(changed))
    yield video("boxes.mp4", _nested_boxes(mp4, depth=20_000))
    yield video("free.mp4", b"\0\0\0\x08free" * 500_000 + mp4)
    yield video("no-index.mp4", mp4.replace(b"moov", b"moox"), refused=True)
    yield video("twice.mp4", mp4 + mp4)
    yield video("packets.ts", clips["clip.ts"][:188] * 30_000)
    yield video("both.mp4", mp4 + _HTML)


def _camera_raws(rng: np.random.Generator) -> Iterator[HostileFile]:
    def raw(name: str, data: bytes) -> HostileFile:
        return HostileFile(name, "camera raw", data, refused=True)

    yield raw("loop.dng", _tiff({50706: 1, 330: 208, 256: 4000, 257: 3000}, following=208))
    yield raw("far.dng", _tiff({50706: 1, 513: 0x7FFFFFFF, 514: 0x7FFFFFFF}))
    yield raw("itself.dng", _tiff({50706: 1, 513: 8, 514: 190}))
    yield raw("many.dng", _tiff({50706: 1, 330: 9}, count=4096))
    yield raw("fuji.raf", b"FUJIFILMCCD-RAW" + bytes(69) + b"\xff" * 8)
    yield raw("canon.cr3", b"\0\0\0\x18ftypcrx " + bytes(200))
    yield raw(
        "panasonic.rw2", b"IIU\0\x08\0\0\0\x01\0\x2e\0\x01\0\xff\xff\xff\x7f\x08\0\0\0" + bytes(4)
    )
    yield raw("olympus.orf", b"IIRO\x08\0\0\0" + rng.bytes(2_000))
    yield raw("noise.dng", b"II*\0\x08\0\0\0" + rng.bytes(5_000))
