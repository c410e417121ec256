"""Whose decisions and notes they are, as their reader sees it."""

import getpass
from collections.abc import Callable, Sequence

from tools.agent_tools.review.entries import Decision, ReviewEntry
from tools.gallery.access_log import OWNER
from tools.verdict.handles import sanitise_text


class Authors:
    """Who made an entry, and who reads it: the user of `login`, or of this process without one."""

    def __init__(self, login: Callable[[], str] = str) -> None:
        self._login = login

    @property
    def reader(self) -> str:
        """The name that the reader's own entries are signed with."""
        return self._login() or _machine_user()

    @property
    def alone(self) -> bool:
        """Whether the reviewer is the user of this machine: without a login, or its owner's."""
        return self.reader in _machine_names()

    def by(self, entry: ReviewEntry) -> str:
        """Who made an entry, as its reader sees it: "you" beside other accounts, or the name.

        On a machine without logins, its user is "the reviewer": in answers too (`signed`).
        """
        return "you" if self.made(entry) and not self.alone else self.signed(entry)

    def signed(self, entry: ReviewEntry) -> str:
        """Who made an entry, for a text that stays: other accounts may read it later.

        On a machine without logins, its user is "the reviewer".
        """
        return "the reviewer" if self.alone and self.made(entry) else _name(entry)

    def whose(self, entry: ReviewEntry) -> str:
        """What it is and whose: "reviewer's decision", or "your decision", "note by bob"."""
        what = "decision" if isinstance(entry, Decision) else "note"
        return f"{self._mine} {what}" if self.made(entry) else f"{what} by {_name(entry)}"

    @property
    def _mine(self) -> str:
        return "reviewer's" if self.alone else "your"

    def column(self, what: str, entries: Sequence[ReviewEntry | None]) -> tuple[str, list[str]]:
        """Heading and cells of a table's column; if some entry is another's, each names its maker.

        `what` is "decision" or "note".
        """
        mine = all(self.made(it) for it in entries if it is not None)
        words = [
            "" if it is None else _words(it) + ("" if mine else f" (by {self.by(it)})")
            for it in entries
        ]
        return f"{self._mine} {what}" if mine else what, words

    def made(self, entry: ReviewEntry) -> bool:
        """Whether the reader made an entry."""
        return entry.user == self.reader or (self.alone and entry.user in _machine_names())


def _name(entry: ReviewEntry) -> str:
    return sanitise_text(entry.user, longest=64)


def _words(entry: ReviewEntry) -> str:
    """A decision or a note on one line."""
    return entry.decision if isinstance(entry, Decision) else " ".join(entry.text.split())


def _machine_names() -> tuple[str, str]:
    """The names under which the user of this machine makes entries."""
    return OWNER, _machine_user()


def _machine_user() -> str:
    """The login's name; "unknown" where the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
