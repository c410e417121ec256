"""Upgrading a gallery to another face embedder: all or nothing, resumable, nothing lost."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.clips import write_clip
from tests.support.paths import ROOT
from tests.support.stand_ins import (
    FINGERPRINT,
    FakeEncoder,
    FakeFaceAnalyser,
    OtherFaceAnalyser,
    other_embedding_of,
    picture,
    write_pictures,
)
from tools.errors import SetupError
from tools.gallery.database_file import draft_file
from tools.gallery.indexing.job import index_folders
from tools.gallery.record_store import Gallery
from tools.gallery.records import FaceRecord
from tools.gallery.upgrade import job as upgrade_job
from tools.gallery.upgrade.job import UpgradeSummary, upgrade_gallery
from tools.gallery.vector_index import FaceIndex

pytestmark = pytest.mark.fast

PICTURES, FRAMES = 5, 16
FACES = PICTURES + FRAMES  # one in each

OTHER = {**FINGERPRINT, "faces": "c" * 64}


def index(home: Path, *folders: Path, faces: FakeFaceAnalyser | None = None) -> None:
    """Index with the old stand-ins, or with others."""
    fingerprint = FINGERPRINT if faces is None else OTHER
    with Gallery.open(home, fingerprint=fingerprint) as gallery:
        parts = {"faces": faces or FakeFaceAnalyser(), "encoder": FakeEncoder()}
        index_folders(folders, gallery=gallery, **parts)  # type: ignore[arg-type]


def upgrade(
    home: Path,
    *,
    faces: FakeFaceAnalyser | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> UpgradeSummary:
    """Upgrade with the new stand-ins."""
    return upgrade_gallery(
        home, "default", faces=faces or OtherFaceAnalyser(), fingerprint=OTHER,
        on_progress=on_progress,
    )  # fmt: skip


def faces_of(home: Path) -> dict[str, FaceRecord]:
    """Every face that can be searched, by id, whichever checkpoints made the gallery."""
    with Gallery.open_existing(home) as gallery:
        return {face.id: face for face in gallery.faces(gallery.embeddings.all()[0])}


def state_of(home: Path) -> tuple[dict[str, str], list[str], bytes]:
    """What made the gallery, its faces, and their embeddings."""
    with Gallery.open_existing(home) as gallery:
        ids, matrix = gallery.embeddings.all()
        return gallery.fingerprint, ids, matrix.tobytes()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A gallery of five pictures and of a clip's sixteen frames, made by the old stand-ins."""
    write_pictures(tmp_path / "photos", PICTURES)
    frames = [picture(100 + it // 2) for it in range(FRAMES)]
    write_clip(tmp_path / "photos" / "clip.mp4", frames, rate=2)
    index(tmp_path / "home", tmp_path / "photos")
    return tmp_path / "home"


def test_an_outdated_gallery_is_refused_in_one_line(home: Path) -> None:
    """Searching and indexing name the command; without checkpoints it still opens."""
    for opening in (Gallery.open, Gallery.open_existing):
        with pytest.raises(SetupError, match=r"run `unmask galleries upgrade default`$") as told:
            opening(home, fingerprint=OTHER)
        assert "\n" not in str(told.value)
    with Gallery.open_existing(home) as gallery:
        assert gallery.needs_upgrade(OTHER)
        assert not gallery.needs_upgrade(FINGERPRINT)
        assert not gallery.needs_upgrade({"faces": "c" * 64, "encoder": "d" * 64})


def test_only_embeddings_change(home: Path, tmp_path: Path) -> None:
    """Ids, places, quality and features stay, frames included; the vectors are the new ones."""
    before, told = faces_of(home), list[tuple[int, int]]()
    assert len(before) == FACES
    summary = upgrade(home, on_progress=lambda done, total: told.append((done, total)))
    assert (summary.faces_embedded, summary.faces_waiting, summary.files) == (FACES, 0, {})
    assert told[-1] == (FACES, FACES)
    after = faces_of(home)
    assert list(after) == list(before)
    for face, old in before.items():
        new = after[face]
        assert old.features is not None and new.features is not None
        assert np.array_equal(new.face.box, old.face.box)
        assert np.array_equal(new.face.keypoints, old.face.keypoints)
        assert np.array_equal(new.features, old.features)
        assert new.face_hash == old.face_hash
        assert len(new.face.embedding) != len(old.face.embedding)
    fresh = tmp_path / "fresh"
    index(fresh, tmp_path / "photos", faces=OtherFaceAnalyser())
    assert state_of(fresh)[1:] == state_of(home)[1:]
    assert not draft_file(home / "galleries" / "default").exists()


def test_the_index_is_rebuilt(home: Path) -> None:
    """A search with the new embedder finds the picture itself, in Chroma."""
    upgrade(home)
    with (
        Gallery.open_existing(home, fingerprint=OTHER) as gallery,
        FaceIndex.open(gallery) as index,
    ):
        assert not index.searches_exactly
        (best,) = index.search(other_embedding_of(picture(3)), 1)
        assert best.cosine_similarity == pytest.approx(1.0, abs=1e-5)
        assert gallery.paths_of(best.face_id.partition(":")[0])[0].name == "0003.png"
        assert index.notices == []


def test_a_second_upgrade_does_nothing(home: Path) -> None:
    """A gallery that is up to date is left alone, and no file is read."""
    upgrade(home)
    before = state_of(home)
    faces = OtherFaceAnalyser()
    assert upgrade(home, faces=faces).faces_embedded == 0
    assert faces.embedded == 0
    assert state_of(home) == before


def test_a_killed_upgrade_continues(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process leaves the old gallery and its draft; the next run does only the rest."""
    before = state_of(home)
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tests.support.stand_ins import *\n"
        "from tools.gallery.upgrade import job\n"
        "job._KEEP_EVERY, job._CHECKED_PICTURES = 1, 1\n"
        "job.upgrade_gallery(Path(sys.argv[1]), 'default', faces=OtherFaceAnalyser(),"
        " fingerprint={**FINGERPRINT, 'faces': 'c' * 64},"
        " on_progress=lambda done, total: done < 6 or os._exit(9))"
    )
    child = subprocess.run([sys.executable, "-c", code, str(home)], cwd=ROOT, check=False)
    assert child.returncode == 9
    assert state_of(home) == before
    with Gallery.open_existing(home, fingerprint=FINGERPRINT) as gallery:
        assert gallery.problems() == []
    faces = OtherFaceAnalyser()
    assert upgrade(home, faces=faces).faces_embedded == FACES
    assert faces.embedded == FACES - 6
    assert list(faces_of(home)) == before[1]


def test_ctrl_c_keeps_what_is_done(home: Path) -> None:
    """An interrupted upgrade changes nothing in the gallery and continues later."""
    before = state_of(home)

    def stop(done: int, total: int) -> None:
        if done >= 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upgrade(home, on_progress=stop)
    assert state_of(home) == before
    faces = OtherFaceAnalyser()
    upgrade(home, faces=faces)
    assert faces.embedded <= FACES - 9


def test_a_failing_swap_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step fails, the old gallery is whole; the next run ends it."""
    before = state_of(home)
    broken = (*upgrade_job_statements(), "INSERT INTO no_such_table VALUES (1)")
    with monkeypatch.context() as patch:
        patch.setattr("tools.gallery.sql.TAKE_BACK", broken)
        with pytest.raises(sqlite3.OperationalError):
            upgrade(home)
    assert state_of(home) == before
    faces = OtherFaceAnalyser()
    upgrade(home, faces=faces)
    assert faces.embedded == 0
    assert state_of(home)[0] == OTHER


def upgrade_job_statements() -> Sequence[str]:
    """The last statements of the swap."""
    from tools.gallery import sql

    return sql.TAKE_BACK


def test_faces_without_a_file_are_set_aside_and_come_back(home: Path, tmp_path: Path) -> None:
    """They keep their record, are told and not searched; with the files back, they return."""
    photos = tmp_path / "photos"
    before = faces_of(home)
    away = tmp_path / "away"
    away.mkdir()
    for name in ("0001.png", "clip.mp4"):
        (photos / name).rename(away / name)
    summary = upgrade(home)
    assert (summary.faces_embedded, summary.faces_waiting) == (PICTURES - 1, FRAMES + 1)
    assert summary.files == {"missing": 2}
    assert {path.name for path, _ in summary.files_named} == {"0001.png", "clip.mp4"}
    with Gallery.open_existing(home, fingerprint=OTHER) as gallery:
        counts = gallery.counts()
        assert (counts.images, counts.faces, counts.waiting, counts.without_face) == (
            PICTURES,
            PICTURES - 1,
            FRAMES + 1,
            0,
        )
        (notice,) = gallery.notices
        assert f"{FRAMES + 1} faces" in notice and "`unmask galleries upgrade default`" in notice
        assert gallery.problems() == []
    assert upgrade(home).faces_waiting == FRAMES + 1
    for path in away.iterdir():
        path.rename(photos / path.name)
    summary = upgrade(home)
    assert (summary.faces_embedded, summary.faces_waiting) == (FRAMES + 1, 0)
    after = faces_of(home)
    assert after.keys() == before.keys()
    for face, old in before.items():
        assert np.array_equal(after[face].face.keypoints, old.face.keypoints)
    with Gallery.open_existing(home, fingerprint=OTHER) as gallery:
        assert gallery.notices == []
        assert len({len(row) for row in gallery.embeddings.all()[1]}) == 1


def test_prune_deletes_faces_set_aside(home: Path, tmp_path: Path) -> None:
    """Forgetting pictures whose files are gone forgets their faces too."""
    (tmp_path / "photos" / "0001.png").unlink()
    upgrade(home)
    index(home, tmp_path / "photos", faces=OtherFaceAnalyser())
    with Gallery.open_existing(home, fingerprint=OTHER) as gallery:
        assert gallery.delete_missing() == 1
        assert gallery.counts().waiting == 0


def test_prune_deletes_a_draft(home: Path) -> None:
    """An unfinished upgrade holds embeddings of pictures that prune forgets."""
    with pytest.raises(KeyboardInterrupt):
        upgrade(home, on_progress=_interrupt)
    with Gallery.open_existing(home) as gallery:
        assert draft_file(gallery.folder).exists()
        gallery.delete_missing()
        assert not draft_file(gallery.folder).exists()


def _interrupt(done: int, total: int) -> None:
    if done == total:
        raise KeyboardInterrupt


def test_a_copy_stands_in_for_a_gone_file(home: Path, tmp_path: Path) -> None:
    """A picture in two files is read from the one that is left, and nothing is complained of."""
    photos = tmp_path / "photos"
    shutil.copyfile(photos / "0002.png", photos / "zzz.png")
    index(home, photos)
    (photos / "0002.png").unlink()
    assert upgrade(home).files == {}


def test_a_file_with_other_content_is_not_taken(home: Path, tmp_path: Path) -> None:
    """A face is never embedded from a picture that is not the recorded one."""
    photos = tmp_path / "photos"
    shutil.copyfile(photos / "0002.png", photos / "0001.png")
    (photos / "0003.png").write_text("no picture")
    summary = upgrade(home)
    assert summary.faces_waiting == 2
    assert summary.files == {"changed": 1, "unreadable": 1}


def test_an_unplugged_disk_changes_nothing(home: Path, tmp_path: Path) -> None:
    """If no file can be read, the gallery stays as it is, in one line."""
    before = state_of(home)
    shutil.move(tmp_path / "photos", tmp_path / "unplugged")
    with pytest.raises(SetupError, match=r"none of its files can be read.*galleries upgrade"):
        upgrade(home)
    assert state_of(home) == before


def test_another_detector_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored faces of another detector are not mixed with those that this one would find."""
    before = state_of(home)

    class OtherDetector(OtherFaceAnalyser):
        def find_faces(self, image: np.ndarray) -> list[tuple[np.ndarray, None]]:
            return [(points + 3, None) for points, _ in super().find_faces(image)]

    with pytest.raises(SetupError, match=r"another face detector.*unmask index DIR --gallery"):
        upgrade(home, faces=OtherDetector())
    assert state_of(home) == before


def test_another_encoder_is_refused(home: Path) -> None:
    """Features cannot be made from faces alone: the line names the way out."""
    with pytest.raises(SetupError, match=r"other checkpoints.*unmask index DIR --gallery"):
        upgrade_gallery(
            home, "default", faces=OtherFaceAnalyser(),
            fingerprint={"faces": "c" * 64, "encoder": "d" * 64},
        )  # fmt: skip


@pytest.mark.parametrize("damaged", [True, False])
def test_a_draft_that_does_not_fit_is_made_anew(home: Path, damaged: bool) -> None:
    """A draft for a third embedder, or a damaged one, is not used."""
    with pytest.raises(KeyboardInterrupt):
        upgrade_gallery(
            home, "default", faces=FakeFaceAnalyser(),
            fingerprint={**FINGERPRINT, "faces": "e" * 64}, on_progress=_interrupt,
        )  # fmt: skip
    if damaged:
        draft_file(home / "galleries" / "default").write_bytes(b"not a database" * 99)
    faces = OtherFaceAnalyser()
    upgrade(home, faces=faces)
    assert faces.embedded == FACES


def test_small_pages_give_the_same(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a few pictures at a time forgets none."""
    monkeypatch.setattr(upgrade_job, "_PAGE", 2)
    assert upgrade(home).faces_embedded == FACES
