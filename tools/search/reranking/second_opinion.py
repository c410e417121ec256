"""Compare a hit with the query by a second face embedder, beside the first."""

import numpy as np

from tools.faces.further_embedders import COSINE, DIFFERENCE, FaceEmbedder
from tools.search.reranking.rerank_input import RerankInput


def second_scores(rerank_input: RerankInput) -> dict[str, float | None]:
    """Similarity by the second embedder, and how far the first is above it.

    `COSINE` is between the hit's face and the mean of the query photos' faces. `DIFFERENCE`: each
    embedder's cosine is placed on a scale from strangers to the same picture; the difference is the
    first minus the second. Well above zero means "high in one, low in the other". None without a
    second embedder, without query photos, or if the similarity of strangers was not measured.

    Does not show: which embedder is right. Turned, small and made-up faces move two embedders apart
    as well, and a swap by a generator that knows neither may fool both or none.
    """
    second = rerank_input.instruments.second_embedder
    if second is None or not rerank_input.query_photos:
        return {COSINE: None, DIFFERENCE: None}
    vectors = second.embed([(rerank_input.pixels, rerank_input.face), *rerank_input.query_photos])
    template = vectors[1:].mean(axis=0)
    cosine = float(vectors[0] @ template / np.linalg.norm(template))
    first = rerank_input.scores.get("cosine_similarity")
    return {COSINE: cosine, DIFFERENCE: _difference(second, cosine, first, rerank_input)}


def _difference(
    second: FaceEmbedder, cosine: float, first: float | None, rerank_input: RerankInput
) -> float | None:
    ours, theirs = (
        second.strangers,
        second.beside.get(rerank_input.instruments.fingerprint["faces"]),
    )
    if ours is None or theirs is None or first is None:
        return None
    return theirs.similarity_fraction(first) - ours.similarity_fraction(cosine)
