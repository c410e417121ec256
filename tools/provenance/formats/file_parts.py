"""The parts of a picture file that speak of its origin, whatever its format."""

from dataclasses import dataclass, field

from PIL import Image

from tools.media.odd_pictures import camera_raw
from tools.media.pictures.opening import open_image, translate_decoder_errors
from tools.media.skip_reasons import UnreadableImage
from tools.provenance.formats.jpeg_segments import JpegParts, read_segments
from tools.provenance.formats.png_texts import XMP_KEYWORD, read_chunk, read_texts

_TEXT_BYTES_MOST = 2_000_000


@dataclass(slots=True)
class FileParts:
    """Raw parts of a file: `size` is (width, height) in px as stored, or None if unknown.

    `texts` are keyword and text of PNG text chunks and of comments. `jpeg` is None if the file is
    not a JPEG. `unread` says what could not be read.
    """

    format: str = ""
    size: tuple[int, int] | None = None
    exif: bytes = b""
    xmp: bytes = b""
    texts: list[tuple[str, str]] = field(default_factory=list)
    jpeg: JpegParts | None = None
    unread: list[str] = field(default_factory=list)


def take_apart(data: bytes) -> FileParts:
    """The parts of a picture's bytes; a damaged or unknown file gives those that can be read."""
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG"):
        return _png(data)
    raw = camera_raw.read_camera_raw(data)
    if raw is not None and raw.preview is not None:
        parts = _jpeg(raw.preview)
        parts.format = camera_raw.FORMAT
        return parts
    return _other(data)


def _jpeg(data: bytes) -> FileParts:
    held = read_segments(data)
    parts = FileParts("JPEG", held.size, held.exif, held.xmp, jpeg=held)
    parts.texts = [
        ("comment", it[:_TEXT_BYTES_MOST].decode("utf-8", "replace")) for it in held.comments
    ]
    return parts


def _png(data: bytes) -> FileParts:
    texts = read_texts(data)
    parts = FileParts("PNG", exif=read_chunk(data, b"eXIf"))
    header = read_chunk(data, b"IHDR")
    if len(header) >= 8:
        parts.size = int.from_bytes(header[:4]), int.from_bytes(header[4:8])
    packets = [text for keyword, text in texts if keyword == XMP_KEYWORD]
    parts.xmp = packets[0].encode("utf-8", "replace") if packets else b""
    parts.texts = [it for it in texts if it[0] != XMP_KEYWORD]
    return parts


def _other(data: bytes) -> FileParts:
    """Formats whose parts Pillow reads: WebP, HEIF, AVIF, TIFF, GIF."""
    try:
        with open_image(data) as image, translate_decoder_errors():
            return _of_image(image)
    except UnreadableImage:
        return FileParts()


def _of_image(image: Image.Image) -> FileParts:
    parts = FileParts(image.format or "", image.size)
    exif, packet = image.info.get("exif"), image.info.get("xmp")
    if not isinstance(exif, bytes) and image.format == "TIFF":
        exif = image.getexif().tobytes()
    parts.exif = exif if isinstance(exif, bytes) else b""
    parts.xmp = packet if isinstance(packet, bytes) else b""
    comment = image.info.get("comment")
    if isinstance(comment, bytes):
        comment = comment[:_TEXT_BYTES_MOST].decode("utf-8", "replace")
    if isinstance(comment, str):
        parts.texts = [("comment", comment)]
    return parts
