"""Delete pictures, single faces or a whole gallery so that no byte of them stays in its folder.

SQLite leaves deleted rows in free pages and in its write-ahead log. Here they are overwritten
(`secure_delete`), the file is rebuilt (`VACUUM`), the log is emptied, and the vector index, which
cannot delete for good, is removed: the next search builds it again from the record.

Does not show: what the disk keeps of freed blocks, snapshots, backups or swapped memory. Only an
encrypted disk protects those.
"""

import contextlib
import shutil
import sqlite3
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.errors import SetupError
from tools.gallery import database_file, sql
from tools.gallery.closer_looks import forget_looks
from tools.gallery.database_file import DATABASE_FILE, gallery_folder
from tools.gallery.engines.choice import remove_entry, remove_index
from tools.gallery.engines.locking import LOCK_FILE
from tools.gallery.record_store import Gallery

_WAIT_MS = 3000
"""How long a reader in another process is waited for, in milliseconds."""

_LOCKS = ("writer.lock", LOCK_FILE)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class HeldRecords:
    """What a gallery holds of a subject: ids of pictures, videos and frames, and of faces."""

    images: tuple[str, ...]
    faces: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.images or self.faces)


def held_records(
    gallery: Gallery, images: Collection[str], faces: Collection[str] = ()
) -> HeldRecords:
    """Which pictures or videos (by sha256), and which single faces, a gallery holds.

    The frames of a video, and all faces of what is held, are included.
    """
    held = [each for each in sorted(images) if gallery.has_image(each)]
    frames = [frame.image_id for each in held for frame in gallery.frames_of(each)]
    whole = (*held, *frames)
    gone = [face for each in whole for face in gallery.face_ids_of(each)]
    single = [each for each in sorted(faces) if gallery.has_face(each)]
    return HeldRecords(whole, tuple(dict.fromkeys([*gone, *single])))


def forget_records(home: Path, name: str, held: HeldRecords) -> None:
    """Delete pictures (or videos with their frames), and faces, and everything about them.

    Whole-picture features stay where a picture stays because it shows other people too. Raises
    SetupError if the gallery is being indexed or searched by another process, or cannot be written;
    what was deleted until then stays deleted, and the same call does the rest.
    """
    with _alone(home, name) as connection:
        remove_index(gallery_folder(home, name))
        database_file.delete_draft(gallery_folder(home, name))
        forget_looks(gallery_folder(home, name))
        with database_file.transaction(connection):
            for table, ids in (("faces", held.faces), ("images", held.images)):
                _delete(connection, table, ids)
            if connection.execute(sql.HAS_WAITING).fetchone():
                _delete(connection, "waiting_faces", held.faces)
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (uuid.uuid4().hex,))
        _rebuild(connection)


def scrub(home: Path, name: str) -> None:
    """Overwrite what earlier deletions left behind, as after one that was interrupted."""
    with _alone(home, name) as connection:
        remove_index(gallery_folder(home, name))
        _rebuild(connection)


def delete_gallery(home: Path, name: str) -> None:
    """Delete a gallery's folder; its record goes last, so that an interrupted call can be repeated.

    Raises SetupError if another process indexes or searches it, or if the folder cannot be deleted.
    """
    folder = gallery_folder(home, name)
    if not folder.is_dir():
        return
    with database_file.translate_database_errors(name), _locks(folder, name):
        remove_index(folder)
        for each in sorted(folder.iterdir(), key=lambda it: it.name.startswith(DATABASE_FILE)):
            if each.name not in (*_LOCKS, DATABASE_FILE):
                remove_entry(each)
        (folder / DATABASE_FILE).unlink(missing_ok=True)
    with database_file.translate_database_errors(name):
        shutil.rmtree(folder)


@contextlib.contextmanager
def _alone(home: Path, name: str) -> Iterator[sqlite3.Connection]:
    """A connection that overwrites what it deletes, while no other process uses the gallery."""
    folder = gallery_folder(home, name)
    Gallery.require_unlocked(home, name)
    with database_file.translate_database_errors(name), _locks(folder, name):
        connection = database_file.connect(folder / DATABASE_FILE)
        try:
            connection.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
            connection.execute("PRAGMA secure_delete = ON")
            yield connection
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise _in_use(name) from error
            raise
        finally:
            connection.close()


@contextlib.contextmanager
def _locks(folder: Path, name: str) -> Iterator[None]:
    """The locks of indexing and of the vector index. Raises SetupError if one is taken."""
    with contextlib.ExitStack() as stack:
        for file in _LOCKS:
            lock = database_file.try_lock(folder / file)
            if lock is None:
                raise _in_use(name)
            stack.callback(lock.close)
        yield


def _in_use(name: str) -> SetupError:
    return SetupError(
        f"gallery {name!r} is open in another process (indexing, a search or the chat): close "
        "that, then run the same command again; what is deleted already stays deleted"
    )


def _delete(connection: sqlite3.Connection, table: str, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        marks = ", ".join("?" * len(chunk))
        connection.execute(f"DELETE FROM {table} WHERE id IN ({marks})", chunk)  # noqa: S608 - our own names


def _rebuild(connection: sqlite3.Connection) -> None:
    """Rewrite the file without its free pages, and empty the write-ahead log."""
    connection.execute("VACUUM")
    busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        error = sqlite3.OperationalError("the write-ahead log is in use")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error
