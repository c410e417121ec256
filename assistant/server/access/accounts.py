"""Accounts of the server: a name, a role, and a password of which a hash is stored.

The store is one owner-only SQLite file in the configuration folder, and every request looks there:
a change of role or password, or a removal, ends what was open at once, also in a server that runs.
Passwords are stored as `assistant.server.access.passwords` describes.
"""

import contextlib
import secrets
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assistant.server.access.passwords import COST, Cost, hashed, matches
from assistant.server.access.private_database import connected
from assistant.server.access.roles import ROLES, SCOPES_OF, Identity, Role, require_name
from tools.errors import SetupError
from tools.gallery.access_log import OWNER

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, role TEXT NOT NULL, "
    "password TEXT NOT NULL, stamp TEXT NOT NULL, created TEXT NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Account:
    """An account without its password; `created` is UTC, ISO 8601.

    `stamp` is random, and new after each change of role or password.
    """

    name: str
    role: Role
    stamp: str
    created: str

    @property
    def identity(self) -> Identity:
        """Who acts with this account, with all that its role may do."""
        return Identity(self.name, frozenset(SCOPES_OF[self.role]), self.role, self.stamp)


class AccountStore:
    """The accounts of a configuration folder; safe to use from several threads and processes."""

    def __init__(self, config_dir: Path, *, cost: Cost = COST) -> None:
        self.path, self._cost = config_dir / "accounts.sqlite3", cost

    def add(self, name: str, role: str, password: str, *, taken: Collection[str] = ()) -> None:
        """Make an account; `taken` are names of tokens and logins. Raises SetupError."""
        self.require_free(name, taken=taken)
        row = (name, require_role(role), hashed(password, self._cost), _stamp(), _now())
        with self._connected() as connection:
            try:
                connection.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError as error:
                raise SetupError(_in_use(name)) from error

    def require_free(self, name: str, *, taken: Collection[str] = ()) -> None:
        """Raise SetupError for a name that no account can have."""
        require_name(name, "an account")
        if name.casefold() in {it.name.casefold() for it in self.records()}:
            raise SetupError(_in_use(name))
        if name.casefold() in {OWNER, *(it.casefold() for it in taken)}:
            raise SetupError(
                f"a token or login has the name {name!r}, whose cases the account would see: "
                "choose another name"
            )

    def records(self) -> list[Account]:
        """All accounts by name."""
        return self._read("ORDER BY name")

    def get(self, name: str) -> Account | None:
        """The account of this name."""
        return next(iter(self._read("WHERE name = ?", name)), None)

    def require(self, name: str) -> Account:
        """The account of this name; SetupError, which names the others, if there is none."""
        found = self.get(name)
        if found is None:
            known = ", ".join(it.name for it in self.records()) or "none"
            raise SetupError(f"there is no account {name!r}; there are: {known}")
        return found

    def set_role(self, name: str, role: str) -> None:
        """Give an account another role; its sessions end. Raises SetupError."""
        if require_role(role) == self.require(name).role:
            return
        with self._changing(name, leaves_admin=role != "admin") as connection:
            connection.execute(
                "UPDATE accounts SET role = ?, stamp = ? WHERE name = ?", (role, _stamp(), name)
            )

    def set_password(self, name: str, password: str) -> None:
        """Give an account another password; its sessions end. Raises SetupError."""
        self.require(name)
        row = (hashed(password, self._cost), _stamp(), name)
        with self._changing(name) as connection:
            connection.execute("UPDATE accounts SET password = ?, stamp = ? WHERE name = ?", row)

    def remove(self, name: str) -> None:
        """Delete an account; its sessions and tokens end. Raises SetupError."""
        self.require(name)
        with self._changing(name, leaves_admin=True) as connection:
            connection.execute("DELETE FROM accounts WHERE name = ?", (name,))

    def log_in(self, name: str, password: str) -> Identity | None:
        """Who has this name and password; an unknown name takes as long as a wrong password.

        Takes a few tenths of a second and 32 MiB.
        """
        if not self.records():
            return None
        with self._connected() as connection:
            row = connection.execute(
                "SELECT password FROM accounts WHERE name = ?", (name,)
            ).fetchone()
        right = matches(password, None if row is None else row[0])
        found = self.get(name) if right else None
        return None if found is None else found.identity

    def holds(self, who: Identity) -> bool:
        """Whether a session of this identity may go on: its account is as it was at the login."""
        if not who.stamp:
            return True
        found = self.get(who.name)
        return found is not None and found.stamp == who.stamp

    @contextlib.contextmanager
    def _changing(self, name: str, *, leaves_admin: bool = False) -> Iterator[sqlite3.Connection]:
        """One change of an account, with no other in between; the last admin stays one."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            admins = connection.execute("SELECT name FROM accounts WHERE role = 'admin'").fetchall()
            if leaves_admin and admins == [(name,)]:
                raise SetupError(
                    f"{name!r} is the last admin: make another one first with "
                    "`unmask accounts role NAME admin`"
                )
            yield connection

    def _read(self, where: str, *values: str) -> list[Account]:
        if not self.path.is_file():
            return []
        with self._connected() as connection:
            rows = connection.execute(
                f"SELECT name, role, stamp, created FROM accounts {where}",  # noqa: S608 - our own
                values,
            ).fetchall()
        return [Account(*row) for row in rows]

    def _connected(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return connected(self.path, _SCHEMA, what="accounts")


def require_role(role: str) -> Role:
    """The role of this name. Raises SetupError, which lists all."""
    for known in ROLES:
        if role == known:
            return known
    raise SetupError(f"there is no role {role!r}; roles are {', '.join(ROLES)}")


def _in_use(name: str) -> str:
    return (
        f"there is an account {name!r} already: choose another name, or change it with "
        "`unmask accounts role` or `unmask accounts password`"
    )


def _stamp() -> str:
    return secrets.token_hex(8)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
