"""What a watch remembers of a subject: reports about it, and that its picture was looked at.

Only that is deleted: a watch that forgot everything would report again whatever is still there.
The memory is that of `assistant.cli.watch.state`; a report is one line of the feed beside it.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.errors import SetupError
from tools.gallery.database_file import transaction, try_lock
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import write_private

_STATE, _FEED, _LOCK = "state.sqlite3", "feed.jsonl", "watch.lock"


@dataclass(frozen=True, slots=True)
class HeldInWatch:
    """A watch's `folder`, and how many reports and looked-at pictures in it are about a subject."""

    folder: Path
    entries: int


def held_in_watch(
    folder: Path, needles: Sequence[bytes], pictures: frozenset[str]
) -> HeldInWatch | None:
    """What a watch holds of a subject, named by `needles` and the sha256 of pictures.

    None if it holds nothing. Raises SetupError if it is locked or cannot be read.
    """
    require_unlocked(folder, f"the memory of the watch {folder.name!r}", unlock="--all")
    lines, events, looked = _lines(folder, needles), list[str](), list[str]()
    if (folder / _STATE).is_file():  # else it was moved away, and only the feed is left
        with _connected(folder, "ro") as connection:
            events, looked = _events(connection, needles), _looked_at(connection, pictures)
    entries = max(len(events), len(lines)) + len(looked)
    return HeldInWatch(folder, entries) if entries else None


def forget_in_watch(held: HeldInWatch, needles: Sequence[bytes], pictures: frozenset[str]) -> None:
    """Delete what a watch holds of a subject, and overwrite it in the database.

    Raises SetupError if the watch is running, or its memory cannot be written.
    """
    folder = held.folder
    lock = try_lock(folder / _LOCK)
    if lock is None:
        raise SetupError(
            f"`unmask watch` of {folder.name!r} is running: stop it, then run the same command "
            "again"
        )
    with contextlib.closing(lock):
        feed = folder / _FEED
        if _lines(folder, needles):
            kept = [
                it for it in feed.read_bytes().splitlines(keepends=True) if not _about(it, needles)
            ]
            write_private(feed, b"".join(kept), what="feed")
        if not (folder / _STATE).is_file():
            return
        with _connected(folder, "rw") as connection:
            connection.execute("PRAGMA secure_delete = ON")
            with transaction(connection):
                for id in _events(connection, needles):
                    connection.execute("DELETE FROM delivered WHERE event = ?", (id,))
                    connection.execute("DELETE FROM events WHERE id = ?", (id,))
                for picture in _looked_at(connection, pictures):
                    connection.execute("DELETE FROM looked_at WHERE picture = ?", (picture,))
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _events(connection: sqlite3.Connection, needles: Sequence[bytes]) -> list[str]:
    """The ids of the reports that name the subject."""
    rows = connection.execute("SELECT id, body FROM events").fetchall()
    return [id for id, body in rows if _about(str(body).encode("utf-8", "surrogatepass"), needles)]


def _looked_at(connection: sqlite3.Connection, pictures: frozenset[str]) -> list[str]:
    rows = connection.execute("SELECT DISTINCT picture FROM looked_at").fetchall()
    return [picture for (picture,) in rows if picture in pictures]


def _lines(folder: Path, needles: Sequence[bytes]) -> list[bytes]:
    """The lines of the feed that name the subject."""
    feed = folder / _FEED
    lines = feed.read_bytes().splitlines() if feed.is_file() else []
    return [it for it in lines if _about(it, needles)]


def _about(text: bytes, needles: Sequence[bytes]) -> bool:
    return any(it in text for it in needles)


@contextlib.contextmanager
def _connected(folder: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{(folder / _STATE).absolute().as_uri()}?mode={mode}"
    try:
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise SetupError(
            f"the memory of the watch {folder.name!r} cannot be read or written ({error}): stop "
            f"`unmask watch`, or delete {folder}"
        ) from error
