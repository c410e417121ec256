"""sha256 of files: what says that two checkpoints are the same one."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's content.

    Remembered in this process for as long as the file keeps its time and size, so that asking on
    every start of an investigation does not read a gigabyte again.
    """
    state = path.stat()
    return _sha256(path.resolve(), state.st_mtime_ns, state.st_size)


def combined_sha256(paths: Sequence[Path]) -> str:
    """One hex sha256 for several files: of their names and contents, whatever their order."""
    lines = sorted(f"{path.name} {file_sha256(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache(maxsize=256)
def _sha256(path: Path, modified_ns: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
