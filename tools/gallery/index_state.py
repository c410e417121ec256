"""What was true of the index's files when they were last closed properly.

The note is taken away before anything is written and put back after a proper close. So a missing
note means an interrupted writer, and a note that no longer fits means that somebody touched the
files; in both cases the index must prove itself before it is used.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FileStates = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class IndexState:
    """The faces covered (`count` of them, up to seq `last`, of `epoch`) and the files' states."""

    epoch: str
    count: int
    last: int
    files: FileStates


def file_states(folder: Path) -> FileStates:
    """Size (bytes) and time of change (ns) of every file in a folder, by relative name."""
    return {
        str(path.relative_to(folder)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def load(path: Path) -> IndexState | None:
    """Read the note; None when there is none, or none that makes sense."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return IndexState(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def save(path: Path, state: IndexState) -> None:
    """Put the note down in one step, so that it is never half written."""
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(state), file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
