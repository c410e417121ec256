"""What an index engine does, and how it fails."""

from typing import Protocol

from tools.gallery.records import EmbeddingBatch, IndexExtent, Vector

IN_USE = "it is in use, by indexing say"


class EngineError(Exception):
    """Why an engine cannot be used, in one line; the record is then searched without it."""


class IndexEngine(Protocol):
    """A rebuildable index over the first faces of a gallery's record, in the record's order.

    Every method raises EngineError if the engine cannot be used.
    """

    @property
    def is_exact(self) -> bool:
        """Whether `nearest` misses nothing, so that no more than n need to be asked for."""
        ...

    def reopen(self, extent: IndexExtent) -> tuple[IndexExtent | None, str | None]:
        """Open what is there: which part of the record (now of `extent`) it reliably covers.

        None if nothing usable is there, with the fault: a word or two, None if nothing is wrong.
        """
        ...

    def start_anew(self, extent: IndexExtent) -> None:
        """Delete what is there and open an empty index for the record's present epoch."""
        ...

    def add(self, batch: EmbeddingBatch) -> None:
        """Add the faces that follow those covered so far."""
        ...

    def nearest(self, query: Vector, n: int) -> list[str]:
        """Ids of about the n nearest faces to a unit vector (d,); the caller ranks them exactly."""
        ...

    def close(self, covered: IndexExtent | None) -> None:
        """Close and note what is covered; None after an interrupted write, which notes nothing."""
        ...


def first_line(error: BaseException) -> str:
    """An error as one short line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
