"""Check that the vector index matches the record store: every vector, not only the count.

After its writer was killed, Chroma may count vectors that it can no longer find, and opening it may
crash the process, so the full check runs in a child process.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.gallery.record_store import Gallery
from tools.gallery.records import EmbeddingBatch, IndexExtent, Vector

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection

_BATCH = 1000
_SPOTS = 32
_EVERY = 50  # one in this many faces is also searched for: the graph may be damaged
_TOLERANCE = 1e-5  # Chroma normalises vectors again

# Not `python -m`: the child's path may not contain our folders, depending on where it is started.
_CHILD = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from tools.gallery.engines.chroma import print_sound_extent; print_sound_extent()"
)


def probe_in_subprocess(
    gallery: Gallery, extent: IndexExtent
) -> tuple[IndexExtent | None, str | None]:
    """How many of the record's faces the index on disk reliably covers, or None and the reason.

    Must not run while this process has the index open.
    """
    command = [sys.executable, "-c", _CHILD, str(Path(__file__).parents[3])]
    command += [str(gallery.folder.parent.parent), gallery.name]
    limit_s = 60 + extent.faces / 1000  # Chroma may also hang; reading takes 0.02 ms per face
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return None, "stuck"
    if child.returncode != 0:
        return None, "broken" if child.returncode > 0 else "broken (Chroma crashed on it)"
    covered = IndexExtent(**json.loads(child.stdout.splitlines()[-1]))
    return (covered, None) if covered.epoch else (None, "damaged")


def sound_part(collection: "Collection", gallery: Gallery) -> IndexExtent | None:
    """Compare every vector with the record; None unless the index holds the first faces only.

    If the writer was killed, the index is shorter but valid up to its end: faces are only ever
    added in the record's order.
    """
    count, last, held = 0, 0, collection.count()
    for batch in gallery.embeddings.batches(_BATCH):
        found = _holds(collection, batch)
        if found is None or not _finds(collection, batch.matrix[:found][::_EVERY]):
            return None
        count += found
        last = batch.seqs[found - 1] if found else last
        if found < len(batch.ids):
            break
    if count != held:
        return None
    return IndexExtent(epoch=gallery.embeddings.extent().epoch, faces=count, last=last)


def spot_check(collection: "Collection", gallery: Gallery, covered: IndexExtent) -> str | None:
    """Quick check of an index that was closed properly: the problem found, usually None."""
    if collection.count() != covered.faces:
        return "incomplete"
    ends = (0, covered.last - _SPOTS)
    batches = [next(gallery.embeddings.batches(_SPOTS, after=max(0, end)), None) for end in ends]
    whole = all(
        _holds(collection, batch) == len(batch.ids) and _finds(collection, batch.matrix[-1:])
        for batch in batches
        if batch
    )
    return None if whole else "damaged"


def _holds(collection: "Collection", batch: EmbeddingBatch) -> int | None:
    """How many of the batch's first faces, and no later ones, it has; None if vectors differ."""
    got = collection.get(ids=batch.ids, include=["embeddings"])
    vectors = got["embeddings"]
    there = dict(zip(got["ids"], vectors if vectors is not None else [], strict=True))
    first = batch.ids[: len(there)]
    if set(first) != set(there):
        return None
    if first:
        vectors = np.stack([there[face] for face in first])
        if not np.allclose(vectors, batch.matrix[: len(first)], atol=_TOLERANCE):
            return None
    return len(first)


def _finds(collection: "Collection", matrix: Vector) -> bool:
    """Whether a search for indexed embeddings (n, d) finds each one (or its exact duplicate)."""
    if not len(matrix):
        return True
    found = collection.query(query_embeddings=matrix, n_results=1, include=["distances"])
    return all(row and row[0] < _TOLERANCE for row in found["distances"] or [[]])
