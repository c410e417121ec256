"""Indexing videos: completely or not at all, once, in new and existing galleries."""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.clips import grey, write_clip, write_sound
from tests.support.stand_ins import (
    FINGERPRINT,
    FakeEncoder,
    FakeFaceAnalyser,
    embedding_of,
    picture,
    write_pictures,
)
from tools.agent_tools.facts import gallery_facts
from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.gallery.database_file import SCHEMA_VERSION
from tools.gallery.indexing.job import index_folders
from tools.gallery.indexing.progress import IndexingInterrupted, IndexProgress, IndexSummary
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex
from tools.media.pictures.decoding import image_id
from tools.media.videos.sampling import sample_frames
from tools.verdict.clauses import clause

pytestmark = pytest.mark.fast


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """An empty gallery."""
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as opened:
        yield opened


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Forty seconds, a picture of its own in each, in a folder."""
    (tmp_path / "videos").mkdir()
    pictures = [picture(it // 2) for it in range(80)]
    return write_clip(tmp_path / "videos" / "clip.mp4", pictures, rate=2)


def run(gallery: Gallery, *folders: Path, faces: FakeFaceAnalyser | None = None) -> IndexSummary:
    """The job with the stand-ins."""
    return index_folders(
        folders, gallery=gallery, faces=faces or FakeFaceAnalyser(), encoder=FakeEncoder()
    )


def sha256(path: Path) -> str:
    """What names a video."""
    return image_id(path.read_bytes())


def test_a_video_becomes_its_frames(gallery: Gallery, clip: Path) -> None:
    """Each frame is a picture with its time, its face and its features, and can be searched."""
    write_pictures(clip.parent / "photos", 20)
    summary = run(gallery, clip.parent)
    assert (summary.images_added, summary.videos_added, summary.frames_added) == (60, 1, 40)
    assert (summary.faces_found, summary.skipped) == (60, {})
    counts = gallery.counts()
    assert (counts.images, counts.videos, counts.frames, counts.files) == (20, 1, 40, 21)
    assert counts.pictures == 21, "frames are no pictures of their own in any sentence"
    assert counts.without_face == 0
    found = gallery.frames_of(sha256(clip))
    assert [frame.time_s for frame in found] == list(range(40))
    taken = list(sample_frames(clip))
    with FaceIndex.open(gallery) as index:
        (best,) = index.search(embedding_of(taken[7].pixels), 1)
    assert best.face_id == f"{found[7].image_id}:0" == f"{sha256(clip)}@7:0"
    image = gallery.image(found[7].image_id)
    assert image.moment is not None
    assert (image.moment.video_id, image.moment.time_s) == (sha256(clip), 7.0)
    assert (image.width, image.height, image.format, image.frames) == (64, 64, "MP4", 1)
    assert image.features is not None
    np.testing.assert_array_equal(image.features, FakeEncoder().encode_images([taken[7].pixels])[0])
    assert gallery.paths_of(image.id) == gallery.paths_of(sha256(clip)) == [clip]
    assert gallery.moments([image.id, "unknown"]) == {image.id: image.moment}
    assert gallery.problems() == []


def test_a_photograph_is_no_frame(gallery: Gallery, tmp_path: Path) -> None:
    """Pictures have no moment, and the sha256 of one leads to no frames."""
    (path,) = write_pictures(tmp_path / "p", 1)
    run(gallery, path)
    assert gallery.image(sha256(path)).moment is None
    assert gallery.frames_of(sha256(path)) == []


def test_the_video_itself_is_not_among_the_pictures(gallery: Gallery, clip: Path) -> None:
    """Whoever walks over the pictures meets the frames only, each with features."""
    run(gallery, clip)
    ids = list(gallery.image_ids())
    assert len(ids) == 40
    assert sha256(clip) not in ids
    assert all(gallery.image(each).features is not None for each in ids)


def test_a_second_run_does_no_work(gallery: Gallery, clip: Path) -> None:
    """An unchanged video is not even read again."""
    run(gallery, clip.parent)
    status = clip.stat()
    clip.write_bytes(bytes(status.st_size))  # same size and time: reading it would show
    os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns))
    record = gallery.folder / "records.sqlite3"
    faces, before = FakeFaceAnalyser(), record.read_bytes()
    summary = run(gallery, clip.parent, faces=faces)
    assert (summary.already_known, summary.images_added, faces.analysed) == (1, 0, 0)
    assert record.read_bytes() == before


def test_moved_and_copied_videos_are_recognised(gallery: Gallery, clip: Path) -> None:
    """The same bytes under other names are analysed once, in one run and in the next."""
    shutil.copy(clip, clip.parent / "twin.mp4")
    faces = FakeFaceAnalyser()
    assert run(gallery, clip.parent, faces=faces).duplicates == 1
    assert faces.analysed == 40
    name = sha256(clip)
    moved = clip.rename(clip.parent / "moved.avi")
    summary = run(gallery, clip.parent, faces=faces)
    assert (summary.duplicates, summary.missing, faces.analysed) == (1, 1, 40)
    assert gallery.paths_of(name) == [moved, clip.parent / "twin.mp4"]


class _Refusing(FakeFaceAnalyser):
    """Cannot analyse pictures with a dark corner."""

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        if any(image[-1, -1].max() < 60 for image in images):
            raise ToolError("too dark")
        return super().analyse(images)


def test_frames_that_cannot_be_analysed_are_left_out(gallery: Gallery, tmp_path: Path) -> None:
    """A video is indexed without them; one of which nothing can be analysed is skipped."""
    folder = tmp_path / "v"
    folder.mkdir()
    write_clip(folder / "half.mp4", [grey(20)] * 10 + [grey(200)] * 10, rate=1)
    write_clip(folder / "dark.mp4", [grey(20)] * 10, rate=1)
    summary = run(gallery, folder, faces=_Refusing())
    assert (summary.videos_added, summary.frames_added) == (1, 10)
    assert summary.skipped == {"not analysed": 1}
    assert [it.time_s for it in gallery.frames_of(sha256(folder / "half.mp4"))] == [*range(10, 20)]


def test_files_without_a_frame_are_skipped_with_a_reason(gallery: Gallery, clip: Path) -> None:
    """Sound, garbage and headers without data; a truncated video counts with what is left."""
    folder = clip.parent
    write_sound(folder / "sound.m4a")
    (folder / "garbage.mp4").write_bytes(b"\0\0\0 ftypisom" * 50)
    (folder / "empty.mp4").touch()
    stream = write_clip(folder / "stream.ts", [picture(it) for it in range(60)], rate=2)
    stream.write_bytes(stream.read_bytes()[: stream.stat().st_size // 2])
    summary = run(gallery, folder)
    assert summary.skipped == {"no video stream": 1, "damaged": 1, "empty": 1}
    assert summary.videos_added == 2
    times = [it.time_s for it in gallery.frames_of(sha256(stream))]
    assert len(times) >= 8
    assert 10 < times[-1] < 20  # of 30 s
    again = run(gallery, folder)
    assert (again.images_added, again.already_known, again.skipped) == (0, 2, summary.skipped)


@pytest.mark.parametrize("commits", [1, 2])
def test_an_interrupted_video_is_not_taken_for_a_whole_one(
    gallery: Gallery, clip: Path, commits: int
) -> None:
    """Stopped amid its frames it leaves no trace; the next run does it, and what came before
    stays."""
    write_pictures(clip.parent / "a-first", 16)
    stopped = 0

    def stop(progress: IndexProgress) -> None:
        nonlocal stopped
        if progress.images_added >= 16:
            stopped += 1
            if stopped >= commits:
                raise KeyboardInterrupt

    with pytest.raises(IndexingInterrupted) as interruption:
        index_folders(
            [clip.parent], gallery=gallery, faces=FakeFaceAnalyser(), encoder=FakeEncoder(),
            threads=1, on_progress=stop,
        )  # fmt: skip
    assert interruption.value.summary.videos_added == 0
    assert gallery.counts().images == 16
    assert gallery.file(clip) is None
    summary = run(gallery, clip.parent)
    assert (summary.images_added, summary.videos_added, summary.already_known) == (40, 1, 16)
    assert gallery.problems() == []


def test_a_kill_between_batches_loses_no_consistency(
    gallery: Gallery, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the one commit of a video fails, nothing of it is in the record."""
    with monkeypatch.context() as patched:
        patched.setattr("tools.gallery.sql.INSERT_FRAME", "INSERT INTO nowhere VALUES (?, ?, ?)")
        with pytest.raises(sqlite3.OperationalError):
            run(gallery, clip)
    assert (gallery.counts().images, gallery.counts().faces) == (0, 0)
    assert run(gallery, clip).frames_added == 40


class FacesInTurn(FakeFaceAnalyser):
    """Finds a face in every second picture that it sees, or in none."""

    def __init__(self, *, every: int | None) -> None:
        super().__init__()
        self.every, self.seen = every, 0

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """One face or none per picture."""
        found = super().analyse(images)
        numbers = range(self.seen, self.seen + len(found))
        self.seen += len(found)
        shown = [self.every is not None and it % self.every == 0 for it in numbers]
        return [faces if keep else [] for faces, keep in zip(found, shown, strict=True)]


def test_frames_without_a_face_are_no_pictures_without_a_face(gallery: Gallery, clip: Path) -> None:
    """A video with the person in half of its frames added 20 "images without a face"."""
    run(gallery, clip.parent, faces=FacesInTurn(every=2))
    counts = gallery.counts()
    assert (counts.frames, counts.faces) == (40, 20)
    assert (counts.pictures, counts.without_face, counts.videos_without_face) == (1, 0, 0)
    write_clip(clip.parent / "empty.mp4", [grey(it) for it in (20, 90, 160)], rate=1)
    write_pictures(clip.parent / "photos", 2)
    run(gallery, clip.parent, faces=FacesInTurn(every=None))
    counts = gallery.counts()
    assert (counts.images, counts.videos) == (2, 2)
    assert (counts.without_face, counts.videos_without_face) == (3, 1)
    said = {fact.id: clause(fact) for fact in gallery_facts(counts)}
    assert said["G1"] == "the gallery holds 2 images and 2 videos"
    assert said["G3"] == "2 images and 1 video show no face"


def test_a_deleted_video_is_forgotten_with_its_frames(gallery: Gallery, clip: Path) -> None:
    """Only when asked, and only when no copy is left."""
    copy = shutil.copy(clip, clip.parent / "copy.mp4")
    write_pictures(clip.parent / "photos", 2)
    run(gallery, clip.parent)
    clip.unlink()
    run(gallery, clip.parent)
    assert (gallery.delete_missing(), gallery.counts().images) == (0, 2)
    Path(copy).unlink()
    run(gallery, clip.parent)
    assert gallery.counts().frames == 40
    assert gallery.delete_missing() == 40
    counts = gallery.counts()
    assert (counts.images, counts.faces, counts.videos, counts.frames) == (2, 2, 0, 0)
    assert gallery.problems() == []


def test_a_gallery_of_before_videos_opens_and_takes_them(tmp_path: Path, clip: Path) -> None:
    """What it holds stays as it is; a video that was skipped then is looked at again."""
    home, folder = tmp_path / "home", clip.parent
    photos = write_pictures(folder / "photos", 5)
    with Gallery.open(home, fingerprint=FINGERPRINT) as gallery:
        run(gallery, folder / "photos")
        record = gallery.folder / "records.sqlite3"
    _make_old(record, clip)
    with Gallery.open_existing(home, fingerprint=FINGERPRINT) as gallery:
        assert (gallery.counts().images, gallery.counts().skipped) == (5, 1)
        assert gallery.image(sha256(photos[0])).moment is None
        assert gallery.paths_of(sha256(photos[0])) == [photos[0]]
        summary = run(gallery, folder)
        assert (summary.already_known, summary.frames_added, summary.skipped) == (5, 40, {})
        assert (gallery.counts().videos, gallery.problems()) == (1, [])
    with sqlite3.connect(record) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


def _make_old(record: Path, video: Path) -> None:
    """Turn a gallery without videos into what version 1 made, which called a video no image."""
    status = video.stat()
    with sqlite3.connect(record) as connection:
        connection.execute("DROP TABLE video_frames")
        connection.execute("DROP TABLE videos")
        connection.execute(
            "INSERT INTO files VALUES (?, ?, ?, NULL, 'not an image', 0)",
            (os.fsencode(video), status.st_size, status.st_mtime_ns),
        )
        connection.execute("PRAGMA user_version = 1")
    connection.close()
