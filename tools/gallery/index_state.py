"""State file of the vector index, saved when the index was last closed properly.

It is deleted before anything is written and saved again after a proper close. A missing state file
therefore means an interrupted writer, and one that no longer matches means that the files were
changed; in both cases the index is checked before it is used.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FileStates = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class IndexState:
    """The faces covered (`count` of them, up to seq `last`, of `epoch`) and the file states."""

    epoch: str
    count: int
    last: int
    files: FileStates


def file_states(folder: Path) -> FileStates:
    """Size (bytes) and modification time (ns) of every file in a folder, by relative name."""
    return {
        str(path.relative_to(folder)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def load(path: Path) -> IndexState | None:
    """Read the state file; None if it is missing or invalid."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return IndexState(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def save(path: Path, state: IndexState) -> None:
    """Write the state file atomically, so that it is never half written."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
