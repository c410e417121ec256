"""The gallery's SQLite file: create, recognise, lock and upgrade it; explain its failures."""

import contextlib
import json
import re
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.errors import SetupError

DATABASE_FILE = "records.sqlite3"
SCHEMA_VERSION = 2  # version 2 added videos
APPLICATION_ID = 0x554E4D4B  # "UNMK": distinguishes our files from other SQLite files

_NAME = re.compile(r"\w[\w.-]{0,63}")

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE images (
    id TEXT PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL,
    frames INTEGER NOT NULL, byte_size INTEGER NOT NULL, perceptual_hash INTEGER NOT NULL,
    unmask_forgery INTEGER NOT NULL, indexed_at TEXT NOT NULL, features BLOB
);
-- `seq` only ever grows: an index that covers it up to some value can catch up from there.
CREATE TABLE faces (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL REFERENCES images ON DELETE CASCADE, ordinal INTEGER NOT NULL,
    embedding BLOB NOT NULL, box BLOB NOT NULL, keypoints BLOB NOT NULL, landmarks BLOB,
    quality TEXT NOT NULL, face_hash INTEGER, features BLOB
);
CREATE INDEX faces_of_image ON faces (image_id);
-- Paths are bytes, because file names need not be UTF-8.
CREATE TABLE files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    image_id TEXT REFERENCES images ON DELETE CASCADE, problem TEXT,
    missing INTEGER NOT NULL DEFAULT 0, CHECK ((image_id IS NULL) <> (problem IS NULL))
);
CREATE INDEX files_of_image ON files (image_id);
"""

# Added in version 2. A video is also a row of `images`, since files refer to that table; it has no
# features or faces of its own, and is counted and listed separately.
_VIDEOS = """
CREATE TABLE videos (
    id TEXT PRIMARY KEY REFERENCES images ON DELETE CASCADE, duration_s REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE video_frames (
    image_id TEXT PRIMARY KEY REFERENCES images ON DELETE CASCADE,
    video_id TEXT NOT NULL REFERENCES videos ON DELETE CASCADE, time_s REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX frames_of_video ON video_frames (video_id, time_s);
"""

_UNWRITABLE = frozenset({
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
})  # fmt: skip

_PLAIN_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space, then run `unmask index` again",
    sqlite3.SQLITE_READONLY: "it cannot be written: make its folder writable, or choose another "
    "data folder by setting UNMASK_HOME",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check the rights on its folder, or choose "
    "another data folder by setting UNMASK_HOME",
    sqlite3.SQLITE_IOERR: "the disk reports an error or is full: check it, then run "
    "`unmask index` again",
    sqlite3.SQLITE_BUSY: "another process is writing to it: wait for that to end",
    sqlite3.SQLITE_LOCKED: "another process is writing to it: wait for that to end",
    sqlite3.SQLITE_CORRUPT: "its record is damaged: restore the folder from a backup, or remove "
    "it and run `unmask index` on your photos again",
    sqlite3.SQLITE_NOTADB: "its record is no Unmask gallery: move that file away, then run "
    "`unmask index` again",
}


def gallery_folder(home: Path, name: str) -> Path:
    """The folder of a gallery; SetupError for a name that could lead outside the data folder."""
    if not _NAME.fullmatch(name):
        raise SetupError(
            f"{name!r} is no name for a gallery: use up to 64 letters, digits, '-', '_' and '.', "
            "and no spaces, as in 'forum-2026'"
        )
    return galleries_folder(home) / name


def draft_file(folder: Path) -> Path:
    """The file of an unfinished upgrade in a gallery's folder."""
    return folder / "upgrade.sqlite3"


def delete_draft(folder: Path) -> None:
    """Delete an unfinished upgrade, which holds face embeddings too."""
    for ending in ("", "-journal", "-wal", "-shm"):
        draft = draft_file(folder)
        draft.with_name(draft.name + ending).unlink(missing_ok=True)


def galleries_folder(home: Path) -> Path:
    """The folder with all galleries of a data folder."""
    return home / "galleries"


def connect(path: Path, *, fingerprint: Mapping[str, str] | None = None) -> sqlite3.Connection:
    """Open a record store; create it if a `fingerprint` is given.

    Transactions begin and end explicitly. Raises `SetupError` for a file that is not ours.

    WAL lets `find` read while `index` writes. FULL makes every commit wait for the disk: NORMAL
    would survive a killed process but lose the last commits when the power fails, after they were
    reported as indexed. One commit per batch of pictures makes the wait too rare to matter.
    """
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if fingerprint is not None else 'rw'}"
    # Other threads may use the connection: SQLite is thread-safe, and Gallery serialises access.
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=30, check_same_thread=False
    )
    try:
        if fingerprint is not None and _is_empty(connection):
            _set_up(connection, fingerprint)
        elif _is_empty(connection):  # another process is about to create it
            raise SetupError(
                f"gallery {path.parent.name!r} holds nothing yet: fill it with `unmask index DIR "
                f"--gallery {path.parent.name}`"
            )
        _check_version(connection, path.parent.name)  # before changing a foreign file
        _bring_up_to_date(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    """An open record store; `copy` is the temporary folder it was copied to, if any."""

    connection: sqlite3.Connection
    copy: tempfile.TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Close the file and delete the copy."""
        self.connection.close()
        if self.copy is not None:
            self.copy.cleanup()


def open_to_read(path: Path) -> OpenDatabase:
    """Open an existing record store for reading, also on a read-only disk.

    WAL needs files beside the database. Where they cannot be created, a database without unfinished
    work is read in place, one that another process is writing is read along with it, and any other
    is copied to a temporary folder and repaired there. Raises SetupError or sqlite3.Error.
    """
    try:
        return OpenDatabase(connect(path))
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE:
            raise
    unfinished = path.with_name(f"{path.name}-wal")
    mode = "mode=ro" if unfinished.is_file() else "mode=ro&immutable=1"
    connection = _as_it_lies(path, mode)
    if connection is not None:
        return OpenDatabase(connection)
    folder = tempfile.TemporaryDirectory(prefix="unmask-", ignore_cleanup_errors=True)
    try:
        copied = Path(folder.name) / path.parent.name / path.name
        copied.parent.mkdir()
        for each in (path, unfinished):
            if each.is_file():
                shutil.copyfile(each, copied.with_name(each.name))
        return OpenDatabase(connect(copied), folder)
    except BaseException:
        folder.cleanup()
        raise


def _as_it_lies(path: Path, mode: str) -> sqlite3.Connection | None:
    """Open the database read-only; None if that fails or its version is older."""
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=30, check_same_thread=False
    )
    try:
        _check_version(connection, path.parent.name)
        if _pragma(connection, "user_version") == SCHEMA_VERSION:
            return connection
    except sqlite3.OperationalError:
        pass
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _set_up(connection: sqlite3.Connection, fingerprint: Mapping[str, str]) -> None:
    """Create a gallery in an empty file, completely or not at all."""
    meta = {
        "fingerprint": json.dumps(dict(fingerprint), sort_keys=True),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "epoch": uuid.uuid4().hex,
    }
    with transaction(connection):
        if _pragma(connection, "user_version"):
            return  # another process was faster
        for statement in (_SCHEMA + _VIDEOS).split(";\n"):
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        # Last, and in the same transaction: a file with a version is a complete gallery.
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _check_version(connection: sqlite3.Connection, name: str) -> None:
    """Raise SetupError for a file that is not ours or was written by a newer Unmask."""
    if _pragma(connection, "application_id") != APPLICATION_ID:
        raise SetupError(f"gallery {name!r}: {_PLAIN_WORDS[sqlite3.SQLITE_NOTADB]}")
    version = _pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise SetupError(
            f"gallery {name!r} was written by a newer Unmask (record version {version}, this one "
            f"knows {SCHEMA_VERSION}): update it with `pip install -U -e .`"
        )


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Add the video tables to a gallery from before videos; its contents stay unchanged."""
    if _pragma(connection, "user_version") == SCHEMA_VERSION:
        return
    with transaction(connection):
        if _pragma(connection, "user_version") == SCHEMA_VERSION:
            return  # another process was faster
        for statement in _VIDEOS.split(";\n"):
            connection.execute(statement)
        # Files without a picture may be videos: an impossible size makes the next run read them.
        connection.execute("UPDATE files SET size = -1 WHERE problem IS NOT NULL")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether this file has never been written to."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not tables and not _pragma(connection, "user_version")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit everything or nothing, also when interrupted by Ctrl-C."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends the transaction itself if the disk is full
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def translate_database_errors(name: str) -> Iterator[None]:
    """Turn failures the user can fix (full disk, damaged file) into `SetupError`; re-raise others.

    What was committed before stays readable in all these cases.
    """
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte: the primary code
        if code not in _PLAIN_WORDS:
            raise
        raise SetupError(f"gallery {name!r}: {_PLAIN_WORDS[code]}") from error
    except OSError as error:
        raise SetupError(
            f"gallery {name!r}: {error}: mend that, or choose another data folder by setting "
            "UNMASK_HOME"
        ) from error


def try_lock(path: Path) -> sqlite3.Connection | None:
    """Take a lock between processes, held until the connection is closed; None if already taken.

    Uses SQLite's own lock on an empty file: it is portable, and the system releases it when the
    process dies, however it dies.
    """
    connection = sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return None
        raise
    return connection
