"""Files that only their owner may read: faces, names and cases are nobody else's business.

Folders are made with the rights 0700 and files with 0600, whatever the umask; what lies there
from before is tightened when it is opened. A file that belongs to someone else, or lies on a disk
that cannot be written, stays as it is. (Where a system has no such rights, nothing happens.)
"""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

FILE_MODE, FOLDER_MODE = 0o600, 0o700
_OTHERS = 0o077


def private_folder(folder: Path) -> Path:
    """The folder, made with all its parents if need be, and closed to others.

    Parents that are there already stay as they are.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(made):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
    for each in (folder, *made):
        _close(each)
    return folder


def private_file(path: Path) -> Path:
    """The file, made empty if it is not there, and closed to others."""
    path.touch(mode=FILE_MODE)
    _close(path)
    return path


def open_private(path: Path, mode: str = "w") -> IO[Any]:
    """Open a file to write UTF-8 text ("w", "a"), or bytes ("wb"), as one that is private."""
    encoding = None if "b" in mode else "utf-8"
    file = open(path, mode, encoding=encoding, opener=_owners)  # noqa: SIM115 - `opener`
    _close(path)
    return file


def restrict_permissions(place: Path) -> None:
    """Close a file, or a folder with everything in it, to others; links are not followed."""
    _close(place)
    if place.is_symlink() or not place.is_dir():
        return
    with contextlib.suppress(OSError):
        for each in os.scandir(place):
            restrict_permissions(Path(each.path))


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Everything that this process makes meanwhile is private, libraries' files included."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def set_private_umask() -> None:
    """The same until the process ends."""
    os.umask(_OTHERS)


def _owners(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def _close(path: Path) -> None:
    with contextlib.suppress(OSError):  # gone meanwhile, somebody else's, or on a read-only disk
        mode = path.lstat().st_mode
        kind = stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # not a device such as /dev/stdout
        if kind and stat.S_IMODE(mode) & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
