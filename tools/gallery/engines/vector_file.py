"""Exact search: every embedding in one file, mapped into memory, one product per query.

For up to some hundred thousand faces this is faster than a graph, needs no building, and misses
nothing. The file is written by one process at a time and only ever grows or is replaced, so that
other processes may read it meanwhile. It is rebuilt from the record whenever it is not what its
state file says.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from tools.gallery.engines import index_state
from tools.gallery.engines.locking import IndexLock
from tools.gallery.engines.protocol import IN_USE, EngineError, first_line
from tools.gallery.record_store import Gallery
from tools.gallery.records import EmbeddingBatch, IndexExtent, Vector

VECTORS_FILE, STATE_FILE = "vectors.bin", "vectors-state.json"

HELD_FACES = 300_000
"""The most faces held in memory where the file cannot be written (0.6 GB at 512 dimensions)."""

_ROUNDING = 1e-5
"""How much a product over many rows may differ from the exact cosine of each."""


class VectorFile:
    """The engine over a file of embeddings, each with the seq of its face in the record."""

    is_exact = True

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._path = gallery.folder / VECTORS_FILE
        self._state_path = gallery.folder / STATE_FILE
        self._lock = IndexLock(gallery.folder)
        self._file: IO[bytes] | None = None
        self._rows: np.ndarray | None = None
        self._held: list[np.ndarray] = []  # rows that are not in the file

    @property
    def may_write(self) -> bool:
        """Whether the file may be written; another process may be writing it."""
        return self._lock.held

    def reopen(self, extent: IndexExtent) -> tuple[IndexExtent | None, str | None]:
        """Map the file, if it is as it was left; another process's unfinished file is no fault."""
        self._forget_rows()
        with _translated():
            state, there = index_state.load(self._state_path), self._path.is_file()
            if state is None:
                return None, "interrupted" if there and self.may_write else None
            if not there:
                return None, "missing" if state.count else None
            if state.epoch != extent.epoch:
                return None, None  # faces were deleted since
            if state.files != self._file_states():
                return None, "changed"
            self._rows = _mapped(self._path, state.count)
            if self._rows is None or not self._agrees(self._rows, state.covered):
                self._rows = None
                return None, "damaged"
            return state.covered, None

    def start_anew(self, extent: IndexExtent) -> None:
        """Replace the file by none; without the right to write, hold all rows in memory."""
        self._forget_rows()
        if self.may_write:
            with _translated():
                self._close_file()
                self._state_path.unlink(missing_ok=True)
                self._path.unlink(missing_ok=True)  # not cut short: others may have it mapped
        elif extent.faces > HELD_FACES:
            raise EngineError(IN_USE)

    def add(self, batch: EmbeddingBatch) -> None:
        """Append rows; until it is closed properly, the file counts as interrupted."""
        rows = np.empty(len(batch.ids), _row_type(batch.matrix.shape[1]))
        rows["embedding"], rows["seq"] = batch.matrix, batch.seqs
        if not self.may_write:
            if sum(map(len, self._held)) + len(rows) > HELD_FACES:
                raise EngineError(IN_USE)
            self._held.append(rows)
            return
        with _translated():
            if self._file is None:
                self._state_path.unlink(missing_ok=True)
                self._file = self._path.open("ab")
            self._file.write(rows.tobytes())

    def nearest(self, query: Vector, n: int) -> list[str]:
        """The n nearest faces, and those that rounding cannot tell from the last of them."""
        with _translated():
            if self._file is not None:
                self._file.flush()
                held = 0 if self._rows is None else len(self._rows)
                row_type = _row_type(len(query))
                if self._path.stat().st_size != held * row_type.itemsize:
                    self._rows = np.memmap(self._path, row_type, mode="r")
        blocks = ([] if self._rows is None else [self._rows]) + self._held
        if not blocks:
            return []
        wanted = np.ascontiguousarray(query, np.float32)
        cosines = [block["embedding"] @ wanted for block in blocks]
        everything = np.concatenate(cosines) if len(cosines) > 1 else cosines[0]
        least = -np.inf
        if len(everything) > n:
            least = np.partition(everything, len(everything) - n)[len(everything) - n] - _ROUNDING
        # Only the seqs of those chosen: each lies beside its embedding, on a page of its own.
        seqs = [
            seq
            for block, its in zip(blocks, cosines, strict=True)
            for seq in block["seq"][np.flatnonzero(its >= least)].tolist()
        ]
        return self._gallery.embeddings.ids_at(seqs)

    def close(self, covered: IndexExtent | None) -> None:
        """Write everything to the disk, note the state and let another process write."""
        try:
            with _translated():
                written = self._file is not None
                self._close_file()
                if self.may_write and covered is not None and (written or not covered.faces):
                    state = index_state.IndexState.of(covered, self._file_states())
                    index_state.save(self._state_path, state)
        finally:
            self._forget_rows()
            self._lock.close()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with file:
                file.flush()
                os.fsync(file.fileno())

    def _forget_rows(self) -> None:
        self._rows, self._held = None, []

    def _file_states(self) -> index_state.FileStates:
        files = [self._path] if self._path.is_file() else []
        return index_state.states_of(files, self._path.parent)

    def _agrees(self, rows: np.ndarray, covered: IndexExtent) -> bool:
        """Whether the first and the last row are those of the record."""
        for place, after in ((0, 0), (-1, covered.last - 1)):
            batch = next(self._gallery.embeddings.batches(1, after=after), None)
            if batch is None or rows[place]["seq"] != batch.seqs[0]:
                return False
            if not np.array_equal(rows[place]["embedding"], batch.matrix[0]):
                return False
        return bool(rows[-1]["seq"] == covered.last)


def _row_type(dimension: int) -> "np.dtype[np.void]":
    return np.dtype([("embedding", "<f4", (dimension,)), ("seq", "<i8")])


def _mapped(path: Path, count: int) -> np.ndarray | None:
    """The rows of a file that holds this many; None if it cannot."""
    size = path.stat().st_size
    dimension = (size // max(count, 1) - 8) // 4
    if not count or dimension < 1 or size != count * _row_type(dimension).itemsize:
        return None
    return np.memmap(path, _row_type(dimension), mode="r")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError(first_line(error)) from error
