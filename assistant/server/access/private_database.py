"""Owner-only SQLite files of the configuration folder."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from tools.errors import SetupError
from tools.media.private_files import private_file, private_folder


@contextlib.contextmanager
def connected(path: Path, schema: str, *, what: str) -> Iterator[sqlite3.Connection]:
    """A connection to a file, which is made with `schema` if it is missing; committed at the end.

    Raises IntegrityError, and SetupError if `what` cannot be read or stored.
    """
    try:
        private_folder(path.parent)
        private_file(path)
        connection = sqlite3.connect(path, timeout=10)
        with contextlib.closing(connection), connection:
            connection.executescript(schema)
            yield connection
    except (OSError, sqlite3.DatabaseError) as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise
        raise SetupError(
            f"the {what} cannot be read or stored in {str(path)!r} ({error}): mend that file, or "
            "choose another folder by setting UNMASK_CONFIG_DIR"
        ) from error
