"""A photo that is clearly about one face asks nobody which; a choice shows what can be measured."""

import numpy as np
import pytest

from assistant.report.pictures.data_uris import draw_numbered_boxes
from assistant.report.pictures.numbered_faces import numbers_in_words
from tools.faces.analyser import Face
from tools.faces.dominance import dominant_face, measurable_faces
from tools.faces.quality import FaceQuality
from tools.search.query import SeveralFaces

pytestmark = pytest.mark.fast


def face(width: float, score: float = 0.9, *problems: str) -> Face:
    """A face of this width, of which the detector is so sure."""
    quality = FaceQuality(width, width / 2, 100.0, 0.0, score, problems)
    zeros = np.zeros(4, np.float32)
    return Face(zeros, np.zeros((5, 2), np.float32), None, quality, zeros)


@pytest.mark.parametrize(
    ("faces", "taken"),
    [
        ([face(30, 0.6, "low detector score"), face(200), face(80, 0.5, "blurred")], 1),
        ([face(60, 0.8), face(200)], 1),
        ([face(100, 0.8), face(200)], None),
        ([face(30, 0.95), face(200)], None),
        ([face(300, 0.8, "blurred"), face(200)], None),
        ([face(30, 0.8, "too small"), face(200, 0.9, "blurred")], None),
    ],
    ids=["board and knee", "small bystander", "two people", "surer of another",
         "larger but blurred", "none usable"],
)  # fmt: skip
def test_only_a_face_without_a_rival_is_taken(faces: list[Face], taken: int | None) -> None:
    """The others are small, or cannot be measured and are no larger; and the detector is surer."""
    assert dominant_face(faces) == taken


def test_faces_that_cannot_be_measured_are_not_offered() -> None:
    """The numbers stay those from the left; if none can be measured, all are offered."""
    board, one, other = face(30, 0.5, "too small"), face(100), face(120)
    assert measurable_faces([one, board, other]) == (1, 3)
    assert measurable_faces([board, board]) == (1, 2)
    several = SeveralFaces("", [(0, 0, 9, 9)] * 3, offered=(1, 3))
    assert numbers_in_words(several).startswith("N 1 or 3 (the other one is too small or unclear")
    assert numbers_in_words(SeveralFaces("", [(0, 0, 9, 9)] * 3)) == "N from 1 to 3"


def test_a_number_does_not_cover_its_face() -> None:
    """The plate stands outside the box, at the edge of a picture, too; others are not drawn."""
    grey = np.full((200, 200, 3), 127, np.uint8)
    boxes = [(80, 80, 110, 110), (0, 0, 30, 30), (150, 150, 180, 180)]
    drawn = draw_numbered_boxes(grey, boxes, numbers=(1, 2))
    for left, top, right, bottom in boxes:
        inside = drawn[top + 3 : bottom - 2, left + 3 : right - 2]
        assert (inside == 127).all()
    assert (drawn[148:183, 148:183] == 127).all(), "the third was not asked for"
    assert (drawn[60:79, 80:100] != 127).any() and (drawn[32:50, 0:20] != 127).any()
