"""The SQLite file of a case record: entries in a hash chain, and the signed heads of it."""

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.case.signed.chain import GENESIS_HASH, canonical, chained
from assistant.case.signed.entry import CaseEntry
from assistant.case.signed.signing import SignedHead, SigningKeys
from tools.errors import SetupError
from tools.gallery.database_file import transaction
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import private_file, private_folder

CASE_DB_FILE = "case.sqlite3"

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS entries (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, "
    "kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL)"
)
_HEADS = (
    "CREATE TABLE IF NOT EXISTS heads (id TEXT NOT NULL, first INTEGER NOT NULL, entries INTEGER "
    "NOT NULL, hash TEXT NOT NULL, key TEXT PRIMARY KEY, signature TEXT NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class RecordFile:
    """The file in a case's folder (WAL); safe to use from several threads and processes.

    `keys` gives the keys that sign. Every method raises SetupError for a record that is damaged,
    locked, or cannot be read or written.
    """

    folder: Path
    keys: Callable[[], SigningKeys]

    @property
    def id(self) -> str:
        """The case's id: the name of its folder."""
        return self.folder.name

    def require_unlocked(self) -> None:
        """Raise SetupError if the case is locked."""
        require_unlocked(self.folder, f"case {self.id!r}", unlock=f"--case {self.id}")

    def create(self) -> None:
        """Make the empty file, readable by its owner only."""
        private_file(private_folder(self.folder) / CASE_DB_FILE)
        with self.connected() as connection:
            connection.execute(_SCHEMA)

    def fill(self, entries: Sequence[CaseEntry], heads: Sequence[SignedHead]) -> None:
        """Write entries and heads of a received record as they are."""
        rows = [(it.seq, it.at, it.kind, canonical(it.body), it.hash) for it in entries]
        with self.connected() as connection, transaction(connection):
            connection.execute(_HEADS)
            connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", rows)
            signed = [astuple(head) for head in heads]
            connection.executemany("INSERT INTO heads VALUES (?, ?, ?, ?, ?, ?)", signed)

    def entries(self) -> list[CaseEntry]:
        """All entries of the record."""
        with self.reading(), self.connected() as connection:
            rows = connection.execute("SELECT seq, at, kind, body, hash FROM entries ORDER BY seq")
            return [
                CaseEntry(seq, at, kind, json.loads(body), hash)
                for seq, at, kind, body, hash in rows
            ]

    def heads(self) -> list[SignedHead]:
        """The signed heads, one per key; empty for a case from before signing."""
        with self.connected() as connection:
            return signed_heads(connection)

    def add(self, *added: tuple[str, Mapping[str, Any]]) -> None:
        """Record entries, all of them or none, and sign the new head."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self.connected() as connection, transaction(connection):
            last = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1")
            before = seq, previous = last.fetchone() or (0, GENESIS_HASH)
            for kind, given in added:
                # The hash covers the values as they will be read back.
                body, seq = json.loads(canonical(given)), seq + 1
                previous = chained(previous, CaseEntry(seq, at, kind, body, ""))
                row = seq, at, kind, canonical(body), previous
                connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?)", row)
            head = self._signed(connection, before, (seq, previous))
        if head is not None:
            self.keys().keep(head)

    def _signed(
        self, connection: sqlite3.Connection, before: tuple[int, str], now: tuple[int, str]
    ) -> SignedHead | None:
        """Sign the present head, unless the record differs from the last signed state."""
        connection.execute(_HEADS)
        mine, kept = self.keys().id, self.keys().latest_head(self.id)
        own = next((head for head in signed_heads(connection) if head.key == mine), None)
        if kept is not None and kept.key != mine:
            kept = None
        if not self._goes_on(own, kept, before):
            return None  # changes stay visible: no new signature covers them
        first = before[0] + 1 if own is None else own.first
        head = self.keys().sign(case=self.id, first=first, entries=now[0], hash=now[1])
        if head is not None:
            row = astuple(head)
            connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?)", row)
        return head

    def _goes_on(
        self, own: SignedHead | None, kept: SignedHead | None, before: tuple[int, str]
    ) -> bool:
        """Whether the record, before the new entries, is the state that was signed last.

        `own` is the head in the record, `kept` the one beside the key, which is written later and
        may lag behind.
        """
        if own is None:
            return kept is None
        same = (
            own.case == self.id
            and (own.entries, own.hash) == before
            and self.keys().verify_head(own)
        )
        lags = kept is None or kept.entries < own.entries or kept == own
        return same and lags

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Report content that does not fit our record format as damage."""
        try:
            yield
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise SetupError(
                f"case {self.id!r} is damaged ({type(error).__name__}: {error}); restore its "
                "folder from a backup, or begin a new case"
            ) from error

    @contextlib.contextmanager
    def connected(self) -> Iterator[sqlite3.Connection]:
        """A connection for one operation: threads share nothing."""
        self.require_unlocked()
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                self.folder / CASE_DB_FILE, isolation_level=None, timeout=30
            )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            yield connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, (sqlite3.IntegrityError, sqlite3.ProgrammingError)):
                raise  # a bug of ours
            raise SetupError(
                f"case {self.id!r} cannot be read or written ({error}); check the disk and the "
                "rights on its folder, or choose another data folder by setting UNMASK_HOME"
            ) from error
        finally:
            if connection is not None:
                connection.close()


def signed_heads(connection: sqlite3.Connection) -> list[SignedHead]:
    """The signed heads, one per key; empty for a case from before signing."""
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'heads'").fetchone()
    rows = connection.execute("SELECT * FROM heads").fetchall() if there else []
    return [SignedHead(*row) for row in rows]
