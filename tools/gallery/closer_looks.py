"""What closer looks at a gallery's faces measured, kept so that no search measures it again.

A file of its own beside the record: it can be deleted at any time, and a search may write it while
another process indexes. Entries belong to a hit and to a key that stands for the query and every
checkpoint. The key of a query that nobody has cannot be guessed, but `unmask forget` deletes the
whole file all the same, since it holds similarities to whoever was searched for.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tools.media.private_files import open_private

FILE = "closer-looks.sqlite3"
MOST_ENTRIES = 10_000
"""Older entries are deleted; one takes about 2 KB."""

_TABLE = (
    "CREATE TABLE IF NOT EXISTS looks (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " query_key TEXT NOT NULL, name TEXT NOT NULL, result TEXT NOT NULL,"
    " UNIQUE (query_key, name) ON CONFLICT REPLACE)"
)
_WAIT_S = 1.0


class StoredLooks:
    """The results kept in a gallery's folder.

    Where the file cannot be read or written (a read-only disk, a damaged file), nothing is known
    and nothing is kept: it only saves time.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE

    def closer_looks(self, key: str, names: Sequence[str]) -> Mapping[str, str]:
        """The texts kept under a key, by the name of a hit; unknown names are left out."""
        if not self._file.is_file():
            return {}
        wanted = frozenset(names)
        with contextlib.suppress(sqlite3.Error), self._connected() as connection:
            rows = connection.execute("SELECT name, result FROM looks WHERE query_key = ?", (key,))
            return {name: text for name, text in rows if name in wanted}
        return {}

    def keep_closer_looks(self, key: str, texts: Mapping[str, str]) -> None:
        """Keep texts by the names of hits; where nothing can be written, nothing is."""
        if not texts:
            return
        with contextlib.suppress(OSError, sqlite3.Error):
            open_private(self._file, "a").close()
            with self._connected() as connection, connection:
                connection.execute(_TABLE)
                connection.executemany(
                    "INSERT INTO looks (query_key, name, result) VALUES (?, ?, ?)",
                    [(key, name, text) for name, text in texts.items()],
                )
                connection.execute(
                    "DELETE FROM looks WHERE number <= (SELECT max(number) FROM looks) - ?",
                    (MOST_ENTRIES,),
                )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        uri = f"{self._file.absolute().as_uri()}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_S)) as connection:
            yield connection


def forget_looks(folder: Path) -> None:
    """Delete what closer looks at a gallery measured. Raises OSError."""
    for ending in ("", "-journal"):
        (folder / f"{FILE}{ending}").unlink(missing_ok=True)
