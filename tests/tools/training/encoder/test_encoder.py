"""Training the pocket encoder: pairs prepared in processes, a resumed run, forged frames."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from evals.protocol.measured import load_models
from tests.support.made.forgery_data import CUP, build
from tests.support.made.pairs import write_pool
from tools.encoder.clip import Encoder
from tools.training.data.forgery_batches import BatchStream, Pool
from tools.training.data.forgery_pool import HELD_OUT_FAMILY, authentic_frames, forged_pairs
from tools.training.encoder.encoder import DATASET_WEIGHTS, EncoderTraining
from tools.training.loops.pair_loading import batches_of_processes


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve made pairs of each source."""
    return write_pool(tmp_path_factory.mktemp("pool"))


def run(folder: Path, *, minutes: float) -> EncoderTraining:
    """A training of the smallest kind."""
    folder.mkdir(exist_ok=True)
    given = argparse.Namespace(
        run=folder, minutes=minutes, threads=1, device="cpu", pairs=4, lr=2e-3, seed=0
    )
    return EncoderTraining(given)


def stream(pool: Path) -> BatchStream:
    """The pool's pairs, mixed as usual."""
    return BatchStream(
        {name: Pool(pool / name) for name in DATASET_WEIGHTS},
        DATASET_WEIGHTS,
        np.random.default_rng(0),
    )


def test_a_stopped_training_goes_on_and_leaves_an_encoder(pool: Path, tmp_path: Path) -> None:
    """The second run counts on from the first; what it writes loads and sees pictures."""
    torch.set_num_threads(1)
    first = run(tmp_path, minutes=60)
    batches = stream(pool).batches(4)
    for _ in range(2):
        first._update(next(batches), np.random.default_rng(0), factor=1.0)
    first.save()
    second = run(tmp_path, minutes=60)
    assert second.step == 2
    for name, value in first.slow.state_dict().items():
        torch.testing.assert_close(second.slow.state_dict()[name], value)
    second.clock.total_s = 0.01
    second.train(batches)
    encoder = Encoder.load(tmp_path / "encoder", threads=1)
    white, black = (np.full((128, 128, 3), it, np.uint8) for it in (255, 0))
    features = encoder.encode_images([white, black])
    assert np.isfinite(features).all() and np.abs(features[0] - features[1]).max() > 0


def test_processes_prepare_the_same_kind_of_batch(pool: Path) -> None:
    """Forged halves differ from authentic ones, classes survive the way between processes."""
    folders = {name: pool / name for name in DATASET_WEIGHTS}
    batches = batches_of_processes(folders, DATASET_WEIGHTS, pairs=6, processes=2, seed=0)
    for batch in (next(batches), next(batches)):
        assert batch.images.shape == (12, 128, 128, 3) and batch.images.dtype == np.uint8
        assert not batch.maps[:6].any() and batch.maps[6:].any()
        assert (batch.images[:6] != batch.images[6:]).any(axis=(1, 2, 3)).all()
        # Classes are looked up in sets, which lists would break.
        assert {kind[0] for kind in batch.kinds[6:]} <= {"inpainting", "video_deepfake"}


def test_video_frames_are_forged_as_photographs_are(tmp_path: Path) -> None:
    """Every original with a face gives forgeries, none of the family that is held out."""
    frames = authentic_frames(build(tmp_path), load_models().faces, split="val")
    assert len(frames.paths) and f"{CUP}_cup.jpg" not in frames.paths
    made = list(forged_pairs(frames, rounds=2, seed=0))
    assert {pair.origin for pair in made} == set(frames.paths)
    for pair in made:
        assert pair.family not in (HELD_OUT_FAMILY, "video_deepfake")
        assert (pair.real != pair.fake).any() and pair.mask.any()
