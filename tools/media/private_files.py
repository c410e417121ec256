"""Owner-only file permissions for faces, names and cases.

Folders get mode 0700 and files 0600, whatever the umask; the permissions of existing ones are
tightened when they are opened. A file that belongs to another user, or lies on a read-only disk,
stays as it is. Systems without Unix permissions are left alone.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tools.errors import SetupError
from tools.media.file_names import printable

FILE_MODE, FOLDER_MODE = 0o600, 0o700
_OTHERS = 0o077


def private_folder(folder: Path) -> Path:
    """Create the folder with its missing parents, owner-only; returns the folder.

    Existing parents keep their permissions.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(made):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
    for each in (folder, *made):
        _close(each)
    return folder


def private_file(path: Path) -> Path:
    """Create the file if it is missing and make it owner-only; returns the path."""
    path.touch(mode=FILE_MODE)
    _close(path)
    return path


def open_private(path: Path, mode: str = "w") -> IO[Any]:
    """Open an owner-only file for writing: UTF-8 text ("w", "a") or bytes ("wb")."""
    encoding = None if "b" in mode else "utf-8"
    file = open(path, mode, encoding=encoding, opener=_owners)  # noqa: SIM115 - `opener`
    _close(path)
    return file


def write_private(path: Path, content: str | bytes, *, what: str) -> Path:
    """Write an owner-only file in one piece: an earlier one stays until the new one is whole.

    Returns the path. Raises SetupError, which names the file as `what`, if it cannot be written.
    """
    # A device such as /dev/stdout is written to, not replaced.
    whole = path if path.exists() and not path.is_file() else _draft(path)
    try:
        with open_private(whole, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
        if whole != path:
            whole.replace(path)
    except OSError as error:
        if whole != path:
            whole.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise SetupError(f"the {what} {printable(path)!r} cannot be written: {reason}") from error
    return path


def _draft(path: Path) -> Path:
    return path.with_name(f".{secrets.token_hex(6)}.part")


def restrict_permissions(place: Path) -> None:
    """Make a file, or a folder and everything in it, owner-only; links are not followed."""
    _close(place)
    if place.is_symlink() or not place.is_dir():
        return
    with contextlib.suppress(OSError):
        for each in os.scandir(place):
            restrict_permissions(Path(each.path))


@contextlib.contextmanager
def private_umask() -> Iterator[None]:
    """Make all files this process creates in this context private, including those of libraries."""
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)


def set_private_umask() -> None:
    """Like `private_umask`, until the process ends."""
    os.umask(_OTHERS)


def _owners(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def _close(path: Path) -> None:
    with contextlib.suppress(OSError):  # deleted, another user's, or on a read-only disk
        mode = path.lstat().st_mode
        kind = stat.S_ISREG(mode) or stat.S_ISDIR(mode)  # not a device such as /dev/stdout
        if kind and stat.S_IMODE(mode) & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
