"""The query: authentic photos or videos of one person, measured the same way as a gallery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.encoder.clip import Encoder
from tools.errors import SetupError, ToolError
from tools.faces.alignment import aligned_crop, face_hash
from tools.faces.analyser import Face, FaceAnalyser
from tools.gallery.indexing.analysis import ImageEncoder
from tools.search.query_files import QueryFile, read_query_files
from tools.search.shown_persons import Shown, in_one_picture
from tools.verdict.rule import VerdictRule

Floats = NDArray[np.float32]


class NoFace(ToolError):
    """A query photo shows no face that can be measured."""


class SeveralFaces(ToolError):
    """A query photo shows several faces and nobody said which one is meant.

    `boxes` (x1, y1, x2, y2 in px) are the faces from left to right, in `photo`, a file or a
    handle; of a video, in the `picture` (h, w, 3) uint8 RGB of the persons in it.
    """

    def __init__(
        self,
        message: str,
        boxes: Sequence[Sequence[float]],
        *,
        photo: Path | str = "",
        picture: np.ndarray | None = None,
    ) -> None:
        super().__init__(message)
        self.boxes = [tuple(float(edge) for edge in box) for box in boxes]
        self.photo, self.picture = photo, picture


class OtherPerson(ToolError):
    """Query photos do not show the same person."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What was measured on the query photos; one row a photo.

    `embeddings` (q, e) and `template` (e,), both L2-normalised; `features` (q, d) of the face
    crops, un-normalised; `face_hashes` 64-bit; `times_s` where in a video a row was taken, None
    of photographs. `warnings` are sentences for the person.
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

    @property
    def rows(self) -> "list[tuple[Path, str, Face, float | None]]":
        """Of each row the file, the picture's id, the face, and of a video the frame's time."""
        times = self.times_s or (None,) * len(self.paths)
        return list(zip(self.paths, self.photo_ids, self.faces, times, strict=True))


FaceNumbers = int | Mapping[Path | str, int]
"""Which face is meant, from left to right, 1-based: of the only photo, or by the photo's path or
file name."""


def build_query(
    paths: Sequence[Path],
    *,
    faces: FaceAnalyser,
    encoder: Encoder,
    face: FaceNumbers | None = None,
    rule: VerdictRule | None = None,
) -> Query:
    """Measure the query: photos, folders of photos, or videos, all of one person.

    `face` says which face is meant where a photo shows several; a number alone is for one photo.
    `rule` tells persons apart; without it a low similarity does. Raises NoFace, SeveralFaces,
    OtherPerson, SetupError for a face of a photo that was not given, and UnreadableImage for a
    file that is no picture.
    """
    found = read_query_files(paths, faces=faces)
    wanted = _numbers(face, found)
    rows, warnings = list[QueryFace](), list[str]()
    for each in found:
        try:
            chosen = _choose(each, wanted.get(each.path))
        except (NoFace, SeveralFaces) as error:
            if not each.from_folder:
                raise
            warnings.append(f"left out: {str(error).splitlines()[0]}")
        else:
            rows += query_faces(chosen, name=repr(each.path.name), encoder=encoder)
    if not rows:
        raise NoFace("; ".join(warnings) or "the query holds no picture")
    query = assemble_query(rows, rule=rule)
    warnings += [note for each in found for note in each.notes]
    warnings += _chose_nothing(found, wanted)
    return replace(query, warnings=(*query.warnings, *warnings))


def _numbers(face: FaceNumbers | None, found: Sequence[QueryFile]) -> dict[Path, int]:
    """The face that is meant, by the photo's path."""
    if face is None:
        return {}
    paths = [each.path for each in found]
    if isinstance(face, int):
        if len(paths) > 1:
            named = f"{paths[0].name}={face}"
            raise SetupError(
                f"--face {face} does not say of which of {len(paths)} photos: name it, as in "
                f"--face {named}"
            )
        return dict.fromkeys(paths, face)
    return {_named(name, paths): number for name, number in face.items()}


def _named(name: Path | str, paths: Sequence[Path]) -> Path:
    """The photo of this path or file name; SetupError when there is none, or more than one."""
    same = [path for path in paths if path == Path(name)]
    found = same or [path for path in paths if path.name == str(name)]
    if len(set(found)) != 1:
        given = ", ".join(str(path) for path in (found or paths)[:5])
        what = "several photos are" if found else "no photo is"
        raise SetupError(f"--face: {what} called {str(name)!r}; the photos are {given}")
    return found[0]


def _choose(each: QueryFile, number: int | None) -> Sequence[Shown]:
    """The looks at the person that is meant: one of a photo, several of a video."""
    name, persons = each.path.name, each.persons
    if not persons:
        raise NoFace(f"no face was found in {name!r}; use a sharper or larger photo")
    if len(persons) == 1:
        return persons[0]
    detected = [look.face for look in each.together]
    if number is not None and 1 <= number <= len(detected):
        return persons[number - 1]
    picture: np.ndarray | None = None
    boxes: Sequence[Sequence[float]] = [[*face.box] for face in detected]
    if each.together[0].time_s is not None:
        picture, boxes = in_one_picture(each.together)
    what = (
        f"{name!r} shows {len(detected)} faces; say which one is meant with --face {name}=N "
        "(from left to right)"
        if number is None
        else f"{name!r} has faces 1 to {len(detected)}"
    )
    raise SeveralFaces(
        f"{what}:\n{_listing(each.together)}", boxes, photo=each.path, picture=picture
    )


def _chose_nothing(found: Sequence[QueryFile], wanted: Mapping[Path, int]) -> list[str]:
    """A number above one for a photo with a single face chose nothing, and is probably a slip."""
    return [
        f"--face {wanted[each.path]} chose nothing: {each.path.name!r} shows one face"
        for each in found
        if wanted.get(each.path, 1) > 1 and len(each.persons) == 1
    ]


def _listing(looks: Sequence[Shown]) -> str:
    return "\n".join(
        f"  {number}: {look.face.quality.width_px:.0f} px wide, "
        f"centred at x={(look.face.box[0] + look.face.box[2]) / 2:.0f}, "
        f"y={(look.face.box[1] + look.face.box[3]) / 2:.0f}"
        + ("" if look.time_s is None else f", {look.time_s:.1f} s into it")
        for number, look in enumerate(looks, start=1)
    )


def query_faces(looks: Sequence[Shown], *, name: str, encoder: ImageEncoder) -> "list[QueryFace]":
    """The looks at one person, measured; `name` is what warnings call the file."""
    crops = [
        aligned_crop(look.photo.pixels, look.face.keypoints, size=encoder.image_size,
                     margin=encoder.face_margin)
        for look in looks
    ]  # fmt: skip
    return [
        QueryFace(
            photo_id=look.photo.id,
            path=look.path,
            name=name,
            marked=look.photo.unmask_forgery,
            face=look.face,
            features=features,
            face_hash=face_hash(look.photo.pixels, look.face),
            time_s=look.time_s,
        )
        for look, features in zip(looks, encoder.encode_images(crops), strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class QueryFace:
    """The chosen face of one query photo; `name` is what warnings call the photo."""

    photo_id: str
    path: Path
    name: str
    marked: bool
    face: Face
    features: Floats
    face_hash: int
    time_s: float | None = None


def assemble_query(rows: Sequence[QueryFace], *, rule: VerdictRule | None = None) -> Query:
    """One query of photos that were measured already.

    Raises OtherPerson, which names them, when two do not show the same person: their mean would
    be nobody, and evidence relative to it would be about nobody.
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
        warnings=_warnings(rows, rule),
        times_s=tuple(row.time_s for row in rows),
    )


def require_same_person(rows: Sequence[QueryFace], *, rule: VerdictRule | None) -> None:
    """Raise OtherPerson, which names the photos, unless all rows may show one person."""
    groups = _groups(rows, rule)
    if len(groups) < 2:
        return
    most, *others = sorted(groups, key=len, reverse=True)
    odd = sorted(
        {rows[at].name for group in others for at in group} - {rows[at].name for at in most}
    )
    kept = sorted({rows[at].name for at in most})
    left = " and ".join(odd) or kept[0]
    raise OtherPerson(
        f"{left} {'does' if len(odd) < 2 else 'do'} not show the same person as "
        f"{_some(kept)}: a query is of one person, so leave one side out and search for each by "
        "itself"
    )


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:3])}{' …' if names[3:] else ''}"


def _groups(rows: Sequence[QueryFace], rule: VerdictRule | None) -> list[set[int]]:
    """The rows by person; whoever is certainly not like the mean of the others is another one."""
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
    """Whether so alike faces are two persons' ("low"), uncertain ("within"), or one person's."""
    if rule is None:
        return "low" if cosine < _SAME_PERSON_DOUBT else "high"
    same = rule.identity.probability({"cosine_similarity": cosine})
    return "within" if same is None else rule.identity_band.place(same)


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


_SAME_PERSON_DOUBT = 0.15
"""Photos of one person rarely fall below this cosine with either profile's embedder."""
