"""An index on a server: the same engine for Chroma's server and Qdrant.

The server gets embeddings with the numbers of their rows in the record, and no ids, names or
pictures. A collection is named after the gallery's key and the record's epoch, so that deleting
faces begins another one, and no process answers from the one before. Any process may search; only
the one that holds the index's lock adds.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tools.gallery.engines.locking import IndexLock
from tools.gallery.engines.protocol import IN_USE, EngineError
from tools.gallery.record_store import Gallery
from tools.gallery.records import EmbeddingBatch, IndexExtent, Vector

_SPOTS = 32
_TOLERANCE = 1e-5  # servers normalise vectors again


class IndexServer(Protocol):
    """Collections of numbered vectors on a server. Every method raises EngineError."""

    def collections(self) -> list[str]:
        """The names of all collections."""
        ...

    def create(self, name: str, dimension: int) -> None:
        """Make a collection for cosine similarity."""
        ...

    def drop(self, name: str) -> None:
        """Delete a collection with its vectors."""
        ...

    def count(self, name: str) -> int:
        """How many vectors a collection holds."""
        ...

    def put(self, name: str, numbers: Sequence[int], matrix: Vector) -> None:
        """Store vectors (n, d) under their numbers, in place of what was there."""
        ...

    def vectors(self, name: str, numbers: Sequence[int]) -> dict[int, Vector]:
        """The stored vectors (d,) of those numbers that it has."""
        ...

    def nearest(self, name: str, query: Vector, n: int) -> list[int]:
        """Numbers of about the n nearest vectors."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class ServedIndex:
    """The engine over a gallery's collection on a server; `key` is the gallery's there."""

    is_exact = False

    def __init__(self, gallery: Gallery, server: IndexServer, *, key: str) -> None:
        self._gallery, self._server, self._key = gallery, server, key
        self._lock = IndexLock(gallery.folder)
        self._epoch = ""
        self._name = ""  # of the present collection; empty before there is one

    def reopen(self, extent: IndexExtent) -> tuple[IndexExtent | None, str | None]:
        """Find the collection of the present epoch, and compare samples of it with the record."""
        name = f"{prefix(self._key)}{extent.epoch[:12]}"
        if name not in self._server.collections():
            return None, None  # never built, or faces were deleted since
        count = self._server.count(name)
        if count > extent.faces:
            return None, "another record's"
        covered = extent if count == extent.faces else self._gallery.embeddings.first(count)
        if count and not self._agrees(name, covered):
            return None, "damaged"
        self._name = name
        return covered, None

    def start_anew(self, extent: IndexExtent) -> None:
        """Delete the gallery's collections; one is made with the first faces."""
        self._refuse_without_lock()
        drop_collections(self._server, self._key)
        self._name = ""
        self._epoch = extent.epoch

    def add(self, batch: EmbeddingBatch) -> None:
        """Send faces; what is sent twice is stored once."""
        self._refuse_without_lock()
        if not self._name:
            name = f"{prefix(self._key)}{self._epoch[:12]}"
            self._server.create(name, batch.matrix.shape[1])
            self._name = name
        self._server.put(self._name, batch.seqs, batch.matrix)

    def nearest(self, query: Vector, n: int) -> list[str]:
        """Approximate candidates."""
        if not self._name:
            return []  # no face in the gallery yet
        return self._gallery.embeddings.ids_at(self._server.nearest(self._name, query, n))

    def close(self, covered: IndexExtent | None) -> None:
        """Close the connection; the server keeps what it has."""
        try:
            self._server.close()
        finally:
            self._lock.close()

    def _refuse_without_lock(self) -> None:
        if not self._lock.held:
            raise EngineError(IN_USE)

    def _agrees(self, name: str, covered: IndexExtent) -> bool:
        """Whether the first, middle and last faces are there, and the last can be found."""
        for after in (0, covered.last // 2, max(0, covered.last - _SPOTS)):
            batch = next(self._gallery.embeddings.batches(_SPOTS, after=after), None)
            if batch is None:
                continue
            known = [at for at, seq in enumerate(batch.seqs) if seq <= covered.last]
            stored = self._server.vectors(name, [batch.seqs[at] for at in known])
            for at in known:
                vector = stored.get(batch.seqs[at])
                if vector is None or not np.allclose(vector, batch.matrix[at], atol=_TOLERANCE):
                    return False
            if known and not self._finds(name, batch.matrix[known[-1]]):
                return False
        return True

    def _finds(self, name: str, embedding: Vector) -> bool:
        """Whether a search finds a stored embedding, or its duplicate."""
        found = self._server.nearest(name, embedding, 1)
        (stored,) = self._server.vectors(name, found).values() if found else (embedding * 0,)
        return float(stored @ embedding) > 1 - _TOLERANCE


def prefix(key: str) -> str:
    """How the names of a gallery's collections begin."""
    return f"unmask-{key}-"


def drop_collections(server: IndexServer, key: str) -> None:
    """Delete all collections of a gallery, of every epoch."""
    for name in server.collections():
        if name.startswith(prefix(key)):
            server.drop(name)
