"""Who sees what: each browser goes on with its own case, and with no other.

A browser keeps an unguessable token; the server keeps, under a hash of login and token, which
case that is. Weights and the chat model are shared, everything else lives in the session.
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
from tools.media.private_files import open_private, private_folder

logger = logging.getLogger(__name__)

MAX_SESSIONS = 64
"""Sessions in memory at a time; an older one is opened again from its case when it is needed."""

IDLE_TIMEOUT_S = 6 * 3600.0
"""After so long without a request a session leaves memory; its case stays on disk."""

SessionFactory = Callable[[Case], ChatSession]


_TOKEN = re.compile(r"[\w-]{43}")


def new_token() -> str:
    """What a browser keeps to find its case again: 256 random bits."""
    return secrets.token_urlsafe(32)


def is_token(value: object) -> bool:
    """Whether something can be such a token; whose it is only `SessionStore` knows."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


class SessionStore:
    """The open investigations, by a hash of login and token; safe to use from several threads.

    `begin` makes an investigation for a new case, `resume` opens one that was recorded.
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
        # Opening a case takes a search: it makes the same browser wait, and hardly any other.
        self._turns = tuple(threading.RLock() for _ in range(16))

    def find(self, token: str, login: str | None) -> ChatSession | None:
        """The investigation that this browser has, opened again if need be; None: none yet."""
        key = _key(token, login)
        with self._turn(key):
            known = self._in_memory(key)
            if known is None:
                case = self._recorded(key)
                known = None if case is None else self._resumed(key, case)
            return known

    def start(self, token: str, login: str | None, *, gallery: str) -> ChatSession:
        """The browser's investigation; a new one on `gallery` when it has none."""
        key = _key(token, login)
        with self._turn(key):
            found = self.find(token, login)
            if found is None:
                found = self._keep(key, self._begin(gallery))
                self._note(key, found.case)
            return found

    def _turn(self, key: str) -> threading.RLock:
        return self._turns[int(key[:2], 16) % len(self._turns)]

    def _in_memory(self, key: str) -> ChatSession | None:
        with self._books:
            known = self._open.get(key)
        return None if known is None else self._keep(key, known[1])

    def _keep(self, key: str, investigation: ChatSession) -> ChatSession:
        """Note that it was used just now, and let go of those that were not for long."""
        now = time.monotonic()
        with self._books:
            self._open[key] = now, investigation
            self._open.move_to_end(key)
            for other, (used, idle) in list(self._open.items()):
                leaving = len(self._open) > self._capacity or now - used > self._idle_s
                if leaving and other != key and not idle.busy:
                    del self._open[other]
        return investigation

    def _resumed(self, key: str, case: Case) -> ChatSession | None:
        """The recorded case, opened; None where it cannot be: the browser begins a new one.

        The record stays where it is, for `unmask cases` and whoever repairs it.
        """
        try:
            return self._keep(key, self._resume(case))
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
        # Everybody whose page has not loaded yet would share one session.
        raise SetupError("the page is still opening; try again in a moment")
    # The token is a secret; what lies on disk or in memory must not lead back to it.
    return hashlib.sha256(f"{login or ''}\0{token}".encode()).hexdigest()
