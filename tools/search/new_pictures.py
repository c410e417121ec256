"""Assess some pictures of a gallery against a query, as a search of all of it would.

The same scores, rule, closer look and retakes as `tools.search.search`, without the index: the cost
follows the number of pictures asked about, not the size of the gallery.
"""

from collections.abc import Iterator, Sequence

from tools.gallery.record_store import Gallery
from tools.gallery.records import FaceRecord
from tools.search.aggregation import Candidate, aggregate_candidates, ranking_key
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.reranker import MAX_RERANKED_HITS, Reranker
from tools.search.results import Hit
from tools.search.search import score_records, to_hit


def assess_pictures(
    gallery: Gallery,
    query: Query,
    ids: Sequence[str],
    *,
    instruments: ModelBundle,
    reranker: Reranker | None = None,
) -> list[Hit]:
    """The pictures and videos with these ids as hits, by rank among themselves.

    Those without a face give no hit. Unlike a search's, every one gets the closer look of
    `reranker`, if it is given.
    """
    rule = instruments.rule
    rule = None if rule is None else rule.for_gallery_size(gallery.counts().faces)
    records = [*_faces(gallery, ids)]
    moments = gallery.moments([record.image_id for record in records])
    scored = score_records(gallery, records, query, instruments=instruments, rule=rule)
    ranked = sorted(aggregate_candidates(scored, moments, rule=rule), key=ranking_key)
    if reranker is not None:
        seen = list[Candidate]()
        for begin in range(0, len(ranked), MAX_RERANKED_HITS):
            seen += reranker.rerank(
                ranked[begin : begin + MAX_RERANKED_HITS], query, gallery=gallery,
                instruments=instruments, rule=rule,
            )  # fmt: skip
        ranked = sorted(seen, key=ranking_key)
    return [to_hit(gallery, rank, found, rule=rule) for rank, found in enumerate(ranked, start=1)]


def _faces(gallery: Gallery, ids: Sequence[str]) -> Iterator[FaceRecord]:
    """The faces of pictures, and of all frames of videos."""
    for id_ in ids:
        frames = [frame.image_id for frame in gallery.frames_of(id_)]
        for image in frames or [id_]:
            yield from gallery.faces_of(image)
