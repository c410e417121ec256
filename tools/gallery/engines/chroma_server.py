"""Chroma's server (`chroma run`) as an index server, through its REST API, version 2.

Not through Chroma's own client (1.5.9): it waits for ever for a server that hangs, leaves a
connection and a session behind each time it is made, and takes seconds to import.
"""

import base64
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import numpy as np

from tools.gallery.engines.chroma_graph import HNSW
from tools.gallery.engines.protocol import EngineError, first_line
from tools.gallery.records import Vector

_DATABASE = "/api/v2/tenants/default_tenant/databases/default_database"
_TIME_LIMIT = httpx.Timeout(60, connect=5)
_PAGE = 100


class ChromaServer:
    """A connection to a server at http(s)://HOST:PORT; `here` if that is this machine.

    Raises EngineError if Chroma does not answer there. The system's proxy is not used for a server
    on this machine.
    """

    def __init__(self, url: str, *, here: bool) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=_TIME_LIMIT, trust_env=not here)
        self._ids: dict[str, str] = {}
        try:
            beat = self._asked("GET", "/api/v2/heartbeat")
            if not isinstance(beat, dict) or "nanosecond heartbeat" not in beat:
                raise EngineError(f"what answers at {url} is not Chroma's server")
        except EngineError:
            self._http.close()
            raise

    def collections(self) -> list[str]:
        """The names of all collections."""
        names: list[str] = []
        while page := self._asked(
            "GET", f"{_DATABASE}/collections", params={"limit": _PAGE, "offset": len(names)}
        ):
            self._ids |= {each["name"]: each["id"] for each in page}
            names += [each["name"] for each in page]
        return names

    def create(self, name: str, dimension: int) -> None:
        """Make a collection; Chroma learns the dimension from the first vectors."""
        made = {"name": name, "configuration": {"hnsw": HNSW}}
        self._ids[name] = self._asked("POST", f"{_DATABASE}/collections", json=made)["id"]

    def drop(self, name: str) -> None:
        """Delete a collection."""
        self._ids.pop(name, None)
        self._asked("DELETE", f"{_DATABASE}/collections/{name}")

    def count(self, name: str) -> int:
        """How many vectors a collection holds."""
        return int(self._asked("GET", f"{self._path(name)}/count"))

    def put(self, name: str, numbers: Sequence[int], matrix: Vector) -> None:
        """Store vectors."""
        rows = [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in matrix]
        body = {"ids": [str(it) for it in numbers], "embeddings": rows}
        self._asked("POST", f"{self._path(name)}/upsert", json=body)

    def vectors(self, name: str, numbers: Sequence[int]) -> dict[int, Vector]:
        """Stored vectors."""
        body = {"ids": [str(it) for it in numbers], "include": ["embeddings"]}
        got = self._asked("POST", f"{self._path(name)}/get", json=body)
        return {
            int(number): np.asarray(vector, np.float32)
            for number, vector in zip(got["ids"], got["embeddings"] or [], strict=True)
        }

    def nearest(self, name: str, query: Vector, n: int) -> list[int]:
        """Approximate neighbours."""
        body = {
            "query_embeddings": [np.asarray(query, np.float32).tolist()],
            "n_results": n,
            "include": [],
        }
        found = self._asked("POST", f"{self._path(name)}/query", json=body)
        return [int(number) for number in found["ids"][0]]

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _path(self, name: str) -> str:
        if name not in self._ids:
            found = self._asked("GET", f"{_DATABASE}/collections/{name}")
            self._ids[name] = found["id"]
        return f"{_DATABASE}/collections/{self._ids[name]}"

    def _asked(self, method: str, path: str, **options: Any) -> Any:
        with self._translated():
            answer = self._http.request(method, path, **options)
            if not answer.is_success:
                raise EngineError(
                    f"Chroma's server at {self._url}: {answer.status_code} {answer.text[:100]}"
                )
            return answer.json()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, ValueError) as error:  # what is not JSON is a ValueError
            raise EngineError(f"Chroma's server at {self._url}: {first_line(error)}") from error
