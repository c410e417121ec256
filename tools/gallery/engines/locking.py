"""The lock of a gallery's index files: one process at a time writes them."""

import os
import sqlite3
from pathlib import Path

from tools.gallery import database_file
from tools.gallery.engines.protocol import EngineError

LOCK_FILE = "chroma.lock"  # its name from when Chroma's was the only index


class IndexLock:
    """The lock, if it was free and the folder can be written; `held` says so."""

    def __init__(self, folder: Path) -> None:
        """Raises EngineError if there is no room for it."""
        self._connection: sqlite3.Connection | None = None
        if not os.access(folder, os.W_OK):
            return
        try:
            self._connection = database_file.try_lock(folder / LOCK_FILE)
        except sqlite3.OperationalError as error:
            raise EngineError(str(error)) from error  # searching must still work on a full disk

    @property
    def held(self) -> bool:
        """Whether this process may write."""
        return self._connection is not None

    def close(self) -> None:
        """Let another process have it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
