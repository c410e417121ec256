"""Checks of the data folder: whether it is usable and writable, with one-line errors."""

import errno
import os
import sqlite3
import tempfile
from pathlib import Path

from tools.errors import SetupError
from tools.media.private_files import private_folder

_MENDABLE = frozenset({
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENAMETOOLONG, errno.ELOOP, errno.ESTALE,
})  # fmt: skip
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_CANTOPEN: "a file in it cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error or is full",
}
_PROBE_BYTES = 65536  # a few pages of a record; a disk with less free space counts as full


def require_usable_dir(home: Path) -> None:
    """Raise SetupError unless `home` is a folder, or can be created."""
    try:
        place = nearest_existing(home)
        if not place.is_dir():
            raise SetupError(unusable_message(home, f"{str(place)!r} is not a folder"))
    except OSError as error:
        raise SetupError(unusable_message(home, _reason(error))) from error


def require_writable(home: Path) -> None:
    """Create `home` if necessary and test writing there; SetupError if that fails.

    Called before any computation whose result would be lost if it could not be stored.
    """
    require_usable_dir(home)
    try:
        private_folder(home)
        probe_write(home)
    except OSError as error:
        raise SetupError(unusable_message(home, _reason(error))) from error


def probe_write(folder: Path) -> None:
    """Write and delete a file in a folder; raises OSError."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())  # some file systems report only now that they are full


def as_setup_error(error: OSError | sqlite3.Error, home: Path) -> SetupError | None:
    """The error as a SetupError if it concerns the data folder; otherwise None."""
    if isinstance(error, sqlite3.Error):
        # All our SQLite files lie there. The low byte of the code: without the details.
        reason = _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        return None if reason is None else SetupError(unusable_message(home, reason))
    if error.errno not in _MENDABLE or not (error.errno in _FULL or _lies_in(error, home)):
        return None
    return SetupError(unusable_message(home, _reason(error)))


def unusable_message(home: Path, reason: str) -> str:
    """One line with the folder, the problem and the remedy."""
    return (
        f"the data folder {str(home)!r} cannot be used: {reason}; mend that, or set UNMASK_HOME to "
        "a folder that can be written"
    )


def nearest_existing(path: Path) -> Path:
    """The path itself or its nearest existing parent; raises OSError."""
    return next(each for each in (path, *path.parents) if _exists(each))


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _lies_in(error: OSError, home: Path) -> bool:
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    return any(Path(os.fsdecode(name)).is_relative_to(home) for name in names)


def _reason(error: OSError) -> str:
    said = (error.strerror or str(error)).lower()
    return said if error.errno in _FULL or not error.filename else f"{said}: {error.filename!r}"
