"""Access tokens: who may use the server for what; only hashes are stored.

A token is 256 random bits, so a plain SHA-256 of it cannot be guessed backwards. The store is one
owner-only SQLite file in the configuration folder. Every request looks a token up there: a revoked
one is refused at once, also by a server that runs. A token of an account acts in its name, and may
do what its scopes and the account's role both allow.
"""

import contextlib
import hashlib
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assistant.server.access.accounts import AccountStore
from assistant.server.access.private_database import connected
from assistant.server.access.roles import SCOPES, SCOPES_OF, Identity, Scope, require_name
from tools.errors import SetupError

PREFIX = "unmask_"
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, "
    "scopes TEXT NOT NULL, created TEXT NOT NULL, expires TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS tied (token TEXT PRIMARY KEY, account TEXT NOT NULL)"
)
_COLUMNS = "name, scopes, created, expires, ifnull(account, '')"
_TABLES = "tokens LEFT JOIN tied ON token = name"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A stored token without its secret; `expires` is empty, or a time (ISO 8601, UTC).

    `account` is the one in whose name it acts, empty for a token with a name of its own.
    """

    name: str
    scopes: tuple[Scope, ...]
    created: str
    expires: str
    account: str = ""

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return bool(self.expires) and datetime.fromisoformat(self.expires) <= datetime.now(UTC)


class TokenStore:
    """The tokens of a configuration folder; safe to use from several threads and processes."""

    def __init__(self, config_dir: Path) -> None:
        self.path = config_dir / "tokens.sqlite3"
        self._accounts = AccountStore(config_dir)

    def create(
        self, name: str, scopes: Sequence[str], *, days: int | None = None, account: str = ""
    ) -> str:
        """Store a new token and return its secret, which is not kept. Raises SetupError.

        Without `scopes`, a token of an `account` gets all that its role may do.
        """
        require_name(name, "a token")
        granted = self._granted(name, scopes, account)
        secret = new_secret()
        now = datetime.now(UTC).replace(microsecond=0)
        expires = "" if days is None else (now + timedelta(days=days)).isoformat()
        row = (name, digest(secret), " ".join(dict.fromkeys(granted)), now.isoformat(), expires)
        with self._connected() as connection:
            try:
                connection.execute("INSERT INTO tokens VALUES (?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                raise SetupError(
                    f"there is a token {name!r} already: choose another name, or revoke it with "
                    f"`unmask tokens revoke {name}`"
                ) from error
            if account:
                connection.execute("INSERT OR REPLACE INTO tied VALUES (?, ?)", (name, account))
        return secret

    def _granted(self, name: str, scopes: Sequence[str], account: str) -> Sequence[str]:
        """The scopes of a new token. Raises SetupError."""
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not (scopes or account):
            wrong = f"there is no scope {unknown[0]!r}" if unknown else "a token needs a scope"
            raise SetupError(f"{wrong}; scopes are {', '.join(SCOPES)}")
        if not account:
            if self._accounts.get(name) is not None:
                raise SetupError(
                    f"there is an account {name!r}, whose cases the token would see: choose "
                    f"another name, or tie it to the account with --account {name}"
                )
            return scopes
        held = self._accounts.require(account)
        allowed = SCOPES_OF[held.role]
        if beyond := [scope for scope in scopes if scope not in allowed]:
            raise SetupError(
                f"the account {account!r} has the role {held.role}, which has no scope "
                f"{beyond[0]!r}; it has: {', '.join(allowed)}"
            )
        return scopes or allowed

    def records(self) -> list[TokenRecord]:
        """All tokens by name, without secrets."""
        if not self.path.is_file():
            return []
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM {_TABLES} ORDER BY name"  # noqa: S608 - our own
            ).fetchall()
        return [_record(*row) for row in rows]

    def revoke(self, name: str) -> None:
        """Delete a token; SetupError, which names the others, if there is none of this name."""
        with self._connected() as connection:
            found = connection.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount
            connection.execute("DELETE FROM tied WHERE token = ?", (name,))
        if not found:
            known = ", ".join(it.name for it in self.records()) or "none"
            raise SetupError(f"there is no token {name!r}; there are: {known}")

    def revoke_of(self, account: str) -> None:
        """Delete the tokens of an account that is removed."""
        with self._connected() as connection:
            theirs = "SELECT token FROM tied WHERE account = ?"
            connection.execute(f"DELETE FROM tokens WHERE name IN ({theirs})", (account,))  # noqa: S608 - our own
            connection.execute("DELETE FROM tied WHERE account = ?", (account,))

    def find(self, secret: str) -> Identity | None:
        """Whose secret this is; None for an unknown, revoked or expired one.

        Also for one whose account was removed: a later account of that name does not get it.
        """
        if not self.path.is_file() or not secret.startswith(PREFIX):
            return None
        with self._connected() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS} FROM {_TABLES} WHERE hash = ?",  # noqa: S608 - our own
                (digest(secret),),
            ).fetchone()
        record = None if row is None else _record(*row)
        if record is None or record.expired:
            return None
        if not record.account:
            return Identity(record.name, frozenset(record.scopes))
        account = self._accounts.get(record.account)
        if account is None or record.created < account.created:
            return None
        who = account.identity
        return replace(who, scopes=who.scopes & frozenset(record.scopes))

    def _connected(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return connected(self.path, _SCHEMA, what="tokens")


def new_secret() -> str:
    """A new secret of 256 random bits, recognisable by its prefix."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret: its SHA-256, 64 hex digits."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _record(name: str, scopes: str, created: str, expires: str, account: str) -> TokenRecord:
    known = tuple(scope for scope in SCOPES if scope in scopes.split())
    return TokenRecord(name, known, created, expires, account)
