"""The shipped face embedder, as run by insightface."""

import numpy as np
import pytest
from insightface.data import get_image
from insightface.model_zoo import get_model
from insightface.model_zoo.arcface_onnx import ArcFaceONNX

from tools.checkpoints.table import WEIGHTS_DIR
from tools.faces.alignment import warp
from tools.faces.analyser import recognition_matrix
from tools.verdict.rule import VerdictRule

RECOGNITION = WEIGHTS_DIR / "faces" / "recognition.onnx"
# Left eye, right eye, nose, left and right mouth corner, placed by hand.
ASTRONAUT = [[203, 101], [247, 103], [226, 126], [205, 141], [243, 142]]
T1_WOMAN = [[1150, 327], [1196, 325], [1166, 348], [1155, 367], [1197, 365]]
T1_MAN = [[491, 319], [540, 331], [513, 363], [486, 371], [532, 379]]


@pytest.fixture(scope="module")
def model() -> ArcFaceONNX:
    """What insightface makes of the file."""
    return get_model(str(RECOGNITION), providers=["CPUExecutionProvider"])


def crop(bgr: np.ndarray, keypoints: list[list[int]]) -> np.ndarray:
    """The 112×112 crop that the embedder sees."""
    return warp(bgr, recognition_matrix(np.array(keypoints), size=112), size=112)


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    """Cosine similarity of two vectors."""
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))


@pytest.fixture(scope="module")
def faces(astronaut: np.ndarray) -> list[np.ndarray]:
    """Astronaut, astronaut in a poorer photograph, two other persons."""
    bgr = np.ascontiguousarray(astronaut[..., ::-1])
    # Darker, mirrored, and coarser: what other photographs of one face differ in at least.
    mirrored = np.ascontiguousarray(bgr[:, ::-1] // 2 + 20)
    keypoints = [[511 - x, y] for x, y in (ASTRONAUT[i] for i in (1, 0, 2, 4, 3))]
    coarse = np.repeat(np.repeat(mirrored[::2, ::2], 2, axis=0), 2, axis=1)
    friends = get_image("t1")
    return [
        crop(bgr, ASTRONAUT),
        crop(coarse, keypoints),
        crop(friends, T1_WOMAN),
        crop(friends, T1_MAN),
    ]


def test_insightface_takes_the_file_for_an_arcface_embedder(model: ArcFaceONNX) -> None:
    """The file is routed as a recogniser of 112 px crops, with ArcFace's normalisation."""
    assert isinstance(model, ArcFaceONNX)
    assert model.input_size == (112, 112)
    assert (model.input_mean, model.input_std) == (127.5, 127.5)


def test_a_batch_gives_what_single_faces_give(model: ArcFaceONNX, faces: list[np.ndarray]) -> None:
    """Embedding four faces at once changes none of the four vectors."""
    together = model.get_feat(faces)
    alone = np.concatenate([model.get_feat(face) for face in faces])
    assert together.shape == alone.shape == (len(faces), model.output_shape[1])
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-3 * np.abs(alone).max())


def test_one_person_is_nearer_to_herself_than_to_others(
    model: ArcFaceONNX, faces: list[np.ndarray]
) -> None:
    """The shipped rule takes a poorer, mirrored photograph for the person, and no stranger."""
    rule = VerdictRule.load(WEIGHTS_DIR / "verdict.json")
    astronaut, *others = model.get_feat(faces)
    places = [rule.identity_place({"cosine_similarity": cosine(astronaut, it)}) for it in others]
    assert places[0] == "high"
    assert "high" not in places[1:]


def test_colours_are_read_in_the_order_of_training(
    model: ArcFaceONNX, faces: list[np.ndarray]
) -> None:
    """Swapping red and blue changes the vector, so the order is not ignored."""
    plain, swapped = model.get_feat([faces[0], np.ascontiguousarray(faces[0][..., ::-1])])
    assert np.abs(plain - swapped).max() > 1e-2 * np.abs(plain).max()


def test_a_mirror_image_is_the_same_face(model: ArcFaceONNX, faces: list[np.ndarray]) -> None:
    """Mirroring changes less than a poorer photograph does."""
    straight, mirrored = model.get_feat([faces[0], np.ascontiguousarray(faces[0][:, ::-1])])
    poorer = model.get_feat(faces[1])[0]
    assert cosine(straight, mirrored) > cosine(straight, poorer)
