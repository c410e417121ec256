"""Opens image files safely: recognised by their bytes, refused if too large, errors put in words.

Files are recognised by their bytes, never by their names.
"""

import contextlib
import functools
import io
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from tools.media.odd_pictures import repair
from tools.media.odd_pictures.part_counts import refuse_too_many_parts
from tools.media.skip_reasons import UnreadableImage

MAX_PIXELS = 200_000_000
"""Width × height above which an image is refused before its pixels are decoded."""

MAX_BYTES = 256 * 1024 * 1024
"""File size above which a file is refused unread: an archive, not a photograph."""

# Pillow's other formats are left out: EPS starts Ghostscript, TGA has no signature (any file may
# pass for one), and photographs are not stored as FLI or MSP.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "MPO", "HEIF", "AVIF", "TIFF", "BMP", "JPEG2000", "PPM")

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")
_BRANDS = (b"ftypavi", b"ftyphei", b"ftypmif1")  # AVIF and HEIF; other `ftyp` are videos

# Pillow's decoders raise any of these on malformed bytes, depending on the format. They are caught
# only around calls of Pillow: a bug of ours must not look like a damaged file.
DECODER_ERRORS = (
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


def open_image(data: bytes) -> Image.Image:
    """Open an image without decoding it; refuses images too large, or with too many parts."""
    try:
        with translate_decoder_errors():
            image = Image.open(io.BytesIO(data), formats=_known_formats())
    except UnreadableImage as error:
        begun = data.startswith(SIGNATURES) or data[4:12].startswith(_BRANDS)
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
    try:
        with translate_decoder_errors():
            refuse_too_many_parts(image, data)
    except UnreadableImage:
        image.close()
        raise
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
    except DECODER_ERRORS as error:
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
