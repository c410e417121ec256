"""Chat sessions: each browser resumes its own case, and no other.

A browser keeps an unguessable token; the server stores the case under a hash of login and token.
Weights and the chat model are shared, everything else belongs to the session.
"""

import hashlib
import logging
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from assistant.case.record import Case
from assistant.chat.session_state import ChatSession
from tools.errors import SetupError, ToolError
from tools.gallery.locking.state import is_locked
from tools.media.private_files import open_private, private_folder

logger = logging.getLogger(__name__)

MAX_SESSIONS = 64
"""Maximum number of sessions in memory; an older one is reopened from its case when needed."""

IDLE_TIMEOUT_S = 6 * 3600.0
"""Seconds without a request after which a session leaves memory; its case stays on disk."""

SessionFactory = Callable[[Case, str], ChatSession]
"""Opens a recorded case for a login, whose name the access logs get."""


_TOKEN = re.compile(r"[\w-]{43}")


def new_token() -> str:
    """A token of 256 random bits, which the browser keeps to find its case again."""
    return secrets.token_urlsafe(32)


def is_token(value: object) -> bool:
    """Whether a value has a token's form; only `SessionStore` knows its owner."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


class SessionStore:
    """The open investigations, by a hash of login and token; thread-safe.

    `begin` creates an investigation for a new case, `resume` opens a recorded one for a login.
    """

    def __init__(
        self, home: Path, *, begin: Callable[[str], ChatSession], resume: SessionFactory,
        capacity: int = MAX_SESSIONS, idle_s: float = IDLE_TIMEOUT_S,
    ) -> None:  # fmt: skip
        self._folder = home / "sessions"
        self._home = home
        self._begin, self._resume = begin, resume
        self._capacity, self._idle_s = capacity, idle_s
        self._open: OrderedDict[str, tuple[float, ChatSession]] = OrderedDict()
        self._books = threading.Lock()
        # Opening a case takes a search: the lock makes the same browser wait, and hardly any other.
        self._turns = tuple(threading.RLock() for _ in range(16))

    def find(self, token: str, login: str | None) -> ChatSession | None:
        """The browser's investigation, reopened if necessary; None if it has none yet."""
        key = _key(token, login)
        with self._turn(key):
            known = self._in_memory(key)
            if known is None:
                case = self._recorded(key)
                known = None if case is None else self._resumed(key, case, login or "")
            if known is not None:
                known.user = login or ""
            return known

    def reopens(self, token: str, login: str | None) -> bool:
        """Whether the browser has a case that is not open: opening it takes a search."""
        with self._books:
            known = _key(token, login) in self._open
        return not known and self.case_of(token, login) is not None

    def start(self, token: str, login: str | None, *, gallery: str) -> ChatSession:
        """The browser's investigation; creates one on `gallery` if it has none."""
        key = _key(token, login)
        with self._turn(key):
            found = self.find(token, login)
            if found is None:
                found = self._keep(key, self._begin(gallery))
                found.user = login or ""
                self._note(key, found.case)
            return found

    def adopt(self, token: str, login: str | None, case: Case) -> bool:
        """Make a recorded case the browser's own; False if it cannot be opened."""
        key = _key(token, login)
        with self._turn(key):
            found = self._resumed(key, case, login or "")
            if found is None:
                return False
            found.user = login or ""
            self._note(key, case)
            return True

    def case_of(self, token: str, login: str | None) -> str | None:
        """The id of the browser's case, whether or not it is open; None if it has none yet."""
        try:
            return (self._folder / _key(token, login)).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def forget(self, token: str, login: str | None) -> None:
        """Take the browser's case from it; the record stays."""
        key = _key(token, login)
        with self._turn(key):
            with self._books:
                known = self._open.pop(key, None)
            if known is not None:
                known[1].stop()
            (self._folder / key).unlink(missing_ok=True)

    def leave(self, case: str) -> None:
        """Forget the open sessions of a case, which is about to be deleted; its turns end."""
        with self._books:
            gone = [key for key, (_, it) in self._open.items() if it.case.id == case]
            for key in gone:
                self._open.pop(key)[1].stop()

    def _turn(self, key: str) -> threading.RLock:
        return self._turns[int(key[:2], 16) % len(self._turns)]

    def _in_memory(self, key: str) -> ChatSession | None:
        with self._books:
            known = self._open.get(key)
            folder = None if known is None else known[1].case.folder
            if folder is not None and (is_locked(folder) or not folder.is_dir()):
                self._open.pop(key)[1].stop()  # locked or deleted since it was opened
                return None
        return None if known is None else self._keep(key, known[1])

    def _keep(self, key: str, investigation: ChatSession) -> ChatSession:
        """Record the latest use, and drop sessions that have been idle for long."""
        now = time.monotonic()
        with self._books:
            self._open[key] = now, investigation
            self._open.move_to_end(key)
            for other, (used, idle) in list(self._open.items()):
                leaving = len(self._open) > self._capacity or now - used > self._idle_s
                if leaving and other != key and not idle.busy:
                    del self._open[other]
        return investigation

    def _resumed(self, key: str, case: Case, user: str) -> ChatSession | None:
        """Open a recorded case; None if it cannot be opened, and the browser begins a new one.

        The record stays in place, for `unmask cases` and for repairs.
        """
        try:
            return self._keep(key, self._resume(case, user))
        except (SetupError, ToolError):
            logger.exception("a recorded case could not be opened", extra={"case": case.id})
            return None

    def _recorded(self, key: str) -> Case | None:
        try:
            return Case.open(self._home, (self._folder / key).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, SetupError):
            return None  # never begun, or deleted since: the browser starts anew

    def _note(self, key: str, case: Case) -> None:
        with open_private(private_folder(self._folder) / key) as note:
            note.write(case.id)


def _key(token: str, login: str | None) -> str:
    if not is_token(token):
        # Otherwise all browsers whose page has not loaded yet would share one session.
        raise SetupError("the page is still opening; try again in a moment")
    # The token is a secret; data on disk or in memory must not lead back to it.
    return hashlib.sha256(f"{login or ''}\0{token}".encode()).hexdigest()
