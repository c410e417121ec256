"""What every search answered, picture by picture: the common ground of all figures.

Made here for a measured data set, as the application searches: the nearest candidates, scores
against the query, the rule's verdicts, its order. `evals.suites.impersonation.casework` makes the
same out of the application itself.
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
    """A gallery picture as one query sees it; `rank` from 1 is its place in the application's list.

    `id` is its file, `tie` orders equals. `same` and `fake` are calibrated probabilities, None
    where not measured; `fake` is that of the rule, which looks at the query too. `body_owner`: an
    authentic photo of somebody on whose body a forgery shows the person's face.
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
        """Forged, and depicting the person asked for."""
        return self.kind == RELEVANT


@dataclass(frozen=True, slots=True)
class MissedImage:
    """A relevant picture that no list holds: no face was found in it, or it is too unlike."""

    id: str
    method: str
    face_found: bool


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One search: who was asked for with which photos, what came back in order, what did not.

    Where no photo of the person shows a face that can be measured, everything was missed.
    """

    person: str
    photos: tuple[str, ...]
    judged: tuple[RankedImage, ...]
    missed: tuple[MissedImage, ...]
    measurable: bool = True

    @property
    def relevant(self) -> int:
        """How many relevant pictures the gallery holds, found or not."""
        return sum(one.relevant for one in self.judged) + len(self.missed)


def run_queries(
    measured: MeasuredDataset, plan: RetrievalPlan, options: EvalOptions
) -> list[SearchResult]:
    """Ask every question of a plan over the rows that were measured."""
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
        """Rows of the files that the application would look at, the most alike first."""
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
    """A gallery against a query, in the application's order; a video is judged as a whole."""
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
    """A picture's candidate, or that of a video, as the application judges one."""
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
