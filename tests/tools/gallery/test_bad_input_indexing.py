"""Bad files, folders and disks: a counted skip or a plain error, and nothing indexed is lost."""

import errno
import os
import resource
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.paths import ROOT
from tests.support.stand_ins import (
    FINGERPRINT,
    FakeEncoder,
    FakeFaceAnalyser,
    embedding_of,
    picture,
    write_pictures,
)
from tools.errors import SetupError
from tools.faces.analyser import Face
from tools.gallery.indexing.job import index_folders
from tools.gallery.indexing.progress import IndexSummary
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.pictures.decoding import image_id
from tools.media.videos import sampling

Make = Callable[[Path], object]


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """An empty gallery."""
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with five good pictures."""
    write_pictures(tmp_path / "photos", 5)
    return tmp_path / "photos"


def run(gallery: Gallery, *folders: Path) -> IndexSummary:
    """The job with the stand-ins."""
    return index_folders(folders, gallery=gallery, faces=FakeFaceAnalyser(), encoder=FakeEncoder())


def save(path: Path, format: str, pixels: np.ndarray | None = None, **options: object) -> None:
    """Write picture 50, or the one given, in some format."""
    Image.fromarray(picture(50) if pixels is None else pixels).save(path, format, **options)


def bomb(path: Path) -> None:
    """A PNG of 30,000 × 30,000 pixels in some hundred kilobytes."""
    side = 30_000

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    packer = zlib.compressobj(1)
    row = bytes(1 + side // 8)
    data = b"".join(packer.compress(row * 1000) for _ in range(side // 1000)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def truncated(path: Path, format: str) -> None:
    """The first half of a real picture file."""
    save(path, format, picture(50, side=256))
    os.truncate(path, path.stat().st_size // 2)


BAD: dict[str, tuple[Make, str]] = {
    "empty.jpg": (lambda path: path.write_bytes(b""), "empty"),
    "notes.jpg": (lambda path: path.write_text("shopping list"), "not an image"),
    "random.png": (lambda path: path.write_bytes(os.urandom(5000)), "not an image"),
    "video.mp4": (lambda path: path.write_bytes(b"\0\0\0 ftypisom" * 9), "damaged"),
    "half.jpg": (lambda path: truncated(path, "JPEG"), "truncated"),
    "half.png": (lambda path: truncated(path, "PNG"), "truncated"),
    "header.jpg": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "damaged"),
    "bomb.png": (bomb, "too large"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_counted_skips(gallery: Gallery, photos: Path, name: str) -> None:
    """A file that gives no picture is skipped with its reason; its neighbours are indexed."""
    make, reason = BAD[name]
    make(photos / name)
    summary = run(gallery, photos)
    assert (summary.images_added, summary.skipped) == (5, {reason: 1})
    assert summary.skipped_files == ((photos / name, reason),)
    assert [file.path for file in gallery.skipped_files()] == [photos / name]


def test_skipped_files_are_remembered_until_they_change(gallery: Gallery, photos: Path) -> None:
    """A second run counts a bad file without reading it; once mended, it is indexed."""
    path = photos / "broken.png"
    path.write_bytes(b"x" * 64)
    run(gallery, photos)
    stat = path.stat()
    save(path, "PNG")
    good = path.read_bytes()
    path.write_bytes(good[:64])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    summary = run(gallery, photos)
    assert (summary.skipped, summary.images_added) == ({"not an image": 1}, 0)
    path.write_bytes(good)
    summary = run(gallery, photos)
    assert (summary.skipped, summary.images_added, summary.already_known) == ({}, 1, 5)
    assert list(gallery.skipped_files()) == []


def grey16(path: Path) -> None:
    """A 16-bit grey PNG."""
    grey = cv2.cvtColor(picture(50), cv2.COLOR_RGB2GRAY).astype(np.uint16) * 257
    Image.fromarray(grey).save(path, "PNG")


def animated(path: Path, format: str) -> None:
    """Three frames, picture 50 first."""
    frames = [Image.fromarray(picture(seed)) for seed in (50, 51, 52)]
    options = {"lossless": True} if format == "WEBP" else {}
    frames[0].save(path, format, save_all=True, append_images=frames[1:], **options)


def rotated(path: Path) -> None:
    """A JPEG that lies on its side, with the EXIF note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    on_side = Image.fromarray(np.rot90(picture(50, side=96)[:, :64]))
    on_side.save(path, "JPEG", exif=exif, quality=95)


ODD: dict[str, tuple[Make, int]] = {
    "cmyk.jpg": (lambda p: Image.fromarray(picture(50)).convert("CMYK").save(p, "JPEG"), 1),
    "palette.png": (lambda p: Image.fromarray(picture(50)).quantize(64).save(p, "PNG"), 1),
    "grey.png": (lambda p: Image.fromarray(picture(50)).convert("L").save(p, "PNG"), 1),
    "grey16.png": (grey16, 1),
    "alpha.png": (lambda p: Image.fromarray(picture(50)).convert("RGBA").save(p, "PNG"), 1),
    "mislabelled.jpg": (lambda p: save(p, "PNG"), 1),
    "no extension": (lambda p: save(p, "BMP"), 1),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_show_their_picture(gallery: Gallery, photos: Path, name: str) -> None:
    """Whatever its mode, format, name and number of frames, the (first) picture is indexed."""
    make, frames = ODD[name]
    make(photos / name)
    assert run(gallery, photos).images_added == 6
    image = gallery.image(image_id((photos / name).read_bytes()))
    assert image.frames == frames
    (face,) = gallery.faces_of(image.id)
    assert float(face.face.embedding @ embedding_of(picture(50))) > 0.95


def test_rotated_photos_stand_upright(gallery: Gallery, photos: Path) -> None:
    """Size and face of a photo are those after the turn that EXIF asks for."""
    rotated(photos / "phone.jpg")
    run(gallery, photos)
    image = gallery.image(image_id((photos / "phone.jpg").read_bytes()))
    assert (image.width, image.height) == (64, 96)
    (face,) = gallery.faces_of(image.id)
    assert float(face.face.embedding @ embedding_of(picture(50, side=96)[:, :64])) > 0.95


def test_tiny_pictures_are_indexed_without_a_face(gallery: Gallery, photos: Path) -> None:
    """A picture of one pixel is a picture."""
    Image.fromarray(np.full((1, 1, 3), 200, np.uint8)).save(photos / "dot.png")
    summary = run(gallery, photos)
    assert (summary.images_added, summary.faces_found, summary.skipped) == (6, 5, {})
    assert gallery.counts().without_face == 1


@pytest.mark.parametrize(
    "name", [b"a b.png", b"two\nlines.png", b"caf\xe9\xff.png", "Ünïcödé 猫.png".encode(), b"-rf"]
)
def test_names_of_every_kind(gallery: Gallery, tmp_path: Path, name: bytes) -> None:
    """Spaces, newlines, bytes that are not UTF-8: the file is indexed and found again."""
    path = tmp_path / "photos" / os.fsdecode(name)
    path.parent.mkdir()
    save(path, "PNG")
    assert run(gallery, path.parent).images_added == 1
    assert gallery.paths_of(image_id(path.read_bytes())) == [path]
    assert run(gallery, path.parent).already_known == 1


def test_links_that_go_round_in_circles(gallery: Gallery, photos: Path) -> None:
    """Loops and broken links end; the broken ones are counted."""
    (photos / "loop").symlink_to(photos)
    (photos / "self").symlink_to(photos / "self")
    (photos / "nowhere").symlink_to(photos / "no such file")
    summary = run(gallery, photos)
    assert (summary.images_added, summary.duplicates) == (5, 0)
    assert summary.skipped == {"broken link": 2}


@contextmanager
def without_rights() -> Iterator[None]:
    """As an ordinary user: root reads everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter and write to."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


def test_folders_that_cannot_be_read(open_folder: Path) -> None:
    """A locked folder and a locked file are counted, not given up, and read once unlocked."""
    photos, home = open_folder / "photos", open_folder / "home"
    write_pictures(photos, 3)
    write_pictures(photos / "private", 2, first=10)
    home.mkdir()
    home.chmod(0o777)
    FaceIndex.open(Gallery.open(open_folder / "warm", fingerprint=FINGERPRINT)).close()  # imports
    with without_rights(), Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        assert run(gallery, photos).images_added == 5
    (photos / "private").chmod(0)
    (photos / "0000.png").write_bytes(b"changed")
    (photos / "0000.png").chmod(0)
    with without_rights(), Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        summary = run(gallery, photos)
        assert summary.skipped == {"permission denied": 1, "unreadable": 1}
        assert (summary.already_known, summary.missing) == (2, 0)
    (photos / "private").chmod(0o755)
    stat = (photos / "0000.png").stat()
    (photos / "0000.png").chmod(0o644)
    assert (photos / "0000.png").stat().st_mtime_ns == stat.st_mtime_ns
    with without_rights(), Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        summary = run(gallery, photos)
        assert (summary.already_known, summary.skipped) == (4, {"not an image": 1})


def test_a_data_folder_that_cannot_be_written(open_folder: Path) -> None:
    """Without the right to write, the message says what to do and no traceback is needed."""
    (open_folder / "locked").mkdir(mode=0o755)
    with without_rights(), pytest.raises(SetupError, match="UNMASK_HOME"):
        Gallery.open(open_folder / "locked" / "home", fingerprint=FINGERPRINT)


def test_a_gallery_that_became_read_only(open_folder: Path) -> None:
    """Indexing into a record without the right to write is refused in plain words."""
    home = open_folder / "home"
    write_pictures(open_folder / "photos", 2)
    with Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        run(gallery, open_folder / "photos")
    for path in [home, *home.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    with without_rights(), pytest.raises(SetupError, match="default"):
        Gallery.open(home, fingerprint=FINGERPRINT)


def test_a_file_where_the_data_folder_should_be(tmp_path: Path) -> None:
    """A data folder that is a file is named."""
    (tmp_path / "home").write_text("")
    with pytest.raises(SetupError, match="UNMASK_HOME"):
        Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a disk with little space left: no file may grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_loses_nothing(gallery: Gallery, tmp_path: Path) -> None:
    """When there is no room for more, the job ends with a plain error and keeps what it had."""
    write_pictures(tmp_path / "photos", 200)
    acknowledged: list[str] = []
    with largest_file(200_000), pytest.raises(SetupError, match=r"full.*unmask index"):
        index_folders(
            [tmp_path / "photos"],
            gallery=gallery,
            faces=FakeFaceAnalyser(),
            encoder=FakeEncoder(),
            on_indexed=acknowledged.extend,
        )
    assert 0 < len(acknowledged) < 200
    assert sorted(acknowledged) == list(gallery.image_ids())
    assert gallery.problems() == []
    summary = run(gallery, tmp_path / "photos")  # with room again
    assert summary.images_added == 200 - len(acknowledged)
    with FaceIndex.open(gallery) as index:
        assert len(index.search(embedding_of(picture(0)), 500)) == 200


def test_a_full_file_system_loses_nothing(tmp_path: Path) -> None:
    """The same on a real, tiny file system (where the tests may mount one)."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs rights that this machine does not give")
    try:
        write_pictures(tmp_path / "photos", 300)
        with Gallery.open(disk, fingerprint=FINGERPRINT) as gallery:
            with pytest.raises(SetupError, match="full"):
                run(gallery, tmp_path / "photos")
            images = gallery.counts().images
            assert 0 < images < 300
            assert gallery.problems() == []
        with Gallery.open(disk, fingerprint=FINGERPRINT) as gallery:
            assert gallery.counts().images == images
            with FaceIndex.open(gallery) as index:
                found = index.search(embedding_of(picture(0)), 500)
            assert len(found) == images
    finally:
        subprocess.run(["umount", str(disk)], check=True)  # noqa: S607


def test_ctrl_c_ends_a_real_process(tmp_path: Path) -> None:
    """A process that gets SIGINT while it indexes ends by it, and the next one goes on."""
    write_pictures(tmp_path / "photos", 200)
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.support.stand_ins import *\n"
        "from tools.gallery.record_store import Gallery\n"
        "from tools.gallery.indexing.job import index_folders\n"
        "g = Gallery.open(Path(sys.argv[1]), fingerprint=FINGERPRINT)\n"
        "index_folders([Path(sys.argv[2])], gallery=g, "
        "faces=FakeFaceAnalyser(), encoder=FakeEncoder(),"
        " on_indexed=lambda ids: os.kill(os.getpid(), signal.SIGINT))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "home"), str(tmp_path / "photos")]
    root = ROOT
    child = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "IndexingInterrupted" in child.stderr
    with Gallery.open_existing(tmp_path / "home") as gallery:
        kept = gallery.counts().images
        assert 16 <= kept < 200
        assert run(gallery, tmp_path / "photos").images_added == 200 - kept


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_every_frame_of_an_animation_is_indexed(
    gallery: Gallery, photos: Path, format: str
) -> None:
    """Three frames are three pictures of one file, whichever of them shows something."""
    animated(photos / "moving", format)
    summary = run(gallery, photos)
    assert (summary.videos_added, summary.frames_added, summary.images_added) == (1, 3, 8)
    video = gallery.file(photos / "moving")
    assert video is not None and video.image_id is not None
    assert len(gallery.frames_of(video.image_id)) == 3


@pytest.mark.parametrize(("pages", "indexed"), [(40, 40), (303, 300)])
def test_every_page_is_indexed_up_to_the_bound_that_is_told(
    gallery: Gallery, photos: Path, pages: int, indexed: int
) -> None:
    """No page of a usual document is left out, and of a longer one the person is told."""
    first, *others = [Image.fromarray(picture(100 + seed)) for seed in range(pages)]
    first.save(photos / "scan.tif", save_all=True, append_images=others)
    summary = run(gallery, photos)
    assert (summary.frames_added, summary.skipped) == (indexed, {})
    told = [notice for notice in summary.notices if "scan.tif" in notice]
    assert len(told) == (pages > indexed)


def test_a_damaged_page_does_not_hide_the_pages_after_it(gallery: Gallery, photos: Path) -> None:
    """The other pages are indexed, under their own numbers."""
    pages = [Image.fromarray(picture(100 + seed)) for seed in range(4)]
    path = photos / "scan.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:], compression="tiff_lzw")
    with Image.open(path) as image:
        image.seek(1)
        (at, *_), (size, *_) = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
    data = bytearray(path.read_bytes())
    data[at : at + size] = b"\xff" * size
    path.write_bytes(data)
    assert run(gallery, photos).frames_added == 3
    record = gallery.file(path)
    assert record is not None and record.image_id is not None
    assert [each.time_s for each in gallery.frames_of(record.image_id)] == [0.0, 2.0, 3.0]


@pytest.mark.parametrize(("format", "frames"), [("GIF", 9), ("WEBP", 9), ("PNG", 60)])
def test_the_last_frame_of_an_animation_is_looked_at(
    tmp_path: Path, format: str, frames: int
) -> None:
    """A face may show for a moment at the end; of few frames all are taken, of many the ends."""
    shown = [Image.new("RGB", (64, 64), (4 * number, 0, 0)) for number in range(frames - 1)]
    shown.append(Image.new("RGB", (64, 64), "blue"))
    path = tmp_path / "moving"
    options = {"lossless": True} if format == "WEBP" else {}
    shown[0].save(path, format, save_all=True, append_images=shown[1:], duration=40, **options)
    taken = list(sampling.sample_frames(path))
    assert [taken[0].pixels[9, 9, 2] > 200, taken[-1].pixels[9, 9, 2] > 200] == [False, True]
    assert len(taken) == (9 if frames == 9 else 8)


def test_links_out_of_the_folder_are_followed_when_asked(
    gallery: Gallery, photos: Path, tmp_path: Path
) -> None:
    """What lies elsewhere was not asked for; links within the folder change nothing."""
    write_pictures(tmp_path / "elsewhere", 2, first=70)
    (photos / "out").symlink_to(tmp_path / "elsewhere")
    (photos / "within").symlink_to(photos)
    assert run(gallery, photos).skipped == {"link out of the folder": 1}
    summary = index_folders(
        [photos],
        gallery=gallery,
        faces=FakeFaceAnalyser(),
        encoder=FakeEncoder(),
        follow_links=True,
    )
    assert (summary.images_added, summary.skipped) == (2, {})


def test_our_own_data_is_not_indexed(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    """The copies of query photos in the data folder are no part of a collection around it."""
    write_pictures(tmp_path / "home" / "cases" / "1" / "photos", 3, first=70)
    assert run(gallery, tmp_path).images_added == 5


def test_a_touched_file_is_already_known(gallery: Gallery, photos: Path) -> None:
    """Another time of change with the same bytes is neither new nor a duplicate."""
    run(gallery, photos)
    for path in photos.iterdir():
        os.utime(path, (1, 1))
    summary = run(gallery, photos)
    assert (summary.already_known, summary.duplicates, summary.images_added) == (5, 0, 0)


@pytest.mark.parametrize(
    "failure", [MemoryError(), OSError(errno.EMFILE, "Too many open files"), OSError(errno.EIO, "")]
)
def test_a_failing_system_is_not_held_against_the_file(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    """Out of memory or of files while decoding: skipped for now, and indexed by the next run."""

    def fail(*_: object) -> None:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr("PIL.ImageFile.ImageFile.load", fail)
        assert run(gallery, photos).skipped == {"unreadable": 5}
    assert run(gallery, photos).images_added == 5


def test_memory_that_the_analysis_lacks_is_asked_for_again(gallery: Gallery, photos: Path) -> None:
    """A batch that needs too much is tried one by one; what still fails, by the next run."""

    class Hungry(FakeFaceAnalyser):
        def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
            raise MemoryError

    summary = index_folders(
        [photos], gallery=gallery, faces=Hungry(), encoder=FakeEncoder(), threads=1
    )
    assert summary.skipped == {"unreadable": 5}
    assert run(gallery, photos).images_added == 5
