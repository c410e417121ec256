"""Further face embedders: each gets its own crop, and two of them can disagree."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch

from assistant import Unmask
from tests.support.cases import astronaut_pixels, group_pixels
from tests.support.made.embedder import write_embedder
from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import warp
from tools.faces.analyser import Face, recognition_matrix
from tools.faces.embedder_input import ImpostorStatistics
from tools.faces.further_embedders import (
    COSINE,
    DIFFERENCE,
    EMBEDDERS_FOLDER,
    SHIPPED_EMBEDDER,
    FaceEmbedder,
    load_embedders,
)
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.reranking.rerank_input import RerankInput
from tools.search.reranking.second_opinion import second_scores
from tools.training.faces.embedder import save_onnx
from tools.training.faces.embedder_network import Mirrored
from tools.training.faces.further_embedder import PrototypeEmbedder, SecondEmbedderConfig, loss_of

FIRST = WEIGHTS_DIR / "faces" / "recognition.onnx"


@pytest.fixture(scope="module")
def face(case: Unmask) -> Face:
    """The astronaut's face."""
    (found,) = case.models.faces.analyse([astronaut_pixels()])[0]
    return found


@pytest.fixture(scope="module")
def stranger(case: Unmask) -> Face:
    """The face of somebody else."""
    return case.models.faces.analyse([group_pixels()])[0][2]


@pytest.fixture
def aligned(tmp_path: Path) -> FaceEmbedder:
    """A real ArcFace-style file of 112 px, laid there without a word about it."""
    shutil.copy(FIRST, tmp_path / "aligned.onnx")
    return FaceEmbedder.load(tmp_path / "aligned.onnx")


@pytest.fixture
def loose(tmp_path: Path) -> FaceEmbedder:
    """A file of 113 px that takes one face at a time."""
    write_embedder(tmp_path / "loose.onnx", shape=[1, 3, 113, 113])
    return FaceEmbedder.load(tmp_path / "loose.onnx")


def test_a_file_of_112_px_gets_arcface_s_crop(aligned: FaceEmbedder, face: Face) -> None:
    """Pixel by pixel what insightface would cut."""
    pixels = astronaut_pixels()
    expected = warp(pixels, recognition_matrix(face.keypoints, size=112), size=112)
    np.testing.assert_array_equal(aligned.crop_face(pixels, face), expected)


def test_a_file_of_113_px_gets_the_box_and_30_percent(loose: FaceEmbedder, face: Face) -> None:
    """The longer side of the box fills a share of 1 / 1.3 of the crop, in its middle."""
    left, top, right, bottom = face.box.round().astype(int)
    marked = np.zeros_like(astronaut_pixels())
    marked[top:bottom, left:right] = 255
    shown = np.argwhere(loose.crop_face(marked, face)[..., 0] > 127)
    sides = shown.max(axis=0) - shown.min(axis=0) + 1
    assert sides.max() == pytest.approx(113 / 1.3, abs=2)
    assert shown.mean(axis=0) == pytest.approx([56, 56], abs=1.5)


@pytest.mark.parametrize("kind", ["aligned", "loose"])
def test_vectors_have_length_one(
    kind: str, request: pytest.FixtureRequest, face: Face, stranger: Face
) -> None:
    """Of both kinds; several faces at once, or one, is the same; two persons are not one."""
    embedder: FaceEmbedder = request.getfixturevalue(kind)
    looks = [(astronaut_pixels(), face), (group_pixels(), stranger)]
    both = embedder.embed(looks)
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(looks[:1])[0], both[0], atol=1e-4)
    assert abs(both[0] - both[1]).max() > 0.01


def test_the_file_beside_it_says_how_faces_are_cut_and_normalised(
    tmp_path: Path, face: Face
) -> None:
    """A margin shows more, a mean is taken off, and the order of channels is turned."""
    write_embedder(tmp_path / "own.onnx", shape=["n", 3, 112, 112])
    plain = FaceEmbedder.load(tmp_path / "own.onnx")
    told = {
        "crop": {"kind": "arcface", "margin": 2.0},
        "mean": [10, 20, 30],
        "std": 1,
        "order": "BGR",
    }
    (tmp_path / "own.json").write_text(json.dumps({"name": "mine", "licence": "CC0", **told}))
    mine = FaceEmbedder.load(tmp_path / "own.onnx")
    assert (mine.name, mine.licence) == ("mine", "CC0")
    crop = mine.crop_face(astronaut_pixels(), face)
    small = plain.crop_face(astronaut_pixels(), face)[::2, ::2]
    middle = crop[28:84, 28:84].astype(float)
    assert np.corrcoef(middle.ravel(), small.ravel())[0, 1] > 0.9
    means = crop.astype(np.float64).mean(axis=1).T[::-1] - [[10], [20], [30]]
    expected = means.ravel() / np.linalg.norm(means)
    np.testing.assert_allclose(mine.embed_crops([crop])[0], expected, atol=1e-4)


def test_what_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    """No size, an unknown size, a broken file: each names the file, none is run on a guess."""
    write_embedder(tmp_path / "any.onnx", shape=["n", 3, "h", "w"])
    with pytest.raises(SetupError, match=r"any\.onnx.*size"):
        FaceEmbedder.load(tmp_path / "any.onnx")
    write_embedder(tmp_path / "large.onnx", shape=["n", 3, 224, 224])
    with pytest.raises(SetupError, match=r"large\.json.*crop"):
        FaceEmbedder.load(tmp_path / "large.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(SetupError, match=r"broken\.onnx"):
        FaceEmbedder.load(tmp_path / "broken.onnx")


def test_a_person_s_own_embedders_come_before_the_shipped_one(tmp_path: Path) -> None:
    """Whoever lays a file there wants it used."""
    (tmp_path / EMBEDDERS_FOLDER).mkdir()
    shutil.copy(FIRST, tmp_path / EMBEDDERS_FOLDER / "own.onnx")
    found = [it.path for it in load_embedders(tmp_path)]
    assert found[0] == tmp_path / EMBEDDERS_FOLDER / "own.onnx"
    assert found[1:] == ([SHIPPED_EMBEDDER] if SHIPPED_EMBEDDER.is_file() else [])


def look_at(
    hit: tuple[np.ndarray, Face],
    photos: tuple[tuple[np.ndarray, Face], ...],
    *,
    first: float | None,
    second: FaceEmbedder | None,
) -> RerankInput:
    """A hit of which the first embedder says `first`, beside a second one."""
    models = SimpleNamespace(second_embedder=second, fingerprint={"faces": "the first"})
    scores: Mapping[str, float | None] = {"cosine_similarity": first}
    return RerankInput(*hit, scores, cast(Query, None), photos, cast(ModelBundle, models))


@pytest.fixture
def judge(aligned: FaceEmbedder) -> FaceEmbedder:
    """A second embedder that knows how alike strangers are, to itself and to the first."""
    known = ImpostorStatistics(mean=0.0, spread=0.1)
    return FaceEmbedder(
        aligned.path, "judge", "", aligned.preprocessing, aligned.size, known, {"the first": known}
    )


def test_high_in_one_and_low_in_the_other_is_a_positive_difference(
    judge: FaceEmbedder, face: Face, stranger: Face
) -> None:
    """Strangers whom the first takes for one person differ by far; one photo does not."""
    pixels = astronaut_pixels()
    other = group_pixels(), stranger
    fooled = second_scores([look_at(other, ((pixels, face),), first=0.8, second=judge)])[0]
    agreed = second_scores([look_at((pixels, face), ((pixels, face),), first=1.0, second=judge)])[0]
    doubted = second_scores([look_at((pixels, face), ((pixels, face),), first=0.1, second=judge)])[
        0
    ]
    assert agreed[COSINE] == pytest.approx(1, abs=1e-4)
    assert agreed[DIFFERENCE] == pytest.approx(0, abs=0.01)
    assert fooled[COSINE] is not None and fooled[COSINE] < 0.4
    assert fooled[DIFFERENCE] is not None and fooled[DIFFERENCE] > 0.4
    assert doubted[DIFFERENCE] is not None and doubted[DIFFERENCE] < -0.8


def test_what_was_not_measured_is_none(
    judge: FaceEmbedder, aligned: FaceEmbedder, face: Face
) -> None:
    """No second embedder, no query photo: nothing; strangers never measured: no difference."""
    hit = astronaut_pixels(), face
    nothing = {COSINE: None, DIFFERENCE: None}
    assert second_scores([look_at(hit, (hit,), first=1.0, second=None)])[0] == nothing
    assert second_scores([look_at(hit, (), first=1.0, second=judge)])[0] == nothing
    partly = second_scores([look_at(hit, (hit,), first=1.0, second=aligned)])[0]
    assert partly[COSINE] == pytest.approx(1, abs=1e-4)
    assert partly[DIFFERENCE] is None
    assert second_scores([look_at(hit, (hit,), first=None, second=judge)])[0][DIFFERENCE] is None


def test_what_the_training_writes_is_an_embedder(tmp_path: Path, face: Face) -> None:
    """Small, read back by the loader, of length one, and alike for a face and its mirror image."""
    torch.manual_seed(0)
    network = Mirrored(PrototypeEmbedder(torch.eye(3, 256)).network).eval()
    path = tmp_path / "second.onnx"
    difference = save_onnx(network, path, example=torch.rand(4, 3, 112, 112) * 2 - 1)
    assert difference < 1e-2
    assert path.stat().st_size < 1_500_000
    made = FaceEmbedder.load(path)
    crop = made.crop_face(astronaut_pixels(), face)
    straight, mirrored = made.embed_crops([crop, crop[:, ::-1]])
    assert np.linalg.norm(straight) == pytest.approx(1, abs=1e-5)
    assert straight @ mirrored == pytest.approx(1, abs=1e-3)


def test_the_loss_falls_as_faces_near_their_own_prototype_only() -> None:
    """A margin is left to its own prototype, so that being merely nearest is not yet enough."""
    centres = torch.eye(4, 256)
    learner, person = PrototypeEmbedder(centres), torch.tensor([0, 1])
    own, other = centres[person], centres[torch.tensor([2, 3])]
    near, wrong = own + 0.9 * other, other
    right, _ = loss_of(learner, near, teacher=own, person=person, recipe=SecondEmbedderConfig())
    worse, parts = loss_of(
        learner, wrong, teacher=own, person=person, recipe=SecondEmbedderConfig()
    )
    lenient, _ = loss_of(
        learner, near, teacher=own, person=person, recipe=SecondEmbedderConfig(identity_margin=0.0)
    )
    assert worse > right > lenient + 0.05
    assert parts["teacher"] == pytest.approx(0, abs=1e-5)
