"""The search: a measured query against a gallery, to ranked, assessed, explained hits.

candidates -> raw scores -> assessment -> one for each image or video -> order -> hits. What the
Python API, the command line and the assistant's tools share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tools.comparison import columns, compare
from tools.detectors import Detector
from tools.encoder import Encoder
from tools.evidence import Evidence, collect
from tools.faces import FaceAnalyser
from tools.findings import Findings, Hit, count_verdicts
from tools.gallery import Gallery
from tools.index import Index, Match
from tools.plain_writer import explain, render
from tools.query import Query
from tools.records import FaceRecord, Moment
from tools.sightings import Candidate, assess, best_of_each, order
from tools.verdict import Rule

CANDIDATES = 1000
"""Faces nearest to the query that are scored; the index finds them, the record re-ranks them."""

MOST_CANDIDATES = 8000
"""As many when videos hold most of the nearest: one person in one video is hundreds of faces."""


class Instruments(Protocol):
    """What a profile measures with; loaded once and shared, nothing of a case lives there."""

    @property
    def profile(self) -> str:
        """The profile's name."""

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """sha256 per part that embeds; binds a gallery to its checkpoints."""

    @property
    def faces(self) -> FaceAnalyser:
        """Detection, landmarks, quality and embeddings."""

    @property
    def encoder(self) -> Encoder:
        """CLIP features."""

    @property
    def detectors(self) -> Sequence[Detector]:
        """Scores of authenticity over the encoder's features."""

    @property
    def rule(self) -> Rule | None:
        """The fitted verdict rule; None while the profile's calibration was never fitted."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """A search with what it rests on: the findings, the query, and the record of every hit."""

    findings: Findings
    query: Query
    records: tuple[FaceRecord, ...]


def search(gallery: Gallery, query: Query, *, instruments: Instruments, top: int) -> Search:
    """Rank the gallery by the probability that a face impersonates the query person.

    At most `top` hits are returned; the counts cover everything that was compared.
    """
    with Index.open(gallery) as index:
        records, moments = _nearest(gallery, index, query)
    rows = compare(query, columns(gallery, records), detectors=instruments.detectors)
    rule = instruments.rule
    scored = [
        Candidate(record, row, assess(row, usable=record.face.quality.usable, rule=rule))
        for record, row in zip(records, rows, strict=True)
    ]
    ranked = sorted(best_of_each(scored, moments, rule=rule), key=order)
    shown = ranked[:top]
    hits = [_hit(gallery, rank, found, rule=rule) for rank, found in enumerate(shown, start=1)]
    findings = Findings(
        query_paths=query.paths,
        query_ids=query.photo_ids,
        gallery=gallery.name,
        profile=instruments.profile,
        hits=tuple(hits),
        compared=len(ranked),
        counts=count_verdicts([found.assessment.verdict for found in ranked]),
        images_without_face=gallery.counts().without_face,
        warnings=(*query.warnings, *index.notices),
        videos=sum(found.moment is not None for found in ranked),
    )
    return Search(findings, query, tuple(found.record for found in shown))


def _nearest(
    gallery: Gallery, index: Index, query: Query
) -> tuple[list[FaceRecord], dict[str, Moment]]:
    """The nearest faces, and which of their pictures are frames of which videos.

    More where there are videos, until as many different files as `CANDIDATES` are among them.
    """
    wanted = CANDIDATES
    while True:
        nearest = index.search(query.template, wanted)
        images = list(dict.fromkeys(_image_id(match) for match in nearest))
        moments = gallery.moments(images)
        files = len(images) - len(moments) + len({each.video_id for each in moments.values()})
        enough = not moments or files >= CANDIDATES or len(nearest) < wanted
        if enough or wanted >= MOST_CANDIDATES:
            break
        wanted = min(2 * wanted, MOST_CANDIDATES)
    # What was overwritten with something else lies nowhere any more: there is nothing to show.
    files_of = {image: moments[image].video_id if image in moments else image for image in images}
    held = gallery.with_files(set(files_of.values()))
    faces = [match.face_id for match in nearest if files_of[_image_id(match)] in held]
    return gallery.faces(faces), moments


def _image_id(match: Match) -> str:
    return match.face_id.rpartition(":")[0]


def _hit(gallery: Gallery, rank: int, found: Candidate, *, rule: Rule | None) -> Hit:
    record, assessment = found.record, found.assessment
    evidence = collect(found.scores, rule.references if rule else {}, rule=rule)
    left, top, right, bottom = (float(edge) for edge in record.face.box)
    moment = found.moment
    return Hit(
        rank=rank,
        face_id=record.id,
        image_id=record.image_id,
        # A file that is gone leaves its last known place: its faces are still a finding.
        paths=tuple(
            gallery.paths_of(record.image_id) or gallery.paths_of(record.image_id, gone=True)
        ),
        box=(left, top, right, bottom),
        keypoints=tuple((float(x), float(y)) for x, y in record.face.keypoints),
        assessment=assessment,
        evidence=tuple(map(_over_frames, evidence)) if len(found.moments) > 1 else evidence,
        explanation=render(explain(assessment, evidence)),
        time_s=moment.time_s if moment else None,
        moments=found.moments,
        frames_seen=found.frames_seen,
        frames=len(gallery.frames_of(moment.video_id)) if moment else None,
    )


def _over_frames(item: Evidence) -> Evidence:
    return replace(item, method=f"{item.method}; {OVER_FRAMES}")


OVER_FRAMES = "the mean over the frames of the video in which the person was, or may be, seen"
"""What is added to the method of every measurement of a video."""
