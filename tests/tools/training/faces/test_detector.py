"""Training targets of the face detector and the landmark model, checked without training."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from insightface.model_zoo import get_model

from tools.faces.alignment import KEYPOINT_TEMPLATE, box_from_landmarks, keypoints_from_landmarks
from tools.training.data.labelled_faces import MIRROR_68, LandmarkTrainingFaces
from tools.training.faces.detector import export_detector
from tools.training.faces.detector_network import (
    FaceDetectorNetwork,
    Targets,
    anchor_centres,
    assign_anchors,
    detection_loss,
)
from tools.training.faces.detector_scenes import MosaicScene, SceneMaker
from tools.training.faces.landmarks import example
from tools.training.loops.averaged_run import AveragedRun

SIDE = 160


def some_landmarks() -> np.ndarray:
    """Landmarks (68, 2) whose eyes, nose, mouth, jaw and brows are where a face has them."""
    points = np.zeros((68, 2))
    angle = np.linspace(np.pi, 0, 17)
    points[:17] = np.stack([0.5 + 0.42 * np.cos(angle), 0.5 + 0.5 * np.sin(angle)], 1)
    points[17:27] = np.stack([np.linspace(0.22, 0.78, 10), np.full(10, 0.36)], 1)
    points[27:36] = [0.5, 0.55]
    points[30] = KEYPOINT_TEMPLATE[2]
    circle = np.stack([np.cos(np.arange(6)), np.sin(np.arange(6))], 1)
    circle -= circle.mean(axis=0)
    points[36:42], points[42:48] = (
        KEYPOINT_TEMPLATE[0] + 0.03 * circle,
        KEYPOINT_TEMPLATE[1] + 0.03 * circle,
    )
    points[48:] = [0.5, 0.82]
    points[48], points[54] = KEYPOINT_TEMPLATE[3], KEYPOINT_TEMPLATE[4]
    return np.asarray(points * 90 + 64, dtype=np.float32)


@pytest.fixture(scope="module")
def faces() -> LandmarkTrainingFaces:
    """Four photographs of noise with a labelled place for a face; the last has unknown ones too."""
    rng = np.random.default_rng(1)
    photos = rng.integers(0, 256, (4, 218, 218, 3), dtype=np.uint8)
    alone = np.array([True, True, True, False])
    names = np.array([f"{n}.jpg" for n in range(4)])
    return LandmarkTrainingFaces(photos, np.stack([some_landmarks()] * 4), alone, names)


@pytest.fixture(scope="module")
def scenes(faces: LandmarkTrainingFaces) -> list[MosaicScene]:
    """Forty scenes of them."""
    maker = SceneMaker(faces, [faces.photos[0]], side=SIDE)
    return [maker.scene(np.random.default_rng(seed)) for seed in range(40)]


def test_mirroring_twice_changes_nothing() -> None:
    """The mirror table is its own inverse, and swaps left and right eye and mouth corner."""
    assert MIRROR_68[MIRROR_68].tolist() == list(range(68))
    mirrored = (some_landmarks() * [-1, 1])[MIRROR_68]
    assert (keypoints_from_landmarks(mirrored)[1] > keypoints_from_landmarks(mirrored)[0])[0]


def test_the_box_reaches_from_chin_to_forehead() -> None:
    """The box holds all landmarks and some forehead, and turns with the face."""
    points = some_landmarks()
    box = box_from_landmarks(points)
    assert box[1] < points[:, 1].min() - 5
    assert box[3] == pytest.approx(points[:, 1].max())
    upside_down = box_from_landmarks(-points)
    assert upside_down == pytest.approx(-box[[2, 3, 0, 1]])


def test_a_seed_gives_its_scene(faces: LandmarkTrainingFaces) -> None:
    """Trainings can be repeated: the same state draws the same scene."""
    maker = SceneMaker(faces, [faces.photos[0]], side=SIDE)
    one, other = (maker.scene(np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(np.array(one.boxes), np.array(other.boxes))


def test_scene_labels_are_faces_in_view(scenes: list[MosaicScene]) -> None:
    """Keypoints lie in their box, left eye first, and most of every box lies on the canvas."""
    boxes = np.array([box for scene in scenes for box in scene.boxes])
    points = np.array([five for scene in scenes for five in scene.keypoints])
    assert len(boxes) > 20
    assert (points.min(axis=1) > boxes[:, :2] - 1).all()
    assert (points.max(axis=1) < boxes[:, 2:] + 1).all()
    assert (points[:, 1, 0] > points[:, 0, 0]).all()
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert ((centres > 0) & (centres < SIDE)).all()


def test_faces_without_label_are_not_held_against_the_detector(scenes: list[MosaicScene]) -> None:
    """Around a face in a photograph of several people, nothing is judged."""
    assert any(scene.ignored for scene in scenes)


def test_a_face_belongs_to_anchors_of_its_size() -> None:
    """A 32 px face is found by the 32 px anchors around its centre, and by no others."""
    centres, sizes = (part.numpy() for part in anchor_centres(SIDE))
    box = np.array([64, 64, 96, 96], np.float32)
    positives, owner, ignored = assign_anchors([box], [], SIDE)
    assert set(sizes[positives]) == {32.0}
    assert np.abs(centres[positives] - 80).max() <= 12
    assert (owner == 0).all()
    assert not len(ignored)


def test_nothing_is_learnt_where_faces_are_unknown() -> None:
    """Every anchor in an ignored box is left out, those of a labelled face in it are not."""
    centres, _ = (part.numpy() for part in anchor_centres(SIDE))
    box = np.array([64, 64, 96, 96], np.float32)
    positives, _, ignored = assign_anchors([box], [np.array([32, 32, 128, 128], np.float32)], SIDE)
    inside = ((centres >= 32) & (centres <= 128)).all(axis=1)
    assert set(ignored) | set(positives) == set(np.flatnonzero(inside))


def test_a_perfect_prediction_costs_nothing() -> None:
    """The loss vanishes where score, box and keypoints are what they should be."""
    centres, sizes = anchor_centres(SIDE)
    box = np.array([60, 64, 100, 98], np.float32)
    points = np.random.default_rng(0).uniform(60, 100, 10).astype(np.float32)
    positives, _, _ = assign_anchors([box], [], SIDE)
    at, count = torch.from_numpy(positives), len(positives)
    predicted = torch.zeros(1, len(sizes), 15)
    predicted[..., 0] = -20
    predicted[0, at, 0] = 20
    half, corner = sizes[at, None] / 2, centres[at]
    target = torch.from_numpy(box)
    sides = torch.cat([corner - target[:2], target[2:] - corner], 1)
    predicted[0, at, 1:5] = (sides / half).log()
    predicted[0, at, 5:] = (torch.from_numpy(points) - corner.repeat(1, 5)) / half
    targets = Targets(
        image=torch.zeros(count, dtype=torch.long),
        anchor=at,
        boxes=target.expand(count, 4),
        keypoints=torch.from_numpy(points).expand(count, 10),
        judged=torch.ones(1, len(sizes)),
    )
    parts = detection_loss(predicted, targets, centres=centres, sizes=sizes)
    assert {name: round(float(part), 3) for name, part in parts.items()} == {
        "score": 0, "box": 0, "points": 0
    }  # fmt: skip


def test_the_exported_detector_is_one_for_insightface(tmp_path: Path) -> None:
    """insightface takes the file for a detector, and it computes what the network computes."""
    torch.manual_seed(2)
    model, path = FaceDetectorNetwork().eval(), tmp_path / "detection.onnx"
    export_detector(model, path)
    assert get_model(str(path), providers=["CPUExecutionProvider"]).taskname == "detection"
    image = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = [part.numpy() for part in model(image)]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"image": image.numpy()})
    assert [part.shape for part in outputs] == [part.shape for part in expected]
    for found, wanted in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=5e-3)  # weights are kept in 16 bits


def test_landmark_examples_are_centred_crops(faces: LandmarkTrainingFaces) -> None:
    """Unvaried, the box of the landmarks is in the middle and two thirds of the crop."""
    crop, points = example(faces, 0, None)
    box = box_from_landmarks(points)
    assert crop.shape == (192, 192, 3)
    assert (box[:2] + box[2:]) / 2 == pytest.approx(0, abs=0.02)
    assert max(box[2:] - box[:2]) == pytest.approx(2 / 1.5, abs=0.02)


def test_a_training_resumes_where_it_was(tmp_path: Path) -> None:
    """After a restart, step, weights and mean weights are those of the checkpoint."""
    torch.manual_seed(0)
    begun = AveragedRun(torch.nn.Linear(3, 2), rate=0.1, steps=10, checkpoint=tmp_path / "run.pt")
    for _ in range(3):
        begun.update(begun.model(torch.ones(4, 3)).square().mean())
    begun.save()
    resumed = AveragedRun(torch.nn.Linear(3, 2), rate=0.1, steps=10, checkpoint=tmp_path / "run.pt")
    assert resumed.step == 3
    for one, other in zip(
        [*begun.model.parameters(), *begun.average.parameters()],
        [*resumed.model.parameters(), *resumed.average.parameters()],
        strict=True,
    ):
        assert torch.equal(one, other)
