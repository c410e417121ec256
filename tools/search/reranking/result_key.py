"""Digest of all that a closer look depends on besides the hit: query, models, measurements."""

import hashlib
from collections.abc import Iterator, Sequence

from tools.detectors.protocol import qualified_name
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking import stability
from tools.search.reranking.rerank_input import RerankMeasure

ARITHMETIC = 5
"""Raise it when a measurement's result changes for the same picture and checkpoints."""


def result_key(query: Query, models: ModelBundle, measurements: Sequence[RerankMeasure]) -> str:
    """sha256 over the query's faces and photos, every checkpoint, the rule and the measurements.

    The size of the gallery is not part of it: it changes the verdict, but nothing that is measured.
    """
    digest = hashlib.sha256()
    for part in _parts(query, models, measurements):
        digest.update(f"{len(part)} ".encode() + part)
    return digest.hexdigest()


def _parts(
    query: Query, models: ModelBundle, measurements: Sequence[RerankMeasure]
) -> Iterator[bytes]:
    yield str(ARITHMETIC).encode()
    for photo_id, face in zip(query.photo_ids, query.faces, strict=True):
        yield photo_id.encode()
        yield face.keypoints.tobytes() + face.embedding.tobytes()
    for part, checkpoint in sorted(models.fingerprint.items()):
        yield f"{part} {checkpoint}".encode()
    for detector in (*models.detectors, *models.pixel_detectors):
        yield f"{qualified_name(detector)} {detector.sha256}".encode()
    yield (models.second_embedder.sha256 if models.second_embedder else "").encode()
    yield repr(models.rule).encode()
    for measurement in measurements:
        yield f"{measurement.__module__}.{measurement.__qualname__}".encode()
    for retake in stability.PERTURBATIONS:
        yield retake.name.encode()
