"""A folder locked at rest: nothing plain stays, nothing is lost, wherever the process dies."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.errors import SetupError
from tools.gallery.database_file import try_lock
from tools.gallery.locking.folder import lock_folder, unlock_folder
from tools.gallery.locking.keys import (
    PassphraseFinder,
    key_file_finder,
    passphrase_key,
    read_key_file,
    write_key_file,
)
from tools.gallery.locking.state import ARCHIVE, is_locked

pytestmark = pytest.mark.fast

SECRET = b"a face, a name, a measurement"


def fill(folder: Path) -> dict[str, bytes]:
    """A folder with a database, pictures below, and an odd name; its contents."""
    (folder / "photos" / "deep").mkdir(parents=True)
    with sqlite3.connect(folder / "records.sqlite3") as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("CREATE TABLE faces (id BLOB)")
        connection.execute("INSERT INTO faces VALUES (?)", (SECRET * 50,))
    connection.close()
    (folder / "photos" / "a.jpg").write_bytes(SECRET * 7000)
    (folder / "photos" / "deep" / "ü\udcff.png").write_bytes(SECRET)
    (folder / "empty").touch()
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes, lock files aside."""
    files = (it for it in sorted(folder.rglob("*")) if it.is_file() and ".lock" not in it.name)
    return {str(it.relative_to(folder)): it.read_bytes() for it in files}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A new key file."""
    write_key_file(tmp_path / "unmask.key")
    return tmp_path / "unmask.key"


def test_nothing_plain_stays_and_all_comes_back(tmp_path: Path, key_file: Path) -> None:
    """Not one byte of it, and no name; afterwards every byte, owner-only, and no archive."""
    before = fill(tmp_path / "case")
    key, find = read_key_file(key_file), key_file_finder(key_file)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert lock_folder(tmp_path / "case", key)
    there = contents(tmp_path / "case")
    assert there.keys() == {ARCHIVE}
    assert SECRET not in there[ARCHIVE] and b"a.jpg" not in there[ARCHIVE]
    assert lock_folder(tmp_path / "case", key) is False
    assert unlock_folder(tmp_path / "case", find)
    assert contents(tmp_path / "case") == before
    modes = {stat.S_IMODE(it.stat().st_mode) for it in (tmp_path / "case").rglob("*.*")}
    assert modes <= {0o600, 0o700}
    assert unlock_folder(tmp_path / "case", find) is False


def test_a_wrong_key_or_a_changed_archive_opens_nothing(tmp_path: Path, key_file: Path) -> None:
    """Each is one line, and the archive stays as it is."""
    folder = tmp_path / "case"
    fill(folder)
    key = read_key_file(key_file)
    lock_folder(folder, key)
    write_key_file(tmp_path / "other.key")
    with pytest.raises(SetupError, match="name that file with --key-file"):
        unlock_folder(folder, PassphraseFinder("four words are enough"))
    with pytest.raises(SetupError, match="another key"):
        unlock_folder(folder, key_file_finder(tmp_path / "other.key"))
    (folder / "locked.key.age").write_bytes(b"stands for a key that a passphrase protects")
    with pytest.raises(SetupError, match="leave out --key-file"):
        unlock_folder(folder, key_file_finder(key_file))
    with pytest.raises(SetupError, match="passphrase is wrong"):
        unlock_folder(folder, PassphraseFinder("four words are enough"))
    (folder / "locked.key.age").unlink()
    whole = (folder / ARCHIVE).read_bytes()
    for damaged in (whole[:-9], whole[:70_000], whole[:-9] + bytes(9), whole[:30], b""):
        (folder / ARCHIVE).write_bytes(damaged)
        with pytest.raises(SetupError, match="damaged or cut off"):
            unlock_folder(folder, lambda _: key.identity)
        assert contents(folder) == {ARCHIVE: damaged}
    for text in ("", "AGE-SECRET-KEY-1NIX\n", "x" * 50):
        key_file.write_text(text)
        with pytest.raises(SetupError, match="is no key file"):
            read_key_file(key_file)
    with pytest.raises(SetupError, match="at least 10 characters"):
        passphrase_key("short")


def test_a_folder_in_use_is_not_locked(tmp_path: Path, key_file: Path) -> None:
    """An open database, and a lock file that is held; it stays readable."""
    folder = tmp_path / "gallery"
    before = fill(folder)
    key = read_key_file(key_file)
    held = try_lock(folder / "writer.lock")
    assert held is not None
    with pytest.raises(SetupError, match="it is in use"):
        lock_folder(folder, key, guards=["writer.lock"])
    held.close()
    reader = sqlite3.connect(folder / "records.sqlite3", isolation_level=None)
    reader.execute("PRAGMA journal_mode = WAL")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM faces").fetchall()
    with pytest.raises(SetupError, match="it is in use"):
        lock_folder(folder, key, guards=["writer.lock"])
    reader.close()
    assert not is_locked(folder)
    assert lock_folder(folder, key, guards=["writer.lock"])
    unlock_folder(folder, key_file_finder(key_file))
    assert contents(folder).keys() == before.keys()


def test_a_file_that_changes_meanwhile_is_not_lost(
    tmp_path: Path, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that takes no lock: the plain files stay, with what was written."""
    from tools.gallery.locking import folder as locking

    fill(tmp_path / "case")
    photo = tmp_path / "case" / "photos" / "a.jpg"
    real = locking.verify_archive

    def late(*given: object) -> None:
        real(*given)  # type: ignore[arg-type]
        photo.write_bytes(b"newer")

    monkeypatch.setattr(locking, "verify_archive", late)
    with pytest.raises(SetupError, match="it is in use"):
        lock_folder(tmp_path / "case", read_key_file(key_file))
    assert photo.read_bytes() == b"newer"
    assert ARCHIVE not in contents(tmp_path / "case")


KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.tools.gallery.locking.test_folder import contents, fill
from tools.gallery.locking.folder import lock_folder, unlock_folder
from tools.gallery.locking.keys import key_file_finder, read_key_file
from tools.gallery.locking.state import is_locked

place, key_file = Path(sys.argv[2]), Path(sys.argv[3])
key, find = read_key_file(key_file), key_file_finder(key_file)
WATCHED = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "open"}


def killed_at(number, work):
    # A child that kills itself at its n-th change of the disk; whether it lived to the end.
    child = os.fork()
    if not child:
        left = [number]
        def count(event, arguments):
            changes = event != "open" or (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if event in WATCHED and changes:
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


told = []
for action in ("lock", "unlock"):
    for number in range(200):
        folder = place / f"{action}{number}"
        before = fill(folder)
        if action == "unlock":
            lock_folder(folder, key)
        work = (lambda: lock_folder(folder, key)) if action == "lock" else (
            lambda: unlock_folder(folder, find))
        lived = killed_at(number, work)
        if is_locked(folder):
            assert lived is False or action == "lock", number
            unlock_folder(folder, find)  # what lies beside the archive is not believed
        there = {name: it for name, it in contents(folder).items() if name[:7] != "locked."}
        assert there == before, (action, number, there.keys())  # drafts aside
        lock_folder(folder, key)
        assert contents(folder).keys() == {"locked.age"}, (action, number)
        shutil.rmtree(folder)
        if lived:
            told.append(number)
            break
print(json.dumps(told))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_crash_anywhere_loses_nothing(tmp_path: Path, key_file: Path) -> None:
    """Killed at every single change of the disk, of locking and of unlocking."""
    in_memory = Path("/dev/shm")  # noqa: S108 - every step is synced: a thousand waits for a disk
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else tmp_path) as place:
        words = [sys.executable, "-c", KILLED, str(ROOT), place, str(key_file)]
        child = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240)
    assert child.returncode == 0, child.stderr[-2000:]
    assert min(json.loads(child.stdout)) > 8


@pytest.mark.skipif(shutil.which("age") is None, reason="the age tool is not installed")
def test_the_age_tool_opens_it(tmp_path: Path, key_file: Path) -> None:
    """Without Unmask: a standard program and tar."""
    before = fill(tmp_path / "case")
    lock_folder(tmp_path / "case", read_key_file(key_file))
    words = ["age", "-d", "-i", str(key_file), str(tmp_path / "case" / ARCHIVE)]
    plain = subprocess.run(words, capture_output=True, check=True).stdout
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "x", "-C", str(tmp_path / "out")], input=plain, check=True)  # noqa: S607
    assert contents(tmp_path / "out") == before


def test_a_key_says_nothing_of_itself(key_file: Path) -> None:
    """A key that ends up in a log or a traceback gives no secret away."""
    assert "AGE-SECRET-KEY" not in repr(read_key_file(key_file))
    assert "four words" not in repr(PassphraseFinder("four words"))
