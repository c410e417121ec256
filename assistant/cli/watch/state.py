"""What a watch remembers: pictures it has looked at, hits it found, and where each was reported.

One SQLite file (WAL, synchronous FULL). A hit and the mark that its picture was looked at are one
transaction, and a delivery is noted after it was made: a process that is killed anywhere loses no
hit. Each event has an id that is the same every time, by which a place of delivery recognises one
that it already has.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tools.errors import SetupError
from tools.gallery.database_file import transaction, try_lock
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import private_file, private_folder

_SCHEMA = """
CREATE TABLE IF NOT EXISTS looked_at (
    person TEXT NOT NULL, photos TEXT NOT NULL, picture TEXT NOT NULL,
    PRIMARY KEY (person, photos, picture)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS places (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivered (
    event TEXT NOT NULL, place TEXT NOT NULL, PRIMARY KEY (event, place)
) WITHOUT ROWID;
"""

WATCH_LOCK = "watch.lock"
"""Held while a watch runs."""

Event = Mapping[str, Any]
"""A reported hit as a JSON-able dict, with an `id`."""


def event_id(person: str, picture: str, verdict: str) -> str:
    """The id of a verdict's report about a picture of a person: 32 hex digits, always the same."""
    return hashlib.sha256(f"{person}\0{picture}\0{verdict}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class WatchState:
    """The state of one watch in its folder; use as a context manager, in one process at a time."""

    folder: Path
    connection: sqlite3.Connection
    lock: Any

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open or create it. Raises SetupError if another process has it, or it is damaged."""
        require_unlocked(folder, "the memory of this watch", unlock="--all")
        lock = try_lock(private_folder(folder) / WATCH_LOCK)
        if lock is None:
            raise SetupError(
                f"another `unmask watch` of this gallery is running ({folder}): stop it first"
            )
        path = private_file(folder / "state.sqlite3")
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            connection.close()
            lock.close()
            raise SetupError(
                f"the memory of this watch cannot be used ({error}): move {path} away; hits that "
                "were reported before are then reported again"
            ) from error
        return cls(folder, connection, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.lock.close()

    def unseen(self, person: str, photos: str, pictures: Iterable[str]) -> list[str]:
        """The pictures that were not looked at for this person with these photos, in order."""
        rows = self.connection.execute(
            "SELECT picture FROM looked_at WHERE person = ? AND photos = ?", (person, photos)
        )
        known = {row[0] for row in rows}
        return [picture for picture in dict.fromkeys(pictures) if picture not in known]

    def record(
        self, person: str, photos: str, pictures: Sequence[str], events: Sequence[Event]
    ) -> None:
        """Record that pictures were looked at, and the events of it; all or nothing.

        A picture that was reported of this person before with the same verdict, perhaps with other
        photos, gives no second event.
        """
        with transaction(self.connection):
            self.connection.executemany(
                "INSERT OR IGNORE INTO looked_at VALUES (?, ?, ?)",
                [(person, photos, picture) for picture in pictures],
            )
            self.connection.executemany(
                "INSERT OR IGNORE INTO events (id, body) VALUES (?, ?)",
                [(it["id"], json.dumps(it, ensure_ascii=False)) for it in events],
            )

    def meet(self, place: str) -> None:
        """Get to know a place of delivery: earlier events count as delivered to a new one."""
        with transaction(self.connection):
            known = self.connection.execute("SELECT 1 FROM places WHERE name = ?", (place,))
            if known.fetchone() is None:
                self.connection.execute("INSERT INTO places VALUES (?)", (place,))
                self.connection.execute(
                    "INSERT OR IGNORE INTO delivered SELECT id, ? FROM events", (place,)
                )

    def pending(self, place: str) -> list[Event]:
        """The events that were not delivered to a place yet, oldest first."""
        rows = self.connection.execute(
            "SELECT body FROM events WHERE id NOT IN "
            "(SELECT event FROM delivered WHERE place = ?) ORDER BY number",
            (place,),
        )
        return [json.loads(body) for (body,) in rows]

    def note_delivered(self, place: str, events: Iterable[Event]) -> None:
        """Record that events have reached a place."""
        with transaction(self.connection):
            self.connection.executemany(
                "INSERT OR IGNORE INTO delivered VALUES (?, ?)",
                [(it["id"], place) for it in events],
            )
