"""Nearest-neighbour search: an engine finds candidates; the record store stays the truth.

What an engine finds is ranked by exact cosines from the record, what disagrees with the record is
rebuilt from it, and if the engine cannot be used at all, the record itself is searched.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from tools.gallery.engines.choice import open_engine
from tools.gallery.engines.protocol import EngineError, IndexEngine
from tools.gallery.record_store import Gallery
from tools.gallery.records import IndexExtent, Vector

BATCH = 500
"""Faces per write; Chroma's own limit is 5,461."""

Progress = Callable[[int, int], None]
"""Called with the number of faces done and the total while an index is being built."""

_NOTHING = IndexExtent(epoch="", faces=0, last=0)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A face and its exact cosine similarity (−1 to 1) to the query."""

    face_id: str
    cosine_similarity: float


class FaceIndex:
    """Nearest-neighbour index of one gallery's faces; `notices` report problems to the user."""

    def __init__(self, gallery: Gallery, on_progress: Progress | None = None) -> None:
        self.gallery = gallery
        self.notices: list[str] = []
        self._on_progress = on_progress
        self._engine: IndexEngine | None = None
        self._covered = _NOTHING
        self._writing = False

    @classmethod
    def open(cls, gallery: Gallery, *, on_progress: Progress | None = None) -> Self:
        """Open a gallery's index; repair or rebuild it first if necessary."""
        index = cls(gallery, on_progress)
        with index._giving_up_on_failure():
            index._engine = open_engine(gallery)
            index._bring_up_to_date(index._engine)
        return index

    @property
    def searches_exactly(self) -> bool:
        """Whether the record itself is searched, without an engine: exact, but slower."""
        return self._engine is None

    def close(self) -> None:
        """Close the engine; it counts as closed properly unless a write was interrupted."""
        if self._engine is None:
            return
        with self._giving_up_on_failure():
            self._engine.close(None if self._writing else self._covered)
            self._engine = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- searching ----------------------------------------------------------------------------

    def candidates(self, query: Vector, n: int) -> list[str]:
        """Ids of at least the n nearest faces to a unit vector (d,).

        For an exact ranking by the caller or by `search`: an approximate engine returns more.
        """
        self.sync()
        if self._engine is not None:
            wanted = min(n if self._engine.is_exact else _over_fetched(n), self._covered.faces)
            with self._giving_up_on_failure():
                return self._engine.nearest(query, wanted) if wanted else []
        return [match.face_id for match in self._scan(query, n)]

    def search(self, query: Vector, n: int) -> list[Neighbour]:
        """The n nearest faces, ranked by exact cosine; ties by id."""
        ids = self.candidates(query, n)
        return _best(ids, self.gallery.embeddings.similarities(query, ids), n)

    def _scan(self, query: Vector, n: int) -> list[Neighbour]:
        best: list[Neighbour] = []
        for batch in self.gallery.embeddings.batches(4096):
            cosines = batch.matrix @ np.asarray(query, np.float32)
            ids = [match.face_id for match in best] + batch.ids
            known = np.array([match.cosine_similarity for match in best], np.float32)
            best = _best(ids, np.concatenate([known, cosines]), n)
        return best

    # -- keeping in step ----------------------------------------------------------------------

    def sync(self) -> int:
        """Add the faces recorded since the last sync; returns how many (0 without an engine)."""
        if self._engine is None or self.gallery.embeddings.is_as_of(self._covered):
            return 0
        before = self._covered
        with self._giving_up_on_failure():
            extent = self.gallery.embeddings.extent()
            if extent.epoch != before.epoch:  # faces were deleted
                self._start_anew(self._engine, extent)
                before = self._covered
            self._add_missing(self._engine, extent)
        return self._covered.faces - before.faces

    def _bring_up_to_date(self, engine: IndexEngine) -> None:
        extent = self.gallery.embeddings.extent()
        covered, fault = engine.reopen(extent)
        if covered is not None:
            self._covered = covered
            self.sync()
            return
        started = time.monotonic()
        self._start_anew(engine, extent)
        added = self.sync()
        if fault is not None and not self.searches_exactly:
            self._notice(
                f"the search index was {fault}: rebuilt from the record ({added} faces, "
                f"{time.monotonic() - started:.1f} s), nothing is lost"
            )

    def _start_anew(self, engine: IndexEngine, extent: IndexExtent) -> None:
        engine.start_anew(extent)
        self._covered = IndexExtent(epoch=extent.epoch, faces=0, last=0)

    def _add_missing(self, engine: IndexEngine, extent: IndexExtent) -> None:
        self._writing = True
        for batch in self.gallery.embeddings.batches(BATCH, after=self._covered.last):
            engine.add(batch)
            covered = self._covered.faces + len(batch.ids)
            self._covered = IndexExtent(epoch=extent.epoch, faces=covered, last=batch.seqs[-1])
            if self._on_progress is not None:
                self._on_progress(covered, max(covered, extent.faces))
        self._writing = False

    @contextlib.contextmanager
    def _giving_up_on_failure(self) -> Iterator[None]:
        """If the engine fails, continue without it, with a notice; the record is not affected."""
        try:
            yield
        except EngineError as error:
            _log.debug("the index failed", extra={"gallery": self.gallery.name}, exc_info=error)
            self._notice(_fallback(str(error)))
            engine, self._engine = self._engine, None
            if engine is not None:
                with contextlib.suppress(EngineError):
                    engine.close(None)

    def _notice(self, text: str) -> None:
        _log.warning("%s", text, extra={"gallery": self.gallery.name})
        self.notices.append(text)


def _over_fetched(n: int) -> int:
    """How many candidates to fetch so that they almost surely include the n nearest."""
    return max(2 * n, n + 200)


def _fallback(reason: str) -> str:
    return (
        f"the search index is out of use ({reason}): searching the record itself, exact but slower"
    )


def _best(ids: Sequence[str], cosines: Vector, n: int) -> list[Neighbour]:
    ranked = sorted(zip((-cosines).tolist(), ids, strict=True))[:n]
    return [Neighbour(face_id=each, cosine_similarity=-negative) for negative, each in ranked]
