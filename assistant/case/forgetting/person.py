"""The faces of a person in all galleries and cases, for review before they are deleted.

A face is proposed if the verdict rule's identity band calls it the same person, at the size of its
gallery. That is a measurement with errors, and a wrong deletion destroys evidence: nobody but the
user decides, with the certainty of each face on the screen. Undecided faces are counted, not
proposed. A picture or video goes whole if it shows nobody else; otherwise only the face goes, and
the features of the whole picture stay. Private copies in cases go whole.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.case.catalogue import list_cases
from assistant.case.forgetting.request import ForgetRequest
from assistant.case.record import Case
from assistant.case.signed.verification import deleted_photos
from tools.errors import SetupError, ToolError
from tools.faces.analyser import FaceAnalyser
from tools.gallery.record_store import Gallery
from tools.gallery.records import Vector
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.query_files import persons_in
from tools.verdict.rule import VerdictRule

_HASH = 64


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """A face that may go: where it is, and the probability (0..1) that it is the person's.

    `place` names the gallery or the case, `id` is short and stays the same from run to run;
    `others` is the number of further faces in the picture or video. `path` is its file, or the
    private copy in a case.
    """

    place: str
    id: str
    face_id: str
    path: Path
    probability: float
    others: int
    in_case: bool = False

    @property
    def source(self) -> str:
        """The sha256 of the picture or video."""
        return self.face_id[:_HASH]


@dataclass(frozen=True, slots=True)
class PersonFaces:
    """The matches, the most certain first; `undecided` faces may be the person's too.

    `problems` are sentences about galleries and photos that could not be looked at.
    """

    key: str
    matches: tuple[FaceMatch, ...]
    undecided: int
    problems: tuple[str, ...]

    def request(self, keep: Collection[str] = ()) -> ForgetRequest:
        """The request to delete all of them but those to `keep`, by short id.

        Raises SetupError for an id that is not listed.
        """
        unknown = sorted(set(keep) - {match.id for match in self.matches})
        if unknown:
            raise SetupError(
                f"--keep {unknown[0]}: no listed face has this id; `--dry-run` lists all"
            )
        gone = [match for match in self.matches if match.id not in keep]
        listed = [match for match in gone if not match.in_case]
        whole = {match.source for match in listed if not _others(match, listed)}
        single = {match.face_id for match in listed if match.source not in whole}
        copies = {match.source for match in gone if match.in_case}
        notes = [_UNDECIDED.format(self.undecided)] if self.undecided else []
        return ForgetRequest(
            "person", self.key, frozenset(whole), frozenset(single), case_photos=frozenset(copies),
            notes=tuple(notes), problems=self.problems,
        )  # fmt: skip


_UNDECIDED = (
    "{} further faces are undecided: they may show the person, and stay; `unmask forget --image "
    "FILE` deletes a picture whatever it shows"
)


def find_person(
    home: Path, query: Query, *, models: ModelBundle, keys: Collection[str]
) -> PersonFaces:
    """Compare every face of all galleries, and the photos of all cases, with a person's photos.

    Raises SetupError for a profile without a fitted rule: it has no identity band.
    """
    rule = models.rule
    if rule is None:
        raise SetupError(
            "this profile has no fitted rule and cannot tell persons apart: use `unmask "
            "--profile pocket forget`, or delete single pictures with --image"
        )
    found, problems, undecided = list[FaceMatch](), list[str](), 0
    for name in Gallery.names(home):
        try:
            with Gallery.open_existing(home, name, fingerprint=models.fingerprint) as gallery:
                matches, open_ = _in_gallery(gallery, query.template, rule)
                problems += gallery.notices
        except SetupError as error:
            problems.append(str(error))
            continue
        found, undecided = [*found, *matches], undecided + open_
    for summary in list_cases(home):
        try:
            found += _in_case(Case.open(home, summary.id), query.template, rule, models.faces)
        except SetupError as error:
            problems.append(str(error))
    found.sort(key=lambda match: (-match.probability, match.face_id))
    key = ",".join(sorted(keys))
    return PersonFaces(key, tuple(found), undecided, tuple(problems))


def _in_gallery(
    gallery: Gallery, template: Vector, rule: VerdictRule
) -> tuple[list[FaceMatch], int]:
    """The matches of a gallery, and the number of undecided faces."""
    rule = rule.for_gallery_size(max(1, gallery.counts().faces))
    likely = dict[str, float]()
    undecided = 0
    for batch in gallery.embeddings.batches(4096):
        cosines = batch.matrix @ np.asarray(template, np.float32)
        for face, cosine in zip(batch.ids, cosines.tolist(), strict=True):
            scores = {"cosine_similarity": cosine}
            place, probability = rule.identity_place(scores), rule.identity.probability(scores)
            if place == "high" and probability is not None:
                likely[face] = probability
            undecided += place == "within"
    records = gallery.faces(list(likely))
    sure = [record for record in records if record.face.quality.usable]
    undecided += len(records) - len(sure)
    matches = []
    for record in sure:
        paths = gallery.paths_of(record.image_id) or gallery.paths_of(record.image_id, gone=True)
        frames = [frame.image_id for frame in gallery.frames_of(record.id[:_HASH])]
        shown = sum(len(gallery.face_ids_of(it)) for it in (frames or [record.image_id]))
        matches.append(
            FaceMatch(
                f"gallery {gallery.name}", _short(record.id), record.id,
                paths[0] if paths else Path(), likely[record.id], shown - 1,
            )
        )  # fmt: skip
    return matches, undecided


def _in_case(
    case: Case, template: Vector, rule: VerdictRule, faces: FaceAnalyser
) -> Iterator[FaceMatch]:
    """The photos and videos of a case that show the person; their private copies go whole."""
    deleted = deleted_photos(case.entries())
    for handle, copy in case.photos().items():
        if handle in deleted or not copy.is_file():
            continue
        try:
            persons = persons_in(copy, faces=faces).persons
        except ToolError:
            continue  # no longer a picture: `unmask cases verify` says so
        best = [max(float(look.face.embedding @ template) for look in it) for it in persons]
        for number, cosine in enumerate(best):
            scores = {"cosine_similarity": cosine}
            probability = rule.identity.probability(scores)
            if rule.identity_place(scores) == "high" and probability is not None:
                face = f"{copy.name}:{number}"
                yield FaceMatch(
                    f"case {case.id}, photo {handle}", _short(face), face, copy, probability,
                    len(persons) - 1, in_case=True,
                )  # fmt: skip


def _others(match: FaceMatch, gone: Sequence[FaceMatch]) -> int:
    """Faces of the match's picture or video that stay."""
    same = {it.face_id for it in gone if (it.place, it.source) == (match.place, match.source)}
    return match.others + 1 - len(same)


def _short(face_id: str) -> str:
    """The first digits of the picture's id, the time in a video, and the face's number."""
    return face_id[:10] + face_id[_HASH:]
