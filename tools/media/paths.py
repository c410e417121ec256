"""Paths that a person gives: whether they exist, and which files lie below them.

`Path.is_file` and its siblings raise OSError if a name is too long or its folder may not be
searched, and ValueError if it contains a zero byte. Here such a name counts as missing.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.errors import SetupError


@dataclass(frozen=True, slots=True)
class WalkedFile:
    """A file found while walking folders, or, with `problem`, an entry that could not be read."""

    path: Path
    problem: str | None = None


def exists(path: Path | str) -> bool:
    """Whether the path exists."""
    return os.path.exists(path)  # noqa: PTH110 - see the module


def is_file(path: Path | str) -> bool:
    """Whether the path is a file."""
    return os.path.isfile(path)  # noqa: PTH113 - see the module


def is_folder(path: Path | str) -> bool:
    """Whether the path is a folder."""
    return os.path.isdir(path)  # noqa: PTH112 - see the module


def walk(
    folders: Sequence[Path], *, follow_links: bool = True, without: Sequence[Path] = ()
) -> Iterator[WalkedFile]:
    """Yield every file below the folders (or the given files), in a reproducible order.

    Hidden files are included: a search for evidence allows no exceptions. Each folder is entered
    once, however many links lead to it. With `follow_links` off, links that lead out of all the
    folders are yielded with a `problem`. Folders in `without` are skipped silently. Entries that
    are unreadable, or neither file nor folder, are yielded with their `problem`. Raises
    `SetupError` for a path that does not exist, before anything is yielded.
    """
    for path in folders:
        if not os.path.lexists(path):
            raise SetupError(f"{str(path)!r} does not exist: check its name and its disk")
    within = None if follow_links else tuple(folder.resolve() for folder in folders)
    return _walk(folders, within, frozenset(folder.resolve() for folder in without))


def _walk(
    folders: Sequence[Path], within: tuple[Path, ...] | None, without: frozenset[Path]
) -> Iterator[WalkedFile]:
    entered: set[tuple[int, int]] = set()
    waiting = list(reversed(folders))  # a stack: trees may be deeper than the recursion limit
    while waiting:
        path = waiting.pop()
        try:
            status = path.stat()
            if within is not None and path.is_symlink() and _leads_out(path, within):
                yield WalkedFile(path, "link out of the folder")
            elif stat.S_ISDIR(status.st_mode):
                if without and path.resolve() in without:
                    continue
                if (status.st_dev, status.st_ino) not in entered:
                    entered.add((status.st_dev, status.st_ino))
                    waiting += _children_last_first(path)
            elif stat.S_ISREG(status.st_mode):
                yield WalkedFile(path)
            else:
                yield WalkedFile(path, "not a regular file")
        except OSError as error:
            yield WalkedFile(path, _walk_problem(error, path))


def _leads_out(link: Path, folders: Sequence[Path]) -> bool:
    target = link.resolve()
    return not any(target.is_relative_to(folder) for folder in folders)


def _children_last_first(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = sorted((entry.name for entry in entries), key=os.fsencode, reverse=True)
    return [folder / name for name in names]


def _walk_problem(error: OSError, path: Path) -> str:
    # Includes "too many levels of symbolic links", which stat() reports as a separate error.
    return "broken link" if path.is_symlink() else (error.strerror or str(error)).lower()
