"""Access log of a gallery or case: who, when, what kind of access; no faces, no names of people.

One JSON object per line in `access.jsonl` of the folder, owner-only. It rotates: at 256 kB the file
becomes `access.1.jsonl`, and the one before it is dropped, so at least the last 256 kB are there
(about 3,000 accesses). Deleted with its folder.

Does not show: reading the files without Unmask, or changes by a person who can write them. The name
is the login of the chat page or else of the machine.
"""

import contextlib
import getpass
import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tools.gallery.database_file import try_lock
from tools.gallery.locking.state import is_locked
from tools.media.private_files import open_private, private_file

OWNER = "owner"
"""The name of the user who started a server, who is this machine's too; no account has it."""

AccessKind = Literal[
    "search", "list", "look", "check", "compare", "decision", "note", "undo", "verify", "replay",
    "export", "import", "open", "share", "forget", "lock", "unlock",
]  # fmt: skip
"""What was done: a search; its hits listed; a picture described; one measured (check) or compared;
a decision or note made or taken back; a record verified or measured again; a report written; a case
received; a case or report opened by a login; a case shared with others; a deletion; encryption at
rest. Logs from before this list have "check" for most."""

MAX_BYTES = 256 * 1024
NOT_LOGGED = "this access could not be logged: the folder cannot be written"

_FILE, _OLDER, _LOCK = "access.jsonl", "access.1.jsonl", "access.lock"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """One access: `at` (UTC, ISO 8601), the login name `who`, and its kind `what`."""

    at: str
    who: str
    what: AccessKind


def record_access(folder: Path, what: AccessKind, *, who: str = "") -> bool:
    """Add a line; without `who`, the user of this process. Returns whether it was written.

    A folder that cannot be written (a read-only disk) does not stop the access; one that is locked
    gets no file.
    """
    if is_locked(folder):
        return False
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps(asdict(Access(at, who or login_name(), what))) + "\n"
    file = folder / _FILE
    try:
        if _is_full(file, line):
            _rotate(folder, line)
        with open_private(file, "a") as log:
            log.write(line)  # one write in append mode: lines of two processes do not mix
    except (OSError, sqlite3.Error) as error:
        _log.warning("an access could not be logged", extra={"reason": str(error)})
        return False
    return True


def _is_full(file: Path, line: str) -> bool:
    return file.is_file() and file.stat().st_size + len(line) > MAX_BYTES


def _rotate(folder: Path, line: str) -> None:
    """Set the file aside, once: a second process that found it full would drop what it held."""
    turn = private_file(folder / _LOCK)
    lock = try_lock(turn)
    if lock is None:
        return  # another process does it, and a line may stand beyond the limit
    with contextlib.closing(lock):
        if _is_full(folder / _FILE, line):
            (folder / _FILE).replace(folder / _OLDER)
        turn.unlink(missing_ok=True)


def accesses(folder: Path) -> Iterator[Access]:
    """All logged accesses, oldest first; lines that were cut off are left out."""
    for name in (_OLDER, _FILE):
        try:
            lines = (folder / name).read_text("utf-8").splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            try:
                yield Access(**json.loads(line))
            except (ValueError, TypeError):
                continue


def login_name() -> str:
    """The name of the user whom the system knows this process by; its number without a name."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return _named_otherwise()


def _named_otherwise() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return str(os.getuid()) if hasattr(os, "getuid") else "unknown"
