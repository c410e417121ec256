"""Search a gallery with a query: retrieve, score, assess, rank, rerank and explain hits.

candidates -> raw scores -> assessment -> one per picture or video -> order -> reranking of the
hits shown -> order -> hits. The Python API, the command line and the assistant's tools all use it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tools.gallery.access_log import NOT_LOGGED, record_access
from tools.gallery.closer_looks import StoredLooks
from tools.gallery.indexing import free_memory
from tools.gallery.record_store import Gallery
from tools.gallery.records import FaceRecord, FramePosition
from tools.gallery.vector_index import FaceIndex, Neighbour
from tools.media.videos.animations import MULTIPAGE_FORMATS
from tools.search.aggregation import Candidate, aggregate_candidates, assess_scores, ranking_key
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.other_version import OtherVersion
from tools.search.reranking.reranker import MAX_RERANKED_HITS, MIN_RERANKED_HITS, Reranker
from tools.search.reranking.stability import VERDICT_STABILITY
from tools.search.results import (
    MOST_UNASSESSED,
    Findings,
    Hit,
    HitVersion,
    Unassessed,
    count_verdicts,
)
from tools.search.scoring import PictureSource, score_faces, to_columns
from tools.verdict.evidence import RERANK_ONLY_MEASURES, Evidence, collect_evidence
from tools.verdict.rule import VerdictRule
from tools.verdict.template_writer import render

CANDIDATES = 1000
"""Number of nearest faces scored; the index finds them, the record store re-ranks them."""

NOT_RERANKED = (
    "quick search: the proof by another version of a picture, the further detectors and the test "
    "by mild compression, resizing and blur were skipped, so verdicts and numbers differ from "
    "those of the full search"
)
"""Notice of a search without reranking, whose findings are provisional."""

MAX_CANDIDATES = 8000
"""The limit if videos hold most of the nearest faces: a person in one video gives hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchOutcome:
    """A search result with its basis: the findings, the query, and the record of every hit."""

    findings: Findings
    query: Query
    records: tuple[FaceRecord, ...]


def search(
    gallery: Gallery,
    query: Query,
    *,
    instruments: ModelBundle,
    top: int,
    reranker: Reranker | None = None,
    user: str = "",
    on_ranked: Callable[[Findings], None] | None = None,
) -> SearchOutcome:
    """Rank the gallery by the probability that a face impersonates the query person.

    The gallery's access log records the search, by `user` (the chat's login) or the process's user.
    Returns at most `top` hits. If `reranker` is given, the leading ones are reranked: at least
    `MIN_RERANKED_HITS`, however few are returned, and at most `MAX_RERANKED_HITS`. The counts cover
    everything that was compared. `on_ranked` gets the findings before the reranking, whose
    verdicts are provisional.
    """
    logged = record_access(gallery.folder, "search", who=user)
    with FaceIndex.open(gallery) as index:
        records, moments = _nearest(gallery, index, query)
    held = gallery.counts()
    faces = held.faces
    rule = None if instruments.rule is None else instruments.rule.for_gallery_size(faces)
    scored = score_records(gallery, records, query, instruments=instruments, rule=rule)
    ranked = sorted(aggregate_candidates(scored, moments, rule=rule), key=ranking_key)

    def findings() -> Findings:
        shown = enumerate(ranked[:top], start=1)
        return Findings(
            query_paths=query.paths,
            query_ids=query.photo_ids,
            gallery=gallery.name,
            profile=instruments.profile,
            hits=tuple(to_hit(gallery, rank, found, rule=rule) for rank, found in shown),
            compared=len(ranked),
            counts=count_verdicts([found.assessment.verdict for found in ranked]),
            images_without_face=held.without_face,
            videos_without_face=held.videos_without_face,
            warnings=(
                *query.warnings,
                *index.notices,
                *gallery.notices,
                *instruments.notices,
                *(() if logged else (NOT_LOGGED,)),
                *(() if reranker is not None else (NOT_RERANKED,)),
            ),
            videos=sum(found.moment is not None for found in ranked),
            faces=faces,
            retention=gallery.retention.text,
            unassessed=tuple(_unassessed(gallery, ranked)),
        )

    if reranker is not None:
        if on_ranked is not None:
            on_ranked(findings())
        # A short list is the head of the usual one: which hits lead is known only afterwards.
        count = min(max(top, MIN_RERANKED_HITS), MAX_RERANKED_HITS)
        leading, others = ranked[:count], ranked[count:]
        seen = reranker.rerank(
            leading, query, gallery=gallery, instruments=instruments, rule=rule,
            store=StoredLooks(gallery.folder),
        )  # fmt: skip
        ahead = sorted([*seen, *others[: max(top - count, 0)]], key=ranking_key)
        ranked = [*ahead, *others[max(top - count, 0) :]]
        free_memory.trim_malloc()  # a page answers many searches, and each leaves other holes
    return SearchOutcome(findings(), query, tuple(found.record for found in ranked[:top]))


def numbered_as_before(found: SearchOutcome, face_ids: Sequence[str]) -> SearchOutcome:
    """The same search with these faces first, in this order, and the others behind, by rank.

    So a longer list of one search leaves every number what it was. A note names the hits whose
    number is not their rank.
    """
    places = {face: place for place, face in enumerate(face_ids)}
    pairs = sorted(
        zip(found.findings.hits, found.records, strict=True),
        key=lambda pair: (places.get(pair[0].face_id, len(places)), pair[0].rank),
    )
    hits = tuple(replace(hit, rank=rank) for rank, (hit, _) in enumerate(pairs, start=1))
    moved = [
        hit.handle
        for hit, (was, _) in zip(hits, pairs, strict=True)
        if was.rank < hit.rank and hit.face_id not in places
    ]
    warnings = found.findings.warnings
    if moved:
        warnings = (*warnings, f"listed later, but ranked before earlier hits: {', '.join(moved)}")
    findings = replace(found.findings, hits=hits, warnings=warnings)
    return replace(found, findings=findings, records=tuple(record for _, record in pairs))


def _unassessed(gallery: Gallery, ranked: Sequence[Candidate]) -> Iterator[Unassessed]:
    last = [it.record for it in ranked if it.assessment.verdict == "not assessed"]
    for record in last[:MOST_UNASSESSED]:
        paths, quality = _files(gallery, record.image_id)[0], record.face.quality
        yield Unassessed(record.image_id, paths[0], quality.problems, quality.interocular_px)


def score_records(
    pictures: PictureSource,
    records: Sequence[FaceRecord],
    query: Query,
    *,
    instruments: ModelBundle,
    rule: VerdictRule | None,
) -> list[Candidate]:
    """Score faces against a query and assess them by the search's `rule`."""
    rows = score_faces(query, to_columns(pictures, records), detectors=instruments.detectors)
    for record, row in zip(records, rows, strict=True):
        if record.image_id in query.photo_ids:  # identical bytes need no alignment
            row["query/same_photograph"] = 1.0
    return [
        Candidate(record, row, assess_scores(row, usable=record.face.quality.usable, rule=rule))
        for record, row in zip(records, rows, strict=True)
    ]


def _nearest(
    gallery: Gallery, index: FaceIndex, query: Query
) -> tuple[list[FaceRecord], dict[str, FramePosition]]:
    """The nearest faces, and the video positions of those of their pictures that are frames.

    If there are videos, retrieves more faces until they come from `CANDIDATES` different files.
    """
    wanted = CANDIDATES
    while True:
        nearest = index.search(query.template, wanted)
        images = list(dict.fromkeys(_image_id(match) for match in nearest))
        moments = gallery.moments(images)
        files = len(images) - len(moments) + len({each.video_id for each in moments.values()})
        enough = not moments or files >= CANDIDATES or len(nearest) < wanted
        if enough or wanted >= MAX_CANDIDATES:
            break
        wanted = min(2 * wanted, MAX_CANDIDATES)
    # Pictures whose files were overwritten with other content have nothing to show.
    files_of = {image: moments[image].video_id if image in moments else image for image in images}
    held = gallery.with_files(set(files_of.values()))
    faces = [match.face_id for match in nearest if files_of[_image_id(match)] in held]
    return gallery.faces(faces), moments


def _image_id(match: Neighbour) -> str:
    return match.face_id.rpartition(":")[0]


def to_hit(
    pictures: PictureSource, rank: int, found: Candidate, *, rule: VerdictRule | None
) -> Hit:
    """A ranked candidate as a hit, with its evidence and its explanation."""
    record, assessment = found.record, found.assessment
    evidence = collect_evidence(found.scores, rule.references if rule else {}, rule=rule)
    moment = found.moment
    paths, state = _files(pictures, record.image_id)
    version = None if found.version is None else _version(pictures, found.version)
    lost = found.missing_version
    gone = None if lost is None else _files(pictures, lost)[0][0]
    hit = Hit(
        rank=rank,
        face_id=record.id,
        image_id=record.image_id,
        paths=paths,
        file_missing=state == _MISSING,
        file_replaced=state == _REPLACED,
        box=_box(record.face.box),
        keypoints=tuple((float(x), float(y)) for x, y in record.face.keypoints),
        assessment=assessment,
        evidence=tuple(_told_how(item, found) for item in evidence),
        explanation="",
        time_s=moment.time_s if moment else None,
        moments=found.moments,
        frames_seen=found.frames_seen,
        frames=len(pictures.frames_of(moment.video_id)) if moment else None,
        face_hash=record.face_hash,
        paged=_is_paged(pictures, moment),
        version=version,
        missing_version=gone,
    )
    return replace(hit, explanation=render(hit.explain()))


def _version(pictures: PictureSource, found: OtherVersion) -> HitVersion:
    image_id = found.face.image_id
    moment = pictures.image(image_id).moment
    paths, state = _files(pictures, image_id)
    (a, b, c), (d, e, f) = found.matrix.tolist()
    return HitVersion(
        image_id,
        paths,
        state == _MISSING,
        box=_box(found.face.face.box),
        place=_box(found.place),
        matrix=((a, b, c), (d, e, f)),
        time_s=moment.time_s if moment else None,
        paged=_is_paged(pictures, moment),
    )


def _box(box: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = (float(edge) for edge in box)
    return left, top, right, bottom


def _is_paged(pictures: PictureSource, moment: FramePosition | None) -> bool:
    return moment is not None and pictures.image(moment.video_id).format in MULTIPAGE_FORMATS


_HERE, _REPLACED, _MISSING = range(3)
"""What may be found where a picture was indexed: itself, another content, or nothing."""


def _files(pictures: PictureSource, image_id: str) -> tuple[tuple[Path, ...], int]:
    """The paths of a picture, those that hold it first, and what is found at the first.

    A deleted file keeps its last known path: its faces are still a finding.
    """
    known = pictures.paths_of(image_id) or pictures.paths_of(image_id, gone=True)

    def state(path: Path) -> int:
        if pictures.holds(path, image_id):
            return _HERE
        return _REPLACED if path.is_file() else _MISSING

    states = {path: state(path) for path in known}
    paths = sorted(known, key=states.__getitem__)
    return tuple(paths), states[paths[0]]


def _told_how(item: Evidence, found: Candidate) -> Evidence:
    """The evidence with notes on its method that apply to this hit."""
    said = [item.method]
    if item.score == VERDICT_STABILITY and found.changed_by:
        said.append(f"it changed after {' and '.join(found.changed_by)}")
    if found.moment is not None and item.score in _FURTHER:
        said.append(ON_ONE_FRAME)
    elif len(found.moments) > 1:
        said.append(OVER_FRAMES)
    return replace(item, method="; ".join(said))


_FURTHER = frozenset(measure.score for measure in RERANK_ONLY_MEASURES)

OVER_FRAMES = "the mean over the frames of the video in which the person was, or may be, seen"
"""Added to the method of a video's measurements."""

ON_ONE_FRAME = "on the strongest frame of the video"
"""Added instead if only the strongest frame was measured."""
