"""The open file of a record: statements of several threads, one after the other."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.errors import SetupError, ToolError
from tools.gallery.database_file import OpenDatabase, transaction, translate_database_errors

_CHUNK = 500  # parameters per statement, well under SQLite's limit


class RecordDatabase:
    """Runs statements on the record of the gallery `name`; threads of one process may share it.

    Every method raises `SetupError` if the disk is full or the file cannot be written or is
    damaged.
    """

    def __init__(self, name: str, opened: OpenDatabase) -> None:
        self.name = name
        self._opened = opened
        self._turn = threading.RLock()

    def close(self) -> None:
        """Close the file; everything committed stays."""
        self._opened.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: everything is committed or nothing."""
        with self._turns(), transaction(self._opened.connection):
            yield self._opened.connection

    @contextlib.contextmanager
    def _turns(self) -> Iterator[None]:
        with self._turn, translate_database_errors(self.name):
            yield

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        """All rows of a query."""
        with self._turns():
            return self._opened.connection.execute(sql, parameters).fetchall()

    def row(self, sql: str) -> tuple[Any, ...]:
        """The first row of a query that has one."""
        row: tuple[Any, ...] = self.rows(sql)[0]
        return row

    def rows_of(self, select: str, ids: Sequence[object], *, key: str = "id") -> Iterator[Any]:
        """The rows of a query whose `key` is one of `ids`, in any order."""
        for start in range(0, len(ids), _CHUNK):
            chunk = ids[start : start + _CHUNK]
            marks = ", ".join("?" * len(chunk))
            yield from self.rows(f"{select} WHERE {key} IN ({marks})", chunk)

    def rows_by_id(self, select: str, ids: Sequence[str]) -> list[Any]:
        """One row per face, its id first, in the given order; `ToolError` for an unknown id."""
        found = {row[0]: row for row in self.rows_of(select, ids)}
        unknown = next((each for each in ids if each not in found), None)
        if unknown is not None:
            raise ToolError(f"there is no face {unknown!r} in gallery {self.name!r}")
        return [found[each] for each in ids]

    def meta(self, key: str) -> str:
        """What the record says of itself: its fingerprint, its creation, its epoch."""
        rows = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        if not rows:
            raise self.damaged(f"no {key!r} in it")
        return str(rows[0][0])

    def damaged(self, what: str) -> SetupError:
        """The error for content that does not have our format."""
        return SetupError(
            f"gallery {self.name!r}: its record is damaged ({what}): `unmask doctor` says more; "
            f"restore its folder from a backup, or run `unmask galleries forget {self.name}` and "
            "index your photos again"
        )
