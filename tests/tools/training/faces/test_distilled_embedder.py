"""Distilling an embedder: a student learns from a teacher, and training can be resumed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from insightface.model_zoo import get_model

from tests.support.made.teacher import teacher
from tools.errors import SetupError
from tools.training.data.face_collection import Collection, inner
from tools.training.faces.distilled_embedder import (
    DistillationBatches,
    DistillationConfig,
    load_or_start_run,
    loss_of,
    overlay,
    train,
)
from tools.training.faces.embedder import save_onnx
from tools.training.faces.embedder_network import embedder, rectified
from tools.training.faces.teacher import Teacher
from tools.training.loops.averaged_run import AveragedRun

TINY = DistillationConfig(widths=(4, 8, 16), stem=(4,), batch=8, minutes=60, steps=3)


@pytest.fixture
def guide(tmp_path: Path) -> Teacher:
    """A teacher of six dimensions."""
    return teacher(tmp_path)


@pytest.fixture
def faces(tmp_path: Path, guide: Teacher) -> Collection:
    """A collection of twelve made-up faces: noise, with landmarks as a face has them."""
    rng, folder = np.random.default_rng(0), tmp_path / "faces"
    folder.mkdir()
    crops = rng.integers(0, 256, (12, 144, 144, 3), dtype=np.uint8)
    turn = np.linspace(0, np.pi, 17)
    shape = np.full((68, 2), 75.0)
    shape[:17] = np.stack([72 - 45 * np.cos(turn), 60 + 55 * np.sin(turn)], axis=1)
    shape[17:27] = np.stack([np.linspace(35, 109, 10), np.full(10, 48.0)], axis=1)
    shape[36:48] += rng.uniform(-4, 4, (12, 2)) + np.repeat([[-20, -10], [20, -10]], 6, axis=0)
    landmarks = shape + rng.uniform(-1, 1, (12, 68, 2))
    np.save(folder / "made-train-0000.crops.npy", crops)
    np.save(folder / "made-train-0000.landmarks.npy", landmarks.astype(np.float16))
    np.save(folder / "made-train-0000.teacher.npy", guide.embed(inner(crops)).astype(np.float16))
    (folder / "made-train-0000.json").write_text(json.dumps({"source": "made"}))
    return Collection(folder)


def test_a_batch_carries_the_teachers_opinion_of_the_clean_faces(
    faces: Collection, guide: Teacher
) -> None:
    """Also of faces that nobody has: swaps, and two faces laid over each other."""
    faces.refresh()
    lessons = DistillationBatches(
        faces, guide, DistillationConfig(batch=8, swapped=0.25, overlaid=0.25)
    )
    clean, labels = lessons._drawn(np.random.default_rng(0))
    assert len(clean) == 8
    np.testing.assert_allclose(labels, guide.embed(inner(np.stack(clean))), atol=2e-3)
    known = [faces.face(row)[0] for row in range(12)]
    new = [all((it != other).any() for other in known) for it in clean]
    assert new == [True] * 4 + [False] * 4


def test_the_same_step_draws_the_same_batch(faces: Collection, guide: Teacher) -> None:
    """Batches depend on the seed and the step alone, and differ from step to step."""
    first, second = (DistillationBatches(faces, guide, TINY).batches(first=0) for _ in range(2))
    one, other = next(first), next(second)
    torch.testing.assert_close(one, other)
    assert (next(first)[0] - one[0]).abs().max() > 0.1


def test_a_face_in_between_is_made_of_both(faces: Collection) -> None:
    """A share of one gives the first face, of none the second."""
    faces.refresh()
    one, other = faces.face(0)[0], faces.face(1)[0]
    np.testing.assert_array_equal(overlay(one, other, share=1.0), one)
    np.testing.assert_array_equal(overlay(one, other, share=0.0), other)


def test_the_loss_falls_as_the_student_agrees() -> None:
    """It is least for the teacher's own vectors, and the length of a vector is free."""
    torch.manual_seed(0)
    labels, strange = torch.randn(2, 8, 6)
    agreed, cosine = loss_of(3 * labels, labels, similarity_weight=5)
    assert cosine == pytest.approx(1, abs=1e-5)
    assert float(agreed) == pytest.approx(0, abs=1e-5)
    assert float(loss_of(labels + strange, labels, similarity_weight=5)[0]) > 0.05


def test_a_training_goes_on_from_its_checkpoint(
    faces: Collection, guide: Teacher, tmp_path: Path
) -> None:
    """Steps and time are counted over all sessions; a finished run is not learnt further."""
    train(DistillationBatches(faces, guide, TINY), work=tmp_path)
    half = load_or_start_run(TINY, work=tmp_path, dimension=6)
    assert half.step == 3
    assert half.spent_s > 0
    train(DistillationBatches(faces, guide, TINY), work=tmp_path)
    assert load_or_start_run(TINY, work=tmp_path, dimension=6).step == 3
    longer = DistillationConfig(widths=(4, 8, 16), stem=(4,), batch=8, minutes=60, steps=5)
    network = train(DistillationBatches(faces, guide, longer), work=tmp_path)
    whole = load_or_start_run(longer, work=tmp_path, dimension=6)
    assert whole.step == 5
    assert whole.spent_s > half.spent_s
    torch.testing.assert_close(network.state_dict(), whole.average.state_dict())
    assert not torch.equal(half.average[0].weight, whole.average[0].weight)


def test_without_faces_a_training_names_the_command(guide: Teacher, tmp_path: Path) -> None:
    """An empty folder is one clear line, not an endless wait."""
    with pytest.raises(SetupError, match="face_collection"):
        train(DistillationBatches(Collection(tmp_path), guide, TINY), work=tmp_path)


def test_the_file_is_what_insightface_takes_for_arcface(tmp_path: Path) -> None:
    """Square input of 112 px, one output, the network's own vectors."""
    torch.manual_seed(0)
    network = embedder((4, 8, 16), dimension=6, activation=rectified).eval()
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1
    assert save_onnx(network, tmp_path / "student.onnx", example=image.repeat(2, 1, 1, 1)) < 1e-2
    model = get_model(str(tmp_path / "student.onnx"), providers=["CPUExecutionProvider"])
    assert model.taskname == "recognition"
    with torch.no_grad():
        expected = network(image).numpy()
    # insightface takes blue first.
    np.testing.assert_allclose(model.get_feat(crop[..., ::-1]), expected, atol=1e-2)


def test_the_rate_is_held_and_then_falls(tmp_path: Path) -> None:
    """With `hold` the rate stays at its height for that share of the run."""
    rates = {}
    for hold in (0.0, 0.5):
        run = AveragedRun(
            torch.nn.Linear(2, 1), rate=1.0, steps=10, checkpoint=tmp_path / "none.pt", hold=hold
        )
        for done in (0.4, 0.9):
            run.update(run.model(torch.ones(1, 2)).sum(), done=done)
            rates[hold, done] = run.optimisers[0].param_groups[0]["lr"]
    assert rates[0.5, 0.4] == pytest.approx(1.001)
    assert rates[0.0, 0.9] < rates[0.5, 0.9] < rates[0.0, 0.4] < rates[0.5, 0.4]
