"""How Chroma's graph is built, and what its library may raise."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chromadb.api.collection_configuration import CreateHNSWConfiguration

# Recall over speed: a query takes some milliseconds either way, and ef_search cannot be changed
# later without reopening the collection.
HNSW: "CreateHNSWConfiguration" = {"space": "cosine", "ef_construction": 200, "ef_search": 500}


def failures() -> tuple[type[Exception], ...]:
    """The exceptions that Chroma may raise if it or its folder is broken."""
    try:
        from chromadb.errors import ChromaError
    except ImportError:
        return (ImportError,)
    return (ChromaError, OSError, RuntimeError, ValueError)
