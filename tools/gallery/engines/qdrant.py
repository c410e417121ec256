"""Qdrant as an index server: made for hundreds of millions of vectors.

Full vectors lie on the server's disk; a byte per dimension and the graph are in its memory. The
candidates are ranked exactly from the record, so that what the bytes lose costs little.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tools.gallery.engines.protocol import EngineError, first_line
from tools.gallery.records import Vector

if TYPE_CHECKING:
    from qdrant_client import QdrantClient

_ANSWER_S = 60


class Qdrant:
    """Collections behind a client; `where` names it in errors. Raises EngineError."""

    def __init__(self, client: "QdrantClient", where: str) -> None:
        self._client, self._where = client, where

    @classmethod
    def at(cls, url: str, *, here: bool) -> "Qdrant":
        """Connect to http(s)://HOST:PORT (`here`: on this machine); EngineError if none answers."""
        try:
            from qdrant_client import QdrantClient
        except ImportError as error:
            raise EngineError(
                "Qdrant's client is not installed: run `pip install -e '.[qdrant]'`"
            ) from error

        client = QdrantClient(
            url=url, timeout=_ANSWER_S, check_compatibility=False, trust_env=not here
        )
        server = cls(client, f"Qdrant at {url}")
        server.collections()
        return server

    def collections(self) -> list[str]:
        """The names of all collections."""
        with self._translated():
            return [each.name for each in self._client.get_collections().collections]

    def create(self, name: str, dimension: int) -> None:
        """Make a collection."""
        from qdrant_client import models

        with self._translated():
            self._client.create_collection(
                name,
                vectors_config=models.VectorParams(
                    size=dimension, distance=models.Distance.COSINE, on_disk=True
                ),
                quantization_config=models.ScalarQuantization(
                    scalar=models.ScalarQuantizationConfig(
                        type=models.ScalarType.INT8, always_ram=True
                    )
                ),
            )

    def drop(self, name: str) -> None:
        """Delete a collection."""
        with self._translated():
            self._client.delete_collection(name)

    def count(self, name: str) -> int:
        """How many vectors a collection holds."""
        with self._translated():
            return self._client.count(name, exact=True).count

    def put(self, name: str, numbers: Sequence[int], matrix: Vector) -> None:
        """Store vectors; when this returns, the server has them."""
        from qdrant_client import models

        with self._translated():
            points = models.Batch(ids=list(numbers), vectors=matrix.tolist())
            self._client.upsert(name, points=points, wait=True)

    def vectors(self, name: str, numbers: Sequence[int]) -> dict[int, Vector]:
        """Stored vectors."""
        with self._translated():
            found = self._client.retrieve(
                name, ids=list(numbers), with_vectors=True, with_payload=False
            )
        return {int(each.id): np.asarray(each.vector, np.float32) for each in found}

    def nearest(self, name: str, query: Vector, n: int) -> list[int]:
        """Approximate neighbours."""
        from qdrant_client import models

        with self._translated():
            found = self._client.query_points(
                name,
                query=np.asarray(query, np.float32).tolist(),
                limit=n,
                search_params=models.SearchParams(hnsw_ef=max(n, 128)),
                with_payload=False,
            )
        return [int(each.id) for each in found.points]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        import httpx
        from qdrant_client.http.exceptions import ApiException

        try:
            yield
        except (ApiException, httpx.HTTPError, OSError, RuntimeError, ValueError) as error:
            reason = getattr(error, "source", error)
            raise EngineError(f"{self._where}: {first_line(reason)}") from error
