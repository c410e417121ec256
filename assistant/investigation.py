"""Query -> candidates -> scores -> verdicts -> explained hits: what every entry point shares.

`Unmask().index(folders)` fills a gallery; `Unmask().find(photos).hits` are ranked and explained.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from assistant.findings import Findings, Hit, count_verdicts
from assistant.grounding import explain, render
from assistant.parts import Parts
from assistant.settings import Settings
from tools.calibration import Scores
from tools.comparison import columns, compare
from tools.evidence import collect
from tools.gallery import Gallery
from tools.index import Index
from tools.indexing import IndexProgress, IndexSummary, index_folders
from tools.query import Query, build_query
from tools.records import FaceRecord
from tools.verdict import UNFITTED, Assessment

CANDIDATES = 1000
"""Faces nearest to the query that are scored; the index finds them, the record re-ranks them."""

Scored = tuple[FaceRecord, dict[str, float | None], Assessment]


class Unmask:
    """Index folders into a gallery and search it for impersonations of a person.

    `settings` default to the environment's; `gallery` names the collection. Weights load on
    first use and are kept. Raises SetupError for what the person can fix (a missing gallery,
    missing checkpoints), ToolError for photos that cannot serve as a query.
    """

    def __init__(self, settings: Settings | None = None, gallery: str = "default") -> None:
        self.settings = settings or Settings.load()
        self.gallery_name = gallery

    @cached_property
    def parts(self) -> Parts:
        """The profile's checkpoints, loaded when first needed."""
        return Parts(self.settings)

    def index(
        self,
        folders: Sequence[Path | str],
        *,
        on_progress: Callable[[IndexProgress], None] | None = None,
    ) -> IndexSummary:
        """Add every image below `folders` to the gallery; what is known already costs nothing.

        Broken files are skipped and counted in the summary.
        """
        home, parts = self.settings.home, self.parts
        with (
            Gallery.open(home, self.gallery_name, fingerprint=parts.fingerprint) as gallery,
            Index.open(gallery) as index,
        ):
            return index_folders(
                [Path(folder) for folder in folders],
                gallery=gallery,
                index=index,
                faces=parts.faces,
                encoder=parts.encoder,
                threads=self.settings.threads,
                on_progress=on_progress,
            )

    def find(
        self, photos: Sequence[Path | str], *, top: int = 20, face: int | None = None
    ) -> Findings:
        """Rank the gallery by the probability that a face impersonates the person in `photos`.

        `photos` are authentic and show one person; `face` (1-based, left to right) says which,
        where a photo shows several. At most `top` hits are returned.
        """
        return self.investigate(photos, top=top, face=face)[0]

    def investigate(
        self, photos: Sequence[Path | str], *, top: int = 20, face: int | None = None
    ) -> tuple[Findings, Query]:
        """The same as `find`, with the measured query beside it, for a report."""
        parts = self.parts
        with Gallery.open_existing(
            self.settings.home, self.gallery_name, fingerprint=parts.fingerprint
        ) as gallery:
            paths = [Path(photo) for photo in photos]
            query = build_query(paths, faces=parts.faces, encoder=parts.encoder, face=face)
            with Index.open(gallery) as index:
                scored = self._score(gallery, index, query)
            ranked = sorted(_best_face_per_image(scored), key=_order)
            hits = [
                self._hit(gallery, rank, found) for rank, found in enumerate(ranked[:top], start=1)
            ]
            return self._findings(gallery, query, ranked, hits, notices=index.notices), query

    def _score(self, gallery: Gallery, index: Index, query: Query) -> list[Scored]:
        nearest = index.search(query.template, CANDIDATES)
        records = gallery.faces([match.face_id for match in nearest])
        rows = compare(query, columns(gallery, records), detectors=self.parts.detectors)
        return [
            (record, scores, self._assess(scores, record))
            for record, scores in zip(records, rows, strict=True)
        ]

    def _assess(self, scores: Scores, record: FaceRecord) -> Assessment:
        rule = self.parts.rule
        if rule is None:
            return UNFITTED
        return rule.assess(scores, usable=record.face.quality.usable)

    def _hit(self, gallery: Gallery, rank: int, found: Scored) -> Hit:
        record, scores, assessment = found
        references = self.parts.rule.references if self.parts.rule else {}
        evidence = collect(scores, references)
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

    def _findings(
        self, gallery: Gallery, query: Query, ranked: Sequence[Scored], hits: Sequence[Hit], *,
        notices: Sequence[str],
    ) -> Findings:  # fmt: skip
        return Findings(
            query_paths=query.paths,
            query_ids=query.photo_ids,
            gallery=self.gallery_name,
            profile=self.settings.profile,
            hits=tuple(hits),
            compared=len(ranked),
            counts=count_verdicts([assessment.verdict for _, _, assessment in ranked]),
            images_without_face=gallery.counts().without_face,
            warnings=(*query.warnings, *notices),
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
