"""The embeddings on record, in the order they were added: what an index is built from."""

from collections.abc import Iterator, Sequence

import numpy as np

from tools.gallery.record.database import RecordDatabase
from tools.gallery.records import EmbeddingBatch, IndexExtent, Vector


class FaceEmbeddings:
    """A gallery's embeddings (d,) float32, L2-normalised, by face id or by seq.

    A face's seq only ever grows. SetupError if embeddings are of different sizes.
    """

    def __init__(self, database: RecordDatabase) -> None:
        self._database = database
        self._bytes = 0

    # -- what an index must cover -------------------------------------------------------------

    def extent(self) -> IndexExtent:
        """What an index over this gallery must cover now."""
        faces, last = self._database.row("SELECT count(*), coalesce(max(seq), 0) FROM faces")
        return IndexExtent(epoch=self._database.meta("epoch"), faces=faces, last=last)

    def is_as_of(self, extent: IndexExtent) -> bool:
        """Whether no face was added or deleted since; unlike `extent`, it counts nothing."""
        (last,) = self._database.row("SELECT coalesce(max(seq), 0) FROM faces")
        return (self._database.meta("epoch"), last) == (extent.epoch, extent.last)

    def first(self, count: int) -> IndexExtent:
        """What an index over the first `count` faces covers (slow: passes over all of them)."""
        rows = self._database.rows(
            "SELECT seq FROM faces ORDER BY seq LIMIT 1 OFFSET ?", (max(count - 1, 0),)
        )
        last = rows[0][0] if rows and count else 0
        return IndexExtent(epoch=self._database.meta("epoch"), faces=count, last=last)

    # -- reading ------------------------------------------------------------------------------

    def batches(self, size: int, *, after: int = 0) -> Iterator[EmbeddingBatch]:
        """The embeddings added after seq `after`, in that order, at most `size` at a time."""
        while True:
            rows = self._database.rows(
                "SELECT id, embedding, seq FROM faces WHERE seq > ? ORDER BY seq LIMIT ?",
                (after, size),
            )
            if not rows:
                return
            after = rows[-1][2]
            yield EmbeddingBatch(
                ids=[row[0] for row in rows],
                seqs=[row[2] for row in rows],
                matrix=self._matrix([row[1] for row in rows]),
            )

    def all(self) -> tuple[list[str], Vector]:
        """All face ids and embeddings (n, d); (0, 0) if there are none."""
        batches = list(self.batches(4096))
        ids = [each for batch in batches for each in batch.ids]
        if not ids:
            return ids, np.zeros((0, 0), np.float32)
        return ids, np.concatenate([batch.matrix for batch in batches])

    def ids_at(self, seqs: Sequence[int]) -> list[str]:
        """The ids of faces by their seqs, in the given order, without those deleted meanwhile."""
        found = dict(self._database.rows_of("SELECT seq, id FROM faces", seqs, key="seq"))
        return [found[seq] for seq in seqs if seq in found]

    def similarities(self, query: Vector, ids: Sequence[str]) -> Vector:
        """Exact cosine similarities (n,) of a unit vector (d,) to faces, in the given order.

        `ToolError` for an unknown id.
        """
        rows = self._database.rows_by_id("SELECT id, embedding FROM faces", ids)
        if not rows:
            return np.zeros(0, np.float32)
        # Row by row: a matrix product may sum in a different order for another batch size.
        matrix = self._matrix([embedding for _, embedding in rows])
        cosines: Vector = np.einsum("nd,d->n", matrix, np.asarray(query, np.float32))
        return cosines

    def _matrix(self, blobs: Sequence[bytes]) -> Vector:
        """Embeddings (n, d); SetupError if their sizes differ."""
        self._bytes = self._bytes or len(blobs[0])
        if {len(blob) for blob in blobs} != {self._bytes} or self._bytes % 4:
            raise self._database.damaged("embeddings of different sizes")
        flat = np.frombuffer(b"".join(blobs), dtype="<f4").astype(np.float32)
        return flat.reshape(len(blobs), -1)
