"""Damaged files are read if all pixels are present, and refused otherwise."""

import io
import struct
import zlib
from datetime import datetime

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from tests.conftest import Encode
from tools.media.decoder_process.pool import POOL
from tools.media.pictures.decoding import decode_photo
from tools.media.pictures.metadata import date_taken, metadata_texts
from tools.media.skip_reasons import UnreadableImage


def reason(data: bytes) -> str:
    """Why these bytes give no photo."""
    with pytest.raises(UnreadableImage) as caught:
        decode_photo(data)
    return caught.value.reason


@pytest.mark.parametrize("options", [{"quality": 92}, {"quality": 40, "progressive": True}])
def test_a_jpeg_without_its_end_is_whole(
    astronaut: np.ndarray, encode: Encode, options: dict[str, object]
) -> None:
    """The marker holds no pixel; with bytes of the picture missing it stays truncated."""
    data = encode(Image.fromarray(astronaut), "JPEG", **options)
    whole = decode_photo(data).pixels
    np.testing.assert_array_equal(decode_photo(data[:-2]).pixels, whole)
    np.testing.assert_array_equal(decode_photo(data[:-2] + bytes(50)).pixels, whole)
    for kept in (0.5, 0.95, 0.99):
        assert reason(data[: int(len(data) * kept)]) == "truncated"


@pytest.mark.parametrize("junk", [b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF"])
def test_junk_before_a_picture_is_passed_over(
    astronaut: np.ndarray, encode: Encode, junk: bytes, format: str
) -> None:
    """Line breaks and headers of a server, but not an archive that holds a picture."""
    data = encode(Image.fromarray(astronaut), format)
    np.testing.assert_array_equal(decode_photo(junk + data).pixels, decode_photo(data).pixels)
    assert reason(b"PK\3\4" + bytes(26) + data) == "not an image"
    assert reason(b"ID3\3\0\0\0\0\1\0APIC" + data) == "not an image"


def test_a_png_with_large_texts_and_profiles_is_read(astronaut: np.ndarray) -> None:
    """Megabytes of compressed text and profile are passed over, and so is the name they hide."""
    info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("a", "x" * 3_000_000, zip=True)
    info.add_itxt("b", "y" * 3_000_000, zip=True)
    Image.fromarray(astronaut).save(
        buffer, "PNG", pnginfo=info, icc_profile=bytes(3_000_000), compress_level=1
    )
    np.testing.assert_array_equal(decode_photo(buffer.getvalue()).pixels, astronaut)


def _with_chunk(data: bytes, kind: bytes, body: bytes, *, crc: int | None = None) -> bytes:
    sum_ = zlib.crc32(kind + body) if crc is None else crc
    return (
        data[:33] + struct.pack(">I", len(body)) + kind + body + struct.pack(">I", sum_) + data[33:]
    )


def test_a_bad_checksum_matters_where_pixels_are(astronaut: np.ndarray, encode: Encode) -> None:
    """An ancillary chunk may be broken; one of the picture's own may not."""
    data = encode(Image.fromarray(astronaut), "PNG")
    for kind in (b"tEXt", b"gAMA", b"iCCP", b"pHYs"):
        broken = _with_chunk(data, kind, b"\0\0\xb1\x8f", crc=1)
        np.testing.assert_array_equal(decode_photo(broken).pixels, astronaut)
    at = data.index(b"IDAT")
    assert reason(data[: at + 50] + b"\xff\0\xff" + data[at + 53 :]) in {"damaged", "truncated"}


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("colour", [True, False])
def test_deep_samples_fill_the_range(
    astronaut: np.ndarray, bits: int, suffix: str, colour: bool
) -> None:
    """10, 12 and 16 bits in two bytes look like the 8 bits that they were made of."""
    pixels = astronaut if colour else astronaut[..., 1]
    samples = np.round(pixels / 255.0 * (2**bits - 1)).astype(np.uint16)
    data = cv2.imencode(suffix, samples[..., ::-1] if colour else samples)[1].tobytes()
    shown = decode_photo(data).pixels if colour else decode_photo(data).pixels[..., 0]
    assert np.abs(shown.astype(int) - pixels).max() <= 2


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_floating_point_colours_are_read(astronaut: np.ndarray, white: float) -> None:
    """A float TIFF, which Pillow refuses, whatever stands for white in it."""
    samples = (astronaut[..., ::-1] / 255.0 * white).astype(np.float32)
    photo = decode_photo(cv2.imencode(".tiff", samples)[1].tobytes())
    assert np.abs(photo.pixels.astype(int) - astronaut).max() <= 2


def test_lamps_do_not_darken_a_picture() -> None:
    """In a picture of high dynamic range the usual brightness decides, not the brightest point."""
    samples = np.full((100, 100), 0.5, np.float32)
    samples[0, 0] = 30.0
    data = cv2.imencode(".tiff", samples)[1].tobytes()
    assert decode_photo(data).pixels[50, 50, 0] == pytest.approx(128, abs=2)


def test_what_is_too_large_to_keep_is_halved(
    astronaut: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the one limit pictures are read at half their size, above the other not at all."""
    monkeypatch.setattr(POOL, "runs_here", True)
    monkeypatch.setattr("tools.media.pictures.decoding.FULL_SIZE_MAX_PIXELS", 512 * 512 - 1)
    for format in ("JPEG", "PNG", "TIFF"):
        photo = decode_photo(encode(Image.fromarray(astronaut), format))
        assert photo.pixels.shape == (256, 256, 3)
        assert photo.pixels.mean() == pytest.approx(astronaut.mean(), abs=2)
    monkeypatch.setattr("tools.media.pictures.opening.MAX_PIXELS", 512 * 512 - 1)
    assert reason(encode(Image.fromarray(astronaut), "PNG")) == "too large"


def test_a_camera_of_100_megapixels_is_read_whole(encode: Encode) -> None:
    """Its pictures have a little more than 100 million pixels, and small faces need each."""
    data = encode(Image.new("L", (11648, 8736), 128), "JPEG")
    assert decode_photo(data).pixels.shape == (8736, 11648, 3)


def test_an_error_of_ours_is_no_damage(
    astronaut: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in this program comes through as what it is."""

    def broken(_: object) -> int:
        raise TypeError("ours")

    monkeypatch.setattr("tools.media.pictures.decoding.perceptual_hash", broken)
    with pytest.raises(TypeError, match="ours"):
        decode_photo(encode(Image.fromarray(astronaut), "PNG"))


def _raw(preview: tuple[int, int], *, sensor: int, kind: dict[int, int] | None = None) -> bytes:
    """A raw file: a thumbnail first, a sensor's directory, and a JPEG of a size, if any."""
    jpeg = io.BytesIO()
    Image.new("RGB", preview, (200, 30, 30)).save(jpeg, "JPEG")
    body = jpeg.getvalue() if max(preview) > 1 else b""
    first = {254: 1, 256: 128, 257: 96, 274: 6} | (kind or {50706: 0x00000401})
    mosaic = {254: 0, 256: sensor, 257: sensor * 3 // 4, 262: 32803, 259: 1}
    shown = {259: 6, 513: 0, 514: len(body)} if body else {254: 1}
    directories = [first, mosaic, shown]
    sizes = [2 + 12 * (len(it) + (number == 0)) + 4 for number, it in enumerate(directories)]
    starts = [8, 8 + sizes[0], 8 + sizes[0] + sizes[1]]
    end = starts[2] + sizes[2]
    if body:
        shown[513] = end
    first[330] = starts[1]

    def written(entries: dict[int, int], following: int) -> bytes:
        rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())]
        return struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", following)

    return (
        b"II*\0" + struct.pack("<I", 8) + written(first, starts[2]) + written(mosaic, 0)
        + written(shown, 0) + body
    )  # fmt: skip


def test_a_raw_gives_its_full_picture_or_says_that_it_is_raw() -> None:
    """The camera's own JPEG, turned as the camera was held; never a thumbnail."""
    photo = decode_photo(_raw((1600, 1200), sensor=6000))
    assert (photo.format, photo.pixels.shape) == ("camera raw", (1600, 1200, 3))
    for too_small in ((640, 480), (160, 120), (1, 1)):
        assert reason(_raw(too_small, sensor=6000)) == "camera raw, not read"
    assert reason(b"FUJIFILMCCD-RAW 0201" + bytes(200)) == "camera raw, not read"
    assert reason(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(99)) == "camera raw, not read"


def test_texts_of_a_png_are_read_without_decoding_it(
    astronaut: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those behind its pixels, and those of an animation; its date as well."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    exif[0x0110] = "Camera"
    end = _chunk(b"tEXt", b"Comment\0behind")
    frames = {"save_all": True, "append_images": [Image.new("RGB", (512, 512))]}
    for options in ({}, frames):
        data = encode(Image.fromarray(astronaut), "PNG", exif=exif, **options)
        data = data[:-12] + end + data[-12:]
        monkeypatch.setattr(POOL, "runs_here", True)
        with monkeypatch.context() as patched:
            patched.setattr(ImageFile.ImageFile, "load", _no_decoding)
            assert metadata_texts(data) == {"camera": "Camera", "comment": "behind"}
            assert date_taken(data) == datetime(2024, 5, 6, 7, 8, 9)
        np.testing.assert_array_equal(decode_photo(data).pixels, astronaut)


def _no_decoding(image: ImageFile.ImageFile) -> object:
    if not image.tile:  # Pillow tries to load what it takes for a picture
        raise OSError("cannot load this image")
    raise AssertionError("it was decoded")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
