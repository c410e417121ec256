"""Build a query: the measured faces of one person, from files or from a workspace's photos.

`build_query` builds every query: it checks that all faces may be one person's, averages them, and
collects warnings for the user. Files come from `tools.search.query_files`.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.gallery.records import AnalysedFace, FaceRecord
from tools.search.photo_cache import PhotoCache
from tools.verdict.clauses import join_with_and
from tools.verdict.rule import VerdictRule

Floats = NDArray[np.float32]
Person = TypeVar("Person")


class NoFace(ToolError):
    """A query photo shows no face that can be measured."""


class SeveralFaces(ToolError):
    """A query photo shows several faces and none of them was chosen.

    `boxes` (x1, y1, x2, y2 in px) are the faces from left to right, in `photo`, which is a file or
    a handle; for a video, they are in `picture` (h, w, 3) uint8 RGB, which shows its persons.
    `offered` are the numbers of those that can be measured.
    """

    def __init__(
        self,
        message: str,
        boxes: Sequence[Sequence[float]],
        *,
        photo: Path | str = "",
        picture: np.ndarray | None = None,
        offered: Sequence[int] = (),
    ) -> None:
        super().__init__(message)
        self.offered = tuple(offered) or tuple(range(1, len(boxes) + 1))
        self.boxes = [tuple(float(edge) for edge in box) for box in boxes]
        self.photo, self.picture = photo, picture


class OtherPerson(ToolError):
    """Query photos do not show the same person."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """Measurements of the query photos, one row per face used.

    `embeddings` (q, e) and `template` (e,), both L2-normalised; `features` (q, d) of the face
    crops, not normalised; `face_hashes` 64-bit; `times_s` the position of each row in its video,
    None for photos. `warnings` are sentences for the user. `decoded` holds some of the pictures.
    """

    photo_ids: tuple[str, ...]
    paths: tuple[Path, ...]
    faces: tuple[Face, ...]
    embeddings: Floats
    template: Floats
    features: Floats
    face_hashes: tuple[int, ...]
    warnings: tuple[str, ...]
    times_s: tuple[float | None, ...] = ()
    decoded: PhotoCache = field(default_factory=PhotoCache)

    @property
    def rows(self) -> "list[tuple[Path, str, Face, float | None]]":
        """File, picture id, face and frame time (None for photos) of each row."""
        times = self.times_s or (None,) * len(self.paths)
        return list(zip(self.paths, self.photo_ids, self.faces, times, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class QueryFace:
    """The chosen face of one query photo; warnings call the photo `name`."""

    photo_id: str
    path: Path
    name: str
    marked: bool
    face: Face
    features: Floats
    face_hash: int
    time_s: float | None = None

    @classmethod
    def of(
        cls,
        chosen: AnalysedFace | FaceRecord,
        *,
        photo_id: str,
        path: Path,
        name: str,
        marked: bool,
    ) -> Self:
        """The row of a measured face and its picture; raises NoFace if it could not be measured."""
        if chosen.features is None or chosen.face_hash is None:
            raise NoFace(f"the face in {name} cannot be measured; ask for another photo")
        return cls(photo_id, path, name, marked, chosen.face, chosen.features, chosen.face_hash)


def choose_person(
    persons: Sequence[Person],
    number: int | None,
    *,
    no_face: str,
    several: Callable[[], SeveralFaces],
    dominant: int | None = None,
) -> Person:
    """The only person in a photo, or the person with that number, 1-based from the left.

    Without a number, it is the `dominant` one, by index, if there is one. Raises NoFace with its
    message if there is no person, and `several` if no valid one is chosen.
    """
    if not persons:
        raise NoFace(no_face)
    if len(persons) == 1:
        return persons[0]
    if number is None and dominant is not None:
        return persons[dominant]
    if number is None or not 1 <= number <= len(persons):
        raise several()
    return persons[number - 1]


def build_query(
    rows: Sequence[QueryFace],
    *,
    rule: VerdictRule | None = None,
    warnings: Sequence[str] = (),
    decoded: PhotoCache | None = None,
) -> Query:
    """Build one query from the chosen faces; `warnings` are those from reading the files.

    `rule` tells persons apart; without it, a low similarity does. `decoded` holds the pictures.
    Raises OtherPerson, which names the photos, if two of them do not show the same person: their
    mean would be the embedding of nobody, and so would be any evidence relative to it.
    """
    require_same_person(rows, rule=rule)
    embeddings = np.stack([row.face.embedding for row in rows])
    mean = embeddings.mean(axis=0)
    return Query(
        photo_ids=tuple(row.photo_id for row in rows),
        paths=tuple(row.path for row in rows),
        faces=tuple(row.face for row in rows),
        embeddings=embeddings,
        template=mean / np.linalg.norm(mean),
        features=np.stack([row.features for row in rows]),
        face_hashes=tuple(row.face_hash for row in rows),
        warnings=(*_warnings(rows, rule), *warnings),
        times_s=tuple(row.time_s for row in rows),
        decoded=decoded or PhotoCache(),
    )


def require_same_person(rows: Sequence[QueryFace], *, rule: VerdictRule | None) -> None:
    """Raise OtherPerson, which names the photos, unless all rows may show one person."""
    groups = _groups(rows, rule)
    if len(groups) < 2:
        return
    most, *others = sorted(groups, key=len, reverse=True)
    kept = _names(rows, most)
    odd = [it for it in _names(rows, set().union(*others)) if it not in kept]
    left = join_with_and(odd) or kept[0]
    raise OtherPerson(
        f"{left} {'does' if len(odd) < 2 else 'do'} not show the same person as "
        f"{_some(kept)}: a query is of one person, so leave one side out and search for each by "
        "itself"
    )


def _names(rows: Sequence[QueryFace], places: Collection[int]) -> list[str]:
    """Names of photos in the order in which they were given."""
    return [*dict.fromkeys(row.name for at, row in enumerate(rows) if at in places)]


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:3])}{' …' if names[3:] else ''}"


def _groups(rows: Sequence[QueryFace], rule: VerdictRule | None) -> list[set[int]]:
    """Group the rows by person: a row certainly unlike the mean of the others is another person."""
    groups: list[set[int]] = []
    for at, row in enumerate(rows):
        likest = max(groups, key=lambda group: _cosine(row, group, rows), default=None)
        if likest is None or _place(_cosine(row, likest, rows), rule) == "low":
            groups.append({at})
        else:
            likest.add(at)
    return groups


def _cosine(row: QueryFace, group: set[int], rows: Sequence[QueryFace]) -> float:
    mean = np.mean([rows[at].face.embedding for at in group], axis=0)
    return float(row.face.embedding @ mean / max(float(np.linalg.norm(mean)), 1e-9))


def _place(cosine: float, rule: VerdictRule | None) -> str:
    """Whether faces this similar are two persons ("low"), uncertain ("within") or one person."""
    if rule is None:
        return "low" if cosine < _SAME_PERSON_DOUBT else "high"
    return rule.identity_place({"cosine_similarity": cosine}) or "within"


def _warnings(rows: Sequence[QueryFace], rule: VerdictRule | None) -> tuple[str, ...]:
    notes = [
        f"the face in {row.name} is {' and '.join(row.face.quality.problems)}; "
        "results are less certain"
        for row in rows
        if not row.face.quality.usable
    ]
    notes += [
        f"the metadata of {row.name} say that Unmask made it as a forgery: a hint, for anyone can "
        "write metadata; query photos must be authentic"
        for row in rows
        if row.marked
    ]
    notes += [
        f"{row.name} and {other.name} look little alike; check that both show the same person"
        for at, row in enumerate(rows)
        for number, other in enumerate(rows[at + 1 :], start=at + 1)
        if row.name != other.name and _place(_cosine(row, {number}, rows), rule) != "high"
    ][:3]
    return tuple(dict.fromkeys(notes))


def says_dominant(name: str, place: int, count: int, *, how: str) -> str:
    """The note on a face that was taken without being asked for; `how` chooses another."""
    return (
        f"{name} shows {count} faces: face {place + 1} from the left was taken, by far the "
        f"clearest; {how} chooses another"
    )


_SAME_PERSON_DOUBT = 0.15
"""Photos of one person rarely fall below this cosine with either profile's embedder."""
