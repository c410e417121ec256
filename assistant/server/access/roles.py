"""Roles, scopes and identities: who sends a request, and what they may do.

Each role includes the one before it. A token or login without an account is an investigator within
its scopes. The server's owner, who can read its files anyway, is an admin.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from assistant.server.problems import Problem
from tools.errors import SetupError

Scope = Literal["check", "search", "index", "page"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""check: photos without a gallery, and the history of checks; search: galleries, investigations,
cases and MCP; index: add pictures to galleries; page: log in to the page."""

Role = Literal["viewer", "investigator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

SCOPES_OF: Mapping[Role, tuple[Scope, ...]] = {
    "viewer": ("search", "page"), "investigator": SCOPES, "admin": SCOPES,
}  # fmt: skip
"""What a token of an account may do at most."""


_NAME = re.compile(r"\w[\w.-]{0,63}")


def require_name(name: str, what: str) -> None:
    """Raise SetupError for what cannot be the name of `what`, or can be written in two ways."""
    if not _NAME.fullmatch(name) or unicodedata.normalize("NFKC", name) != name:
        raise SetupError(
            f"{name!r} is no name for {what}: use up to 64 letters, digits, '.', '-', '_'"
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """Who sends a request: an account's, token's or login's `name`, and what it may do.

    Investigations, jobs and the history belong to the name. `stamp` is the account's at the login;
    it changes with the account's role and password, and is empty without an account.
    """

    name: str
    scopes: frozenset[Scope]
    role: Role = "investigator"
    stamp: str = ""

    def may(self, least: Role) -> bool:
        """Whether the role is this one or a higher one."""
        return ROLES.index(self.role) >= ROLES.index(least)

    def require(self, least: Role) -> None:
        """Raise Problem (403), which says what to do, if the role is lower."""
        if not self.may(least):
            raise Problem(403, refusal(self, least))


def refusal(who: Identity, least: Role) -> str:
    """Why an account may not do something, and what to do."""
    return (
        f"{who.name!r} has the role {who.role}, and this needs the role {least}: ask an admin of "
        f"this server for `unmask accounts role {who.name} {least}`"
    )
