"""The record store: what it keeps, what it refuses, and what survives."""

import multiprocessing
import os
import sqlite3
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from tests.support.stand_ins import DIMENSION, FINGERPRINT, face_of, picture, quality
from tools.errors import SetupError, ToolError
from tools.gallery.record_store import Gallery
from tools.gallery.records import AnalysedFace, AnalysedImage, FileRecord

pytestmark = pytest.mark.fast


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """An empty gallery."""
    return Gallery.open(tmp_path, fingerprint=FINGERPRINT)


def analysed(seed: int, *, faces: int = 1) -> AnalysedImage:
    """A picture as the analysis would hand it over; its id is the seed in hex."""
    face = face_of(picture(seed))
    return AnalysedImage(
        id=f"{seed:064x}",
        width=64,
        height=48,
        format="PNG",
        frames=3,
        byte_size=1234,
        perceptual_hash=2**64 - 1 - seed,
        unmask_forgery=seed % 2 == 1,
        features=np.arange(5, dtype=np.float32) + seed,
        faces=tuple(
            AnalysedFace(face=face, features=np.ones(5, np.float32) * n, face_hash=2**63 + n)
            for n in range(faces)
        ),
    )


def file_with(image: AnalysedImage, path: Path) -> FileRecord:
    """A row that says that a path holds a picture."""
    return FileRecord(path, size=image.byte_size, mtime_ns=1, image_id=image.id)


def test_what_goes_in_comes_out(gallery: Gallery) -> None:
    """Every field of an image and its faces is read back as it was recorded, NaN included."""
    image = analysed(7, faces=2)
    gallery.add([image], [file_with(image, Path("/photos/a.png"))])
    got = gallery.image(image.id)
    for name in ("width", "height", "format", "frames", "byte_size", "perceptual_hash"):
        assert getattr(got, name) == getattr(image, name)
    assert got.unmask_forgery is True
    np.testing.assert_array_equal(got.features, image.features)
    first, second = gallery.faces_of(image.id)
    assert (first.id, first.ordinal, second.ordinal) == (f"{image.id}:0", 0, 1)
    wanted = image.faces[1]
    np.testing.assert_array_equal(second.features, wanted.features)
    assert second.face_hash == wanted.face_hash
    for name in ("box", "keypoints", "embedding"):
        np.testing.assert_array_equal(getattr(second.face, name), getattr(wanted.face, name))
    assert second.face.landmarks is None
    assert np.isnan(second.face.quality.yaw_deg)
    assert replace(second.face.quality, yaw_deg=0.0) == replace(quality(width_px=32), yaw_deg=0.0)


def test_absent_measurements_stay_absent(gallery: Gallery) -> None:
    """Features and hashes that could not be computed are None, landmarks keep their shape."""
    image = analysed(1)
    landmarks = np.random.default_rng(0).normal(size=(68, 2)).astype(np.float32)
    face = replace(
        image.faces[0].face, landmarks=landmarks, quality=quality(problems=("too small", "profile"))
    )
    bare = AnalysedFace(face=face, features=None, face_hash=None)
    gallery.add([replace(image, features=None, faces=(bare,))])
    assert gallery.image(image.id).features is None
    got = gallery.face(f"{image.id}:0")
    assert (got.features, got.face_hash) == (None, None)
    assert got.face.quality.problems == ("too small", "profile")
    np.testing.assert_array_equal(got.face.landmarks, landmarks)


def test_a_picture_is_kept_once(gallery: Gallery) -> None:
    """Recording a known picture again changes nothing; its other path is remembered."""
    image = analysed(3)
    gallery.add([image], [file_with(image, Path("/a.png"))])
    gallery.add([replace(image, width=1)], [file_with(image, Path("/b.png"))])
    assert gallery.image(image.id).width == 64
    assert gallery.paths_of(image.id) == [Path("/a.png"), Path("/b.png")]
    counts = gallery.counts()
    assert (counts.images, counts.faces, counts.files) == (1, 1, 2)


def test_a_batch_is_recorded_whole_or_not_at_all(gallery: Gallery) -> None:
    """A batch that fails half-way leaves no trace of its first pictures."""
    dangling = FileRecord(Path("/x.png"), 1, 1, image_id="no such image")
    with pytest.raises(sqlite3.IntegrityError):
        gallery.add([analysed(1)], [dangling])
    assert gallery.counts().images == 0


def test_names_that_are_no_text_survive(gallery: Gallery) -> None:
    """A path with bytes that are not UTF-8, newlines and spaces is read back as it was."""
    path = Path(os.fsdecode(b"/photos/caf\xe9 \xff\n two.png"))
    image = analysed(1)
    gallery.add([image], [file_with(image, path)])
    assert gallery.paths_of(image.id) == [path]
    known = gallery.file(path)
    assert known is not None
    assert known.image_id == image.id


def test_files_below_a_folder_are_only_those(gallery: Gallery) -> None:
    """A sibling whose name begins alike is not below the folder; batches lose nothing."""
    paths = [Path(f"/p/a/{n:02}.png") for n in range(7)]
    others = [Path("/p/a.png"), Path("/p/a-b/1.png"), Path("/p/ab/2.png"), Path("/p/a0")]
    gallery.add([], [FileRecord(path, 1, 1, problem="empty") for path in paths + others])
    assert [file.path for file in gallery.files_below(Path("/p/a"), batch=3)] == paths
    assert [file.path for file in gallery.files_below(Path("/p/a.png"))] == [Path("/p/a.png")]
    assert len(list(gallery.files_below(Path("/")))) == 11


def test_embeddings_come_in_the_order_they_were_added(gallery: Gallery) -> None:
    """Batches of any size give every face once; an empty gallery gives an empty matrix."""
    assert gallery.embeddings.all()[1].shape == (0, 0)
    images = [analysed(seed) for seed in (9, 2, 5, 1, 8)]
    gallery.add(images)
    ids, matrix = gallery.embeddings.all()
    assert ids == [f"{image.id}:0" for image in images]
    assert matrix.shape == (5, DIMENSION)
    batches = list(gallery.embeddings.batches(2))
    assert [len(batch.ids) for batch in batches] == [2, 2, 1]
    rest = list(gallery.embeddings.batches(10, after=batches[0].seqs[-1]))
    assert rest[0].ids == ids[2:]


def test_similarities_are_exact_and_in_order(gallery: Gallery) -> None:
    """Cosines do not depend on which other faces are asked for, or in which order."""
    gallery.add([analysed(seed) for seed in range(600)])
    ids, matrix = gallery.embeddings.all()
    query = matrix[17]
    every = gallery.embeddings.similarities(query, ids)
    np.testing.assert_allclose(every, matrix @ query, atol=1e-6)
    backwards = gallery.embeddings.similarities(query, ids[::-1])
    np.testing.assert_array_equal(backwards, every[::-1])
    assert gallery.embeddings.similarities(query, [ids[3]])[0] == every[3]
    assert gallery.embeddings.similarities(query, []).shape == (0,)


def test_unknown_ids_are_tool_errors(gallery: Gallery) -> None:
    """An id that is not in the gallery is answered by a ToolError that names it."""
    with pytest.raises(ToolError, match="'nobody'"):
        gallery.face("nobody")
    with pytest.raises(ToolError, match="'nothing'"):
        gallery.image("nothing")
    with pytest.raises(ToolError, match="'nobody'"):
        gallery.embeddings.similarities(np.ones(DIMENSION, np.float32), ["nobody"])


def test_deleted_files_are_forgotten_only_when_asked(gallery: Gallery) -> None:
    """A picture without any file left goes with `delete_missing`, one with a copy left stays."""
    gone, copied = analysed(1), analysed(2)
    files = [
        replace(file_with(gone, Path("/1.png")), missing=True),
        replace(file_with(copied, Path("/2.png")), missing=True),
        file_with(copied, Path("/copy.png")),
    ]
    gallery.add([gone, copied], files)
    epoch = gallery.embeddings.extent().epoch
    assert gallery.counts().missing == 2
    assert gallery.paths_of(gone.id) == []
    assert gallery.has_image(gone.id)
    assert gallery.delete_missing() == 1
    assert not gallery.has_image(gone.id)
    assert gallery.faces_of(gone.id) == []
    assert gallery.counts().missing == 0
    assert gallery.embeddings.extent().epoch != epoch
    epoch = gallery.embeddings.extent().epoch
    assert gallery.delete_missing() == 0
    assert gallery.embeddings.extent().epoch == epoch


def test_a_gallery_refuses_other_checkpoints(tmp_path: Path) -> None:
    """Opening with other checkpoints names what differs and the way out; without any, it opens."""
    Gallery.open(tmp_path, "family", fingerprint=FINGERPRINT).close()
    other = {**FINGERPRINT, "encoder": "c" * 64}
    for opening in (Gallery.open, Gallery.open_existing):
        with pytest.raises(SetupError, match=r"'family'.*encoder bbbb.*encoder cccc.*unmask index"):
            opening(tmp_path, "family", fingerprint=other)
    with Gallery.open_existing(tmp_path, "family") as gallery:
        assert gallery.fingerprint == FINGERPRINT
    Gallery.open(tmp_path, "family", fingerprint=FINGERPRINT).close()


def test_a_missing_gallery_names_the_command(tmp_path: Path) -> None:
    """Searching a gallery that does not exist says which do and how to make it; none is made."""
    Gallery.open(tmp_path, "work", fingerprint=FINGERPRINT).close()
    with pytest.raises(SetupError, match=r"'family'.*work.*unmask index DIR --gallery family"):
        Gallery.open_existing(tmp_path, "family")
    assert Gallery.names(tmp_path) == ["work"]
    with pytest.raises(SetupError, match=r"'default'.*: name one of them with `--gallery NAME`"):
        Gallery.open_existing(tmp_path)
    with pytest.raises(SetupError, match="did you mean 'work'"):
        Gallery.open_existing(tmp_path, "wrok")


@pytest.mark.parametrize("name", ["..", "a/b", "", ".hidden", "a\nb", "x" * 65, "-rf", "/abs"])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    """A gallery's name cannot leave the folder of galleries."""
    with pytest.raises(SetupError, match="no name for a gallery"):
        Gallery.open(tmp_path, name, fingerprint=FINGERPRINT)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_database_is_left_alone(tmp_path: Path) -> None:
    """Another program's SQLite file in our place is refused, and not one byte of it changes."""
    path = tmp_path / "galleries" / "default" / "records.sqlite3"
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE theirs (x)")
    foreign.close()
    before = path.read_bytes()
    for opening in (Gallery.open, Gallery.open_existing):
        with pytest.raises(SetupError, match="no Unmask gallery"):
            opening(tmp_path, fingerprint=FINGERPRINT)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["records.sqlite3"]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """A text file in our place is refused in plain words."""
    path = tmp_path / "galleries" / "default" / "records.sqlite3"
    path.parent.mkdir(parents=True)
    path.write_text("holiday plans\n" * 100)
    with pytest.raises(SetupError, match="no Unmask gallery"):
        Gallery.open(tmp_path, fingerprint=FINGERPRINT)


def test_a_newer_record_is_refused(tmp_path: Path) -> None:
    """A record that a newer version wrote is refused with the command that updates."""
    with Gallery.open(tmp_path, fingerprint=FINGERPRINT) as gallery:
        path = gallery.folder / "records.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(SetupError, match=r"newer Unmask.*99.*pip install"):
        Gallery.open_existing(tmp_path)


def test_damage_is_told_in_plain_words(tmp_path: Path) -> None:
    """A record whose pages were overwritten gives a SetupError, found by the full check too."""
    with Gallery.open(tmp_path, fingerprint=FINGERPRINT) as gallery:
        gallery.add([analysed(seed) for seed in range(300)])
        assert gallery.problems() == []
        path = gallery.folder / "records.sqlite3"
    data = bytearray(path.read_bytes())
    for start in range(8 * 4096, len(data), 4096):
        data[start : start + 200] = b"\xaa" * 200
    path.write_bytes(data)
    with Gallery.open_existing(tmp_path) as gallery, pytest.raises(SetupError, match="damaged"):
        gallery.embeddings.all()


def test_an_odd_embedding_is_found(gallery: Gallery) -> None:
    """The full check names a face whose embedding is not of unit length."""
    image = analysed(1)
    face = replace(image.faces[0].face, embedding=np.full(DIMENSION, np.nan, np.float32))
    gallery.add([replace(image, faces=(AnalysedFace(face, None, None),))])
    assert gallery.problems() == [f"embedding of {image.id}:0 is no unit vector"]


def test_one_writer_at_a_time(gallery: Gallery, tmp_path: Path) -> None:
    """A second indexer is turned away with a plain message, and let in after the first."""
    second = Gallery.open(tmp_path, fingerprint=FINGERPRINT)
    with gallery.write_lock():
        with (
            pytest.raises(SetupError, match="being indexed by another process"),
            second.write_lock(),
        ):
            pass
        assert second.counts().images == 0  # reading goes on
    with second.write_lock():
        pass


def test_the_lock_goes_with_its_process(gallery: Gallery, tmp_path: Path) -> None:
    """A killed indexer leaves no lock behind."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_hold_lock, args=(tmp_path, theirs))
    child.start()
    assert ours.recv() == "held"
    with pytest.raises(SetupError), gallery.write_lock():
        pass
    child.kill()
    child.join()
    with gallery.write_lock():
        pass


def _hold_lock(home: Path, ready: Connection) -> None:
    with Gallery.open(home, fingerprint=FINGERPRINT).write_lock():
        ready.send("held")
        ready.recv()


def test_threads_share_a_gallery(gallery: Gallery) -> None:
    """Readers in other threads see whole batches while one thread writes."""
    from concurrent.futures import ThreadPoolExecutor

    def read(_: int) -> int:
        return gallery.counts().faces

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(read, n) for n in range(50)]
        for start in range(0, 100, 10):
            gallery.add([analysed(seed) for seed in range(start, start + 10)])
        seen = [future.result() for future in futures]
    assert all(count % 10 == 0 for count in seen)
    assert gallery.counts().faces == 100


def test_where_no_gallery_was_made_the_message_says_so_plainly(tmp_path: Path) -> None:
    """No list of none, and the command that makes one."""
    with pytest.raises(SetupError, match="no gallery was made yet, so there is no 'default': make"):
        Gallery.open_existing(tmp_path)
