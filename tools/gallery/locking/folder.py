"""Lock and unlock a folder of personal data, so that a crash anywhere loses nothing.

Lock: encrypt everything into a draft, decrypt that again and compare it with the files, rename it
to `locked.age`, and only then overwrite and delete the files. Unlock: decrypt beside the archive,
move the files into place, and only then delete the archive. As long as `locked.age` exists it is
the whole truth; what else lies there is a leftover of an interrupted call, which the next one
removes.

Does not show: what the disk keeps. Files are overwritten once, which a hard disk honours. An SSD,
a snapshot, a journal or a copy-on-write file system may keep the old blocks: only an encrypted disk
protects those. Sizes, times and the folder's name stay visible.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools.errors import SetupError
from tools.gallery.database_file import try_lock
from tools.gallery.locking.archive import extract_archive, verify_archive, write_archive
from tools.gallery.locking.keys import KeyFinder, LockKey
from tools.gallery.locking.state import ARCHIVE, WRAPPED_KEY, is_locked
from tools.media.private_files import private_file, write_private

_DRAFT, _OPENED, _GUARD = "locked.age.part", "unlocking", "locking.lock"
_OWN = frozenset({ARCHIVE, WRAPPED_KEY, _DRAFT, _OPENED})
_GUARD_FILES = "*.lock*"
"""Lock files with their journals, directly in the folder."""
_SQLITE = b"SQLite format 3\0"
_WAIT_MS = 3000
_BLOCK = 1 << 20
_IN_USE = (
    "it is in use (by indexing, a search, the chat or a server): close that, then run the same "
    "command again; nothing was changed"
)


def lock_folder(
    folder: Path, key: LockKey, *, guards: Sequence[str] = (),
    on_begin: Callable[[], object] = lambda: None,
) -> bool:  # fmt: skip
    """Encrypt a folder's files and delete the plain ones; whether there was anything to lock.

    A folder that is locked already loses what an interrupted call left. `guards` are lock files in
    it that other processes hold while they use it; `on_begin` is called when nobody else uses it.
    Raises SetupError if it is in use, changes meanwhile, or the disk has too little space; the
    plain files then stay as they are.
    """
    with _alone(folder, guards):
        if is_locked(folder):
            _delete_plain(folder)
            return False
        _delete_own(folder)
        if next(_names(folder), None) is None:
            return False
        _settle_databases(folder)
        on_begin()
        before = _state(folder)
        _require_space(folder, sum(size for size, *_ in before.values()))
        draft = folder / _DRAFT
        try:
            write_archive(folder, before, draft, key.identity)
            verify_archive(folder, before, draft, key.identity)
            _settle_databases(folder)  # fails if another process has opened one meanwhile
            if _state(folder) != before:
                raise SetupError(_IN_USE)
        except (OSError, SetupError):
            draft.unlink(missing_ok=True)
            raise
        if key.wrapped is not None:
            write_private(folder / WRAPPED_KEY, key.wrapped, what="key")
        _sync(folder)
        draft.replace(folder / ARCHIVE)
        _sync(folder)
        _delete_plain(folder)
        return True


def unlock_folder(folder: Path, find_key: KeyFinder, *, guards: Sequence[str] = ()) -> bool:
    """Decrypt a folder's files and delete the archive; whether it was locked.

    Raises SetupError for a wrong key, a damaged archive or too little space; the folder then stays
    locked.
    """
    if not is_locked(folder):
        return False
    identity = find_key(folder)
    with _alone(folder, guards):
        if not is_locked(folder):  # another process was faster
            return False
        archive, opened = folder / ARCHIVE, folder / _OPENED
        _delete_plain(folder)
        _require_space(folder, archive.stat().st_size)
        try:
            extract_archive(archive, opened, identity)
        except BaseException:
            _shred_all(opened)
            raise
        for each in sorted(opened.iterdir()):
            each.replace(folder / each.name)
        opened.rmdir()
        _sync(folder)
        archive.unlink()
        (folder / WRAPPED_KEY).unlink(missing_ok=True)
        _sync(folder)
        return True


def shred_file(path: Path) -> None:
    """Overwrite a file with zeros, on the disk, and delete it. Raises OSError."""
    if path.is_file() and not path.is_symlink():
        with path.open("r+b", buffering=0) as file:
            left = os.fstat(file.fileno()).st_size
            while left > 0:
                left -= file.write(bytes(min(left, _BLOCK)))
            os.fsync(file.fileno())
    path.unlink(missing_ok=True)


def shred_folder(folder: Path) -> None:
    """Overwrite and delete everything below a folder, which stays. Raises OSError."""
    for each in folder.iterdir() if folder.is_dir() else ():
        _shred_all(each)


@contextlib.contextmanager
def _alone(folder: Path, guards: Sequence[str]) -> Iterator[None]:
    """Hold the folder's lock files. Raises SetupError if one is taken."""
    with contextlib.ExitStack() as stack:
        for name in (_GUARD, *guards):
            held = try_lock(private_file(folder / name))
            if held is None:
                raise SetupError(_IN_USE)
            stack.callback(held.close)
        yield


def _names(folder: Path) -> Iterator[str]:
    """The relative names of the files that are the folder's contents."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if name.parts[0] in _OWN or (len(name.parts) == 1 and path.match(_GUARD_FILES)):
            continue
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SetupError(f"it holds {str(name)!r}, which is no file: move that away first")
        if path.is_file():
            yield name.as_posix()


def _state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and number of every file by name: what a writer cannot leave alone."""
    found = {name: (folder / name).stat() for name in _names(folder)}
    return {name: (it.st_size, it.st_mtime_ns, it.st_ino) for name, it in found.items()}


def _settle_databases(folder: Path) -> None:
    """Empty and remove the write-ahead logs of the SQLite files; SetupError if one is open.

    A database leaves the mode that has a log only while nobody else has it open. The vector index
    has a guard of its own.
    """
    for name in [it for it in _names(folder) if "/" not in it]:
        path = folder / name
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                continue
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            try:
                connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
                (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (
                    sqlite3.SQLITE_BUSY,
                    sqlite3.SQLITE_LOCKED,
                ):
                    raise
                raise SetupError(_IN_USE) from error
        if mode != "delete":
            raise SetupError(_IN_USE)


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed * 1.05 + _BLOCK > free:
        raise SetupError(
            f"it needs {needed:,} bytes for a second copy meanwhile, and the disk has {free:,}: "
            "free some space; nothing was changed"
        )


def _delete_plain(folder: Path) -> None:
    """Overwrite and delete everything but the archive, its key and the lock files."""
    for path in sorted(folder.iterdir()):
        if path.name not in (ARCHIVE, WRAPPED_KEY) and not path.match(_GUARD_FILES):
            _shred_all(path)
    _sync(folder)


def _delete_own(folder: Path) -> None:
    """Delete what an interrupted call left in a folder that is not locked."""
    for name in _OWN:
        _shred_all(folder / name)


def _shred_all(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for each in sorted(path.iterdir()):
            _shred_all(each)
        path.rmdir()
    else:
        shred_file(path)


def _sync(folder: Path) -> None:
    """Bring renamed and deleted names to the disk, where the system can do that for folders."""
    with contextlib.suppress(PermissionError):  # Windows
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
