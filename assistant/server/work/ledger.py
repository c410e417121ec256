"""What belongs to whom, and what was started: one owner-only SQLite file beside the galleries.

It holds ids, names of tokens and galleries, folders and counts; no pictures, no measurements. Jobs
of galleries that were deleted are removed when a server starts.
"""

import contextlib
import json
import sqlite3
import threading
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from tools.errors import SetupError
from tools.gallery.database_file import try_lock
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import private_file, private_folder

JobState = Literal["waiting", "running", "done", "stopped", "failed", "interrupted"]
OPEN_STATES: tuple[JobState, ...] = ("waiting", "running")
KEYS_KEPT = timedelta(days=1)
"""How long an idempotency key is remembered."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS owners (kind TEXT, id TEXT, owner TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (kind, id));
CREATE INDEX IF NOT EXISTS owned ON owners (kind, owner, at);
CREATE TABLE IF NOT EXISTS shares (kind TEXT, id TEXT, name TEXT, PRIMARY KEY (kind, id, name));
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, server TEXT NOT NULL, gallery TEXT NOT NULL,
    source TEXT NOT NULL, state TEXT NOT NULL, began TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS keys (owner TEXT, key TEXT, request TEXT NOT NULL, made TEXT,
    at TEXT NOT NULL, PRIMARY KEY (owner, key));
"""


@dataclass(frozen=True, slots=True)
class JobRow:
    """A recorded index job; `body` holds its latest progress and problem."""

    id: str
    gallery: str
    source: str
    state: JobState
    began: str
    body: Mapping[str, Any]


class Ledger:
    """The server's books; safe to use from several threads and processes.

    `Ledger` of a process that died leaves its jobs open: the next one that is opened marks them as
    interrupted. Raises SetupError if the file cannot be read or written.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "server"
        self._path = self._folder / "ledger.sqlite3"
        self._server = uuid.uuid4().hex
        self._turn = threading.RLock()
        with self._connected() as connection:
            connection.executescript(_SCHEMA)
        private_file(self._path)
        # Held until this process ends, however it ends.
        self._alive = try_lock(private_file(self._lock_of(self._server)))
        self._mark_interrupted()

    def close(self) -> None:
        """End: jobs that are still open count as interrupted from now on."""
        if self._alive is not None:
            self._alive.close()
            self._alive = None
        self._lock_of(self._server).unlink(missing_ok=True)

    # -- owners -------------------------------------------------------------------------------

    def own(self, kind: str, id: str, owner: str) -> None:
        """Record whose something is."""
        with self._connected() as connection:
            row = (kind, id, owner, _now())
            connection.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?, ?)", row)

    def owner(self, kind: str, id: str) -> str:
        """Whose it is; empty if nobody was recorded."""
        with self._connected() as connection:
            found = connection.execute(
                "SELECT owner FROM owners WHERE kind = ? AND id = ?", (kind, id)
            ).fetchone()
        return "" if found is None else str(found[0])

    def owns(self, kind: str, id: str, owner: str) -> bool:
        """Whether it is this owner's."""
        return bool(owner) and self.owner(kind, id) == owner

    def owned(self, kind: str, owner: str) -> list[str]:
        """The ids of what an owner has of a kind, newest first."""
        with self._connected() as connection:
            found = connection.execute(
                "SELECT id FROM owners WHERE kind = ? AND owner = ? ORDER BY at DESC, id DESC",
                (kind, owner),
            )
            return [id for (id,) in found]

    def disown(self, kind: str, id: str) -> None:
        """Forget whose it was and who else saw it, after its deletion."""
        with self._connected() as connection:
            connection.execute("DELETE FROM owners WHERE kind = ? AND id = ?", (kind, id))
            connection.execute("DELETE FROM shares WHERE kind = ? AND id = ?", (kind, id))

    # -- shares -------------------------------------------------------------------------------

    def share(self, kind: str, id: str, names: Collection[str]) -> None:
        """Let these names see something, and no others."""
        with self._connected() as connection:
            connection.execute("DELETE FROM shares WHERE kind = ? AND id = ?", (kind, id))
            rows = [(kind, id, name) for name in sorted(set(names))]
            connection.executemany("INSERT INTO shares VALUES (?, ?, ?)", rows)

    def shared_with(self, kind: str, id: str) -> list[str]:
        """Who else may see it, by name."""
        with self._connected() as connection:
            found = connection.execute(
                "SELECT name FROM shares WHERE kind = ? AND id = ? ORDER BY name", (kind, id)
            )
            return [name for (name,) in found]

    def seen_by(self, kind: str, name: str) -> set[str]:
        """The ids of what a name owns or was given to see."""
        with self._connected() as connection:
            found = connection.execute(
                "SELECT id FROM owners WHERE kind = ?1 AND owner = ?2 "
                "UNION SELECT id FROM shares WHERE kind = ?1 AND name = ?2",
                (kind, name),
            )
            return {id for (id,) in found}

    def drop_shares(self, name: str) -> None:
        """Withdraw everything that was shared with a name."""
        with self._connected() as connection:
            connection.execute("DELETE FROM shares WHERE name = ?", (name,))

    # -- idempotency keys -----------------------------------------------------------------------

    def claim_key(self, owner: str, key: str, request: str) -> tuple[str, str | None] | None:
        """Claim a key for a request (a hash of it).

        None if it was free; otherwise the request that it was used for and what that made, None
        while that is not finished.
        """
        with self._connected() as connection:
            old = (datetime.now(UTC) - KEYS_KEPT).isoformat()
            connection.execute("DELETE FROM keys WHERE at < ?", (old,))
            row = (owner, key, request, _now())
            new = connection.execute(
                "INSERT OR IGNORE INTO keys (owner, key, request, at) VALUES (?, ?, ?, ?)", row
            ).rowcount
            if new:
                return None
            return connection.execute(  # type: ignore[no-any-return]
                "SELECT request, made FROM keys WHERE owner = ? AND key = ?", (owner, key)
            ).fetchone()

    def settle_key(self, owner: str, key: str, made: str | None) -> None:
        """Record what the key's request made; None frees the key after a failure."""
        statement = (
            "DELETE FROM keys WHERE owner = ? AND key = ?"
            if made is None
            else "UPDATE keys SET made = ?3 WHERE owner = ?1 AND key = ?2"
        )
        with self._connected() as connection:
            connection.execute(statement, (owner, key) if made is None else (owner, key, made))

    # -- jobs -----------------------------------------------------------------------------------

    def record_job(
        self, id: str, *, gallery: str, source: str, state: JobState, body: Mapping[str, Any]
    ) -> None:
        """Record a job's state and progress."""
        with self._connected() as connection:
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "state = excluded.state, body = excluded.body",
                (id, self._server, gallery, source, state, _now(), json.dumps(dict(body))),
            )

    def job(self, id: str) -> JobRow | None:
        """A job by id."""
        return next(iter(self._jobs("WHERE id = ?", id)), None)

    def latest_job(self, gallery: str) -> JobRow | None:
        """The latest job of a gallery."""
        return next(
            iter(self._jobs("WHERE gallery = ? ORDER BY began DESC LIMIT 1", gallery)), None
        )

    def drop_jobs(self, *, galleries: Collection[str]) -> None:
        """Remove the jobs of all but these galleries, unless their files still wait."""
        gone = [
            (row.id,)
            for row in self._jobs("WHERE state NOT IN ('waiting', 'running')")
            if row.gallery not in galleries and not Path(row.source).exists()
        ]
        with self._connected() as connection:
            connection.executemany("DELETE FROM jobs WHERE id = ?", gone)
            connection.executemany("DELETE FROM owners WHERE kind = 'job' AND id = ?", gone)

    def _jobs(self, where: str, *values: str) -> list[JobRow]:
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT id, gallery, source, state, began, body FROM jobs {where}",  # noqa: S608 - our own
                values,
            ).fetchall()
        return [
            JobRow(id, gallery, source, state, began, json.loads(body))
            for id, gallery, source, state, began, body in rows
        ]

    def _mark_interrupted(self) -> None:
        """Close the jobs of processes that no longer run."""
        with self._connected() as connection:
            servers = connection.execute(
                "SELECT DISTINCT server FROM jobs WHERE state IN ('waiting', 'running')"
            ).fetchall()
        for (server,) in servers:
            lock = self._lock_of(server)
            held = try_lock(lock) if lock.is_file() else None
            if lock.is_file() and held is None:
                continue  # it runs
            with self._connected() as connection:
                connection.execute(
                    "UPDATE jobs SET state = 'interrupted' "
                    "WHERE server = ? AND state IN ('waiting', 'running')",
                    (server,),
                )
            if held is not None:
                held.close()
            lock.unlink(missing_ok=True)

    def _lock_of(self, server: str) -> Path:
        return self._folder / f"running-{server}.lock"

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        require_unlocked(self._folder, "the server's record", unlock="--all")
        try:
            private_folder(self._folder)
            with (
                self._turn,
                contextlib.closing(sqlite3.connect(self._path, timeout=30)) as connection,
                connection,
            ):
                connection.execute("PRAGMA secure_delete = ON")
                yield connection
        except (OSError, sqlite3.Error) as error:
            raise SetupError(
                f"the server's books in {str(self._folder)!r} cannot be read or written ({error}): "
                "mend that, or choose another data folder by setting UNMASK_HOME"
            ) from error


def _now() -> str:
    return datetime.now(UTC).isoformat()
