"""What the second embedder says of a hit, beside the first."""

import numpy as np

from tools.faces.further_embedders import COSINE, DIFFERENCE, FaceEmbedder
from tools.search.reranking.rerank_input import RerankInput


def second_scores(rerank_input: RerankInput) -> dict[str, float | None]:
    """What the second embedder says of a hit, and how far the first is above it.

    `COSINE`: of the hit's face and the mean of the query photos'. `DIFFERENCE`: how far the first
    embedder's cosine is on the way from strangers to the same picture, less how far the second's
    is; well above zero means "high in one, low in the other". None without a second embedder,
    without query photos, or where nobody measured how alike strangers are.

    Does not show: who is right. Turned, small and made-up faces move two embedders apart as well,
    and a swap by a generator that knows neither may please both or none.
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
