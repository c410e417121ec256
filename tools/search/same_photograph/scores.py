"""Score whether a hit is the same photograph as one of the query photos.

1 is proven, 0 is tested and not proven, None is not tested. The best of several query photos
counts: a proven one, otherwise the one with most agreeing keypoints.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from tools.search.reranking.rerank_input import RerankInput
from tools.search.same_photograph.decision import Alignment, align_features
from tools.search.same_photograph.local_features import local_features

SAME_PHOTOGRAPH = "query/same_photograph"
FACE_DIFFERENCE = "query/face_difference"
FACE_CHANGE = "query/face_change"
AGREEING_SHARE = "query/agreeing_share"
KEYPOINTS = "query/aligned_keypoints"
PHOTO = "query/aligned_photo"
ALIGNMENT_SCORE_NAMES = (
    SAME_PHOTOGRAPH,
    FACE_DIFFERENCE,
    FACE_CHANGE,
    AGREEING_SHARE,
    KEYPOINTS,
    PHOTO,
)

NEAR_BITS, NEAR_COSINE = 24, 0.9
"""A face of another person is aligned too if its crop is this near a query photo's crop: it may be
the person's photograph with another face in it.
"""


def same_photograph_scores(looks: Sequence[RerankInput]) -> list[Mapping[str, float | None]]:
    """The scores of the best alignment of each hit with a query photo.

    Does not show: that the hit is a copy of the given file; both may come from a third.
    """
    return [_alignment_scores(look) for look in looks]


def _alignment_scores(rerank_input: RerankInput) -> Mapping[str, float | None]:
    if (
        not rerank_input.query_photos
        or not rerank_input.asks_for(*ALIGNMENT_SCORE_NAMES)
        or not _may_be_one(rerank_input)
    ):
        return dict.fromkeys(ALIGNMENT_SCORE_NAMES)
    found = best_alignment(rerank_input)
    number, best = found
    return {
        SAME_PHOTOGRAPH: float(best.proven),
        FACE_DIFFERENCE: best.face_difference,
        FACE_CHANGE: best.face_change,
        AGREEING_SHARE: best.agreeing_share,
        KEYPOINTS: float(best.inliers),
        PHOTO: float(number) if best.proven else None,
    }


def best_alignment(rerank_input: RerankInput) -> tuple[int, Alignment]:
    """The number (from 1, in query order) of the best-fitting photo, and its alignment."""
    hit = local_features(rerank_input.pixels)
    found: list[tuple[int, Alignment]] = []
    for place, (pixels, face) in enumerate(rerank_input.query_photos):
        details = rerank_input.query_results.once(
            f"local_features/{place}", partial(local_features, pixels)
        )
        given = align_features(details, hit, first_face=face.box, second_face=rerank_input.face.box)
        found.append((1 + _index(rerank_input.query.faces, face), given))
        if given.proven:
            break
    return max(found, key=lambda it: (it[1].proven, it[1].inliers))


def _index(faces: Sequence[object], face: object) -> int:
    """Position of a face among those of the query, in which missing photos leave gaps."""
    return next(place for place, it in enumerate(faces) if it is face)


def _may_be_one(rerank_input: RerankInput) -> bool:
    """Whether alignment is worthwhile: the face may be the person's, or resembles their photo's."""
    rule, scores = rerank_input.instruments.rule, rerank_input.scores
    if rule is None or rule.identity_place(scores) != "low":
        return True
    bits, cosine = scores.get("query/face_hash_distance"), scores.get("query/face_feature_cosine")
    return (bits is not None and bits <= NEAR_BITS) or (
        cosine is not None and cosine >= NEAR_COSINE
    )
