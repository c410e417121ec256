"""The history of checks that users chose to keep: the picture and what the application found.

A result is kept as it was computed here: a client names it, and cannot write one. Each entry is an
owner-only folder below the hash of its owner's name; `unmask forget` finds it by its picture.
"""

import hashlib
import json
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.errors import SetupError, ToolError
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import open_private, private_folder

HISTORY_FOLDER = "history"
_ID = re.compile(r"[0-9a-f]{24}")
_LATEST = 20
MOST_BYTES = 256 * 1024 * 1024
"""Bytes of all users' pictures in memory; beyond them the oldest are forgotten."""

_PICTURE, _RESULT = "picture", "result.json"


@dataclass(frozen=True, slots=True)
class Detection:
    """A finished check that may be kept: the picture's bytes and the result as JSON."""

    name: str
    picture: bytes
    result: Mapping[str, Any]


class History:
    """The latest finished checks in memory, and the kept ones on disk, by user."""

    def __init__(self, home: Path) -> None:
        self._folder = home / HISTORY_FOLDER
        self._latest: OrderedDict[tuple[str, str], Detection] = OrderedDict()
        self._turn = threading.Lock()

    def remember(self, user: str, detection: Detection) -> str:
        """Hold a result in memory, so that it can be kept; returns its id."""
        id = secrets.token_hex(12)
        with self._turn:
            self._latest[user, id] = detection
            for key in [it for it in self._latest if it[0] == user][:-_LATEST]:
                del self._latest[key]
            while sum(len(it.picture) for it in self._latest.values()) > MOST_BYTES:
                self._latest.popitem(last=False)
        return id

    def keep(self, user: str, id: str) -> dict[str, Any]:
        """Write a remembered result to disk; a kept one stays as it is. Raises ToolError."""
        folder = self._entry(user, id)
        with self._turn:
            found = self._latest.get((user, id))
            if not folder.is_dir():
                if found is None:
                    raise ToolError(
                        "there is no such result: only the latest checks can be kept; check the "
                        "picture again"
                    )
                self._write(folder, id, found)
        return self.entry(user, id)

    def entries(self, user: str) -> list[dict[str, Any]]:
        """The kept results, newest first."""
        folder = self._of(user)
        ids = [it.name for it in folder.glob("*") if _ID.fullmatch(it.name)]
        return sorted((self.entry(user, id) for id in ids), key=lambda it: it["at"], reverse=True)

    def entry(self, user: str, id: str) -> dict[str, Any]:
        """A kept result. Raises ToolError for an id that is not the user's."""
        try:
            text = (self._entry(user, id) / _RESULT).read_text("utf-8")
        except OSError as error:
            raise _unknown() from error
        return dict(json.loads(text))

    def picture(self, user: str, id: str) -> bytes:
        """The picture's bytes. Raises ToolError for an id that is not the user's."""
        try:
            return (self._entry(user, id) / _PICTURE).read_bytes()
        except OSError as error:
            raise _unknown() from error

    def delete(self, user: str, id: str) -> None:
        """Delete a result and its picture. Raises ToolError for an id that is not the user's."""
        with self._turn:
            remembered = self._latest.pop((user, id), None)
        folder = self._entry(user, id)
        if folder.is_dir():
            shutil.rmtree(folder)
        elif remembered is None:
            raise _unknown()

    def _write(self, folder: Path, id: str, found: Detection) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        document = {"id": id, "at": at, "name": found.name, "result": dict(found.result)}
        draft = folder.with_name(f".{id}")
        try:
            private_folder(draft)
            with open_private(draft / _PICTURE, "wb") as file:
                file.write(found.picture)
            with open_private(draft / _RESULT) as file:
                json.dump(document, file, ensure_ascii=False)
            draft.rename(folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise SetupError(
                f"the result cannot be kept ({error.strerror or error}): free some space, or "
                "choose another data folder by setting UNMASK_HOME"
            ) from error

    def _of(self, user: str) -> Path:
        require_unlocked(self._folder, "the history of checks", unlock="--all")
        return self._folder / hashlib.sha256(user.encode()).hexdigest()[:24]

    def _entry(self, user: str, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise _unknown()
        return self._of(user) / id


def _unknown() -> ToolError:
    return ToolError("there is no such result in your history")
