"""Compare two photos: the same person, the same photograph, and the places where they differ."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tools.errors import ToolError
from tools.faces.dominance import dominant_face, measurable_faces
from tools.gallery.indexing.analysis import analyse_photo
from tools.media.file_names import printable
from tools.media.pictures.decoding import Photo, read_photo
from tools.media.skip_reasons import UnreadableImage
from tools.search.checking.two_versions import (
    Altered,
    MeasuredFace,
    shows_another_face,
    version_scores,
    which_altered,
)
from tools.search.model_bundle import ModelBundle
from tools.search.query import SeveralFaces, choose_person, says_dominant
from tools.search.query_files import photo_called, several_frames
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
from tools.verdict.rule import LEAD, OTHER_VERSION
from tools.verdict.template_writer import CHANGED_FACTOR, FIRST_PUBLISHED
from tools.verdict.units import format_factor, format_percent

_NAMES = {
    "cosine_similarity": "identity similarity",
    "query/face_feature_cosine": "appearance similarity",
    "query/same_photograph": "same photograph (1: proven)",
    FACE_DIFFERENCE: "difference of the face from the other photo's",
    AGREEING_SHARE: "agreement of the aligned photos outside the face",
    KEYPOINTS: "number of local features that agree",
    FACE_CHANGE: "change of the face, relative to its surroundings",
    OTHER_VERSION: "same photograph with another face (1: proven)",
    LEAD: "lead of the first photo's forgery score over the second's",
}
"""Scores of two photos, with their names where there is no query photo."""

_READS = {
    "this one was altered": "the first one was altered",
    "the other one was altered": "the second one was altered",
}

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
    second face differs from the first, None without both faces. `altered` is None unless both are
    proven to be one photograph with two different faces: then "first", "second" or "open" says
    which of them was altered, by their forgery scores, with the probability that it was the first.
    `problems` say what could not be compared, `notes` which face was taken unasked.

    Does not show: that either is authentic.
    """

    first: Path
    second: Path
    person: str
    same_person_probability: float | None
    alignment: Alignment
    face_map: ReferenceMap | None
    evidence: tuple[Evidence, ...]
    problems: tuple[ToolError, ...] = ()
    notes: tuple[str, ...] = ()
    altered: Altered | None = None
    first_altered_probability: float | None = None

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

    @property
    def limits(self) -> str:
        """What the comparison leaves open about forgery."""
        if self.altered is None:
            return "It does not say whether one of the two was altered."
        return "That one of the two was altered does not make the other one authentic."

    def _sentences(self) -> Iterator[str]:
        if self.altered is not None:
            yield from self._two_versions()
        if self.person == "same person" and self.altered is not None:
            sure = format_percent(self.same_person_probability)
            yield (
                "A likeness remains, as after a retouch or a close swap: by their faces alone, the "
                f"two would count as one person (probability of one person: {sure})."
            )
        elif self.person in _PERSON:
            sure = format_percent(self.same_person_probability)
            yield f"{_PERSON[self.person]} (probability of one person: {sure})."
        else:
            yield "Whether both faces show the same person was not measured."
        if self.same_photograph and self.altered is None:
            mirrored = ", mirrored" if self.alignment.mirrored else ""
            yield f"They are the same photograph{mirrored}: {self._agreement}."
        elif not self.same_photograph:
            yield f"It is not proven that they are the same photograph: {self.alignment.reason}."
        yield from self._face_sentences()

    def _two_versions(self) -> Iterator[str]:
        """What a search concludes about two such pictures, and the next step."""
        mirrored = ", mirrored," if self.alignment.mirrored else ""
        yield (
            f"One of the two was altered: they are the same photograph{mirrored}, but the face in "
            f"one place is not the same ({self._agreement})."
        )
        first = self.first_altered_probability
        if self.altered == "open":
            scores = "" if first is None else f" ({format_percent(first)} for the first)"
            yield f"Which of them stays open: neither reads as clearly more forged{scores}."
        else:
            sure = first if self.altered == "first" or first is None else 1.0 - first
            yield (
                f"By their forgery scores, the {self.altered} one was most likely altered "
                f"({format_percent(sure)})."
            )
        yield FIRST_PUBLISHED

    @property
    def _agreement(self) -> str:
        agree = format_percent(self.alignment.agreeing_share)
        return f"after alignment, {agree} of the comparable places outside the face agree"

    def _face_sentences(self) -> Iterator[str]:
        """How the faces differ: against the surroundings in one photograph, otherwise by part.

        What is usual between two photos of one person would excuse any change in one photograph.
        """
        change, places = self.alignment.face_change, self.differing_places
        if self.same_photograph and change is not None:
            factor = math.exp(change)
            yield (
                f"The face changed {format_factor(factor)} times as much as its surroundings."
                if factor >= CHANGED_FACTOR
                else "The face changed no more than its surroundings."
            )
        if places:
            yield f"Parts of the face that differ unusually: {', '.join(places)}."
        elif places is not None and not self.same_photograph:
            yield "No part of the face differs more than between two photos of one person."

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
            "altered": self.altered,
            "first_altered_probability": self.first_altered_probability,
            "differing_places": None if (it := self.differing_places) is None else list(it),
            "differs": None if (box := self.differs) is None else [round(it, 1) for it in box],
            "sentences": list(self.sentences),
            "notes": list(self.notes),
            "problems": [str(error).splitlines()[0] for error in self.problems],
            "evidence": [item.to_json() for item in self.evidence],
        }


def _single_picture(path: Path) -> Photo:
    with contextlib.suppress(UnreadableImage):  # reading it as a picture says why
        if several_frames(path) is not None:
            raise ToolError(
                f"{path.name!r} has several frames: compare single pictures, or check it against "
                "photos of the person"
            )
    return read_photo(path)


def compare_photos(
    first: Path,
    second: Path,
    *,
    face: Mapping[Path | str, int] | None = None,
    instruments: ModelBundle,
) -> Comparison:
    """Compare two photos; `face` is the chosen face (1-based) of a photo that shows several.

    Raises UnreadableImage for a file that is no picture, ToolError for one with several frames,
    SetupError if `face` names neither photo.
    A photo without a face, or with several and none chosen, is a problem of the result: the
    photographs are still aligned.
    """
    numbers = {photo_called(it, [first, second]): n for it, n in (face or {}).items()}
    photos = [_single_picture(path) for path in (first, second)]
    measured, problems, notes = list[MeasuredFace | None](), list[ToolError](), list[str]()
    for path, photo in zip((first, second), photos, strict=True):
        try:
            measured.append(_measured(path, photo, numbers.get(path), instruments, notes))
        except ToolError as error:
            measured.append(None)
            problems.append(error)
    boxes = [None if it is None else it.face.face.box for it in measured]
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
    one, other = measured
    rule, mapped, usable = instruments.rule, None, False
    altered: tuple[Altered | None, float | None] = None, None
    if one is not None and other is not None:
        ours, theirs = one.face.face, other.face.face
        scores |= pair_scores(one.face, other.face, alignment=alignment)
        usable = ours.quality.usable and theirs.quality.usable
        mapped = reference_map(
            (other.pixels, theirs), [(one.pixels, ours)], encoder=instruments.encoder
        )
        if shows_another_face(alignment, ours, theirs):
            scores |= version_scores(one, other, instruments=instruments)
            altered = which_altered(scores, rule)
    evidence = collect_evidence(scores, rule.references if rule else {}, rule=rule)
    return Comparison(
        first=first,
        second=second,
        person=interpret_identity(scores if usable else {}, rule),
        same_person_probability=rule.identity.probability(scores) if rule and usable else None,
        alignment=alignment,
        face_map=mapped,
        evidence=tuple(
            replace(item, name=_NAMES[item.score], reads=_READS.get(item.reads, item.reads))
            for item in evidence
            if item.score in _NAMES
        ),
        problems=tuple(problems),
        notes=tuple(notes),
        altered=altered[0],
        first_altered_probability=altered[1],
    )


def _measured(
    path: Path, photo: Photo, number: int | None, instruments: ModelBundle, notes: list[str]
) -> MeasuredFace:
    """The face of a photo; a note is added if it was taken without being asked for."""
    image = analyse_photo(photo, 0, faces=instruments.faces, encoder=instruments.encoder)
    name, count, faces = path.name, len(image.faces), [it.face for it in image.faces]
    dominant = dominant_face(faces)
    what = (
        f"{name!r} shows {count} faces; say which one is meant with --face {name}=N"
        if number is None
        else f"{name!r} has faces 1 to {count}"
    )
    face = choose_person(
        image.faces,
        number,
        no_face=f"no face was found in {name!r}; use a sharper or larger photo",
        several=lambda: SeveralFaces(
            what, [[*it.box] for it in faces], photo=path, offered=measurable_faces(faces)
        ),
        dominant=dominant,
    )
    if number is None and dominant is not None and count > 1:
        notes.append(says_dominant(repr(name), dominant, count, how=f"--face {name}=N"))
    return MeasuredFace(photo.pixels, image, face)
