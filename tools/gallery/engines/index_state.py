"""State file of a local index, saved when the index was last closed properly.

It is deleted before anything is written and saved again after a proper close. A missing state file
therefore means an interrupted writer, and one that no longer matches means that the files were
changed; in both cases the index is checked before it is used.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.gallery.records import IndexExtent

FileStates = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class IndexState:
    """The faces covered (`count` of them, up to seq `last`, of `epoch`) and the file states."""

    epoch: str
    count: int
    last: int
    files: FileStates

    @classmethod
    def of(cls, covered: IndexExtent, files: FileStates) -> "IndexState":
        """The state of an index that covers this part of the record."""
        return cls(covered.epoch, covered.faces, covered.last, files)

    @property
    def covered(self) -> IndexExtent:
        """The part of the record that the index covers."""
        return IndexExtent(epoch=self.epoch, faces=self.count, last=self.last)


def file_states(folder: Path) -> FileStates:
    """Size (bytes) and modification time (ns) of every file in a folder, by relative name."""
    return states_of((path for path in sorted(folder.rglob("*")) if path.is_file()), folder)


def states_of(files: Iterable[Path], folder: Path) -> FileStates:
    """Size (bytes) and modification time (ns) of these files, by name relative to a folder."""
    return {
        str(path.relative_to(folder)): [path.stat().st_size, path.stat().st_mtime_ns]
        for path in files
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
