"""The search: a measured query against a gallery, to ranked, assessed, explained hits.

candidates -> raw scores -> assessment -> the best face of an image -> order -> hits. What the
Python API, the command line and the assistant's tools share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tools.calibration import Scores
from tools.comparison import columns, compare
from tools.detectors import Detector
from tools.encoder import Encoder
from tools.evidence import collect
from tools.faces import FaceAnalyser
from tools.findings import Findings, Hit, count_verdicts
from tools.gallery import Gallery
from tools.index import Index
from tools.plain_writer import explain, render
from tools.query import Query
from tools.records import FaceRecord
from tools.verdict import UNFITTED, Assessment, Rule

CANDIDATES = 1000
"""Faces nearest to the query that are scored; the index finds them, the record re-ranks them."""

Scored = tuple[FaceRecord, dict[str, float | None], Assessment]


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
        scored = _score(gallery, index, query, instruments)
    ranked = sorted(_best_face_per_image(scored), key=_order)
    shown = ranked[:top]
    hits = [
        _hit(gallery, rank, found, rule=instruments.rule)
        for rank, found in enumerate(shown, start=1)
    ]
    findings = Findings(
        query_paths=query.paths,
        query_ids=query.photo_ids,
        gallery=gallery.name,
        profile=instruments.profile,
        hits=tuple(hits),
        compared=len(ranked),
        counts=count_verdicts([assessment.verdict for _, _, assessment in ranked]),
        images_without_face=gallery.counts().without_face,
        warnings=(*query.warnings, *index.notices),
    )
    return Search(findings, query, tuple(record for record, _, _ in shown))


def _score(gallery: Gallery, index: Index, query: Query, instruments: Instruments) -> list[Scored]:
    nearest = index.search(query.template, CANDIDATES)
    records = gallery.faces([match.face_id for match in nearest])
    rows = compare(query, columns(gallery, records), detectors=instruments.detectors)
    return [
        (record, scores, _assess(scores, record, instruments.rule))
        for record, scores in zip(records, rows, strict=True)
    ]


def _assess(scores: Scores, record: FaceRecord, rule: Rule | None) -> Assessment:
    if rule is None:
        return UNFITTED
    return rule.assess(scores, usable=record.face.quality.usable)


def _hit(gallery: Gallery, rank: int, found: Scored, *, rule: Rule | None) -> Hit:
    record, scores, assessment = found
    evidence = collect(scores, rule.references if rule else {}, rule=rule)
    left, top, right, bottom = (float(edge) for edge in record.face.box)
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
        evidence=evidence,
        explanation=render(explain(assessment, evidence)),
    )


def _best_face_per_image(scored: Sequence[Scored]) -> list[Scored]:
    """One hit an image: the face most like the query; the others in it are somebody else's."""
    best: dict[str, Scored] = {}
    for found in scored:
        known = best.get(found[0].image_id)
        if known is None or _similarity(found) > _similarity(known):
            best[found[0].image_id] = found
    return list(best.values())


def _similarity(found: Scored) -> float:
    value = found[1].get("cosine_similarity")
    return -2.0 if value is None else value


def _order(found: Scored) -> tuple[int, float, float, str]:
    """By probability of impersonation; copies of the query, then what was not assessed, last."""
    record, _, assessment = found
    group = {"copy": 1, "not assessed": 2}.get(assessment.verdict, 0)
    return (
        group, -(assessment.impersonation_probability or 0.0), -_similarity(found), record.id
    )  # fmt: skip
