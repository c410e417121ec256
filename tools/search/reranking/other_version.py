"""Find another version of a hit's photograph in the collection, which shows another face.

Candidates have a similar layout by the index's hashes (`tools.search.same_photograph.candidates`)
and a face that is neither the hit's nor the query person's; the nearest are read and aligned
(`tools.search.same_photograph.other_face`). A re-upload shows the same face and is never aligned.
One of two proven versions was altered, whatever any detector says; which one, the rule judges by
how much more forged the hit scores than the other version.

Does not show: forgeries whose original is not in the collection; for a video, only its strongest
frame is compared.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tools.gallery.records import FaceRecord
from tools.search.reranking.pixel_detectors import picture_scores
from tools.search.reranking.rerank_input import RerankInput
from tools.search.same_photograph.candidates import similar_pictures
from tools.search.same_photograph.local_features import LocalFeatures, local_features
from tools.search.same_photograph.other_face import OtherFace, is_other_face, other_face
from tools.search.scoring import PictureSource, scores_without_query
from tools.verdict.calibration import Scores
from tools.verdict.rule import LEAD, OTHER_VERSION, SAME_PHOTOGRAPH, VerdictRule

AGREEING_SHARE, SIMILARITY = "version/agreeing_share", "version/face_similarity"
VERSION_SCORE_NAMES = (OTHER_VERSION, AGREEING_SHARE, SIMILARITY, LEAD)

MOST_ALIGNED = (3, 1)
"""Maximum number of pictures read and aligned for one hit: of those with a similar layout, and of
those with a similar face only, of which a large collection has many."""

_CACHED = 24

PixelReader = Callable[[str], np.ndarray | None]
"""Reads the indexed picture (h, w, 3) uint8 RGB of an image id; None if its file is gone."""


@dataclass(frozen=True, slots=True, eq=False)
class OtherVersion:
    """A picture that is the hit's photograph with another face.

    `face` is that face; `matrix` (2, 3) maps its picture's pixels to the hit's; `place` (4,) is the
    box of what differs, in the hit's pixels.
    """

    face: FaceRecord
    matrix: np.ndarray
    place: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class VersionResult:
    """The scores, the other version if it is proven, and otherwise the nearest missing candidate.

    `missing` is the id of a picture with a similar layout whose file is gone: it was not compared.
    """

    scores: Mapping[str, float | None]
    version: OtherVersion | None = None
    missing: str | None = None

    def to_text(self) -> str:
        """As JSON; numbers keep their value exactly."""
        there = self.version
        proven = None if there is None else [
            there.face.image_id, there.face.id, there.matrix.tolist(), there.place.tolist(),
        ]  # fmt: skip
        return json.dumps([dict(self.scores), proven, self.missing])

    @classmethod
    def from_text(cls, text: str, pictures: PictureSource) -> "VersionResult | None":
        """Undo `to_text`; None if the collection no longer holds the face."""
        scores, proven, missing = json.loads(text)
        if proven is None:
            return cls(scores, None, missing)
        image_id, face_id, matrix, place = proven
        faces = [it for it in pictures.faces_of(image_id) if it.id == face_id]
        if not faces:
            return None
        return cls(scores, OtherVersion(faces[0], np.array(matrix), np.array(place)), missing)


NOT_TESTED = VersionResult(dict.fromkeys(VERSION_SCORE_NAMES))


class VersionFinder:
    """Finds other versions of pictures in one collection in its present state."""

    def __init__(
        self, pictures: PictureSource, read: PixelReader, *, rule: VerdictRule | None
    ) -> None:
        self._pictures, self._read, self._rule = pictures, read, rule
        self.layouts = pictures.layouts()
        self._latest: tuple[np.ndarray, LocalFeatures] | None = None
        self._features = lru_cache(_CACHED)(self._read_features)

    @property
    def collection_key(self) -> str:
        """Stands for the pictures of the collection: with another one, another may be found."""
        return hashlib.sha256("\n".join(self.layouts.image_ids).encode()).hexdigest()

    def find(self, look: RerankInput, record: FaceRecord) -> VersionResult:
        """The other version of a hit; `look.scores` are all its scores, `record` is its face."""
        rule = self._rule
        if rule is None or not _worthwhile(look, rule):
            return NOT_TESTED
        as_picture, by_face = similar_pictures(self.layouts, look.pixels, look.face.keypoints)
        missing = None
        for listed, most in zip((as_picture, by_face), MOST_ALIGNED, strict=True):
            for image_id in itertools.islice(self._with_another(listed, look, record, rule), most):
                features = self._features(image_id)
                if features is None:
                    missing = missing or (image_id if image_id in as_picture else None)
                    continue
                faces = self._pictures.faces_of(image_id)
                found = other_face(self._own(look), look.face, features, faces)
                if found is not None and _is_another(found.face, look, rule):
                    return self._proven(found, look, record, rule)
        none_found = None if missing else 0.0
        return VersionResult({**NOT_TESTED.scores, OTHER_VERSION: none_found}, missing=missing)

    def _with_another(
        self, listed: Sequence[str], look: RerankInput, record: FaceRecord, rule: VerdictRule
    ) -> Iterator[str]:
        """The pictures of other files that show a face which is neither the hit's nor the query
        person's."""
        for image_id in listed:
            another = _file_of(image_id) != _file_of(record.image_id)
            if another and any(
                _is_another(it, look, rule) for it in self._pictures.faces_of(image_id)
            ):
                yield image_id

    def _own(self, look: RerankInput) -> LocalFeatures:
        """The local features of the hit, computed once and only if something is aligned."""
        if self._latest is None or self._latest[0] is not look.pixels:
            self._latest = look.pixels, local_features(look.pixels)
        return self._latest[1]

    def _read_features(self, image_id: str) -> LocalFeatures | None:
        pixels = self._read(image_id)
        return None if pixels is None else local_features(pixels)

    def _proven(
        self, found: OtherFace, look: RerankInput, record: FaceRecord, rule: VerdictRule
    ) -> VersionResult:
        scores = {
            OTHER_VERSION: 1.0,
            AGREEING_SHARE: found.alignment.agreeing_share,
            SIMILARITY: found.similarity,
            LEAD: self._lead(found, look, record, rule),
        }
        matrix = np.asarray(found.alignment.matrix)
        return VersionResult(scores, OtherVersion(found.face, matrix, found.place))

    def _lead(
        self, found: OtherFace, look: RerankInput, record: FaceRecord, rule: VerdictRule
    ) -> float | None:
        """Log-odds of the hit's face being forged minus those of the other face, each alone."""
        other = self._read(found.face.image_id)
        if other is None:
            return None
        # A video's first scores are means over its frames; here single pictures are compared.
        ours = {**look.scores, **self._alone(record, look)}
        theirs = self._alone(found.face, look)
        there = RerankInput(
            other, found.face.face, theirs, look.query, (), look.instruments,
            requested_scores=rule.needs,
        )  # fmt: skip
        theirs |= picture_scores([there])[0]
        return lead(rule, ours, theirs)

    def _alone(self, record: FaceRecord, look: RerankInput) -> dict[str, float | None]:
        image = self._pictures.image(record.image_id)
        return scores_without_query(image, record, detectors=look.instruments.detectors)


def lead(rule: VerdictRule, ours: Scores, theirs: Scores) -> float | None:
    """Log-odds of one face being forged minus those of another, by the scores that both have."""
    both = {name: value for name, value in ours.items() if theirs.get(name) is not None}
    calibrator = rule.question("alone", both).calibrator
    first, second = calibrator.logit(both), calibrator.logit(theirs)
    return None if first is None or second is None else first - second


def _worthwhile(look: RerankInput, rule: VerdictRule) -> bool:
    """Whether the face may be the query person's, in a picture that is no copy of a query photo."""
    keypoints = np.isfinite(look.face.keypoints).all() and look.face.quality.usable
    copy = look.scores.get(SAME_PHOTOGRAPH) == 1.0
    return bool(keypoints) and not copy and rule.identity_place(look.scores) in ("within", "high")


def _is_another(there: FaceRecord, look: RerankInput, rule: VerdictRule) -> bool:
    """Whether a face is neither the hit's nor, for certain, the query person's."""
    cosine = float(there.face.embedding @ look.query.template)
    place = rule.identity_place({"cosine_similarity": cosine})
    return place != "high" and is_other_face(look.face, there.face)


def _file_of(image_id: str) -> str:
    """The id of a picture, or of the video that a frame was taken from."""
    return image_id.partition("@")[0]
