"""Decodes photographs of any format, mode and orientation, and identifies them by content.

Pixels are returned as (h, w, 3) uint8 RGB, upright; nothing else in the file (profiles, thumbnails)
is passed on.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tools.media.decoder_process.plain_pictures import is_plain
from tools.media.decoder_process.pool import POOL
from tools.media.odd_pictures import camera_raw, repair
from tools.media.odd_pictures.bit_depth import to_uint8
from tools.media.pictures.metadata import exif_orientation, has_unmask_mark
from tools.media.pictures.opening import open_image, read_bytes, translate_decoder_errors
from tools.media.pictures.perceptual_hash import perceptual_hash
from tools.media.pictures.pixels import Pixels, to_rgb, turned
from tools.media.skip_reasons import UnreadableImage

FULL_SIZE_MAX_PIXELS = 110_000_000
"""Width × height up to which images are decoded at full size (330 MB as RGB). Larger ones are
halved while decoding, one at a time, so that memory stays bounded. Cameras "of 100 megapixels" have
101.8 million pixels, telephones "of 108" have 12,000 × 9,000."""

_DARK = 64  # of 255; a 16-bit image that stays below uses only its lower bits
_large_image_lock = threading.Lock()


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
    told, pixels = POOL.call("tools.media.pictures.decoding:photo_for_parent", data)
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
            # A second decoding of a large one, at full depth, would not fit into memory.
            if deep and not large and max(high for _, high in _extrema(image)) < _DARK:
                samples = _decode_with_opencv(data)
                shown = image if samples is None else Image.fromarray(samples)
            else:
                shown = image
            shown = _halved(shown) if large else shown
            turn = exif_orientation(image)
            upright = turned(shown, orientation if turn in (None, 1) else turn)
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
