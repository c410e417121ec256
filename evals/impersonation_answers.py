"""What every search answered, picture by picture: the common ground of all figures.

Made here for a measured data set, as the application searches: the nearest candidates, scores
against the query, the rule's verdicts, its order. `evals.impersonation_casework` makes the same
out of the application itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.measured import Measured, parts
from evals.options import EvalOptions
from evals.protocol import RELEVANT, Kind, Plan, Question, body_owners, kind
from tools.comparison import compare
from tools.query import Query
from tools.search import CANDIDATES
from tools.verdict import UNFITTED, Assessment, Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """A gallery picture as one query sees it; `rank` from 1 is its place in the application's list.

    `id` is its file, `tie` orders equals. `same` and `fake` are calibrated probabilities, None
    where not measured; `fake` is that of the rule, which looks at the query too. `body_owner`: an
    authentic photo of somebody on whose body a forgery shows the person's face.
    """

    id: str
    tie: str
    kind: Kind
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
class Missed:
    """A relevant picture that no list holds: no face was found in it, or it is too unlike."""

    id: str
    method: str
    face_found: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """One search: who was asked for with which photos, what came back in order, what did not.

    Where no photo of the person shows a face that can be measured, everything was missed.
    """

    person: str
    photos: tuple[str, ...]
    judged: tuple[Judged, ...]
    missed: tuple[Missed, ...]
    measurable: bool = True

    @property
    def relevant(self) -> int:
        """How many relevant pictures the gallery holds, found or not."""
        return sum(one.relevant for one in self.judged) + len(self.missed)


def answers(measured: Measured, plan: Plan, options: EvalOptions) -> list[Answer]:
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

    def __init__(self, measured: Measured, indices: np.ndarray) -> None:
        self.indices = indices
        self.embeddings = measured.embeddings[indices]

    def nearest(self, query: Query) -> np.ndarray:
        """Indices of the rows that the application would look at, the most alike first."""
        cosine = self.embeddings @ query.template
        order: np.ndarray = self.indices[np.argsort(-cosine, kind="stable")[:CANDIDATES]]
        return order


def _answer(measured: Measured, plan: Plan, question: Question, gallery: _Gallery) -> Answer:
    person, photos = question.person, tuple(measured.ids[i] for i in question.references)
    judged: list[Judged] = []
    if question.references:
        query = measured.query(question.references)
        judged = _judged(measured, person, query, gallery.nearest(query))
    listed, found = {one.id for one in judged}, measured.found
    missed = [
        Missed(measured.ids[i], measured.rows[i].method or "", bool(found[i]))
        for i in plan.gallery
        if kind(person, measured.rows[i]) == RELEVANT and measured.ids[i] not in listed
    ]
    return Answer(person, photos, tuple(judged), tuple(missed), bool(question.references))


def _judged(
    measured: Measured, person: str, query: Query, chosen: Sequence[int] | np.ndarray
) -> list[Judged]:
    """The chosen rows against a query, in the application's order."""
    some, owners = measured.take(chosen), body_owners(person, measured.rows)
    scores = compare(query, some.columns, detectors=parts().detectors)
    rows = []
    for row, name, face, one in zip(some.rows, some.ids, some.faces, scores, strict=True):
        usable = face is not None and face.face.quality.usable
        it = _assess(one, usable=usable)
        judged = Judged(
            name, name, kind(person, row), row.method or "", it.verdict,
            it.identity_probability, it.fake_probability, 0,
            row.label == "real" and row.depicted_id in owners,
        )  # fmt: skip
        rows.append((_order(it, one["cosine_similarity"] or -2.0, name), judged))
    rows.sort(key=lambda row: row[0])
    return [replace(judged, rank=rank) for rank, (_, judged) in enumerate(rows, start=1)]


def _assess(scores: Mapping[str, float | None], *, usable: bool) -> Assessment:
    rule = parts().rule
    return UNFITTED if rule is None else rule.assess(scores, usable=usable)


def _order(it: Assessment, cosine: float, name: str) -> tuple[int, float, float, str]:
    # That of `tools.search`, for pictures with one face each.
    group = {"copy": 1, "not assessed": 2}.get(it.verdict, 0)
    return group, -(it.impersonation_probability or 0.0), -cosine, name
