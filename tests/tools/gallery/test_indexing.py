"""The indexing job: every picture once, none twice, none lost."""

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.stand_ins import (
    FINGERPRINT,
    FakeEncoder,
    FakeFaceAnalyser,
    embedding_of,
    picture,
    write_pictures,
)
from tools.checkpoints.table import WEIGHTS_DIR
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop
from tools.faces.analyser import Face, FaceAnalyser
from tools.gallery.indexing import batches
from tools.gallery.indexing.job import index_folders
from tools.gallery.indexing.progress import IndexingInterrupted, IndexProgress, IndexSummary
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.pictures.decoding import image_id


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """An empty gallery."""
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with forty pictures in two levels."""
    write_pictures(tmp_path / "photos", 30)
    write_pictures(tmp_path / "photos" / "more", 10, first=30)
    return tmp_path / "photos"


def run(gallery: Gallery, *folders: Path, faces: FakeFaceAnalyser | None = None) -> IndexSummary:
    """The job with the stand-ins."""
    return index_folders(
        folders, gallery=gallery, faces=faces or FakeFaceAnalyser(), encoder=FakeEncoder()
    )


def every_picture_is_found(gallery: Gallery, seeds: Sequence[int]) -> bool:
    """Whether each picture is the best match for its own embedding, through the index."""
    with FaceIndex.open(gallery) as index:
        best = [index.search(embedding_of(picture(seed)), 1)[0] for seed in seeds]
    return all(match.cosine_similarity == pytest.approx(1.0, abs=1e-5) for match in best)


def test_a_folder_becomes_a_gallery(gallery: Gallery, photos: Path) -> None:
    """Every picture of a tree is recorded with its face and features, and can be searched."""
    summary = run(gallery, photos)
    assert (summary.images_added, summary.faces_found, summary.skipped) == (40, 40, {})
    assert (summary.notices, summary.duplicates, summary.already_known) == ((), 0, 0)
    assert every_picture_is_found(gallery, range(40))
    path = photos / "more" / "0035.png"
    image = gallery.image(image_id(path.read_bytes()))
    assert (image.width, image.height, image.format, image.frames) == (64, 64, "PNG", 1)
    assert image.byte_size == path.stat().st_size
    assert gallery.paths_of(image.id) == [path]
    (face,) = gallery.faces_of(image.id)
    # What is stored belongs to this very picture, not to a neighbour in the batch.
    np.testing.assert_array_equal(face.face.embedding, embedding_of(picture(35)))
    assert image.features is not None
    np.testing.assert_array_equal(image.features, FakeEncoder().encode_images([picture(35)])[0])
    assert face.features is not None
    assert not np.array_equal(face.features, image.features)


def test_faces_are_analysed_in_batches(gallery: Gallery, photos: Path) -> None:
    """The analysis sees many pictures at once."""
    faces = FakeFaceAnalyser()
    run(gallery, photos, faces=faces)
    assert sorted(faces.batches) == [8, 16, 16]


def test_a_second_run_does_no_work(gallery: Gallery, photos: Path) -> None:
    """Over an unchanged folder nothing is read, analysed or written."""
    run(gallery, photos)
    record = gallery.folder / "records.sqlite3"
    for path in photos.rglob("*.png"):
        stat = path.stat()
        path.write_bytes(b"\0" * stat.st_size)  # same size and time: reading it would show
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    faces, before = FakeFaceAnalyser(), record.read_bytes()
    summary = run(gallery, photos, faces=faces)
    assert (summary.already_known, summary.images_added, faces.analysed) == (40, 0, 0)
    assert record.read_bytes() == before


def test_moved_and_copied_files_are_recognised(gallery: Gallery, photos: Path) -> None:
    """The same bytes under another name are not analysed again; the old name is given up."""
    run(gallery, photos)
    (photos / "0001.png").rename(photos / "moved.png")
    shutil.copy(photos / "0002.png", photos / "copy.png")
    faces = FakeFaceAnalyser()
    summary = run(gallery, photos, faces=faces)
    assert (summary.duplicates, summary.missing, summary.already_known) == (2, 1, 39)
    assert faces.analysed == 0
    moved = gallery.paths_of(image_id((photos / "moved.png").read_bytes()))
    assert moved == [photos / "moved.png"]
    copied = gallery.paths_of(image_id((photos / "copy.png").read_bytes()))
    assert copied == [photos / "0002.png", photos / "copy.png"]


def test_twins_in_one_run_are_analysed_once(gallery: Gallery, tmp_path: Path) -> None:
    """Copies that lie side by side in a new folder give one picture with several paths."""
    (original,) = write_pictures(tmp_path / "p", 1)
    for number in range(20):
        shutil.copy(original, tmp_path / "p" / f"copy{number}.png")
    faces = FakeFaceAnalyser()
    summary = run(gallery, tmp_path / "p", faces=faces)
    assert (summary.images_added, summary.duplicates, faces.analysed) == (1, 20, 1)
    assert len(gallery.paths_of(image_id(original.read_bytes()))) == 21


def test_a_changed_file_is_indexed_again(gallery: Gallery, photos: Path) -> None:
    """Other bytes under a known name are another picture."""
    run(gallery, photos)
    old = image_id((photos / "0000.png").read_bytes())
    Image.fromarray(picture(777, side=80)).save(photos / "0000.png")
    summary = run(gallery, photos)
    assert (summary.images_added, summary.already_known) == (1, 39)
    assert gallery.paths_of(old) == []
    assert every_picture_is_found(gallery, [777])


def test_files_that_come_back_are_known(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    """A disk that was away for a run costs no new analysis when it is back."""
    run(gallery, photos)
    (photos / "more").rename(tmp_path / "away")
    assert run(gallery, photos).missing == 10
    assert run(gallery, photos).missing == 0  # told once
    assert gallery.counts().missing == 10
    assert gallery.counts().images == 40
    (tmp_path / "away").rename(photos / "more")
    faces = FakeFaceAnalyser()
    assert run(gallery, photos, faces=faces).already_known == 40
    assert (faces.analysed, gallery.counts().missing) == (0, 0)


def test_other_folders_are_not_touched(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    """Indexing one folder says nothing about files of another that are gone."""
    write_pictures(tmp_path / "other", 3, first=100)
    run(gallery, photos, tmp_path / "other")
    shutil.rmtree(photos)
    assert run(gallery, tmp_path / "other").missing == 0
    assert gallery.counts().missing == 0


def test_one_folder_under_two_names_is_one(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    """A folder given through a link, relatively, or by a file in it, is the same folder."""
    (tmp_path / "link").symlink_to(photos)
    run(gallery, photos)
    summary = run(gallery, tmp_path / "link", photos / ".." / "photos", photos / "0003.png")
    assert summary.images_added == summary.duplicates == summary.missing == 0
    assert gallery.counts().files == 40


def test_the_galleries_themselves_are_left_out(gallery: Gallery, tmp_path: Path) -> None:
    """Indexing a folder that contains the data folder does not look at the record."""
    write_pictures(tmp_path / "photos", 2)
    summary = run(gallery, tmp_path)
    assert (summary.images_added, summary.skipped) == (2, {})


def test_a_refused_picture_costs_only_itself(gallery: Gallery, photos: Path) -> None:
    """A ToolError for one picture skips that one, counted, and the rest of its batch is kept."""
    green = picture(500)
    green[:8, :8] = (0, 255, 0)
    Image.fromarray(green).save(photos / "green.png")
    summary = run(gallery, photos)
    assert (summary.images_added, summary.skipped) == (40, {"not analysed": 1})
    assert summary.skipped_files == ((photos / "green.png", "not analysed"),)
    again = run(gallery, photos)
    assert (again.already_known, again.skipped) == (40, {"not analysed": 1})


class Broken(FakeFaceAnalyser):
    """An analyser with a bug that shows at picture 20, in the second batch."""

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Fail with a bug."""
        if any(np.array_equal(image, picture(20)) for image in images):
            raise ZeroDivisionError
        return super().analyse(images)


def test_bugs_are_not_hidden(gallery: Gallery, photos: Path) -> None:
    """An unexpected exception ends the run; what was committed before is kept."""
    with pytest.raises(ZeroDivisionError):
        run(gallery, photos, faces=Broken())
    assert gallery.counts().images == 16
    assert run(gallery, photos).images_added == 24
    assert every_picture_is_found(gallery, range(40))


def test_ctrl_c_keeps_what_was_indexed(gallery: Gallery, photos: Path) -> None:
    """A real SIGINT in the middle: what was reported is kept and found, and the rest resumes."""
    kept: list[str] = []

    def interrupt(ids: Sequence[str]) -> None:
        kept.extend(ids)
        if len(kept) > 16:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(IndexingInterrupted) as caught:
        index_folders(
            [photos],
            gallery=gallery,
            faces=FakeFaceAnalyser(),
            encoder=FakeEncoder(),
            on_indexed=interrupt,
        )
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.summary.images_added == len(kept) == 32
    assert sorted(kept) == list(gallery.image_ids())
    with FaceIndex.open(gallery) as index:
        assert index.notices == []  # it was closed properly
        assert len(index.search(embedding_of(picture(0)), 100)) == 32
    assert run(gallery, photos).images_added == 8


def test_only_what_is_on_disk_is_reported(gallery: Gallery, photos: Path) -> None:
    """When `on_indexed` names a picture, another connection can read it already."""
    seen: list[bool] = []

    def check(ids: Sequence[str]) -> None:
        with Gallery.open_existing(gallery.folder.parent.parent) as other:
            seen.extend(other.has_image(each) for each in ids)

    index_folders(
        [photos], gallery=gallery, faces=FakeFaceAnalyser(), encoder=FakeEncoder(), on_indexed=check
    )
    assert seen == [True] * 40


def test_progress_ends_at_all_files(gallery: Gallery, photos: Path) -> None:
    """Progress never goes backwards and ends with every file done and an ETA of zero."""
    (photos / "notes.txt").write_text("no picture")
    told: list[IndexProgress] = []
    index_folders(
        [photos],
        gallery=gallery,
        faces=FakeFaceAnalyser(),
        encoder=FakeEncoder(),
        on_progress=told.append,
    )
    assert {each.files_total for each in told} == {41}
    assert [each.files_done for each in told] == sorted(each.files_done for each in told)
    last = told[-1]
    assert (last.files_done, last.images_added, last.faces_found, last.skipped) == (41, 40, 40, 1)
    assert last.eta_s == 0


def test_an_index_that_is_open_already_is_used(gallery: Gallery, photos: Path) -> None:
    """The caller's own index is in step when the job is done, and stays open."""
    with FaceIndex.open(gallery) as index:
        index_folders(
            [photos], gallery=gallery, faces=FakeFaceAnalyser(), encoder=FakeEncoder(), index=index
        )
        assert len(index.search(embedding_of(picture(3)), 100)) == 40


def test_two_jobs_do_not_mix(gallery: Gallery, photos: Path, tmp_path: Path) -> None:
    """While one job indexes a gallery, another one is turned away at once."""

    def second(_: Sequence[str]) -> None:
        with (
            Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as other,
            pytest.raises(SetupError, match="another process"),
        ):
            run(other, photos)

    index_folders(
        [photos],
        gallery=gallery,
        faces=FakeFaceAnalyser(),
        encoder=FakeEncoder(),
        on_indexed=second,
    )
    assert gallery.counts().images == 40


def test_large_pictures_make_small_batches(
    gallery: Gallery, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch ends at a number of pixels too, so that memory does not depend on resolution."""
    monkeypatch.setattr(batches, "BATCH_PIXELS", 3 * 64 * 64)
    faces = FakeFaceAnalyser()
    assert run(gallery, photos, faces=faces).images_added == 40
    assert max(faces.batches) == 3


def test_a_missing_folder_is_a_setup_error(gallery: Gallery, tmp_path: Path) -> None:
    """A folder that does not exist is named, and files recorded under it are not given up."""
    write_pictures(tmp_path / "usb", 2)
    run(gallery, tmp_path / "usb")
    shutil.rmtree(tmp_path / "usb")
    with pytest.raises(SetupError, match="usb"):
        run(gallery, tmp_path / "usb")
    assert gallery.counts().missing == 0


def test_the_pocket_weights_do_the_job(tmp_path: Path, astronaut: np.ndarray) -> None:
    """Real photographs through the real networks: what is recorded is what each gives alone."""
    from insightface.data import get_image

    faces, encoder = FaceAnalyser(WEIGHTS_DIR / "faces"), Encoder.load(WEIGHTS_DIR / "encoder")
    group = np.ascontiguousarray(get_image("t1")[..., ::-1])
    pictures = {
        "portrait.png": astronaut,
        "group.png": group,
        "closer.png": astronaut[:320, 60:380],
    }
    (tmp_path / "photos").mkdir()
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(tmp_path / "photos" / name)
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as gallery:
        summary = index_folders(
            [tmp_path / "photos"], gallery=gallery, faces=faces, encoder=encoder
        )
        assert (summary.images_added, summary.faces_found) == (3, 8)
        (portrait,) = gallery.faces_of(image_id((tmp_path / "photos/portrait.png").read_bytes()))
        (alone,) = faces.analyse([astronaut])[0]
        np.testing.assert_allclose(portrait.face.embedding, alone.embedding, atol=1e-4)
        crop = aligned_crop(
            astronaut, alone.keypoints, size=encoder.image_size, margin=encoder.face_margin
        )
        assert portrait.features is not None
        wanted = encoder.encode_images([crop])[0]
        np.testing.assert_allclose(portrait.features, wanted, atol=1e-3 * np.abs(wanted).max())
        with FaceIndex.open(gallery) as index:
            first, second, third = index.search(alone.embedding, 3)
        closer = image_id((tmp_path / "photos/closer.png").read_bytes())
        assert (first.face_id, second.face_id) == (portrait.id, f"{closer}:0")
        assert second.cosine_similarity > 0.5 > third.cosine_similarity
