"""Search results picture by picture, the basis of all impersonation figures.

Computed here for a measured data set in the same way as in the application: nearest candidates,
scores against the query, the rule's verdicts, its order. `evals.suites.impersonation.benchmark`
gets the same from the application itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.datasets.manifest import ManifestRow
from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models
from evals.protocol.protocol import (
    RELEVANT,
    RelationToQuery,
    RetrievalPlan,
    RetrievalQuery,
    body_owners,
    relation_to_query,
)
from tools.gallery.records import FramePosition
from tools.search.aggregation import Candidate, aggregate_candidates, assess_scores, ranking_key
from tools.search.query import Query
from tools.search.scoring import score_faces
from tools.search.search import CANDIDATES
from tools.verdict.rule import Verdict, VerdictRule


@dataclass(frozen=True, slots=True)
class RankedImage:
    """A gallery picture in one query's results; `rank` from 1 is its place in the application's
    list.

    `id` is its file, `tie` breaks ties. `same` and `fake` are calibrated probabilities, None if not
    measured; `fake` is the rule's with the query. `body_owner`: an authentic photo of a person on
    whose body a forgery shows the queried person's face.
    """

    id: str
    tie: str
    kind: RelationToQuery
    method: str
    verdict: Verdict
    same: float | None
    fake: float | None
    rank: int
    body_owner: bool = False

    @property
    def relevant(self) -> bool:
        """Whether it is forged and depicts the queried person."""
        return self.kind == RELEVANT


@dataclass(frozen=True, slots=True)
class MissedImage:
    """A relevant picture that is in no list: no face was found in it, or it is too dissimilar."""

    id: str
    method: str
    face_found: bool


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One search: the person and the query photos, the ranked results, and the missed pictures.

    If no query photo has a measurable face, everything is missed.
    """

    person: str
    photos: tuple[str, ...]
    judged: tuple[RankedImage, ...]
    missed: tuple[MissedImage, ...]
    measurable: bool = True

    @property
    def relevant(self) -> int:
        """Number of relevant pictures in the gallery, found or not."""
        return sum(one.relevant for one in self.judged) + len(self.missed)


def run_queries(
    measured: MeasuredDataset, plan: RetrievalPlan, options: EvalOptions
) -> list[SearchResult]:
    """Run all queries of a plan over the measured rows."""
    found = measured.found
    gallery = _Gallery(measured, np.array([i for i in plan.gallery if found[i]], int))
    made = []
    for number, question in enumerate(plan.questions):
        options.progress(number, len(plan.questions), "asking")
        made.append(_answer(measured, plan, question, gallery))
    return made


class _Gallery:
    """The gallery's faces: indices (g,) of rows, and embeddings (g, e)."""

    def __init__(self, measured: MeasuredDataset, indices: np.ndarray) -> None:
        self.indices = indices
        self.files = [measured.rows[index].path for index in indices]
        self.embeddings = measured.embeddings[indices]

    def nearest(self, query: Query) -> dict[str, list[int]]:
        """Rows of the files that the application would examine, most similar first."""
        nearest: dict[str, list[int]] = {}
        for place in np.argsort(-(self.embeddings @ query.template), kind="stable"):
            file = self.files[place]
            if file in nearest or len(nearest) < CANDIDATES:
                nearest.setdefault(file, []).append(int(self.indices[place]))
        return nearest


def _answer(
    measured: MeasuredDataset, plan: RetrievalPlan, question: RetrievalQuery, gallery: _Gallery
) -> SearchResult:
    person, photos = question.person, tuple(measured.ids[i] for i in question.references)
    judged: list[RankedImage] = []
    if question.references:
        query = measured.query(question.references)
        judged = _judged(measured, person, query, gallery)
    listed, missed = {one.id for one in judged}, dict[str, MissedImage]()
    for index, row in ((index, measured.rows[index]) for index in plan.gallery):
        if relation_to_query(person, row) == RELEVANT and row.path not in listed:
            found = bool(measured.found[index]) or (
                row.path in missed and missed[row.path].face_found
            )
            missed[row.path] = MissedImage(row.path, row.method or "", found)
    return SearchResult(
        person, photos, tuple(judged), tuple(missed.values()), bool(question.references)
    )


def _judged(
    measured: MeasuredDataset, person: str, query: Query, gallery: _Gallery
) -> list[RankedImage]:
    """A gallery compared with a query, in the application's order; a video is judged as a whole."""
    owners, files = body_owners(person, measured.rows), gallery.nearest(query)
    rule = load_models().rule
    rule = None if rule is None else rule.for_gallery_size(len(gallery.indices))
    candidates = _candidates(measured, query, [i for rows in files.values() for i in rows], rule)
    ranked = sorted(
        ((_of_file([candidates[i] for i in rows], rule), rows[0]) for rows in files.values()),
        key=lambda one: (ranking_key(one[0]), measured.ids[one[1]]),
    )
    return [
        _seen(it, measured.rows[index], person, rank=rank, owners=owners)
        for rank, (it, index) in enumerate(ranked, start=1)
    ]


def _candidates(
    measured: MeasuredDataset, query: Query, rows: Sequence[int], rule: VerdictRule | None
) -> dict[int, Candidate]:
    some = measured.take(rows)
    compared = score_faces(query, some.columns, detectors=load_models().detectors)
    return {
        row: Candidate(
            face, scores, assess_scores(scores, usable=face.face.quality.usable, rule=rule)
        )
        for row, face, scores in zip(rows, some.faces, compared, strict=True)
        if face is not None
    }


def _of_file(frames: Sequence[Candidate], rule: VerdictRule | None) -> Candidate:
    """The candidate of a picture or a video, as in the application."""
    if len(frames) == 1:
        return frames[0]
    moments = {
        frame.record.image_id: FramePosition("video", float(number))
        for number, frame in enumerate(frames)
    }
    (whole,) = aggregate_candidates(frames, moments, rule=rule)
    return whole


def _seen(
    it: Candidate, row: ManifestRow, person: str, *, rank: int, owners: set[str]
) -> RankedImage:
    given = it.assessment
    return RankedImage(
        row.path, row.path, relation_to_query(person, row), row.method or "", given.verdict,
        given.identity_probability, given.fake_probability, rank,
        row.label == "real" and row.depicted_id in owners,
    )  # fmt: skip
