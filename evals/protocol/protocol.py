"""The protocol of retrieval: who is asked for, what lies in the gallery, what is relevant.

A *source* is a video, or a photo that belongs to none. A person is asked for with authentic photos
of one source (or of a few), and no photo of that source is in the gallery. The gallery is the same
for all queries: forgeries of the person, further photos of the person, forgeries and photos of
others, of whose body a forgery shows too, and people nobody asks for. Relevant is what is forged
and depicts the person. Rows come from a manifest; nothing here looks at a picture.

Forgeries made out of the query's own source stay in the gallery: somebody who has a photo of a
person often has the one that was forged. Where a person has another source, that one is asked with.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evals.datasets.manifest import Manifest, ManifestRow

RelationToQuery = Literal[
    "forgery of the person",
    "forgery of another on the person's body",
    "forgery of another",
    "genuine photo of the person",
    "copy of the query",
    "authentic photo of another",
]
RELEVANT: RelationToQuery = "forgery of the person"

_PERSONS_AT_LEAST = 4


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """A person and the rows of the photos that are asked with; none: no photo shows a face."""

    person: str
    references: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """All questions and the one gallery, as indices of rows.

    `left_out` counts rows that are in neither, by reason, and persons that nobody can ask for.
    """

    questions: tuple[RetrievalQuery, ...]
    gallery: tuple[int, ...]
    left_out: Mapping[str, int]


def source(row: ManifestRow) -> str:
    """The video or photo whose pixels a picture holds; a forgery's is what it was made from."""
    if row.label == "fake":
        return row.source_video or row.video_id or row.path
    return row.video_id or row.path


def relation_to_query(person: str, row: ManifestRow) -> RelationToQuery:
    """What a picture is to somebody who asks for that person."""
    if row.label == "fake":
        if row.depicted_id == person:
            return RELEVANT
        on_body = row.body_id == person
        return "forgery of another on the person's body" if on_body else "forgery of another"
    mine = row.depicted_id == person
    return "genuine photo of the person" if mine else "authentic photo of another"


def body_owners(person: str, rows: Sequence[ManifestRow]) -> set[str]:
    """Whose bodies bear the person's face in some forgery."""
    forged = (row for row in rows if row.label == "fake" and row.depicted_id == person)
    return {row.body_id for row in forged if row.body_id is not None} - {person}


def build_plan(
    rows: Sequence[ManifestRow],
    usable: Sequence[bool] | np.ndarray,
    *,
    seed: int = 0,
    references: int = 1,
    alike: Callable[[int, int], bool] = lambda first, second: False,
) -> RetrievalPlan:
    """Ask for everybody of whom there are a photo and a forgery, with `references` photos each.

    `usable` (n,) says in which pictures a face was measured; `alike(i, j)` whether two photos are
    near-duplicates: those of a query photo leave the gallery with it. One source of a person stays
    in the gallery where there are two. Left out are also rows of unknown label, and forgeries of
    nobody known: nobody could say whether they are relevant.
    """
    photos, forged = _by_person(rows, "real"), _by_person(rows, "fake")
    choice = _Choice(rows, usable, frozenset(source(row) for row in rows if row.label == "fake"))
    questions = tuple(
        RetrievalQuery(
            person, choice.references(person, photos[person], count=references, seed=seed)
        )
        for person in sorted(forged.keys() & photos.keys())
    )
    asked = {source(rows[index]) for question in questions for index in question.references}
    doubles = {
        other
        for question in questions
        for index in question.references
        for other in photos[question.person]
        if source(rows[other]) not in asked and alike(index, other)
    }
    known = [index for index, row in enumerate(rows) if _belongs(row)]
    gallery = [
        index
        for index in known
        if index not in doubles
        and (rows[index].label == "fake" or source(rows[index]) not in asked)
    ]
    left_out = {
        "rows_of_query_sources": len(known) - len(doubles) - len(gallery),
        "near_duplicates_of_queries": len(doubles),
        "rows_without_known_label_or_person": len(rows) - len(known),
        "persons_forged_without_a_photo": len(forged.keys() - photos.keys()),
        "forgeries_made_from_a_query": sum(
            rows[index].label == "fake" and source(rows[index]) in asked for index in gallery
        ),
    }
    return RetrievalPlan(questions, tuple(gallery), left_out)


def _by_person(rows: Sequence[ManifestRow], label: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        if row.label == label and row.depicted_id is not None:
            found[row.depicted_id].append(index)
    return dict(found)


def _belongs(row: ManifestRow) -> bool:
    # An authentic photo of somebody unnamed is a distractor; YouTube-real of Celeb-DF is such.
    return row.label == "real" or (row.label == "fake" and row.depicted_id is not None)


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """What a query photo is chosen by: the rows, those with a face, the sources of forgeries."""

    rows: Sequence[ManifestRow]
    usable: Sequence[bool] | np.ndarray
    forged_from: frozenset[str]

    def references(
        self, person: str, photos: Sequence[int], *, count: int, seed: int
    ) -> tuple[int, ...]:
        """One photo of each of so many sources, of those first that no forgery was made from."""
        by_source: dict[str, list[int]] = defaultdict(list)
        for index in sorted(photos, key=self._order):
            if self.usable[index]:
                by_source[source(self.rows[index])].append(index)
        names = sorted(by_source)
        random.Random(f"{seed} {person}").shuffle(names)  # noqa: S311 - not for secrets
        names.sort(key=self.forged_from.__contains__)
        sources = len({source(self.rows[index]) for index in photos})
        return tuple(by_source[name][0] for name in names[: min(count, max(1, sources - 1))])

    def _order(self, index: int) -> tuple[str, int]:
        return self.rows[index].path, self.rows[index].frame or 0


def limit_by_person(manifest: Manifest, limit: int | None, *, seed: int = 0) -> Manifest:
    """At most `limit` rows, those of some persons altogether; None keeps everything.

    Rows drawn one by one would leave hardly anybody with two photos. Nobody takes more than a
    quarter of the places; rows of nobody known fill what is left.
    """
    if limit is None or limit >= len(manifest.rows):
        return manifest
    persons: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in manifest.rows:
        persons[row.depicted_id or ""].append(row)
    nobody = persons.pop("", [])
    names = sorted(persons)
    random.Random(seed).shuffle(names)  # noqa: S311 - not for secrets
    most = max(2, limit // _PERSONS_AT_LEAST)
    kept: set[ManifestRow] = set()
    for name in names:
        theirs = _some(manifest, persons[name], most, seed)
        if len(kept) + len(theirs) <= limit:
            kept |= theirs
    kept |= _some(manifest, nobody, limit - len(kept), seed)
    return manifest.where(kept.__contains__)


def _some(
    manifest: Manifest, rows: Sequence[ManifestRow], most: int, seed: int
) -> set[ManifestRow]:
    chosen = set(rows)
    return {*manifest.where(chosen.__contains__).sample(most, seed).rows}
