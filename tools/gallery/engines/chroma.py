"""Chroma in the gallery's own folder.

Chroma 1.5.9 may lose vectors, fail or crash the process (SIGSEGV) after its writer was killed, and
a second process does not see what the first one writes. Therefore only one process at a time uses
the folder, and an index that was not closed properly is first opened in a child process.
"""

import contextlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from tools.gallery import database_file
from tools.gallery.engines import chroma_check, index_state
from tools.gallery.engines.chroma_graph import HNSW, failures
from tools.gallery.engines.locking import IndexLock
from tools.gallery.engines.protocol import EngineError, first_line
from tools.gallery.record_store import Gallery
from tools.gallery.records import EmbeddingBatch, IndexExtent, Vector

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

FOLDER, STATE_FILE = "chroma", "chroma-state.json"
COLLECTION = "faces"

_log = logging.getLogger(__name__)


class LocalChroma:
    """The engine over a folder of Chroma's. Raises EngineError if another process uses it."""

    is_exact = False

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._folder = gallery.folder / FOLDER
        self._state_path = gallery.folder / STATE_FILE
        self._client: Client | None = None
        self._collection: Collection | None = None
        if not os.access(gallery.folder, os.W_OK):
            raise EngineError("its folder cannot be written")  # Chroma needs to write there
        self._lock = IndexLock(gallery.folder)
        if not self._lock.held:
            raise EngineError("it is in use, by indexing say")

    def reopen(self, extent: IndexExtent) -> tuple[IndexExtent | None, str | None]:
        """Open the folder, after a check in a child process if it was not closed properly."""
        with _translated():
            self._disconnect()
            covered, fault = self._sound_part(extent)
            if covered is not None:
                fault = self._connect(covered)
            return (covered, None) if fault is None else (None, fault)

    def _connect(self, covered: IndexExtent) -> str | None:
        """Open the index on disk; returns the problem, None if there is none."""
        try:
            self._client = _client(self._folder)
            if not covered.faces:
                return None
            self._collection = self._client.get_collection(COLLECTION, embedding_function=None)
            return chroma_check.spot_check(self._collection, self._gallery, covered)
        except failures() as error:
            _log.debug("chroma failed", extra={"gallery": self._gallery.name}, exc_info=error)
            return "broken"

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
            return state.covered, None
        return chroma_check.probe_in_subprocess(self._gallery, extent)

    def start_anew(self, extent: IndexExtent) -> None:
        """Delete the folder."""
        with _translated():
            self._disconnect()
            self._state_path.unlink(missing_ok=True)
            if self._folder.is_dir() and not self._folder.is_symlink():
                shutil.rmtree(self._folder)
            else:
                self._folder.unlink(missing_ok=True)
            self._client = _client(self._folder)

    def add(self, batch: EmbeddingBatch) -> None:
        """Add faces; until it is closed properly, the index counts as interrupted."""
        with _translated():
            self._state_path.unlink(missing_ok=True)
            if self._collection is None:
                assert self._client is not None  # noqa: S101 - for the type checker
                # A writer killed before its first face leaves an empty one.
                self._collection = self._client.get_or_create_collection(
                    COLLECTION, embedding_function=None, configuration={"hnsw": HNSW}
                )
            self._collection.add(ids=batch.ids, embeddings=batch.matrix)

    def nearest(self, query: Vector, n: int) -> list[str]:
        """Approximate candidates."""
        if self._collection is None:
            return []  # no face in the gallery yet
        with _translated():
            vectors = np.asarray(query, np.float32)[None]
            found = self._collection.query(query_embeddings=vectors, n_results=n, include=[])
            return list(found["ids"][0])

    def close(self, covered: IndexExtent | None) -> None:
        """Close Chroma, save its state and let another process in."""
        try:
            with _translated():
                self._disconnect()
                if covered is not None:
                    there = self._folder.is_dir()
                    files = index_state.file_states(self._folder) if there else {}
                    index_state.save(self._state_path, index_state.IndexState.of(covered, files))
                else:
                    self._state_path.unlink(missing_ok=True)
        finally:
            self._lock.close()

    def _disconnect(self) -> None:
        client, self._client, self._collection = self._client, None, None
        if client is not None:
            client.close()


def print_sound_extent() -> None:
    """Runs in a child process: print how much of the record the index covers (or no epoch)."""
    home, name = Path(sys.argv[2]), sys.argv[3]
    client = _client(database_file.gallery_folder(home, name) / FOLDER)
    with Gallery.open_existing(home, name) as gallery:
        extent = gallery.embeddings.extent()
        if extent.faces or client.count_collections():
            collection = client.get_collection(COLLECTION, embedding_function=None)
            extent = chroma_check.sound_part(collection, gallery) or IndexExtent("", 0, 0)
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
    expected: tuple[type[Exception], ...] = (AttributeError, *failures())
    try:
        return cast("Client", chromadb.PersistentClient(path=str(folder), settings=settings))
    except expected as error:
        # Chroma 1.5.9 caches a client that could not start and returns it for this folder again.
        # Its cleanup may also fail, so the real reason can be the preceding error.
        SharedSystemClient.clear_system_cache()
        reason = error.__context__ if isinstance(error, AttributeError) else error
        raise RuntimeError(str(reason or error)) from error


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except failures() as error:
        raise EngineError(first_line(error)) from error
