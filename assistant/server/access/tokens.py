"""Access tokens: who may use the server for what; only hashes are stored.

A token is 256 random bits, so a plain SHA-256 of it cannot be guessed backwards. The store is one
owner-only SQLite file in the configuration folder. Every request looks a token up there: a revoked
one is refused at once, also by a server that runs.
"""

import contextlib
import hashlib
import re
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from tools.errors import SetupError
from tools.media.private_files import private_file, private_folder

Scope = Literal["check", "search", "index", "page"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""check: photos without a gallery, and the history of checks; search: galleries, investigations,
cases and MCP; index: add pictures to galleries; page: log in to the page."""

PREFIX = "unmask_"
_NAME = re.compile(r"\w[\w.-]{0,63}")
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, "
    "scopes TEXT NOT NULL, created TEXT NOT NULL, expires TEXT NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request: a token's or login's `name`, and what it may do.

    Investigations, jobs and the history belong to the name.
    """

    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A stored token without its secret; `expires` is empty, or a time (ISO 8601, UTC)."""

    name: str
    scopes: tuple[Scope, ...]
    created: str
    expires: str

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return bool(self.expires) and datetime.fromisoformat(self.expires) <= datetime.now(UTC)


class TokenStore:
    """The tokens of a configuration folder; safe to use from several threads and processes."""

    def __init__(self, config_dir: Path) -> None:
        self.path = config_dir / "tokens.sqlite3"

    def create(self, name: str, scopes: Sequence[str], *, days: int | None = None) -> str:
        """Store a new token and return its secret, which is not kept. Raises SetupError."""
        if not _NAME.fullmatch(name):
            raise SetupError(f"{name!r} is no name for a token: use up to 64 letters and digits")
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            wrong = f"there is no scope {unknown[0]!r}" if unknown else "a token needs a scope"
            raise SetupError(f"{wrong}; scopes are {', '.join(SCOPES)}")
        secret = new_secret()
        now = datetime.now(UTC).replace(microsecond=0)
        expires = "" if days is None else (now + timedelta(days=days)).isoformat()
        row = (name, digest(secret), " ".join(dict.fromkeys(scopes)), now.isoformat(), expires)
        with self._connected() as connection:
            try:
                connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                raise SetupError(
                    f"there is a token {name!r} already: choose another name, or revoke it with "
                    f"`unmask tokens revoke {name}`"
                ) from error
        return secret

    def records(self) -> list[TokenRecord]:
        """All tokens by name, without secrets."""
        if not self.path.is_file():
            return []
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT name, scopes, created, expires FROM tokens ORDER BY name"
            ).fetchall()
        return [_record(*row) for row in rows]

    def revoke(self, name: str) -> None:
        """Delete a token; SetupError, which names the others, if there is none of this name."""
        with self._connected() as connection:
            found = connection.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount
        if not found:
            known = ", ".join(it.name for it in self.records()) or "none"
            raise SetupError(f"there is no token {name!r}; there are: {known}")

    def find(self, secret: str) -> Identity | None:
        """Whose secret this is; None for an unknown, revoked or expired one."""
        if not self.path.is_file() or not secret.startswith(PREFIX):
            return None
        with self._connected() as connection:
            row = connection.execute(
                "SELECT name, scopes, created, expires FROM tokens WHERE hash = ?",
                (digest(secret),),
            ).fetchone()
        record = None if row is None else _record(*row)
        if record is None or record.expired:
            return None
        return Identity(record.name, frozenset(record.scopes))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            private_folder(self.path.parent)
            private_file(self.path)
            connection = sqlite3.connect(self.path, timeout=10)
            with contextlib.closing(connection), connection:
                connection.execute(_SCHEMA)
                yield connection
        except (OSError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise SetupError(
                f"the tokens cannot be read or stored in {str(self.path)!r} ({error}): mend that "
                "file, or choose another folder by setting UNMASK_CONFIG_DIR"
            ) from error


def new_secret() -> str:
    """A new secret of 256 random bits, recognisable by its prefix."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256, 64 hex digits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _record(name: str, scopes: str, created: str, expires: str) -> TokenRecord:
    known = tuple(scope for scope in SCOPES if scope in scopes.split())
    return TokenRecord(name, known, created, expires)
