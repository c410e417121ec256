"""One detection is kept of each face, however many there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.faces.detection import (
    CONTAINED_BOX_SHARE,
    SAME_FACE_IOU,
    FaceDetection,
    distinct_faces,
)

pytestmark = pytest.mark.fast

SIDES = st.integers(0, 60)
BOXES = st.lists(st.tuples(SIDES, SIDES, SIDES, SIDES), max_size=25)


def area(x1: float, y1: float, x2: float, y2: float) -> float:
    """Of a box; 0 if its corners are the wrong way round."""
    return max(x2 - x1, 0) * max(y2 - y1, 0)


def are_same(a: np.ndarray, b: np.ndarray) -> bool:
    """The rule, for two boxes."""
    shared = area(max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    smaller, larger = sorted((area(*a), area(*b)))
    union = smaller + larger - shared
    return shared > SAME_FACE_IOU * union or shared > CONTAINED_BOX_SHARE * smaller


@given(BOXES)
@settings(deadline=None)
def test_each_face_is_kept_once(corners: list[tuple[int, int, int, int]]) -> None:
    """By falling score, each that is not the same face as one kept before it."""
    faces = [
        FaceDetection(
            np.array([x, y, x + w, y + h], np.float32), 1 / (2 + number), np.zeros((5, 2))
        )
        for number, (x, y, w, h) in enumerate(corners)
    ]
    expected: list[FaceDetection] = []
    for face in faces:
        if not any(are_same(face.box, other.box) for other in expected):
            expected.append(face)
    assert [it.score for it in distinct_faces(faces[::-1])] == [it.score for it in expected]
