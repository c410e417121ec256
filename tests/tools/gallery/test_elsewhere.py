"""Galleries on read-only disks, during indexing, and with damaged content."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.cli.doctor import check_galleries
from assistant.cli.main import app
from assistant.investigation import Unmask
from assistant.settings import Settings
from tests.assistant.cli.test_cli import faces as faces  # a fixture
from tests.support.stand_ins import (
    FINGERPRINT,
    FakeFaceAnalyser,
    embedding_of,
    picture,
    write_pictures,
)
from tests.tools.gallery.test_gallery import analysed, file_with
from tools.errors import SetupError
from tools.gallery.database_file import DATABASE_FILE
from tools.gallery.record_store import Gallery
from tools.gallery.vector_index import FaceIndex


def fill(home: Path, count: int = 5) -> Gallery:
    """A gallery of so many pictures, open."""
    gallery = Gallery.open(home, fingerprint=FINGERPRINT)
    images = [analysed(number) for number in range(count)]
    gallery.add(images, [file_with(it, Path(f"/photos/{it.id}.png")) for it in images])
    return gallery


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder as on a disk that cannot be written (the tests run as root, where rights may not
    help), where the tests may mount it."""
    bind = ["mount", "--bind", str(folder), str(folder)]
    if os.geteuid() != 0 or subprocess.run(bind, capture_output=True).returncode:
        pytest.skip("mounting needs rights that this machine does not give")
    try:
        again = ["mount", "-o", "remount,ro,bind", str(folder)]
        subprocess.run(again, check=True)
        with pytest.raises(OSError, match="Read-only"):
            (folder / "x").touch()
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S607


def check_searchable(home: Path, count: int) -> None:
    """Everything is found, exactly, and nothing can be added."""
    with Gallery.open_existing(home, fingerprint=FINGERPRINT) as gallery:
        assert gallery.counts().images == count
        assert gallery.problems() == []
        with FaceIndex.open(gallery) as index:
            found = index.search(embedding_of(picture(2)), 100)
        assert len(found) == count
        assert found[0].face_id == f"{2:064x}:0"
        assert found[0].cosine_similarity == pytest.approx(1, abs=1e-5)
        with pytest.raises(SetupError, match="UNMASK_HOME"), gallery.write_lock():
            pass
    with (
        pytest.raises(SetupError, match="UNMASK_HOME"),
        Gallery.open(home, fingerprint=FINGERPRINT) as gallery,
        gallery.write_lock(),
    ):
        pass


@pytest.mark.parametrize("indexed", [True, False])
def test_a_gallery_on_a_read_only_disk_is_searched(tmp_path: Path, indexed: bool) -> None:
    """Closed properly, with its index beside it or without."""
    home = tmp_path / "home"
    with fill(home) as gallery:
        if indexed:
            FaceIndex.open(gallery).close()
    before = sorted(home.rglob("*"))
    with read_only(home):
        check_searchable(home, 5)
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize("shared_memory", [True, False])
def test_unfinished_work_on_a_read_only_disk_is_read(tmp_path: Path, shared_memory: bool) -> None:
    """What was committed to the log and never put into the record (a killed indexer) counts."""
    live, home = tmp_path / "live", tmp_path / "home"
    with fill(live, 7) as gallery:
        assert (gallery.folder / f"{DATABASE_FILE}-wal").stat().st_size
        shutil.copytree(live, home)
    if not shared_memory:
        (home / "galleries" / "default" / f"{DATABASE_FILE}-shm").unlink()
    with read_only(home):
        check_searchable(home, 7)


def test_an_older_gallery_on_a_read_only_disk(tmp_path: Path) -> None:
    """One of before videos is brought up to date in a copy."""
    fill(tmp_path).close()
    with sqlite3.connect(tmp_path / "galleries" / "default" / DATABASE_FILE) as connection:
        connection.executescript("DROP TABLE video_frames; DROP TABLE videos")
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    with read_only(tmp_path):
        check_searchable(tmp_path, 5)


def test_the_command_line_on_a_read_only_disk(
    faces: FakeFaceAnalyser, home: Path, tmp_path: Path
) -> None:
    """`find` and `galleries list` work, `doctor` reads the gallery, `index` says what to do."""
    write_pictures(tmp_path / "photos", 3)
    photo = str(next((tmp_path / "photos").iterdir()))
    run = CliRunner().invoke
    assert run(app, ["index", str(tmp_path / "photos")]).exit_code == 0
    with read_only(home):
        found = run(app, ["find", photo, "--json"])
        assert found.exit_code == 0, found.output
        told = json.loads(found.stdout)
        assert len(told["hits"]) == 3
        assert [it for it in told["warnings"] if "index" in it] == []  # its file is only read
        assert "3" in run(app, ["galleries", "list"]).stdout
        (check,) = check_galleries(Settings(home=home))
        assert (check.state, check.detail[:8]) == ("ok", "3 images")
        refused = run(app, ["index", str(tmp_path / "photos")])
        assert refused.exit_code == 1
        assert "UNMASK_HOME" in refused.stderr


def test_find_says_that_a_file_is_gone(faces: FakeFaceAnalyser, home: Path, tmp_path: Path) -> None:
    """In the table and in JSON; of two copies the one that is there is named first."""
    photos = tmp_path / "photos"
    write_pictures(photos, 3)
    first, second, third = sorted(photos.iterdir())
    shutil.copy(second, photos / "a copy.png")
    run = CliRunner().invoke
    assert run(app, ["index", str(photos)]).exit_code == 0
    query = tmp_path / "query.png"
    shutil.copy(third, query)
    first.unlink()
    (photos / "a copy.png").unlink()
    shown = run(app, ["find", str(query)])
    assert [line.split()[-4:] for line in shown.stdout.splitlines() if "is gone" in line] == [
        [first.name, "(file", "is", "gone)"]
    ]
    hits = json.loads(run(app, ["find", str(query), "--json"]).stdout)["hits"]
    assert {Path(it["path"]).name: it["file_missing"] for it in hits} == {
        first.name: True, second.name: False, third.name: False,
    }  # fmt: skip
    page = tmp_path / "page.html"
    assert run(app, ["find", str(query), "--page", str(page)]).exit_code == 0
    assert (
        page.read_text(encoding="utf-8").count("the picture is no longer where it was indexed") == 1
    )


def test_find_says_that_a_file_was_replaced(
    faces: FakeFaceAnalyser, home: Path, tmp_path: Path
) -> None:
    """Another picture under the same name is not the hit; a copy that still holds it comes first.

    A file that was only touched is the same.
    """
    photos = tmp_path / "photos"
    write_pictures(photos, 4)
    first, second, third, fourth = sorted(photos.iterdir())
    shutil.copy(second, photos / "z copy.png")
    run = CliRunner().invoke
    assert run(app, ["index", str(photos)]).exit_code == 0
    query = tmp_path / "query.png"
    shutil.copy(third, query)
    for replaced in (first, second):
        shutil.copy(fourth, replaced)
    os.utime(third, (1e9, 1e9))
    shown = run(app, ["find", str(query)]).stdout
    assert (
        [line for line in shown.splitlines() if "replaced since it was indexed" in line]
        == [line for line in shown.splitlines() if f"{first.name}  (" in line]
        != []
    )
    hits = json.loads(run(app, ["find", str(query), "--json"]).stdout)["hits"]
    assert {Path(it["path"]).name: (it["file_replaced"], it["file_missing"]) for it in hits} == {
        first.name: (True, False), "z copy.png": (False, False), third.name: (False, False),
        fourth.name: (False, False),
    }  # fmt: skip


def test_find_works_while_the_same_process_indexes(
    faces: FakeFaceAnalyser, home: Path, tmp_path: Path
) -> None:
    """Searching goes on beside an indexing that has not ended, and sees what is recorded so far."""
    write_pictures(tmp_path / "first", 3)
    write_pictures(tmp_path / "second", 40, first=10)
    photo = sorted((tmp_path / "first").iterdir())[0]
    Unmask().index(tmp_path / "first")
    paused, go_on = threading.Event(), threading.Event()

    def pause(_: object) -> None:
        paused.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(1) as pool:
        indexing = pool.submit(Unmask().index, tmp_path / "second", on_progress=pause)
        try:
            assert paused.wait(60)
            findings = Unmask().find(photo, rerank=False)
        finally:
            go_on.set()
        assert indexing.result().images_added == 40
    assert findings.hits[0].path == photo
    assert findings.compared >= 3
    assert not any("in use" in it for it in findings.warnings)  # all rows are read beside it
    assert Unmask().find(photo, rerank=False, top=100).compared == 43


def test_a_gallery_that_is_being_made_is_no_foreign_file(tmp_path: Path) -> None:
    """Between the file and its tables there is nothing yet, rather than somebody else's data."""
    folder = tmp_path / "galleries" / "default"
    folder.mkdir(parents=True)
    (folder / DATABASE_FILE).touch()
    with pytest.raises(SetupError, match="holds nothing yet"):
        Gallery.open_existing(tmp_path)


def changed(home: Path, sql: str, *values: Any) -> None:
    """The record of a gallery of five, with one statement run on it by somebody else."""
    fill(home).close()
    connection = sqlite3.connect(home / "galleries" / "default" / DATABASE_FILE)
    connection.execute(sql, values)
    connection.commit()
    connection.close()


DAMAGES = (
    ("UPDATE faces SET embedding = ? WHERE seq = 2", bytes(12), "different sizes"),
    ("UPDATE faces SET embedding = ? WHERE seq = 2", b"odd", "cannot be read"),
    ("UPDATE faces SET embedding = ? WHERE seq = 2", "text", "cannot be read"),
    ("UPDATE faces SET embedding = ? WHERE seq = 2", bytes(256), "no unit vector"),
    ("UPDATE faces SET box = ? WHERE seq = 2", bytes(8), "cannot be read"),
    ("UPDATE faces SET keypoints = ? WHERE seq = 2", bytes(8), "cannot be read"),
    ("UPDATE faces SET landmarks = ? WHERE seq = 2", bytes(8), "cannot be read"),
    ("UPDATE faces SET quality = ? WHERE seq = 2", "{", "cannot be read"),
    ("UPDATE faces SET quality = ? WHERE seq = 2", "[]", "cannot be read"),
    ("UPDATE faces SET quality = ? WHERE seq = 2", "{}", "cannot be read"),
    ("UPDATE faces SET features = ? WHERE seq = 2", bytes(8), "features of different sizes"),
    ("UPDATE images SET features = ? WHERE rowid = 2", b"odd", "cannot be read"),
    ("UPDATE images SET features = ? WHERE rowid = 2", bytes(8), "features of different sizes"),
    ("UPDATE images SET perceptual_hash = ? WHERE rowid = 2", "text", "cannot be read"),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "value", "words"), DAMAGES)
def test_damage_inside_is_reported(tmp_path: Path, sql: str, value: object, words: str) -> None:
    """`problems` says what is wrong with a row, and so does `doctor`; neither raises."""
    changed(tmp_path, sql, value)
    with Gallery.open_existing(tmp_path) as gallery:
        assert any(words in it for it in gallery.problems()), gallery.problems()
    (check,) = check_galleries(Settings(home=tmp_path))
    assert check.state == "broken"


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("UPDATE meta SET value = ? WHERE key = 'fingerprint'", "{"),
        ("UPDATE meta SET value = ? WHERE key = 'fingerprint'", "7"),
        ("DELETE FROM meta WHERE key = 'fingerprint' AND ? IS NULL", None),
    ],
)
def test_a_record_without_its_makers_is_reported(tmp_path: Path, sql: str, value: object) -> None:
    """`doctor` reports a record that does not say what made it; opening it is one line."""
    changed(tmp_path, sql, value)
    (check,) = check_galleries(Settings(home=tmp_path))
    assert check.state == "broken"
    assert "damaged" in check.detail
    with pytest.raises(SetupError, match="damaged"):
        Gallery.open_existing(tmp_path, fingerprint=FINGERPRINT)


@pytest.mark.parametrize("seq", [1, 3, 5])
def test_searching_a_damaged_record_is_one_line(tmp_path: Path, seq: int) -> None:
    """Embeddings of different sizes are a fault that is told, wherever they stand."""
    changed(tmp_path, "UPDATE faces SET embedding = ? WHERE seq = ?", bytes(12), seq)
    with Gallery.open_existing(tmp_path) as gallery, pytest.raises(SetupError, match="damaged"):
        [*gallery.embeddings.batches(1)]
