"""The data folder: whether it can be used, and what fails in it, each in one line."""

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
_PROBE_BYTES = 65536  # a few pages of a record; a disk with less room than that is full


def require_usable_dir(home: Path) -> None:
    """Raise SetupError unless `home` is a folder, or could be made one."""
    try:
        place = nearest_existing(home)
        if not place.is_dir():
            raise SetupError(unusable_message(home, f"{str(place)!r} is not a folder"))
    except OSError as error:
        raise SetupError(unusable_message(home, _reason(error))) from error


def require_writable(home: Path) -> None:
    """Make `home` if need be, and write a little there; SetupError when that fails.

    Asked before anything is computed that would be lost if it could not be kept.
    """
    require_usable_dir(home)
    try:
        private_folder(home)
        probe_write(home)
    except OSError as error:
        raise SetupError(unusable_message(home, _reason(error))) from error


def probe_write(folder: Path) -> None:
    """Write a file in a folder and take it away again; raises OSError."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(_PROBE_BYTES))
        file.flush()
        os.fsync(file.fileno())  # some file systems notice only now that they are full


def as_setup_error(error: OSError | sqlite3.Error, home: Path) -> SetupError | None:
    """The same as something that a person can mend, if it is the data folder's; else None."""
    if isinstance(error, sqlite3.Error):
        # Whatever we keep in SQLite lies there. The low byte of the code: without the details.
        reason = _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        return None if reason is None else SetupError(unusable_message(home, reason))
    if error.errno not in _MENDABLE or not (error.errno in _FULL or _lies_in(error, home)):
        return None
    return SetupError(unusable_message(home, _reason(error)))


def unusable_message(home: Path, reason: str) -> str:
    """One line: which folder, what is wrong, what to do."""
    return (
        f"the data folder {str(home)!r} cannot be used: {reason}; mend that, or set UNMASK_HOME to "
        "a folder that can be written"
    )


def nearest_existing(path: Path) -> Path:
    """The path itself or the nearest of its parents that exists; raises OSError."""
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
