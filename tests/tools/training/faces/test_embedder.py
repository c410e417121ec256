"""Training the embedder: data beside photographs, and merging two runs."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from insightface.data import get_image

from tools.checkpoints.table import WEIGHTS_DIR
from tools.faces.analyser import FaceAnalyser
from tools.training.faces.embedder import blend
from tools.training.faces.embedder_network import Mirrored, embedder
from tools.training.faces.face_crops import load_lfw
from tools.training.faces.swapped_faces import make_swaps, with_swaps

SIDE = 200
PACK = WEIGHTS_DIR / "faces"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, astronaut: np.ndarray) -> Path:
    """Three persons in the layout of the training data, one photograph each."""
    folder = tmp_path_factory.mktemp("data")
    group = np.ascontiguousarray(get_image("t1")[..., ::-1])
    (alone,), friends = FaceAnalyser(PACK, threads=1).analyse([astronaut, group])
    paths, landmarks = [], []
    for number, (picture, face) in enumerate(
        [(astronaut, alone), (group, friends[1]), (group, friends[2])]
    ):
        corner = face.landmarks.mean(axis=0).round().astype(int) - SIDE // 2
        pixels = picture[corner[1] :, corner[0] :][:SIDE, :SIDE]
        path = Path(f"person{number}") / "0.png"
        (folder / "lfw" / "images" / path).parent.mkdir(parents=True)
        cv2.imwrite(str(folder / "lfw" / "images" / path), pixels[..., ::-1])
        paths.append(str(path))
        landmarks.append(face.landmarks - corner)
    np.savez(
        folder / "lfw" / "labels.npz",
        path=np.array(paths),
        split=np.array(["train"] * 3),
        landmarks68=np.stack(landmarks),
        embedding256=np.eye(3, 256, dtype=np.float32),
    )
    return folder


def test_a_swap_is_labelled_with_the_person_of_the_face(data: Path, tmp_path: Path) -> None:
    """The label of a swap is its face's owner, and its pixels are not that person's photograph."""
    file = tmp_path / "swaps.npz"
    make_swaps(data, file, count=3, seed=0)
    photographs = load_lfw(data, "train")
    both = with_swaps(photographs, file)
    with np.load(file) as swaps:
        owners = swaps["owner"]
    assert len(both.pixels) == 3 + len(owners) > 3
    np.testing.assert_array_equal(both.teacher[3:], photographs.teacher[owners])
    np.testing.assert_array_equal(both.person[3:], photographs.person[owners])
    for pixels, owner in zip(both.pixels[3:], owners, strict=True):
        assert (pixels != photographs.pixels[owner]).any()


def test_blending_goes_from_one_run_to_the_other() -> None:
    """A share of 0 changes nothing, 1 gives the other weights, and half lies between."""
    torch.manual_seed(0)
    one, other = embedder((8, 8)), embedder((8, 8))
    ours = one.state_dict()["0.weight"].clone()
    theirs = other.state_dict()["0.weight"]
    blend(one, other.state_dict(), share=0.0)
    torch.testing.assert_close(one.state_dict()["0.weight"], ours)
    blend(one, other.state_dict(), share=0.5)
    torch.testing.assert_close(one.state_dict()["0.weight"], (ours + theirs) / 2)
    blend(one, other.state_dict(), share=1.0)
    torch.testing.assert_close(one.state_dict()["0.weight"], theirs)


def test_the_mirrored_network_cannot_tell_left_from_right() -> None:
    """A crop and its mirror image get one vector, which different crops do not."""
    torch.manual_seed(0)
    network = Mirrored(embedder((8, 8))).eval()
    images = torch.rand(2, 3, 112, 112) * 2 - 1
    with torch.inference_mode():
        vectors, mirrored = network(images), network(images.flip(3))
    torch.testing.assert_close(vectors, mirrored)
    assert (vectors[0] - vectors[1]).abs().max() > 1e-3
