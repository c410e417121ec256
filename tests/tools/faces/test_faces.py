"""The shipped face models on real pictures, and the analyser on unusual ones."""

from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from insightface.data import get_image
from insightface.utils.face_align import arcface_dst

from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import keypoints_from_landmarks
from tools.faces.analyser import Face, FaceAnalyser, recognition_matrix
from tools.faces.quality import FaceQuality, measure_quality, yaw_degrees

PACK = WEIGHTS_DIR / "faces"
T1_NOSES = [[110, 340], [318, 219], [513, 363], [782, 430], [940, 146], [1166, 348]]


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    """The pocket models, loaded once."""
    return FaceAnalyser(PACK, threads=2)


@pytest.fixture(scope="module")
def t1() -> np.ndarray:
    """insightface's photograph of six people, RGB."""
    return np.ascontiguousarray(get_image("t1")[..., ::-1])


@pytest.fixture(scope="module")
def group(analyser: FaceAnalyser, t1: np.ndarray) -> list[Face]:
    """What is found in it."""
    return analyser.analyse([t1])[0]


def holds(face: Face, point: list[int]) -> bool:
    """Whether the point lies in the face's box."""
    return bool((face.box[:2] <= point).all() and (point <= face.box[2:]).all())


def test_all_six_people_are_found(group: list[Face]) -> None:
    """Every nose of the group photograph lies in the box of a usable face."""
    usable = [face for face in group if face.quality.usable]
    assert [sum(holds(face, nose) for face in usable) for nose in T1_NOSES] == [1] * 6


def test_faces_come_from_left_to_right(group: list[Face]) -> None:
    """People choose a face by its number from the left, so the order must be that."""
    lefts = [float(face.box[0]) for face in group]
    assert lefts == sorted(lefts)


def test_the_astronaut_is_found_once(analyser: FaceAnalyser, astronaut: np.ndarray) -> None:
    """One portrait gives one usable face, with her eyes, nose and mouth where they are."""
    (faces,) = analyser.analyse([astronaut])
    (face,) = [face for face in faces if face.quality.usable]
    by_hand = np.array([[203, 101], [247, 103], [226, 126], [205, 141], [243, 142]])
    assert np.linalg.norm(face.keypoints - by_hand, axis=1).max() < 8
    assert face.landmarks is not None
    assert np.linalg.norm(keypoints_from_landmarks(face.landmarks) - by_hand, axis=1).max() < 8
    assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["coffee", "moon", "page", "brick", "clock"])
def test_pictures_of_things_have_no_face(analyser: FaceAnalyser, name: str) -> None:
    """A cup, the moon, a page, a wall, a clock: nothing is found."""
    picture = np.asarray(getattr(skimage.data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    assert analyser.analyse([picture]) == [[]]


def test_a_batch_gives_what_single_images_give(
    analyser: FaceAnalyser, astronaut: np.ndarray, t1: np.ndarray
) -> None:
    """Which other images are analysed at the same time changes nothing."""
    blank = np.zeros((50, 70, 3), np.uint8)
    images = [t1, blank, astronaut]
    together = analyser.analyse(images)
    alone = [analyser.analyse([image])[0] for image in images]
    assert [len(faces) for faces in together] == [len(faces) for faces in alone]
    assert together[1] == []
    for one, other in zip(chain(*together), chain(*alone), strict=True):
        np.testing.assert_array_equal(one.box, other.box)
        np.testing.assert_allclose(one.embedding, other.embedding, atol=1e-4)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=0.05)


def test_two_photos_of_one_person_are_alike(
    analyser: FaceAnalyser, astronaut: np.ndarray, group: list[Face]
) -> None:
    """A darker, smaller, mirrored copy is nearer to the astronaut than anybody else is."""
    copy = cv2.resize(astronaut[:, ::-1] // 2 + 20, (384, 384), interpolation=cv2.INTER_AREA)
    first, second = (
        max(faces, key=lambda face: face.quality.width_px).embedding
        for faces in analyser.analyse([astronaut, copy])
    )
    others = [float(first @ face.embedding) for face in group if face.quality.usable]
    assert float(first @ second) > max(others) + 0.2


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1), (9, 9), (12, 5000), (31, 33)])
def test_odd_sizes_are_no_error(analyser: FaceAnalyser, shape: tuple[int, int]) -> None:
    """Images without room for a face are answered with no face."""
    assert analyser.analyse([np.full((*shape, 3), 128, np.uint8)]) == [[]]


def test_no_image_is_no_error(analyser: FaceAnalyser) -> None:
    """An empty batch has an empty answer."""
    assert analyser.analyse([]) == []


def test_a_face_that_fills_the_photo_is_found(
    analyser: FaceAnalyser, astronaut: np.ndarray
) -> None:
    """Enlarged until the face is 700 px wide, it is still found, once."""
    head = cv2.resize(astronaut[40:200, 145:305], (1280, 1280), interpolation=cv2.INTER_CUBIC)
    (faces,) = analyser.analyse([head])
    assert [face.quality.width_px > 500 for face in faces] == [True]


def test_a_small_photo_gives_the_same_face(analyser: FaceAnalyser, astronaut: np.ndarray) -> None:
    """Where the face lies does not depend on the resolution of the photograph."""
    half = cv2.resize(astronaut, (256, 256), interpolation=cv2.INTER_AREA)
    large, small = (
        max(faces, key=lambda face: face.quality.width_px)
        for faces in analyser.analyse([astronaut, half])
    )
    assert small.box * 2 == pytest.approx(large.box, abs=8)


def test_blurring_is_noticed(analyser: FaceAnalyser, astronaut: np.ndarray) -> None:
    """A face out of focus is found but said to be blurred; the sharp one is not."""
    blurred = cv2.GaussianBlur(astronaut, (0, 0), 3)
    (sharp,), (soft,) = (
        [face.quality for face in faces if face.quality.width_px > 60]
        for faces in analyser.analyse([astronaut, blurred])
    )
    assert "blurred" in soft.problems
    assert sharp.problems == ()


def test_small_faces_are_said_to_be_small(analyser: FaceAnalyser, astronaut: np.ndarray) -> None:
    """Fewer than 24 px between the eyes are a problem."""
    quarter = cv2.resize(astronaut, (200, 200), interpolation=cv2.INTER_AREA)
    (faces,) = analyser.analyse([quarter])
    assert "too small" in max(faces, key=lambda face: face.quality.width_px).quality.problems


def test_quality_limits_have_names() -> None:
    """A face that fails everything says so in the same four names, in a stable order."""
    points = np.array([[10, 10], [10.5, 10], [30, 14], [11, 18], [11.5, 18]], np.float32)
    flat = np.full((112, 112, 3), 90, np.uint8)
    quality = measure_quality(flat, np.array([0, 0, 30, 30.0]), points, detector_score=0.51)
    assert quality.problems == ("too small", "blurred", "extreme pose", "low detector score")
    assert not quality.usable
    assert FaceQuality(90, 40, 200, 0, 0.9).usable


def test_yaw_follows_the_nose() -> None:
    """Zero when frontal, positive when the nose points to the right, whatever the roll."""
    frontal = np.array([[34, 46], [66, 46], [50, 64], [37, 82], [63, 82.0]])
    turned = frontal + np.array([[0, 0], [0, 0], [10, 0], [0, 0], [0, 0]])
    quarter = np.array([[0, -1], [1, 0]])
    assert yaw_degrees(frontal) == pytest.approx(0, abs=1e-9)
    assert 20 < yaw_degrees(turned) < 50
    assert yaw_degrees(turned @ quarter.T) == pytest.approx(yaw_degrees(turned))
    assert yaw_degrees(np.zeros((5, 2))) == 0


def test_recognition_crops_are_insightfaces() -> None:
    """Our closed form gives the matrix that insightface's own alignment estimates."""
    from skimage.transform import SimilarityTransform

    rng = np.random.default_rng(5)
    points = (arcface_dst * 1.7 + rng.normal(0, 4, (5, 2)) + 30).astype(np.float32)
    reference = SimilarityTransform.from_estimate(points, arcface_dst).params[:2]
    assert recognition_matrix(points, size=112) == pytest.approx(reference, abs=1e-4)


def test_a_folder_without_models_is_explained(tmp_path: Path) -> None:
    """A missing pack is the person's to fix, and the message names the command."""
    with pytest.raises(SetupError, match="unmask models download"):
        FaceAnalyser(tmp_path)


@pytest.mark.parametrize("lacking", ["detection", "recognition"])
def test_a_folder_lacking_a_model_is_explained(tmp_path: Path, lacking: str) -> None:
    """A pack without detector or without recogniser is refused when it is loaded."""
    for file in PACK.glob("*.onnx"):
        if lacking not in file.name:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(SetupError, match=r"no face (detector|recogniser)"):
        FaceAnalyser(tmp_path)


def test_other_models_in_the_folder_are_left_alone(
    tmp_path: Path, astronaut: np.ndarray, analyser: FaceAnalyser
) -> None:
    """A pack such as buffalo_l brings more models; faces come out as without them."""
    for file in PACK.glob("*.onnx"):
        (tmp_path / file.name).symlink_to(file)
    write_age_model(tmp_path / "genderage.onnx")
    (more,), (fewer,) = (it.analyse([astronaut]) for it in (FaceAnalyser(tmp_path), analyser))
    assert [face.box.tolist() for face in more] == [face.box.tolist() for face in fewer]


def test_three_dimensional_landmarks_serve_as_well(tmp_path: Path, astronaut: np.ndarray) -> None:
    """buffalo_l's 1k3d68 gives 68 points with depth after others: x and y are used."""
    for name in ("detection", "recognition"):
        (tmp_path / f"{name}.onnx").symlink_to(PACK / f"{name}.onnx")
    write_depth_model(tmp_path / "1k3d68.onnx")
    (faces,) = FaceAnalyser(tmp_path).analyse([astronaut])
    face = max(faces, key=lambda face: face.quality.width_px)
    assert face.landmarks is not None
    # The stand-in puts all of the 68 at the crop's centre, which is the centre of the box.
    centre = (face.box[:2] + face.box[2:]) / 2
    assert face.landmarks == pytest.approx(np.tile(centre, (68, 1)), abs=0.51)


def write_age_model(path: Path) -> None:
    """A model with a 96 px input, which insightface takes for one of age and sex."""
    write_constant_model(path, side=96, values=np.zeros((1, 3), np.float32))


def write_depth_model(path: Path) -> None:
    """A model of the shape of 1k3d68 whose last 68 points are (0, 0, 0), the others (9, 9, 9)."""
    values = np.full((1, 3309), 9, np.float32)
    values[:, -68 * 3 :] = 0
    write_constant_model(path, side=192, values=values)


def write_constant_model(path: Path, *, side: int, values: np.ndarray) -> None:
    """An ONNX model that answers every image (1, 3, side, side) with the same values."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    image = helper.make_tensor_value_info("data", TensorProto.FLOAT, [None, 3, side, side])
    answer = helper.make_tensor_value_info("fc1", TensorProto.FLOAT, list(values.shape))
    node = helper.make_node("Identity", ["values"], ["fc1"])
    stored = [numpy_helper.from_array(values, "values")]
    graph = helper.make_graph([node], "constant", [image], [answer], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_face_that_does_not_stand_is_found(
    analyser: FaceAnalyser, astronaut: np.ndarray, turn: int
) -> None:
    """On its side or its head it is the same person, and its points are where they are stored."""
    (upright,) = analyser.analyse([astronaut])[0]
    (face,) = analyser.analyse([np.ascontiguousarray(np.rot90(astronaut, turn))])[0]
    assert face.quality.usable
    assert float(face.embedding @ upright.embedding) > 0.9
    places = {
        1: lambda x, y: (y, 512 - x), 2: lambda x, y: (512 - x, 512 - y),
        3: lambda x, y: (512 - y, x),
    }  # fmt: skip
    expected = np.stack(places[turn](*upright.keypoints.T), axis=1)
    assert np.abs(face.keypoints - expected).max() < 6


def test_small_faces_in_large_pictures_are_found(
    analyser: FaceAnalyser, astronaut: np.ndarray
) -> None:
    """26 px between the eyes at several places, one of them across tiles, beside a large face."""
    portrait = astronaut[0:250, 130:330]  # 44 px between the eyes
    small = cv2.resize(portrait, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    large = cv2.resize(portrait, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    picture = np.full((3000, 4000, 3), (120, 140, 160), np.uint8)
    picture[100 : 100 + large.shape[0], 2600 : 2600 + large.shape[1]] = large
    spots = [(50, 50), (1960, 1440), (1900, 300), (300, 1450), (3850, 2840)]
    for left, top in spots:
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
    faces = analyser.analyse([picture])[0]
    assert len(faces) == len(spots) + 1
    for left, top in spots:
        centre = np.array([left + 60, top + 75])
        assert any(np.abs(face.keypoints.mean(axis=0) - centre).max() < 40 for face in faces)


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_small_face_that_lies_in_a_large_picture_is_found(
    analyser: FaceAnalyser, astronaut: np.ndarray, turn: int
) -> None:
    """30 px between the eyes, on its side or head, in 12 megapixels: once, and the same person."""
    portrait = cv2.resize(
        astronaut[0:250, 130:330], None, fx=0.68, fy=0.68, interpolation=cv2.INTER_AREA
    )
    lying = np.rot90(portrait, turn)
    brick = np.repeat(np.asarray(skimage.data.brick())[..., None], 3, axis=2)
    picture = cv2.resize(brick, (4000, 3000), interpolation=cv2.INTER_CUBIC)
    picture[1700 : 1700 + lying.shape[0], 2900 : 2900 + lying.shape[1]] = lying
    (face,) = analyser.analyse([picture])[0]
    (upright,) = analyser.analyse([astronaut])[0]
    (alone,) = analyser.analyse([np.ascontiguousarray(lying)])[0]
    assert face.quality.usable
    assert np.abs(face.keypoints - alone.keypoints - (2900, 1700)).max() < 4
    assert float(face.embedding @ upright.embedding) > 0.7


@pytest.mark.parametrize("side", [300, 1280])
def test_a_face_that_fills_a_turned_photo_is_found(
    analyser: FaceAnalyser, astronaut: np.ndarray, side: int
) -> None:
    """However large it is in the picture, a face on its side is found once."""
    head = cv2.resize(astronaut[70:160, 180:270], (side, side), interpolation=cv2.INTER_CUBIC)
    for turn in (1, 2, 3):
        (face,) = analyser.analyse([np.ascontiguousarray(np.rot90(head, turn))])[0]
        assert face.quality.usable


@pytest.mark.parametrize("name", ["coffee", "brick", "grass", "rocket"])
def test_tiles_and_turns_raise_no_false_alarm(analyser: FaceAnalyser, name: str) -> None:
    """A picture of things, enlarged until it is looked at in tiles, shows nobody of use."""
    picture = np.asarray(getattr(skimage.data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    by = 4000 / max(picture.shape)
    large = cv2.resize(picture, None, fx=by, fy=by, interpolation=cv2.INTER_CUBIC)
    assert not [face for face in analyser.analyse([large])[0] if face.quality.usable]
