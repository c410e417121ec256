"""A photograph with another face in it is told from edits, re-uploads and hidden faces."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from skimage import data

from assistant.report.pictures.maps import change_scale, change_view
from tests.support.cases import other_pixels
from tools.faces.alignment import face_hash
from tools.faces.analyser import Face
from tools.faces.quality import FaceQuality
from tools.gallery.records import FaceRecord, PictureLayouts
from tools.media.pictures.perceptual_hash import perceptual_hash
from tools.search.same_photograph.candidates import similar_pictures
from tools.search.same_photograph.decision import align_features
from tools.search.same_photograph.local_features import local_features
from tools.search.same_photograph.other_face import OtherFace, other_face

pytestmark = pytest.mark.fast

BOX = np.array([176, 64, 274, 190], np.float32)
"""The astronaut's face in her portrait."""
POINTS = np.array([[204, 112], [246, 110], [226, 136], [209, 154], [245, 152]], np.float32)
HIS_BOX = (14, 22, 84, 108)
SHE, HE = np.eye(4, dtype=np.float32)[:2]

Edit = Callable[[np.ndarray], np.ndarray]


def face(embedding: np.ndarray = SHE, *, box: np.ndarray = BOX, usable: bool = True) -> Face:
    """A face in the portrait's place."""
    problems = () if usable else ("blurred",)
    quality = FaceQuality(98.0, 42.0, 100.0, 0.0, 0.9, problems)
    return Face(box, POINTS, None, quality, embedding)


def record(known: Face) -> FaceRecord:
    """The same as the gallery keeps it."""
    return FaceRecord("b:0", "b", 0, known, None, None)


def portrait() -> np.ndarray:
    """The NASA portrait."""
    return np.asarray(data.astronaut())


def swapped() -> np.ndarray:
    """The portrait with a man's face, blended in at its edge."""
    left, top, right, bottom = HIS_BOX
    his = other_pixels()[top:bottom, left:right]
    x0, y0, x1, y1 = BOX.astype(int)
    other = portrait().copy()
    other[y0:y1, x0:x1] = cv2.resize(his, (int(x1 - x0), int(y1 - y0)))
    mask = np.zeros(other.shape[:2], np.float32)
    cv2.ellipse(mask, (225, 127), (44, 58), 0, 0, 360, 1.0, -1)
    share = cv2.GaussianBlur(mask, (0, 0), 3)[..., None]
    return np.asarray(other * share + portrait() * (1 - share), np.uint8)


def proof(
    other: np.ndarray, there: Face | None = None, *, mine: Face | None = None
) -> OtherFace | None:
    """The portrait against another picture."""
    faces = [record(face(HE) if there is None else there)]
    return other_face(local_features(portrait()), mine or face(), local_features(other), faces)


def test_another_face_in_the_same_photograph_is_proven() -> None:
    """With its place, the share that agrees, and the map of the pictures."""
    found = proof(swapped())
    assert found is not None
    assert found.similarity == 0
    assert (found.alignment.agreeing_share or 0) > 0.95
    assert np.allclose(found.alignment.matrix, [[1, 0, 0], [0, 1, 0]], atol=0.05)
    middle = (found.place[:2] + found.place[2:]) / 2
    assert (middle > BOX[:2]).all() and (middle < BOX[2:]).all()


@pytest.mark.parametrize(
    "edit",
    [
        lambda it: it[20:420, 60:440],
        lambda it: cv2.resize(it, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        lambda it: np.repeat(cv2.cvtColor(it, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
    ],
    ids=["crop", "smaller", "grey"],
)
def test_a_proof_survives_an_edit(edit: Edit) -> None:
    """The other picture was cropped, scaled or made grey."""
    corners = {"crop": BOX - [60, 20, 60, 20], "smaller": BOX / 2}
    changed = edit(swapped())
    kind = "crop" if changed.shape[0] == 400 else "smaller" if changed.shape[0] == 256 else ""
    there = face(HE, box=np.asarray(corners.get(kind, BOX), np.float32))
    assert proof(changed, there) is not None


def test_the_same_person_is_no_proof() -> None:
    """A re-upload, or a retouched face, shows the same person."""
    assert proof(swapped(), face(SHE)) is None
    assert proof(portrait(), face(SHE)) is None


def test_an_embedding_alone_is_no_proof() -> None:
    """The pixels of the face must have changed more than those around it."""
    assert proof(portrait()) is None
    assert proof(np.asarray(portrait() * 0.6, np.uint8)) is None


def test_a_face_that_cannot_be_measured_is_no_proof() -> None:
    """On either side."""
    assert proof(swapped(), face(HE, usable=False)) is None
    assert proof(swapped(), mine=face(usable=False)) is None


def test_a_face_elsewhere_is_no_proof() -> None:
    """In a group, the others are other people in both pictures."""
    beside = np.array([350, 60, 450, 190], np.float32)
    assert proof(swapped(), face(HE, box=beside)) is None
    assert other_face(local_features(portrait()), face(), local_features(swapped()), []) is None


def test_another_photograph_is_no_proof() -> None:
    """However different the faces are."""
    assert proof(np.asarray(data.coffee())) is None


@pytest.mark.parametrize("place", [slice(100, 125), slice(130, 190)], ids=["eyes", "mouth"])
def test_a_covered_face_is_not_another_face(place: slice) -> None:
    """A bar over the eyes, a mask over the mouth."""
    hidden = portrait().copy()
    hidden[place, 170:280] = 30
    assert proof(hidden) is None


def hidden(face_of: Edit) -> np.ndarray:
    """The portrait with her face hidden by an edit of its box."""
    left, top, right, bottom = BOX.astype(int)
    other = portrait().copy()
    other[top:bottom, left:right] = face_of(other[top:bottom, left:right])
    return other


def pixelated(cells: int) -> Edit:
    """Pixelate to so many cells a side."""
    return lambda it: cv2.resize(
        cv2.resize(it, (cells, cells), interpolation=cv2.INTER_AREA), it.shape[1::-1],
        interpolation=cv2.INTER_NEAREST,
    )  # fmt: skip


@pytest.mark.parametrize(
    "edit",
    [lambda it: cv2.GaussianBlur(it, (0, 0), 6), *map(pixelated, (8, 10, 16))],
    ids=["blur", "8 cells", "10 cells", "16 cells"],
)
def test_a_blurred_or_pixelated_face_is_not_another_face(edit: Edit) -> None:
    """Whichever of the two pictures is the hit, and also in a smaller copy."""
    covered = hidden(edit)
    there = [record(face(HE))]
    assert proof(covered) is None
    assert other_face(local_features(covered), face(), local_features(portrait()), there) is None
    small = cv2.resize(covered, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    assert proof(small, face(HE, box=BOX * np.float32(0.6))) is None


def test_versions_are_found_by_their_hashes() -> None:
    """The swap, also mirrored, by its layout, and a crop by its face; nothing else."""
    pictures = {
        "swap": (swapped(), POINTS),
        "crop": (portrait()[:400, 60:420], POINTS - [60, 0]),
        "coffee": (np.asarray(data.coffee()), POINTS),
        "cat": (np.asarray(data.chelsea()), POINTS),
    }
    layouts = PictureLayouts.of(
        [(name, perceptual_hash(pixels)) for name, (pixels, _) in pictures.items()],
        [(name, face_hash(*look)) for name, look in pictures.items()],
    )
    assert similar_pictures(layouts, portrait(), POINTS) == (["swap"], ["crop"])
    mirrored = np.ascontiguousarray(portrait()[:, ::-1])
    points = POINTS[[1, 0, 2, 4, 3]] * [-1, 1] + [511, 0]
    assert similar_pictures(layouts, mirrored, points) == (["swap"], ["crop"])
    assert similar_pictures(PictureLayouts.of([], []), portrait(), POINTS) == ([], [])


def test_the_map_of_a_change_shows_what_the_figure_says() -> None:
    """The factor is the map's nearly highest value in the face; around it hardly any place
    exceeds 1."""
    ours, theirs = (local_features(it) for it in (portrait(), swapped()))
    found = align_features(ours, theirs, first_face=BOX, second_face=BOX)
    assert found.proven and found.face_change is not None and found.change_map is not None
    times, crop = found.change_map.times, found.change_map.crop
    assert times.shape == crop.shape[:2]
    high, wide = times.shape  # the face is the middle half of its close-up
    inside = times[high // 3 : -high // 3, wide // 3 : -wide // 3]
    assert inside.max() >= math.exp(found.face_change) > 3
    assert np.median(inside) > 2
    edge = np.concatenate([times[:8].ravel(), times[-8:].ravel()])
    assert np.quantile(edge, 0.9) < 1.5
    least, most = change_scale(found.face_change)
    assert (least, most) == (1.5, pytest.approx(max(10, math.exp(found.face_change))))
    view = change_view(found.change_map, found.face_change)
    assert view.image.startswith("data:image/jpeg") and "surroundings of the face" in view.text
    same = align_features(ours, ours, first_face=BOX, second_face=BOX)
    assert same.change_map is not None and same.change_map.times.max() == 1.0
