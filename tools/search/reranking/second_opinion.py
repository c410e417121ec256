"""Compare hits with the query by a second face embedder, beside the first."""

from collections.abc import Sequence

import numpy as np

from tools.faces.further_embedders import COSINE, DIFFERENCE, FaceEmbedder
from tools.search.reranking.rerank_input import RerankInput


def second_scores(looks: Sequence[RerankInput]) -> list[dict[str, float | None]]:
    """Similarity by the second embedder, and how far the first is above it.

    `COSINE` is between the hit's face and the mean of the query photos' faces. `DIFFERENCE`: each
    embedder's cosine is placed on a scale from strangers to the same picture; the difference is the
    first minus the second. Well above zero means "high in one, low in the other". None without a
    second embedder, without query photos, or if the similarity of strangers was not measured.

    Does not show: which embedder is right. Turned, small and made-up faces move two embedders apart
    as well, and a swap by a generator that knows neither may fool both or none.
    """
    second = looks[0].instruments.second_embedder if looks else None
    if second is None or not looks[0].query_photos:
        return [{COSINE: None, DIFFERENCE: None} for _ in looks]
    photos, results = looks[0].query_photos, looks[0].query_results
    template = results.once("second_embedder", lambda: second.embed(photos).mean(axis=0))
    vectors = second.embed([(look.pixels, look.face) for look in looks])
    cosines = [float(vector @ template / np.linalg.norm(template)) for vector in vectors]
    return [
        {COSINE: cosine, DIFFERENCE: _difference(second, cosine, look)}
        for look, cosine in zip(looks, cosines, strict=True)
    ]


def _difference(second: FaceEmbedder, cosine: float, look: RerankInput) -> float | None:
    first = look.scores.get("cosine_similarity")
    ours, theirs = second.strangers, second.beside.get(look.instruments.fingerprint["faces"])
    if ours is None or theirs is None or first is None:
        return None
    return theirs.similarity_fraction(first) - ours.similarity_fraction(cosine)
