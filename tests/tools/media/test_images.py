"""Opening photographs: safely, identified by content, wherever they are."""

import hashlib
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.conftest import Encode
from tools.errors import SetupError, ToolError
from tools.media.paths import WalkedFile, walk
from tools.media.pictures.decoding import Photo, decode_photo, image_id, read_photo
from tools.media.pictures.metadata import UNMASK_MARK
from tools.media.pictures.opening import MAX_BYTES
from tools.media.pictures.perceptual_hash import hash_distance, perceptual_hash
from tools.media.skip_reasons import UnreadableImage, remedy, without_path

pytestmark = pytest.mark.fast

EXIF_DESCRIPTION, EXIF_ORIENTATION = 0x010E, 0x0112


def reason(data: bytes) -> str:
    """Why these bytes give no photo."""
    with pytest.raises(UnreadableImage) as caught:
        decode_photo(data)
    return caught.value.reason


def as_png(width: int, height: int, rows: bytes = b"", bit_depth: int = 1) -> bytes:
    """A PNG by hand: its header may promise whatever we like."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, bit_depth, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM"])
def test_lossless_formats_keep_every_pixel(
    astronaut: np.ndarray, encode: Encode, format: str
) -> None:
    """Decoding a losslessly stored picture gives back exactly its pixels."""
    photo = decode_photo(encode(Image.fromarray(astronaut), format))
    assert np.array_equal(photo.pixels, astronaut)
    assert (photo.format, photo.frames) == (format, 1)


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "AVIF", "HEIF", "JPEG2000", "GIF"])
def test_lossy_formats_show_the_same_picture(
    astronaut: np.ndarray, encode: Encode, format: str
) -> None:
    """Every photo format in use decodes to nearly the picture that was stored."""
    decode_photo(as_png(1, 1, b"\0\0"))  # the HEIF plugin is registered by the first decoding
    photo = decode_photo(encode(Image.fromarray(astronaut), format))
    difference = np.abs(photo.pixels.astype(int) - astronaut)
    assert photo.format == format
    assert difference.mean() < 12
    assert hash_distance(photo.perceptual_hash, perceptual_hash(astronaut)) <= 6


def test_an_image_is_named_by_its_content(
    tmp_path: Path, astronaut: np.ndarray, encode: Encode
) -> None:
    """Two files with the same bytes have one id, the sha256; other bytes have another."""
    data = encode(Image.fromarray(astronaut), "PNG")
    for name in ("a.png", "moved and mislabelled.jpg"):
        (tmp_path / name).write_bytes(data)
        photo = read_photo(tmp_path / name)
        assert photo.id == hashlib.sha256(data).hexdigest() == image_id(data)
        assert photo.format == "PNG"
    assert image_id(data + b"\0") != photo.id


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "AVIF", "BMP"])
@pytest.mark.parametrize("kept", [0.2, 0.6, 0.97])
def test_cut_off_files_are_refused(
    astronaut: np.ndarray, encode: Encode, format: str, kept: float
) -> None:
    """Half a file is never taken for a photo with a grey rest."""
    data = encode(Image.fromarray(astronaut), format)
    assert reason(data[: int(len(data) * kept)]) in {"truncated", "damaged"}


def test_a_cut_off_jpeg_is_called_truncated(astronaut: np.ndarray, encode: Encode) -> None:
    """The commonest damage has its own reason, so that a report can say it."""
    data = encode(Image.fromarray(astronaut), "JPEG")
    assert reason(data[: len(data) // 2]) == "truncated"


def test_a_damaged_photo_comes_with_a_remedy(
    astronaut: np.ndarray, encode: Encode, tmp_path: Path
) -> None:
    """Whoever searches with it reads what to do; the decoder's words would not help."""
    photo = tmp_path / "half.jpg"
    data = encode(Image.fromarray(astronaut), "JPEG")
    photo.write_bytes(data[: len(data) // 2])
    with pytest.raises(UnreadableImage, match=r"half\.jpg': truncated: its end is missing: copy"):
        read_photo(photo)
    named = UnreadableImage("damaged", "bad marker", path=photo)
    assert str(named) == f"{str(photo)!r}: damaged: {remedy('damaged')}"
    assert (named.detail, without_path(named)) == ("bad marker", f"damaged: {remedy('damaged')}")


def test_what_is_no_image_says_so(tmp_path: Path) -> None:
    """Empty files, text, PDFs, videos and PostScript are told apart from damaged pictures."""
    assert reason(b"") == "empty"
    assert reason(b"Dear diary, " * 100) == "not an image"
    assert reason(b"%PDF-1.7\n" + bytes(500)) == "not an image"
    assert reason(b"\0\0\0\x20ftypisom" + bytes(500)) == "not an image"
    assert reason(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n") == "not an image"
    assert reason(b"\xff\xd8\xff\xe0") in {"damaged", "truncated"}
    with pytest.raises(UnreadableImage, match=r"nowhere\.jpg': missing: there is no such file"):
        read_photo(tmp_path / "nowhere.jpg")
    assert issubclass(UnreadableImage, ToolError)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    """A 30,000 × 30,000 picture in a kilobyte is refused by its header."""
    assert reason(as_png(30_000, 30_000)) == "too large"
    assert reason(as_png(20_001, 10_000)) == "too large"


def test_a_whole_bomb_file_is_refused() -> None:
    """The same with all its rows present, as an attacker would send it."""
    rows = bytes((30_000 // 8 + 1) * 30_000)
    bomb = as_png(30_000, 30_000, rows)
    assert len(bomb) < 200_000
    assert reason(bomb) == "too large"


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    """A file larger than any photo costs no memory."""
    path = tmp_path / "film.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)  # sparse: takes no room on the disk
    with pytest.raises(UnreadableImage, match="too large"):
        read_photo(path)


def grey_steps() -> np.ndarray:
    """A (16, 256) uint8 ramp that shows every grey once a row."""
    return np.tile(np.arange(256, dtype=np.uint8), (16, 1))


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_pixel_mode_becomes_the_same_rgb(encode: Encode, mode: str) -> None:
    """The same greys stored as palette, CMYK, 16-bit, float or with alpha look the same."""
    ramp = grey_steps()
    if mode == "I;16":
        image = Image.fromarray(ramp.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray((ramp / np.float32(255)).astype(np.float32))
    else:
        image = Image.fromarray(ramp).convert(mode)
    photo = decode_photo(encode(image, "TIFF"))
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (16, 256, 3)
    assert np.abs(photo.pixels.astype(int) - ramp[:, :, None]).max() <= 1


def test_sixteen_bit_png_keeps_its_brightness(encode: Encode) -> None:
    """A 16-bit PNG is scaled, not clipped to white."""
    ramp = grey_steps().astype(np.uint16) * 257
    photo = decode_photo(encode(Image.fromarray(ramp), "PNG"))
    assert np.array_equal(photo.pixels[:, :, 1], grey_steps())


def test_bilevel_images_are_black_and_white(encode: Encode) -> None:
    """One-bit images become 0 and 255."""
    image = Image.fromarray(grey_steps()).convert("1", dither=Image.Dither.NONE)
    photo = decode_photo(encode(image, "PNG"))
    assert set(np.unique(photo.pixels)) == {0, 255}


def test_transparency_is_laid_over_white(encode: Encode) -> None:
    """The arbitrary colours under full transparency do not reach the detectors."""
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.putpixel((3, 3), (0, 0, 255, 255))
    photo = decode_photo(encode(image, "PNG"))
    assert photo.pixels[0, 0].tolist() == [255, 255, 255]
    assert photo.pixels[3, 3].tolist() == [0, 0, 255]
    palette = image.convert("P")
    assert decode_photo(encode(palette, "PNG", transparency=palette.getpixel((0, 0)))).pixels[
        0, 0
    ].tolist() == [255, 255, 255]


TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.transpose(a, (1, 0, 2)),
    6: lambda a: np.rot90(a, 3),
    7: lambda a: np.rot90(np.transpose(a, (1, 0, 2)), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(astronaut: np.ndarray, encode: Encode, orientation: int) -> None:
    """All eight EXIF orientations give the picture that a viewer shows."""
    stored = astronaut[:120, :80]
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    photo = decode_photo(encode(Image.fromarray(stored), "PNG", exif=exif))
    expected = TURNS[orientation](stored) if orientation > 1 else stored
    assert np.array_equal(photo.pixels, expected)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(encode: Encode, format: str) -> None:
    """Animated GIF, WebP and APNG give their first frame and say how many there are."""
    red, blue, green = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime"))
    options = {"lossless": True} if format == "WEBP" else {}
    data = encode(red, format, save_all=True, append_images=[blue, green], **options)
    photo = decode_photo(data)
    assert photo.frames == 3
    assert photo.pixels[5, 5].tolist() == [255, 0, 0]


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage" * 9, b"Exif\0\0II*\0\xff\xff\xff\xff"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remark about the broken EXIF
def test_broken_exif_hides_no_picture(encode: Encode, exif: bytes) -> None:
    """Metadata that cannot be parsed cost the metadata only."""
    data = encode(Image.new("RGB", (20, 10), "red"), "JPEG", exif=exif)
    assert decode_photo(data).pixels.shape == (10, 20, 3)


def test_huge_exif_is_harmless(encode: Encode) -> None:
    """A description of 60 kB is just a description."""
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = "x" * 60_000
    photo = decode_photo(encode(Image.new("RGB", (20, 10)), "JPEG", exif=exif))
    assert not photo.unmask_forgery


def marked(encode: Encode, where: str) -> Photo:
    """A small photo that carries Unmask's mark in one of the places the forge may write."""
    image = Image.new("RGB", (20, 10), "red")
    text = f"{UNMASK_MARK} (self_blend, seed 7)"
    if where == "PNG text":
        fields = PngImagePlugin.PngInfo()
        fields.add_text("Comment", text, zip=True)
        return decode_photo(encode(image, "PNG", pnginfo=fields))
    if where == "JPEG comment":
        return decode_photo(encode(image, "JPEG", comment=text))
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = text
    return decode_photo(encode(image, where, exif=exif))


@pytest.mark.parametrize("where", ["JPEG", "PNG", "WEBP", "TIFF", "PNG text", "JPEG comment"])
def test_our_own_forgeries_are_recognised(encode: Encode, where: str) -> None:
    """The forge's mark is found in EXIF, comment and text chunk."""
    assert marked(encode, where).unmask_forgery


def test_other_photos_carry_no_mark(astronaut: np.ndarray, encode: Encode) -> None:
    """An unmarked photo is not called ours."""
    assert not decode_photo(encode(Image.fromarray(astronaut), "JPEG", comment="a")).unmask_forgery


@settings(max_examples=150, deadline=None)
@given(data=st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remarks about damaged metadata
def test_damaged_bytes_never_crash(data: st.DataObject) -> None:
    """Whatever happened to a file, it is a photo or an UnreadableImage, never another error."""
    format = data.draw(st.sampled_from(sorted(SMALL_FILES)))
    damaged = bytearray(SMALL_FILES[format])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        photo = decode_photo(bytes(damaged))
    except UnreadableImage:
        return
    assert photo.pixels.ndim == 3
    assert photo.pixels.dtype == np.uint8


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
@pytest.mark.parametrize("length", [*range(12, 32)])
def test_a_webp_cut_in_its_header_is_no_photo(kind: bytes, length: int) -> None:
    """At any byte it is unreadable; a few bytes of a file must not end the indexing of a folder."""
    begun = b"RIFF\x40\0\0\0WEBP" + kind + bytes(30)
    with pytest.raises(UnreadableImage):
        decode_photo(begun[:length])


def _small_files() -> dict[str, bytes]:
    import io

    files = {}
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    for format in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000"):
        buffer = io.BytesIO()
        options = {"exif": exif} if format in {"JPEG", "PNG", "WEBP"} else {}
        Image.fromarray(skimage.data.astronaut()[:24, :24]).save(buffer, format, **options)
        files[format] = buffer.getvalue()
    return files


SMALL_FILES = _small_files()


def test_perceptual_hash_survives_what_uploads_do(astronaut: np.ndarray, encode: Encode) -> None:
    """Scaling and JPEG change few bits, another picture about half of them."""
    image = Image.fromarray(astronaut)
    original = perceptual_hash(astronaut)
    small = perceptual_hash(np.asarray(image.resize((180, 180))))
    jpeg = decode_photo(encode(image, "JPEG", quality=40)).perceptual_hash
    other = perceptual_hash(np.asarray(skimage.data.coffee()))
    assert hash_distance(original, small) <= 6
    assert hash_distance(original, jpeg) <= 6
    assert 18 <= hash_distance(original, other) <= 46
    assert 0 <= original < 2**64


def test_featureless_pictures_share_one_hash() -> None:
    """The hash of a plain surface does not depend on floating-point noise."""
    plain = {perceptual_hash(np.full((40, 60, 3), grey, np.uint8)) for grey in (0, 77, 200, 255)}
    assert plain == {0}


def test_hash_distance_counts_bits() -> None:
    """The distance is the number of differing bits."""
    assert hash_distance(0b1011, 0b0010) == 2
    assert hash_distance(0, 2**64 - 1) == 64


def test_walk_finds_everything_in_a_stable_order(tmp_path: Path) -> None:
    """Files at every depth, hidden ones included, come in the order of their names."""
    for name in ("b/2.jpg", "b/1.jpg", "a.jpg", ".hidden/x.png", "c d/é\n.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    expected = [".hidden/x.png", "a.jpg", "b/1.jpg", "b/2.jpg", "c d/é\n.jpg"]
    assert list(walk([tmp_path])) == [WalkedFile(tmp_path / name) for name in expected]


def test_names_that_are_not_utf8_survive(
    tmp_path: Path, astronaut: np.ndarray, encode: Encode
) -> None:
    """A file whose name is bytes in another encoding is found and opened."""
    name = os.fsdecode(b"caf\xe9 \xff.png")
    (tmp_path / name).write_bytes(encode(Image.fromarray(astronaut), "PNG"))
    (found,) = walk([tmp_path])
    assert os.fsencode(found.path.name) == b"caf\xe9 \xff.png"
    assert read_photo(found.path).pixels.shape == (512, 512, 3)


def test_link_loops_end(tmp_path: Path) -> None:
    """Folders that contain themselves by links are entered once, and no file is lost."""
    inner = tmp_path / "photos" / "inner"
    inner.mkdir(parents=True)
    (inner / "x.jpg").write_bytes(b"x")
    (inner / "up").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "self").symlink_to(tmp_path / "photos" / "self")
    found = list(walk([tmp_path / "photos", tmp_path / "photos" / "inner"]))
    assert [item for item in found if item.problem is None] == [WalkedFile(inner / "x.jpg")]
    assert [item.path.name for item in found if item.problem] == ["self"]


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken links, pipes and sockets are yielded as problems, not dropped and not opened."""
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's address must be short
        server.bind("socket")
        problems = {item.path.name: item.problem for item in walk([tmp_path])}
    assert problems == {
        "broken": "broken link",
        "pipe": "not a regular file",
        "socket": "not a regular file",
    }
    with pytest.raises(UnreadableImage, match="not an image"):
        read_photo(tmp_path / "pipe")


def test_unreadable_folders_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that the system refuses to list is reported, and the rest is still found."""
    (tmp_path / "locked").mkdir()
    (tmp_path / "z.jpg").write_bytes(b"x")
    real = os.scandir

    def refusing(path: Path) -> object:  # root, as in containers, is refused nothing
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = list(walk([tmp_path]))
    assert found == [
        WalkedFile(tmp_path / "locked", "permission denied"),
        WalkedFile(tmp_path / "z.jpg"),
    ]


def test_files_may_be_given_directly(tmp_path: Path) -> None:
    """A single file is walked as itself."""
    (tmp_path / "one.jpg").write_bytes(b"x")
    assert list(walk([tmp_path / "one.jpg"])) == [WalkedFile(tmp_path / "one.jpg")]


def test_a_missing_folder_is_a_setup_error_at_once(tmp_path: Path) -> None:
    """A mistyped folder is reported before any work, although walking is lazy."""
    with pytest.raises(SetupError, match="does not exist"):
        walk([tmp_path, tmp_path / "tpyo"])
