"""Compare two photos: the same person, the same photograph, and the places where they differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.gallery.indexing.analysis import analyse_photo
from tools.gallery.records import AnalysedFace
from tools.media.file_names import printable
from tools.media.images import Photo, read_photo
from tools.search.model_bundle import ModelBundle
from tools.search.query import SeveralFaces, choose_person
from tools.search.query_files import photo_called
from tools.search.reranking.reference_comparison import ReferenceMap, reference_map
from tools.search.same_photograph.decision import Alignment, same_photograph
from tools.search.same_photograph.scores import (
    AGREEING_SHARE,
    FACE_CHANGE,
    FACE_DIFFERENCE,
    KEYPOINTS,
)
from tools.search.scoring import pair_scores
from tools.verdict.evidence import Evidence, collect_evidence
from tools.verdict.interpretation import interpret_identity
from tools.verdict.units import format_percent

_NAMES = {
    "cosine_similarity": "identity similarity",
    "query/face_feature_cosine": "appearance similarity",
    "query/same_photograph": "same photograph (1: proven)",
    FACE_DIFFERENCE: "difference of the face from the other photo's",
    AGREEING_SHARE: "agreement of the aligned photos outside the face",
    KEYPOINTS: "number of local features that agree",
    FACE_CHANGE: "change of the face, relative to its surroundings",
}
"""Scores of two photos, with their names where there is no query photo."""

_PERSON = {
    "same person": "Both faces most likely show the same person",
    "another person": "The faces most likely show two different persons",
    "uncertain": "Whether both faces show the same person is uncertain",
}


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two photos compared: `first` and `second` are their files.

    `person` reads "same person", "another person", "uncertain" or "not measured", with its
    calibrated `same_person_probability`. `alignment` says whether they are the same photograph, and
    has the box of the largest place that differs. `face_map` shows where the
    second face differs from the first, None without both faces. `problems` say what could not be
    compared.

    Does not show: which of the two was altered, or that either is authentic.
    """

    first: Path
    second: Path
    person: str
    same_person_probability: float | None
    alignment: Alignment
    face_map: ReferenceMap | None
    evidence: tuple[Evidence, ...]
    problems: tuple[ToolError, ...] = ()

    @property
    def same_photograph(self) -> bool:
        """Whether it is proven by alignment that both files hold the same photograph."""
        return self.alignment.proven

    @property
    def differing_places(self) -> tuple[str, ...] | None:
        """Parts of the face that differ more than between photos of one person; None: unknown."""
        return None if self.face_map is None else self.face_map.far

    @property
    def map_limits(self) -> str:
        """What the map of the face does not show; empty without a map."""
        limits = "" if self.face_map is None else self.face_map.limits
        return limits.replace("the query photos", "the first photo")

    @property
    def differs(self) -> tuple[float, float, float, float] | None:
        """The largest differing place (x1, y1, x2, y2 px of the first photo).

        None if the photographs are not the same, or no place differs.
        """
        if not self.alignment.proven or self.alignment.differs is None:
            return None
        left, top, right, bottom = (float(edge) for edge in self.alignment.differs)
        return left, top, right, bottom

    @property
    def sentences(self) -> tuple[str, ...]:
        """The comparison in sentences."""
        return tuple(self._sentences())

    def _sentences(self) -> Iterator[str]:
        if self.person in _PERSON:
            sure = f"probability {format_percent(self.same_person_probability)}"
            yield f"{_PERSON[self.person]} ({sure})."
        else:
            yield "Whether both faces show the same person was not measured."
        if self.same_photograph:
            agree = format_percent(self.alignment.agreeing_share)
            how = ", mirrored" if self.alignment.mirrored else ""
            yield (
                f"They are the same photograph{how}: after alignment, {agree} of the comparable "
                "places outside the face agree."
            )
        else:
            yield f"It is not proven that they are the same photograph: {self.alignment.reason}."
        places = self.differing_places
        if places:
            yield f"Parts of the face that differ unusually: {', '.join(places)}."
        elif places is not None:
            yield "No part of the face differs unusually."

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; null means not measured."""
        return {
            "first": printable(self.first),
            "second": printable(self.second),
            "person": self.person,
            "same_person_probability": self.same_person_probability,
            "same_photograph": self.same_photograph,
            "mirrored": self.same_photograph and self.alignment.mirrored,
            "reason": self.alignment.reason,
            "differing_places": None if (it := self.differing_places) is None else list(it),
            "differs": None if (box := self.differs) is None else [round(it, 1) for it in box],
            "sentences": list(self.sentences),
            "problems": [str(error).splitlines()[0] for error in self.problems],
            "evidence": [item.to_json() for item in self.evidence],
        }


def compare_photos(
    first: Path,
    second: Path,
    *,
    face: Mapping[Path | str, int] | None = None,
    instruments: ModelBundle,
) -> Comparison:
    """Compare two photos; `face` is the chosen face (1-based) of a photo that shows several.

    Raises UnreadableImage for a file that is no picture, SetupError if `face` names neither photo.
    A photo without a face, or with several and none chosen, is a problem of the result: the
    photographs are still aligned.
    """
    numbers = {photo_called(it, [first, second]): n for it, n in (face or {}).items()}
    photos = [read_photo(path) for path in (first, second)]
    faces, problems = list[AnalysedFace | None](), list[ToolError]()
    for path, photo in zip((first, second), photos, strict=True):
        try:
            faces.append(_face(path, photo, numbers.get(path), instruments))
        except ToolError as error:
            faces.append(None)
            problems.append(error)
    boxes = [None if it is None else it.face.box for it in faces]
    alignment = same_photograph(
        photos[0].pixels, photos[1].pixels, first_face=boxes[0], second_face=boxes[1]
    )
    scores: dict[str, float | None] = {
        "query/same_photograph": float(alignment.proven),
        FACE_DIFFERENCE: alignment.face_difference,
        FACE_CHANGE: alignment.face_change,
        AGREEING_SHARE: alignment.agreeing_share,
        KEYPOINTS: float(alignment.inliers),
    }
    one, other = faces
    rule, mapped, usable = instruments.rule, None, False
    if one is not None and other is not None:
        scores |= pair_scores(one, other, alignment=alignment)
        usable = one.face.quality.usable and other.face.quality.usable
        mapped = reference_map(
            (photos[1].pixels, other.face), [(photos[0].pixels, one.face)],
            encoder=instruments.encoder,
        )  # fmt: skip
    evidence = collect_evidence(scores, rule.references if rule else {}, rule=rule)
    return Comparison(
        first=first,
        second=second,
        person=interpret_identity(scores if usable else {}, rule),
        same_person_probability=rule.identity.probability(scores) if rule and usable else None,
        alignment=alignment,
        face_map=mapped,
        evidence=tuple(
            replace(item, name=_NAMES[item.score]) for item in evidence if item.score in _NAMES
        ),
        problems=tuple(problems),
    )


def _face(path: Path, photo: Photo, number: int | None, instruments: ModelBundle) -> AnalysedFace:
    image = analyse_photo(photo, 0, faces=instruments.faces, encoder=instruments.encoder)
    name, count = path.name, len(image.faces)
    what = (
        f"{name!r} shows {count} faces; say which one is meant with --face {name}=N"
        if number is None
        else f"{name!r} has faces 1 to {count}"
    )
    return choose_person(
        image.faces,
        number,
        no_face=f"no face was found in {name!r}; use a sharper or larger photo",
        several=lambda: SeveralFaces(what, [[*it.face.box] for it in image.faces], photo=path),
    )
