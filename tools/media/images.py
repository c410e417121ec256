"""Opens photographs safely, identifies them by content and finds them in folders.

Files are recognised by their bytes, never by their names. Pixels are returned as (h, w, 3) uint8
RGB, upright; nothing else in the file (profiles, thumbnails) is passed on.
"""

import contextlib
import functools
import hashlib
import io
import stat
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tools.media.decoder_process.plain_pictures import is_plain
from tools.media.decoder_process.pool import POOL
from tools.media.odd_pictures import camera_raw, repair
from tools.media.odd_pictures.bit_depth import to_uint8
from tools.media.skip_reasons import UnreadableImage as UnreadableImage

FULL_SIZE_MAX_PIXELS = 110_000_000
"""Width × height up to which images are decoded at full size (330 MB as RGB). Larger ones are
halved while decoding, one at a time, so that memory stays bounded. Cameras "of 100 megapixels" have
101.8 million pixels, telephones "of 108" have 12,000 × 9,000."""

MAX_PIXELS = 200_000_000
"""Width × height above which an image is refused before its pixels are decoded."""

MAX_BYTES = 256 * 1024 * 1024
"""File size above which a file is refused unread: an archive, not a photograph."""

UNMASK_MARK = "Forgery made by Unmask"
"""`tools.forge.forgery` writes this into the metadata of everything it saves."""

# Pillow's other formats are left out: EPS starts Ghostscript, TGA has no signature (any file may
# pass for one), and photographs are not stored as FLI or MSP.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "MPO", "HEIF", "AVIF", "TIFF", "BMP", "JPEG2000", "PPM")

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")
_BRANDS = (b"ftypavi", b"ftyphei", b"ftypmif1")  # AVIF and HEIF; other `ftyp` are videos

# Pillow's decoders raise any of these on malformed bytes, depending on the format. They are caught
# only around calls of Pillow: a bug of ours must not look like a damaged file.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_EXIF_DESCRIPTION = 0x010E
_EXIF_TEXTS = {
    "software": 0x0131,
    "camera": 0x0110,
    "author": 0x013B,
    "description": _EXIF_DESCRIPTION,
}
_EXIF_ORIENTATION = 0x0112
_EXIF_IFD, _EXIF_DATE_TAKEN = 0x8769, 0x9003
_DARK = 64  # of 255; a 16-bit image that stays below uses only its lower bits
_large_image_lock = threading.Lock()
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One decoded image.

    `id` is the SHA-256 (hex) of the file's bytes; `pixels` are (h, w, 3) uint8 RGB, turned upright
    by EXIF, of the first of `frames`; `perceptual_hash` is an unsigned 64-bit integer;
    `unmask_forgery` is True if the metadata carry `UNMASK_MARK`. Anyone can write or remove
    metadata, so True is only a hint of a forgery and False means nothing.
    """

    id: str
    pixels: Pixels
    format: str
    frames: int
    perceptual_hash: int
    unmask_forgery: bool


def image_id(data: bytes) -> str:
    """An image's identifier: the SHA-256 of its bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def read_photo(path: Path) -> Photo:
    """Decode a file as a photograph; raises `UnreadableImage` with the path in its message."""
    try:
        return decode_photo(read_bytes(path))
    except UnreadableImage as error:
        raise UnreadableImage(error.reason, error.detail, path=path) from error


def read_bytes(path: Path) -> bytes:
    """Read a regular file of at most `MAX_BYTES`; raises `UnreadableImage` otherwise."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImage("not an image", "not a regular file")
        if status.st_size > MAX_BYTES:
            raise UnreadableImage("too large", f"{status.st_size} bytes, at most {MAX_BYTES}")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadableImage("missing") from error
    except OSError as error:
        raise UnreadableImage("unreadable", error.strerror or str(error)) from error
    except MemoryError as error:
        raise UnreadableImage("unreadable", "out of memory") from error


def decode_photo(data: bytes) -> Photo:
    """Decode a file's bytes in any format, mode and orientation; first frame only.

    Transparency is composited over white, as viewers do: the colours of fully transparent pixels
    are arbitrary. 16-bit and float samples are reduced to 8 bits. Colour profiles are not applied:
    the pixels are the stored values, not a screen's rendering. Images above `FULL_SIZE_MAX_PIXELS`
    are halved in both directions. A camera raw is decoded from its full-size embedded JPEG, if it
    has one. Only small, plain JPEG, PNG and WebP files are decoded in this process, all others in
    one that has limits (`tools.media.decoder_process`). Raises `UnreadableImage`.
    """
    if not data:
        raise UnreadableImage("empty")
    if is_plain(data):
        return _decode_here(data)
    told, pixels = POOL.call("tools.media.images:photo_for_parent", data)
    shape = told.pop("shape")
    return Photo(**told, pixels=np.frombuffer(pixels, np.uint8).reshape(shape))


def photo_for_parent(data: bytes) -> Iterator[tuple[dict[str, Any], memoryview]]:
    """In the decoder process: the fields of the photo, and its pixels."""
    photo = _decode_here(data)
    told = {
        "id": photo.id,
        "format": photo.format,
        "frames": photo.frames,
        "perceptual_hash": photo.perceptual_hash,
        "unmask_forgery": photo.unmask_forgery,
        "shape": photo.pixels.shape,
    }
    yield told, np.ascontiguousarray(photo.pixels).data


def _decode_here(data: bytes) -> Photo:
    raw = camera_raw.read_camera_raw(data)
    if raw is None:
        return replace(_decode_or_repair(data), id=image_id(data))
    if raw.preview is None:
        raise UnreadableImage("camera raw, not read", "export a JPEG or TIFF")
    photo = _decode_or_repair(raw.preview, orientation=raw.orientation)
    return replace(photo, id=image_id(data), format=camera_raw.FORMAT)


def _decode_or_repair(data: bytes, *, orientation: int = 1) -> Photo:
    """Decode the bytes; if the decoder refuses, try again after repair."""
    try:
        return _decode(data, orientation)
    except UnreadableImage as error:
        if error.reason not in ("damaged", "truncated", "not an image"):
            raise
        photo = _decode_repaired(data, orientation)
        if photo is None:
            raise
        return photo


def _decode_repaired(data: bytes, orientation: int) -> Photo | None:
    for less in (repair.strip_leading_junk(data), repair.strip_ancillary_chunks(data)):
        if less is not None and less != data:
            with contextlib.suppress(UnreadableImage):
                return _decode_or_repair(less, orientation=orientation)
    with contextlib.suppress(UnreadableImage):
        photos = [_decode(it, orientation) for it in repair.append_jpeg_end_marker(data) or ()]
        if photos and np.array_equal(photos[0].pixels, photos[1].pixels):
            return photos[0]
    size = camera_raw.tiff_size(data)
    if size is None or size[0] * size[1] > FULL_SIZE_MAX_PIXELS:
        return None
    samples = _decode_with_opencv(data)  # Pillow cannot read floating-point colours, for example
    return None if samples is None else _photo(Image.fromarray(samples), "TIFF")


def _decode(data: bytes, orientation: int) -> Photo:
    with open_image(data) as image:
        large = image.width * image.height > FULL_SIZE_MAX_PIXELS
        with _large_image_lock if large else contextlib.nullcontext():
            with translate_decoder_errors():
                frames = int(getattr(image, "n_frames", 1))
                deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
                if large:
                    image.draft(image.mode, (image.width // 2, image.height // 2))
                image.load()
            if deep and max(high for _, high in _extrema(image)) < _DARK:
                samples = _decode_with_opencv(data)
                shown = image if samples is None else Image.fromarray(samples)
            else:
                shown = image
            shown = _halved(shown) if large else shown
            turn = _orientation(image)
            upright = _turned(shown, orientation if turn in (None, 1) else turn)
            photo = _photo(upright, image.format or "", marked=has_unmask_mark(image))
        return replace(photo, frames=frames)


def _halved(image: Image.Image) -> Image.Image:
    """An image too large to keep, halved before anything makes copies of it."""
    if image.width * image.height <= FULL_SIZE_MAX_PIXELS or image.mode[:1] in ("I", "F"):
        return image
    with translate_decoder_errors():
        if image.mode not in ("L", "RGB", "RGBA", "CMYK"):
            kept = "RGBA" if image.has_transparency_data else "L" if image.mode == "1" else "RGB"
            image = image.convert(kept)
        return image.reduce(2, box=(0, 0, image.width // 2 * 2, image.height // 2 * 2))


def _extrema(image: Image.Image) -> list[tuple[float, float]]:
    found = image.getextrema() if image.mode in ("RGB", "RGBA") else ((0.0, 255.0),)
    return [(float(low), float(high)) for low, high in found]  # type: ignore[misc]


def _photo(upright: Image.Image, format: str, *, marked: bool = False) -> Photo:
    """A `Photo` of decoded pixels; its id is still empty."""
    pixels = to_rgb(upright)
    if pixels.shape[0] * pixels.shape[1] > FULL_SIZE_MAX_PIXELS:
        half = pixels.shape[1] // 2, pixels.shape[0] // 2
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), np.uint8)
    return Photo(
        id="",
        pixels=pixels,
        format=format,
        frames=1,
        perceptual_hash=perceptual_hash(pixels),
        unmask_forgery=marked,
    )


def _decode_with_opencv(data: bytes) -> Pixels | None:
    """Decode with OpenCV at full bit depth, then reduce to 8-bit RGB."""
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None:
        return None
    if samples.ndim == 3:
        samples = samples[..., 2::-1] if samples.shape[2] >= 3 else samples[..., 0]
    reduced = to_uint8(samples)
    return reduced if reduced.ndim == 3 else np.repeat(reduced[:, :, None], 3, axis=2)


def metadata_texts(data: bytes) -> dict[str, str]:
    """The file's own metadata texts: software, camera, author, description, comment.

    Verbatim; anyone can edit them, so they are data to be shown as a quotation, never obeyed.
    Absent ones are left out. Raises `UnreadableImage`.
    """
    if is_plain(data):
        return _metadata_texts(data)
    return dict(POOL.call("tools.media.images:metadata_for_parent", data)[0]["texts"])


def date_taken(data: bytes) -> datetime | None:
    """When a picture was taken by its EXIF (`DateTimeOriginal`), in the camera's own time zone.

    None without such an entry, or with one that is no date. Anyone can edit it. Raises
    `UnreadableImage`.
    """
    if is_plain(data):
        return _date_taken(data)
    taken = POOL.call("tools.media.images:metadata_for_parent", data)[0]["taken"]
    return None if taken is None else datetime.fromisoformat(taken)


def metadata_for_parent(data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """In the decoder process: the texts of a picture, and when it was taken."""
    texts, taken = _metadata_texts(data), _date_taken(data)
    yield {"texts": texts, "taken": None if taken is None else taken.isoformat()}, b""


def _metadata_texts(data: bytes) -> dict[str, str]:
    raw = camera_raw.read_camera_raw(data)
    if raw is not None and not data.startswith(_SIGNATURES):
        data = raw.preview or data
    with open_image(data) as image:
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
    raw = camera_raw.read_camera_raw(data)
    if raw is not None and not data.startswith(_SIGNATURES):
        data = raw.preview or data
    with open_image(data) as image:
        try:
            written = image.getexif().get_ifd(_EXIF_IFD).get(_EXIF_DATE_TAKEN)
        except _DECODER_ERRORS:
            return None
    with contextlib.suppress(ValueError):
        return datetime.strptime(str(written).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    return None


def open_image(data: bytes) -> Image.Image:
    """Open an image without decoding it; refuses images too large to decode."""
    try:
        with translate_decoder_errors():
            image = Image.open(io.BytesIO(data), formats=_known_formats())
    except UnreadableImage as error:
        begun = data.startswith(_SIGNATURES) or data[4:12].startswith(_BRANDS)
        if error.reason == "not an image" and begun:
            error = UnreadableImage("damaged")
        less = repair.strip_leading_junk(data) or repair.strip_ancillary_chunks(data) or data
        if error.reason == "too large" or less == data:
            raise error from None
        return open_image(less)
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width} × {image.height} pixels, at most {MAX_PIXELS}"
        image.close()
        raise UnreadableImage("too large", size)
    return image


@contextlib.contextmanager
def translate_decoder_errors() -> Iterator[None]:
    """Convert any error of a Pillow decoder into `UnreadableImage`; wrap only calls of Pillow.

    Out of memory or file handles is "unreadable", not "damaged", because it is temporary.
    """
    try:
        yield
    except UnidentifiedImageError as error:
        raise UnreadableImage("not an image") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableImage("too large", f"more than {MAX_PIXELS} pixels") from error
    except MemoryError as error:
        raise UnreadableImage("unreadable", "out of memory") from error
    except _DECODER_ERRORS as error:
        if "out of memory" in str(error) or (isinstance(error, OSError) and error.errno):
            raise UnreadableImage("unreadable", str(error)) from error
        raise UnreadableImage(_damage(error), str(error)) from error


@functools.cache
def _known_formats() -> tuple[str, ...]:
    """The `FORMATS` that this build of Pillow supports; HEIF comes from its plugin."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.init()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's default is lower; `open_image` enforces ours
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _damage(error: BaseException) -> str:
    text = str(error).lower()
    return "truncated" if "truncat" in text or isinstance(error, EOFError) else "damaged"


def _exif(image: Image.Image, tag: int) -> object:
    """One EXIF value, or None; broken EXIF does not prevent decoding."""
    try:
        return image.getexif().get(tag)
    except _DECODER_ERRORS:
        return None


def has_unmask_mark(image: Image.Image) -> bool:
    """Search the fields the forge writes: EXIF description, JPEG comment, PNG text (in `info`)."""
    values: Iterable[object] = (*image.info.values(), _exif(image, _EXIF_DESCRIPTION))
    mark = UNMASK_MARK.encode()
    return any(
        mark in value if isinstance(value, bytes) else UNMASK_MARK in value
        for value in values
        if isinstance(value, (bytes, str))
    )


def _orientation(image: Image.Image) -> int | None:
    orientation = _exif(image, _EXIF_ORIENTATION)
    return orientation if isinstance(orientation, int) else None


def _turned(image: Image.Image, orientation: int | None) -> Image.Image:
    turn = _UPRIGHT.get(orientation or 1)
    return image if turn is None else image.transpose(turn)


def apply_exif_orientation(image: Image.Image) -> Image.Image:
    """The current frame of an image, rotated by the image's EXIF orientation."""
    return _turned(image, _orientation(image))


def to_rgb(image: Image.Image) -> Pixels:
    """A decoded image of any mode as (h, w, 3) uint8 RGB, transparency composited over white."""
    if image.mode == "F" or image.mode.startswith("I"):
        grey = to_uint8(np.asarray(image))
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        with translate_decoder_errors():
            layers = image.convert("RGBA")
        white = Image.new("RGBA", layers.size, "white")
        image = Image.alpha_composite(white, layers)
    with translate_decoder_errors():
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def perceptual_hash(pixels: Pixels) -> int:
    """64-bit hash (unsigned) that survives re-encoding, scaling and mild changes of light.

    pHash (Zauner 2010, §3.2.1): grey 32×32, DCT-II, the 8×8 lowest frequencies without the constant
    row and column, each compared with their median. Ten lines on cv2 replace the imagehash package,
    which would bring PyWavelets for hashes that we do not use.

    Does not show: that two images are the same photograph. Near-equal hashes mean a near-equal
    coarse layout; featureless images all look alike; a crop or a mirror image looks different.
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[1:9, 1:9]
    # Rounded, so that the bits of a featureless image are not floating-point noise.
    low = np.round(low, 2)
    bits = np.packbits(low > np.median(low))
    return int.from_bytes(bits.tobytes(), "big")


def hash_distance(a: int, b: int) -> int:
    """Hamming distance of two perceptual hashes: 0 to 64; about 32 for unrelated images."""
    return (a ^ b).bit_count()
