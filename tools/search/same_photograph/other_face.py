"""Prove that a picture is the same photograph as another one, with another face in one place.

The pictures are aligned and must agree outside the face (`tools.search.same_photograph.decision`).
The faces in that place must belong to different people and differ in their pixels too, more than
their surroundings do: an edit of a whole photograph changes the face as much as the rest. A face
that was hidden is nobody else's: under a mask or a bar it is flat where it had features; blurred or
pixelated, it differs in details only.

Does not show: which of the two was altered, or that exactly one was; a third picture may be the
original of both. A face hidden by sunglasses, or pixelated and then strongly compressed, can
pass for another face. If two faces of one photograph were exchanged, the second one counts as a
place that differs, and nothing is proven.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.faces.alignment import transform_points
from tools.faces.analyser import Face
from tools.gallery.records import FaceRecord
from tools.search.same_photograph.decision import Alignment, Box, align_features
from tools.search.same_photograph.local_features import LocalFeatures

MAX_SIMILARITY = 0.55
"""Maximum cosine similarity of two different faces.

32 swaps by published tools have at most 0.53 to the face they replaced. LFW's training persons: one
of 2,158 harmless edits of 70 photographs has less, a watermark; none of 259 pairs of two edits has.
"""

MIN_FACE_CHANGE = 1.0
"""Minimum log ratio of the change in the face to that around it (`face_change`).

The same 32 swaps have at least 1.41; harmless edits have less, except of colour and light.
"""

MIN_COARSE_SHARE = 0.13
"""Minimum share of the change in the face that a strong blur leaves (`FaceChange.coarse`).

The same 32 swaps have at least 0.16. LFW's training persons, blurred or pixelated to 8 to 20 cells:
at most 0.10, saved again as JPEG of quality 30 at most 0.13. Of 90 hidden faces on photographs of
`val` that met all other conditions, one has more, pixelated and saved at quality 30.
Of 63 swaps in DFDC's crops of faces, 6 have less.
"""

MAX_FLAT_SHARE = 0.015
"""Maximum share of the face that is flat in one picture only (`FaceChange.flat`).

54 swaps by published tools and by our forge have at most 0.01; a face mask has at least 0.09, a bar
over the eyes 0.03 in the median.
"""

MIN_OVERLAP = 0.4
"""Minimum overlap (intersection over union) of the two faces after alignment; swaps have 0.88."""


@dataclass(frozen=True, slots=True, eq=False)
class OtherFace:
    """A proof: the alignment, the face in the other picture, and the cosine of the two faces.

    `place` is the box of what differs, in pixels of the first picture.
    """

    alignment: Alignment
    face: FaceRecord
    similarity: float
    place: Box


def is_other_face(face: Face, other: Face) -> bool:
    """Whether two faces can be compared and belong to different people."""
    comparable = face.quality.usable and other.quality.usable
    return comparable and _similarity(face, other) <= MAX_SIMILARITY


def other_face(
    picture: LocalFeatures, face: Face, other: LocalFeatures, faces: Sequence[FaceRecord]
) -> OtherFace | None:
    """The proof that `other`, which shows `faces`, is `picture` with another `face`; or None."""
    return replaced_face(align_features(picture, other, first_face=face.box), face, faces)


def replaced_face(
    alignment: Alignment, face: Face, faces: Sequence[FaceRecord]
) -> OtherFace | None:
    """The proof that the second picture of an alignment, which shows `faces`, is the first one with
    another `face`; or None."""
    if not faces or not _shows_another(alignment):
        return None
    boxes = [_mapped(it.face.box, alignment) for it in faces]
    overlaps = [_overlap(face.box, box) for box in boxes]
    best = int(np.argmax(overlaps))
    there = faces[best]
    if overlaps[best] < MIN_OVERLAP or not is_other_face(face, there.face):
        return None
    return OtherFace(alignment, there, _similarity(face, there.face), _place(alignment, face.box))


def _shows_another(found: Alignment) -> bool:
    """Whether the face's pixels changed as another face changes them; False if not measured."""
    change, coarse, flat = found.face_change, found.face_coarse, found.face_flat
    if change is None or coarse is None or flat is None:
        return False
    return change >= MIN_FACE_CHANGE and coarse >= MIN_COARSE_SHARE and flat <= MAX_FLAT_SHARE


def _similarity(face: Face, other: Face) -> float:
    return float(face.embedding @ other.embedding)


def _mapped(box: Box, alignment: Alignment) -> Box:
    """A box of the second picture in pixels of the first."""
    left, top, right, bottom = box
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], float)
    there = transform_points(corners, np.asarray(alignment.matrix))
    return np.concatenate([there.min(axis=0), there.max(axis=0)])


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes."""
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    both = float(np.prod(shared.clip(0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return both / max(areas - both, 1e-6)


def _place(alignment: Alignment, face: Box) -> Box:
    """The box of the face, with the largest place that differs if it reaches beyond the face."""
    face, differs = np.asarray(face, float), alignment.differs
    if differs is None or _overlap(differs, face) <= 0:
        return face
    return np.concatenate([np.minimum(face[:2], differs[:2]), np.maximum(face[2:], differs[2:])])
