"""Rerank leading hits: read their pictures again, measure further and assess them again.

`RERANK_MEASURES` is the table of measurements besides the perturbed retakes; to add one, write a
function from a `RerankInput` to {score name: value}, None if it could not be measured, and a row.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.media.images import UnreadableImage, read_photo
from tools.media.videos import frame_at
from tools.search.aggregation import Candidate, assess_scores
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.other_version import OtherVersion, VersionFinder
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.reference_comparison import reference_scores
from tools.search.reranking.rerank_input import RerankInput, RerankMeasure
from tools.search.reranking.second_opinion import second_scores
from tools.search.reranking.stability import VERDICT_STABILITY, scores_under_perturbation
from tools.search.same_photograph.local_features import local_features
from tools.search.same_photograph.scores import same_photograph_scores
from tools.search.scoring import PictureSource
from tools.verdict.calibration import Scores
from tools.verdict.rule import SAME_PHOTOGRAPH, VerdictRule

MIN_RERANKED_HITS = 20
"""Reranked however few are shown: as many as a list has unless told otherwise."""

MAX_RERANKED_HITS = 50
"""Maximum number of hits reranked: more than a person, or a model's context, can take in."""

RERANK_MEASURES: tuple[RerankMeasure, ...] = (
    picture_scores, second_scores, reference_scores, same_photograph_scores,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class RerankResult:
    """Result of reranking one hit: further `scores`, and the hit's scores by retake.

    `version` is another version of its photograph, if one is proven; `missing_version` is the id of
    a picture that may be one, but whose file is gone.
    """

    scores: Scores
    perturbed_scores: Mapping[str, Scores]
    version: OtherVersion | None = None
    missing_version: str | None = None


class Reranker:
    """Reranks hits and caches the measurements, so that no hit is measured twice.

    `on_progress` gets the number of hits done and the total. Use one object per gallery.
    """

    def __init__(
        self,
        measurements: Sequence[RerankMeasure] = RERANK_MEASURES,
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._measurements = tuple(measurements)
        self._on_progress = on_progress or (lambda _done, _total: None)
        self._known: dict[tuple[str, bytes, int], RerankResult] = {}

    def rerank(
        self,
        hits: Sequence[Candidate],
        query: Query,
        *,
        gallery: PictureSource,
        instruments: ModelBundle,
        rule: VerdictRule | None,
    ) -> list[Candidate]:
        """The same hits with further scores and the new assessment by the search's `rule`.

        A hit whose picture is missing or damaged keeps its verdict; its further scores are None.
        """
        photos = cache(lambda: tuple(iter_readable_photos(query)))
        details = cache(lambda: tuple(local_features(pixels) for pixels, _ in photos()))
        versions = VersionFinder(gallery, lambda it: _picture(gallery, it, query), rule=rule)
        content = hash(versions.layouts.image_ids)  # another version may have been added
        seen: list[RerankResult | None] = []
        for number, hit in enumerate(hits):
            self._on_progress(number, len(hits))
            key, image_id = (hit.record.id, query.template.tobytes(), content), hit.record.image_id
            if (
                key not in self._known
                and (pixels := _picture(gallery, image_id, query)) is not None
            ):
                face, scores = hit.record.face, hit.scores
                rerank_input = RerankInput(
                    pixels, face, scores, query, photos(), instruments, query_local_features=details
                )
                self._known[key] = self._look(rerank_input, hit, versions)
            seen.append(self._known.get(key))
        self._on_progress(len(hits), len(hits))
        # The scores of a missing picture are None rather than absent.
        missing = dict.fromkeys(
            [VERDICT_STABILITY, *(name for each in seen if each for name in each.scores)]
        )
        return [
            _judged(hit, each, missing, rule=rule) for hit, each in zip(hits, seen, strict=True)
        ]

    def _look(
        self, rerank_input: RerankInput, hit: Candidate, versions: VersionFinder
    ) -> RerankResult:
        further: dict[str, float | None] = {}
        again, rule = list[RerankMeasure](), rerank_input.instruments.rule
        for measurement in self._measurements:
            with contextlib.suppress(ToolError):  # cannot be measured on this picture
                given = measurement(rerank_input)
                further |= given
                if rule is not None and rule.needs & given.keys():
                    again.append(measurement)
        if rule is None:  # no verdict to test
            return RerankResult(further, {})
        whole = replace(rerank_input, scores={**rerank_input.scores, **further})
        found = versions.find(whole, hit.record)
        retaken = scores_under_perturbation(
            replace(whole, requested_scores=rule.needs),
            measurements=again, of_video=hit.moment is not None,
        )  # fmt: skip
        return RerankResult({**further, **found.scores}, retaken, found.version, found.missing)


def _judged(
    hit: Candidate, seen: RerankResult | None, missing: Scores, *, rule: VerdictRule | None
) -> Candidate:
    scores = {**missing, **hit.scores}
    if seen is None or rule is None:
        return replace(hit, scores={**scores, **(seen.scores if seen else {})})
    scores |= seen.scores
    if hit.moment is not None:  # a frame may be the query photo, but its video is not
        scores[SAME_PHOTOGRAPH] = None
    usable = hit.record.face.quality.usable
    given = assess_scores(scores, usable=usable, rule=rule)
    again = {
        name: assess_scores({**scores, **taken}, usable=usable, rule=rule)
        for name, taken in seen.perturbed_scores.items()
    }
    changed_by = tuple(name for name, each in again.items() if each.verdict != given.verdict)
    if again and given.verdict != "not assessed":
        scores[VERDICT_STABILITY] = 1 - len(changed_by) / len(again)
    return replace(
        hit, scores=scores, assessment=rule.check_stability(given, again), changed_by=changed_by,
        version=seen.version, missing_version=seen.missing_version,
    )  # fmt: skip


def _picture(gallery: PictureSource, image_id: str, query: Query) -> np.ndarray | None:
    """The indexed picture, from any path where it still exists; None if there is none."""
    moment = gallery.image(image_id).moment
    for path in gallery.paths_of(image_id):
        with contextlib.suppress(UnreadableImage):
            if moment is not None:
                return frame_at(path, moment.time_s)
            photo = query.decoded.get(path) or read_photo(path)
            if photo.id == image_id:  # otherwise it was overwritten with another picture
                return photo.pixels
    return None


def iter_readable_photos(query: Query) -> Iterator[tuple[np.ndarray, Face]]:
    """The query's pictures (h, w, 3) uint8 RGB with their faces; missing ones are left out."""
    for path, photo_id, face, time_s in query.rows:
        known = query.decoded.get(path, time_s)
        with contextlib.suppress(UnreadableImage):
            if time_s is not None:
                yield frame_at(path, time_s) if known is None else known.pixels, face
            elif (photo := known or query.decoded.keep(read_photo(path), path)).id == photo_id:
                yield photo.pixels, face
