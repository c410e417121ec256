"""The retrieval protocol: queries, gallery, and relevance.

A *source* is a video, or a photo that belongs to none. The query of a person is authentic photos of
one source (or of a few), and no photo of that source is in the gallery. The gallery is the same for
all queries: forgeries of the person, further photos of the person, forgeries and photos of others,
including forgeries on the person's body, and people who are not queried. Relevant pictures are
forged and depict the person. Rows come from a manifest; no picture is read here.

Forgeries made from the query's own source stay in the gallery: people who search often have the
very photo that was forged. If a person has another source, that one is used as the query.
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
    "authentic photo of the person",
    "copy of the query",
    "authentic photo of another",
]
RELEVANT: RelationToQuery = "forgery of the person"

_PERSONS_AT_LEAST = 4


@dataclass(frozen=True, slots=True)
class RetrievalQuery:
    """A person and the rows of the query photos; none if no photo shows a face."""

    person: str
    references: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """All queries and the shared gallery, as row indices.

    `left_out` counts rows in neither, by reason, and persons without a possible query.
    """

    questions: tuple[RetrievalQuery, ...]
    gallery: tuple[int, ...]
    left_out: Mapping[str, int]


def source(row: ManifestRow) -> str:
    """The video or photo that a picture's pixels come from; for a forgery, its original."""
    if row.label == "fake":
        return row.source_video or row.video_id or row.path
    return row.video_id or row.path


def relation_to_query(person: str, row: ManifestRow) -> RelationToQuery:
    """Relation of a picture to the queried person."""
    if row.label == "fake":
        if row.depicted_id == person:
            return RELEVANT
        on_body = row.body_id == person
        return "forgery of another on the person's body" if on_body else "forgery of another"
    mine = row.depicted_id == person
    return "authentic photo of the person" if mine else "authentic photo of another"


def body_owners(person: str, rows: Sequence[ManifestRow]) -> set[str]:
    """Persons on whose bodies a forgery shows the person's face."""
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
    """Query every person who has a photo and a forgery, with `references` photos each.

    `usable` (n,) marks pictures with a measured face; `alike(i, j)` whether two photos are
    near-duplicates: those of a query photo leave the gallery with it. One source of a person stays
    in the gallery if there are two. Rows with unknown labels and forgeries of unknown persons are
    left out, since their relevance is unknown.
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
    # An authentic photo of an unknown person is a distractor, such as Celeb-DF's YouTube-real.
    return row.label == "real" or (row.label == "fake" and row.depicted_id is not None)


@dataclass(frozen=True, slots=True, eq=False)
class _Choice:
    """Data for choosing query photos: the rows, those with a face, the sources of forgeries."""

    rows: Sequence[ManifestRow]
    usable: Sequence[bool] | np.ndarray
    forged_from: frozenset[str]

    def references(
        self, person: str, photos: Sequence[int], *, count: int, seed: int
    ) -> tuple[int, ...]:
        """One photo from each of `count` sources, preferring sources without forgeries."""
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
    """At most `limit` rows, by whole persons; None keeps everything.

    Drawing single rows would leave hardly any person with two photos. One person gets at most a
    quarter of the rows; rows of unknown persons fill the rest.
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
