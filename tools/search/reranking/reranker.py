"""Rerank leading hits: read their pictures again, measure further and assess them again.

`RERANK_MEASURES` is the table of measurements besides the perturbed retakes; to add one, write a
function from `RerankInput`s to the {score name: value} of each, None if it could not be measured,
and a row. Hits are measured in batches; several batches run at a time, each on one core.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tools.faces.analyser import Face
from tools.media.pictures.decoding import read_photo
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.sampling import frame_at, recorded_photo
from tools.search.aggregation import Candidate, assess_scores
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.other_version import (
    NOT_TESTED,
    VERSION_SCORE_NAMES,
    VersionFinder,
    VersionResult,
)
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.reference_comparison import reference_scores
from tools.search.reranking.rerank_input import QueryResults, RerankInput, RerankMeasure
from tools.search.reranking.result_key import result_key
from tools.search.reranking.second_opinion import second_scores
from tools.search.reranking.stability import VERDICT_STABILITY, scores_under_perturbation
from tools.search.reranking.workers import map_on_cores
from tools.search.same_photograph.scores import ALIGNMENT_SCORE_NAMES, same_photograph_scores
from tools.search.scoring import PictureSource
from tools.verdict.calibration import Scores
from tools.verdict.rule import SAME_PHOTOGRAPH, VerdictRule

MIN_RERANKED_HITS = 20
"""Reranked however few are shown: as many as a list has unless told otherwise."""

MAX_RERANKED_HITS = 50
"""Maximum number of hits reranked: more than a person, or a model's context, can take in."""

BATCH_HITS, BATCH_PIXELS = 4, 12_000_000
"""Most hits and pixels in a batch: it holds four pictures of each hit, and larger batches are not
faster on a processor."""

RERANK_MEASURES: tuple[RerankMeasure, ...] = (
    picture_scores, second_scores, reference_scores, same_photograph_scores,
)  # fmt: skip


DECODED_BYTES = 200_000_000
"""Decoded pictures of one search that are held, since several steps read them."""


@dataclass(frozen=True, slots=True, eq=False)
class RerankResult:
    """Result of reranking one hit: further `scores`, and those that each retake changed.

    `identity_edge` is the probability from which a face counted as the same person: in retakes
    below it, forgery was not measured.
    """

    scores: Scores
    perturbed_scores: Mapping[str, Scores]
    identity_edge: float = 0.0

    def to_text(self) -> str:
        """As JSON; numbers keep their value exactly."""
        return json.dumps([dict(self.scores), dict(self.perturbed_scores), self.identity_edge])

    @classmethod
    def from_text(cls, text: str) -> "RerankResult":
        """Undo `to_text`."""
        return cls(*json.loads(text))


class ResultStore(Protocol):
    """Keeps results between searches; a `Gallery` is one."""

    def closer_looks(self, key: str, names: Sequence[str]) -> Mapping[str, str]:
        """The texts kept under a key, by the hit's name; unknown names are left out."""

    def keep_closer_looks(self, key: str, texts: Mapping[str, str]) -> None:
        """Keep texts by the hits' names; where nothing can be written, nothing is."""


class Reranker:
    """Reranks hits and keeps the measurements, so that no hit is measured twice.

    The forgery of a face that is not the query person's, or is not usable, decides nothing, and
    measuring it costs most of a search: it is measured only with `others`. `on_progress` gets the
    number of hits done and the total. Use one object per gallery.
    """

    def __init__(
        self,
        measurements: Sequence[RerankMeasure] = RERANK_MEASURES,
        *,
        others: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._measurements, self._others = tuple(measurements), others
        self._on_progress = on_progress or (lambda _done, _total: None)
        self._known: dict[tuple[str, str], RerankResult] = {}
        self._versions: dict[tuple[str, str], VersionResult] = {}

    def rerank(
        self,
        hits: Sequence[Candidate],
        query: Query,
        *,
        gallery: PictureSource,
        instruments: ModelBundle,
        rule: VerdictRule | None,
        store: ResultStore | None = None,
    ) -> list[Candidate]:
        """The same hits with further scores and the new assessment by the search's `rule`.

        A hit whose picture is missing or damaged keeps its verdict; its further scores are None.
        Results are read from `store` and kept there.
        """
        key = result_key(query, instruments, self._measurements)
        if self._others or not set(self._measurements) <= set(RERANK_MEASURES):
            store = None  # they depend on more than the key says
        if store is not None:
            for name, text in store.closer_looks(key, [_name(hit) for hit in hits]).items():
                self._known[key, name] = RerankResult.from_text(text)
        new = [hit for hit in hits if not _serves(self._known.get((key, _name(hit))), rule)]
        done = len(hits) - len(new)
        self._on_progress(done, len(hits))
        look = _CloserLook(
            query, gallery, instruments, self._measurements, rule, others=self._others
        )
        batches = list(_batches(new, gallery))
        for batch, results in zip(batches, map_on_cores(look.measured, batches), strict=True):
            measured = {_name(hit): it for hit, it in zip(batch, results, strict=True) if it}
            self._known |= {(key, name): it for name, it in measured.items()}
            if store is not None:
                store.keep_closer_looks(key, {name: it.to_text() for name, it in measured.items()})
            done += len(batch)
            self._on_progress(done, len(hits))
        seen = [self._known.get((key, _name(hit))) for hit in hits]
        versions = self._with_versions(key, look, hits, seen, store)
        # The scores of a missing picture are None rather than absent.
        missing = dict.fromkeys(
            [
                VERDICT_STABILITY,
                *VERSION_SCORE_NAMES,
                *(name for each in seen if each for name in each.scores),
            ]
        )
        return [
            _judged(hit, each, found, missing, rule=rule)
            for hit, each, found in zip(hits, seen, versions, strict=True)
        ]

    def _with_versions(
        self,
        key: str,
        look: "_CloserLook",
        hits: Sequence[Candidate],
        seen: Sequence[RerankResult | None],
        store: ResultStore | None,
    ) -> list[VersionResult]:
        """Other versions of the hits' photographs, kept as long as the collection is the same."""
        pictures = look.pictures
        finder = VersionFinder(pictures, look.read, rule=look.rule)
        key = f"{key} {finder.collection_key}"
        if store is not None:
            for name, text in store.closer_looks(key, [_name(hit) for hit in hits]).items():
                if (kept := VersionResult.from_text(text, pictures)) is not None:
                    self._versions[key, name] = kept
        new = dict[str, VersionResult]()
        for hit, known in zip(hits, seen, strict=True):
            if (key, _name(hit)) not in self._versions and known is not None:
                new[_name(hit)] = look.version(hit, known, finder)
        self._versions |= {(key, name): it for name, it in new.items()}
        if store is not None:  # a missing file may come back
            texts = {name: it.to_text() for name, it in new.items() if it.missing is None}
            store.keep_closer_looks(key, texts)
        return [self._versions.get((key, _name(hit)), NOT_TESTED) for hit in hits]


def _name(hit: Candidate) -> str:
    """What a hit's result is kept by: its face, and for a video the means over its frames."""
    if hit.moment is None:
        return hit.record.id
    means = json.dumps(hit.scores, sort_keys=True).encode()
    return f"{hit.record.id} {hashlib.sha256(means).hexdigest()}"


def _serves(result: RerankResult | None, rule: VerdictRule | None) -> bool:
    """Whether a known result holds all that a rule needs: its edge rises with the gallery."""
    return result is not None and (rule is None or result.identity_edge <= rule.identity_band.high)


def _batches(hits: Sequence[Candidate], pictures: PictureSource) -> Iterator[list[Candidate]]:
    batch, pixels = list[Candidate](), 0
    images = pictures.images(hit.record.image_id for hit in hits)
    for hit in hits:
        image = images[hit.record.image_id]
        size = image.width * image.height
        if batch and (len(batch) == BATCH_HITS or pixels + size > BATCH_PIXELS):
            yield batch
            batch, pixels = [], 0
        batch.append(hit)
        pixels += size
    if batch:
        yield batch


@dataclass(frozen=True, eq=False)
class _CloserLook:
    """The closer look at hits of one query; what concerns the query is computed once."""

    query: Query
    pictures: PictureSource
    models: ModelBundle
    measurements: Sequence[RerankMeasure]
    rule: VerdictRule | None
    others: bool = False
    results: QueryResults = field(default_factory=QueryResults)
    decoded: dict[str, np.ndarray] = field(default_factory=dict)

    def read(self, image_id: str) -> np.ndarray | None:
        """The indexed picture, decoded once while there is room; None if its file is gone."""
        if image_id not in self.decoded:
            pixels = _picture(self.pictures, image_id, self.query)
            if pixels is None or sum(it.nbytes for it in [*self.decoded.values()]) > DECODED_BYTES:
                return pixels
            self.decoded[image_id] = pixels
        return self.decoded[image_id]

    def measured(self, hits: Sequence[Candidate]) -> list[RerankResult | None]:
        """The results of hits; None for a picture that is missing or damaged."""
        photos = self.results.once("photos", lambda: tuple(iter_readable_photos(self.query)))
        found = [self.read(hit.record.image_id) for hit in hits]
        there = [
            (
                row,
                RerankInput(
                    pixels, hits[row].record.face, hits[row].scores, self.query, photos,
                    self.models, query_results=self.results,
                ),
            )
            for row, pixels in enumerate(found)
            if pixels is not None
        ]  # fmt: skip
        results = list[RerankResult | None]([None] * len(hits))
        looked = self._look([look for _, look in there], [hits[row] for row, _ in there])
        for (row, _), result in zip(there, looked, strict=True):
            results[row] = result
        return results

    def version(self, hit: Candidate, known: RerankResult, finder: VersionFinder) -> VersionResult:
        """Another version of a hit's photograph, by all its scores."""
        pixels = None
        if self.rule is not None:
            pixels = self.read(hit.record.image_id)
        if pixels is None:
            return NOT_TESTED
        scores = {**hit.scores, **known.scores}
        look = RerankInput(pixels, hit.record.face, scores, self.query, (), self.models)
        return finder.find(look, hit.record)

    def _asked(self, look: RerankInput) -> RerankInput:
        """The input of a hit; of another person only whether it is a query photo is asked."""
        rule = self.rule
        may_be_forged = look.face.quality.usable and (
            rule is None or rule.identity_place(look.scores) != "low"
        )
        if self.others or may_be_forged:
            return look
        return replace(look, requested_scores=frozenset(ALIGNMENT_SCORE_NAMES))

    def _look(self, looks: Sequence[RerankInput], hits: Sequence[Candidate]) -> list[RerankResult]:
        further: list[dict[str, float | None]] = [{} for _ in looks]
        again, alignments, rule = list[RerankMeasure](), list[RerankMeasure](), self.rule
        asked = [self._asked(look) for look in looks]
        for measurement in self.measurements if looks else ():
            given = measurement(asked)
            for scores, more in zip(further, given, strict=True):
                scores.update(more)
            names = frozenset(name for each in given for name in each)
            if rule is not None and rule.needs & names:
                (alignments if SAME_PHOTOGRAPH in names else again).append(measurement)
        if rule is None:  # no verdict to test
            return [RerankResult(scores, {}) for scores in further]
        tested, needs = [row for row, hit in enumerate(hits) if _can_turn(hit)], rule.needs
        whole = {row: {**looks[row].scores, **further[row]} for row in tested}
        for row in tested:
            if hits[row].moment is not None:  # as in `_judged`
                whole[row][SAME_PHOTOGRAPH] = None
        retaken = scores_under_perturbation(
            [replace(looks[row], scores=whole[row], requested_scores=needs) for row in tested],
            measurements=again,
            alignments=alignments,
            videos=[hits[row].moment is not None for row in tested],
            needed=rule.forgery_scores,
        )
        perturbed = {
            row: {name: _changed(taken, whole[row]) for name, taken in takes.items()}
            for row, takes in zip(tested, retaken, strict=True)
        }
        edge = rule.identity_band.high
        return [
            RerankResult(scores, perturbed.get(row, {}), edge) for row, scores in enumerate(further)
        ]


def _changed(scores: Scores, before: Scores) -> Scores:
    return {name: value for name, value in scores.items() if value != before.get(name)}


def _can_turn(hit: Candidate) -> bool:
    """Whether there is a verdict that a retake could turn."""
    return hit.record.face.quality.usable


def _judged(
    hit: Candidate,
    seen: RerankResult | None,
    found: VersionResult,
    missing: Scores,
    *,
    rule: VerdictRule | None,
) -> Candidate:
    scores = {**missing, **hit.scores}
    if seen is None or rule is None:
        return replace(hit, scores={**scores, **(seen.scores if seen else {})})
    scores |= {**seen.scores, **found.scores}
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
        version=found.version, missing_version=found.missing,
    )  # fmt: skip


def _picture(pictures: PictureSource, image_id: str, query: Query) -> np.ndarray | None:
    """The indexed picture, from any path where it still exists; None if there is none."""
    moment = pictures.image(image_id).moment
    for path in pictures.paths_of(image_id):
        with contextlib.suppress(UnreadableImage):
            known = query.decoded.get(path) if moment is None else None
            if known is not None and known.id == image_id:
                return known.pixels
            return recorded_photo(path, image_id, None if moment is None else moment.time_s).pixels
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
