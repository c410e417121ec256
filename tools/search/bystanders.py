"""The other people in a picture: faces that are neither in question nor the query person's.

Reports and pages show them blurred. Besides the face in question, a face stays visible only if the
verdict rule's identity band calls it the query person's. (Undecided is not enough: in a group of
six strangers, between one and three are.)

Does not show: faces that the detector did not find.
"""

from collections.abc import Sequence

import numpy as np

from tools.faces.analyser import Face
from tools.verdict.rule import VerdictRule

_SAME_OVERLAP = 0.4

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels of the upright picture."""


def other_people(
    faces: Sequence[Face],
    box: Sequence[float] | np.ndarray,
    template: np.ndarray,
    *,
    rule: VerdictRule | None,
) -> list[Box]:
    """The boxes of the other people among the `faces` of a picture.

    `box` (x1, y1, x2, y2 px) is the face in question, `template` (e,) the query's, L2-normalised.
    Without a `rule` every other face counts as another person's.
    """
    found = []
    for face in faces:
        scores = {"cosine_similarity": float(face.embedding @ template)}
        hers = rule is not None and rule.identity_place(scores) == "high"
        if not hers and _overlap(face.box, box) < _SAME_OVERLAP:
            left, top, right, bottom = (float(edge) for edge in face.box)
            found.append((left, top, right, bottom))
    return found


def _overlap(one: Sequence[float] | np.ndarray, other: Sequence[float] | np.ndarray) -> float:
    """Intersection over union of two boxes, 0..1."""
    sides = [min(one[at + 2], other[at + 2]) - max(one[at], other[at]) for at in (0, 1)]
    shared = max(0.0, float(sides[0])) * max(0.0, float(sides[1]))
    areas = [float((it[2] - it[0]) * (it[3] - it[1])) for it in (one, other)]
    return shared / max(sum(areas) - shared, 1e-9)
