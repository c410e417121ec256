"""SHA-256 of files: identifies pictures and checkpoints by their content."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's content.

    Cached in this process while the file's modification time and size stay the same, so that
    starting an investigation does not read a gigabyte again.
    """
    state = path.stat()
    return _sha256(path.resolve(), state.st_mtime_ns, state.st_size)


def combined_sha256(paths: Sequence[Path]) -> str:
    """One hex SHA-256 over the names and contents of several files, independent of their order."""
    lines = sorted(f"{path.name} {file_sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_sha256(path: Path) -> str:
    """Hex SHA-256 of the bytes that a file has now: for evidence. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=256)
def _sha256(path: Path, modified_ns: int, size: int) -> str:
    return read_sha256(path)
