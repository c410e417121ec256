"""Nearest-neighbour search with Chroma: fast candidates; the record store stays the truth.

Chroma 1.5.9 may lose vectors, fail or crash the process (SIGSEGV) after its writer was killed, and
a second process does not see what the first one writes. Therefore only one process at a time uses
the index, an index that was not closed properly is first opened in a child process, anything that
disagrees with the record is rebuilt from it, and if Chroma cannot be used at all, the record itself
is searched.
"""

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from tools.gallery import database_file, index_check, index_state
from tools.gallery.record_store import Gallery
from tools.gallery.records import IndexExtent, Vector

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.collection_configuration import CreateHNSWConfiguration
    from chromadb.api.models.Collection import Collection

COLLECTION = "faces"
BATCH = 500
"""Faces per write; Chroma's own limit is 5,461."""

# Recall over speed: a query takes some milliseconds either way, and ef_search cannot be changed
# later without reopening the collection.
_HNSW: "CreateHNSWConfiguration" = {"space": "cosine", "ef_construction": 200, "ef_search": 500}

Progress = Callable[[int, int], None]
"""Called with the number of faces done and the total while an index is being built."""

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
        self._folder = gallery.folder / "chroma"
        self._state_path = gallery.folder / "chroma-state.json"
        self._lock: sqlite3.Connection | None = None
        self._client: Client | None = None
        self._collection: Collection | None = None
        self._covered = IndexExtent(epoch="", faces=0, last=0)
        self._writing = False

    @classmethod
    def open(cls, gallery: Gallery, *, on_progress: Progress | None = None) -> Self:
        """Open a gallery's index; repair or rebuild it first if necessary."""
        index = cls(gallery, on_progress)
        reason = "it is in use, by indexing say"
        if not os.access(gallery.folder, os.W_OK):
            reason = "its folder cannot be written"  # Chroma needs to write there
        else:
            try:
                index._lock = database_file.try_lock(gallery.folder / "chroma.lock")
            except sqlite3.OperationalError as error:
                reason = str(error)  # searching must still work on a full disk
        if index._lock is None:
            index._notice(_fallback(reason))
        else:
            with index._giving_up_on_failure():
                index._connect()
        return index

    @property
    def searches_exactly(self) -> bool:
        """Whether the record itself is searched, without Chroma: exact, but slower."""
        return self._client is None

    def close(self) -> None:
        """Close Chroma; saves the state as closed properly unless a write was interrupted."""
        if self._client is not None:
            self._disconnect()
            if not self._writing:
                self._note_state()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- searching ----------------------------------------------------------------------------

    def candidates(self, query: Vector, n: int) -> list[str]:
        """Ids of at least the n nearest faces to a unit vector (d,).

        Approximate: returns more than n, for an exact ranking by the caller or by `search`.
        """
        self.sync()
        wanted = min(_over_fetched(n), self._covered.faces)
        if self._collection is not None:
            with self._giving_up_on_failure():
                found = self._collection.query(
                    query_embeddings=np.asarray(query, np.float32)[None],
                    n_results=wanted,
                    include=[],
                )
                return list(found["ids"][0])
        if not self.searches_exactly:
            return []  # no face in the gallery yet
        return [match.face_id for match in self._scan(query, _over_fetched(n))]

    def search(self, query: Vector, n: int) -> list[Neighbour]:
        """The n nearest faces, ranked by exact cosine; ties by id."""
        ids = self.candidates(query, n)
        return _best(ids, self.gallery.similarities(query, ids), n)

    def _scan(self, query: Vector, n: int) -> list[Neighbour]:
        best: list[Neighbour] = []
        for batch in self.gallery.embedding_batches(4096):
            cosines = batch.matrix @ np.asarray(query, np.float32)
            ids = [match.face_id for match in best] + batch.ids
            known = np.array([match.cosine_similarity for match in best], np.float32)
            best = _best(ids, np.concatenate([known, cosines]), n)
        return best

    # -- keeping in step ----------------------------------------------------------------------

    def sync(self) -> int:
        """Add the faces recorded since the last sync; returns how many (0 without Chroma)."""
        if self._client is None:
            return 0
        before = self._covered
        with self._giving_up_on_failure():
            extent = self.gallery.extent()
            if extent.epoch != before.epoch:  # faces were deleted
                self._start_anew()
                before = self._covered
            if extent != self._covered:
                self._add_missing(extent)
        return self._covered.faces - before.faces

    def _add_missing(self, extent: IndexExtent) -> None:
        self._writing = True
        self._state_path.unlink(missing_ok=True)
        if self._collection is None:
            self._collection = self._create()
        for batch in self.gallery.embedding_batches(BATCH, after=self._covered.last):
            self._collection.add(ids=batch.ids, embeddings=batch.matrix)
            covered = self._covered.faces + len(batch.ids)
            self._covered = IndexExtent(epoch=extent.epoch, faces=covered, last=batch.seqs[-1])
            if self._on_progress is not None:
                self._on_progress(covered, max(covered, extent.faces))
        self._writing = False

    # -- opening Chroma -----------------------------------------------------------------------

    def _connect(self) -> None:
        covered, fault = self._sound_part(self.gallery.extent())
        if covered is not None:
            fault = self._reopen(covered)
        if covered is not None and fault is None:
            self.sync()
            return
        started = time.monotonic()
        self._start_anew()
        added = self.sync()
        if fault is not None and not self.searches_exactly:
            self._notice(
                f"the search index was {fault}: rebuilt from the record ({added} faces, "
                f"{time.monotonic() - started:.1f} s), nothing is lost"
            )

    def _reopen(self, covered: IndexExtent) -> str | None:
        """Open the index on disk; returns the problem, None if there is none."""
        try:
            self._client = _client(self._folder)
            if covered.faces:
                self._collection = self._client.get_collection(COLLECTION, embedding_function=None)
                fault = index_check.spot_check(self._collection, self.gallery, covered)
            else:
                fault = None
        except _failures() as error:
            _log.debug("chroma failed", extra={"gallery": self.gallery.name}, exc_info=error)
            fault = "broken"
        self._covered = covered
        return fault

    def _sound_part(self, extent: IndexExtent) -> tuple[IndexExtent | None, str | None]:
        """How many of the record's faces the files on disk cover, or the problem with them."""
        state = index_state.load(self._state_path)
        if not self._folder.is_dir():
            # An index that was never built is no problem;
            # Chroma makes no folder for a gallery without faces.
            return None, None if state is None or not state.count else "missing"
        if state is not None and state.files == index_state.file_states(self._folder):
            if state.epoch != extent.epoch:
                return None, None  # faces were deleted since; not a problem
            return IndexExtent(epoch=state.epoch, faces=state.count, last=state.last), None
        return index_check.probe_in_subprocess(self.gallery, extent)

    def _start_anew(self) -> None:
        self._disconnect()
        self._state_path.unlink(missing_ok=True)
        if self._folder.is_dir() and not self._folder.is_symlink():
            shutil.rmtree(self._folder)
        else:
            self._folder.unlink(missing_ok=True)
        self._client = _client(self._folder)
        self._covered = IndexExtent(epoch=self.gallery.extent().epoch, faces=0, last=0)

    def _create(self) -> "Collection":
        assert self._client is not None  # noqa: S101 - for the type checker
        return self._client.create_collection(
            COLLECTION, embedding_function=None, configuration={"hnsw": _HNSW}
        )

    def _disconnect(self) -> None:
        client, self._client, self._collection = self._client, None, None
        if client is not None:
            client.close()

    def _note_state(self) -> None:
        covered = self._covered
        with self._giving_up_on_failure():
            files = index_state.file_states(self._folder) if self._folder.is_dir() else {}
            state = index_state.IndexState(covered.epoch, covered.faces, covered.last, files)
            index_state.save(self._state_path, state)

    @contextlib.contextmanager
    def _giving_up_on_failure(self) -> Iterator[None]:
        """If Chroma fails, continue without it and add a notice; the record is not affected."""
        try:
            yield
        except _failures() as error:
            _log.debug("chroma failed", extra={"gallery": self.gallery.name}, exc_info=error)
            self._notice(_fallback(_first_line(error)))
            with contextlib.suppress(*_failures()):
                self._disconnect()
            with contextlib.suppress(OSError):  # on a full or read-only disk it does not matter
                self._state_path.unlink(missing_ok=True)

    def _notice(self, text: str) -> None:
        _log.warning("%s", text, extra={"gallery": self.gallery.name})
        self.notices.append(text)


def print_sound_extent() -> None:
    """Runs in a child process: print how much of the record the index covers (or no epoch)."""
    home, name = Path(sys.argv[2]), sys.argv[3]
    client = _client(database_file.gallery_folder(home, name) / "chroma")
    with Gallery.open_existing(home, name) as gallery:
        extent = gallery.extent()
        if extent.faces or client.count_collections():
            collection = client.get_collection(COLLECTION, embedding_function=None)
            extent = index_check.sound_part(collection, gallery) or IndexExtent("", 0, 0)
    client.close()
    sys.stdout.write(json.dumps(asdict(extent)) + "\n")


def load_chroma() -> None:
    """Import Chroma now, which takes seconds, instead of when an index is first opened."""
    import chromadb  # noqa: F401


def _client(folder: Path) -> "Client":
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    failures: tuple[type[Exception], ...] = (AttributeError, *_failures())
    try:
        return cast("Client", chromadb.PersistentClient(path=str(folder), settings=settings))
    except failures as error:
        # Chroma 1.5.9 caches a client that could not start and returns it for this folder again.
        # Its cleanup may also fail, so the real reason can be the preceding error.
        SharedSystemClient.clear_system_cache()
        reason = error.__context__ if isinstance(error, AttributeError) else error
        raise RuntimeError(str(reason or error)) from error


def _failures() -> tuple[type[Exception], ...]:
    """The exceptions that Chroma may raise if it or its folder is broken."""
    try:
        from chromadb.errors import ChromaError
    except ImportError:
        return (ImportError,)
    return (ChromaError, OSError, RuntimeError, ValueError)


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


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
