"""Training pairs of the encoder: captions, pairs on disk, augmentation, and the tower itself."""

from pathlib import Path

import numpy as np
import pytest
import torch

from prompts.captions import FAKE_PROMPTS, REAL_PROMPTS, caption_class, captions
from tools.encoder.pocket_tower import PocketTower
from tools.forge.forgery import FAMILIES
from tools.metrics import weighted_auc
from tools.training.data.forgery_batches import (
    CELLS,
    SIZE,
    BatchStream,
    Degradation,
    Pool,
    patch_label_map,
)
from tools.training.data.forgery_pool import ForgeryPair, difference_mask, write_chunks
from tools.training.loops.muon import orthogonal

pytestmark = pytest.mark.fast

POINTS = np.array([[80, 100], [140, 100], [110, 130], [85, 165], [135, 165]], np.float32)


def pair(seed: int, *, family: str = "region_swap") -> ForgeryPair:
    """A made-up pair whose forgery darkens a square around the mouth."""
    rng = np.random.default_rng(seed)
    real = rng.integers(60, 200, (218, 218, 3)).astype(np.uint8)
    mask = np.zeros((218, 218), np.uint8)
    mask[150:180, 85:135] = 255
    fake = np.where(mask[..., None] > 0, real // 2, real)
    return ForgeryPair(real, fake, mask, POINTS, family, ("mouth",), f"{seed}.jpg")


@pytest.mark.parametrize("family", FAMILIES)
def test_captions_of_a_forgery_say_what_and_where(family: str) -> None:
    """Every wording of a class is true of it, and none of them calls a forgery authentic."""
    words = captions(caption_class(family, ("mouth", "nose")))
    assert set(FAKE_PROMPTS) <= set(words)
    assert not set(REAL_PROMPTS) & set(words)
    told = [text for text in words if text not in FAKE_PROMPTS]
    assert told and all("the mouth and the nose" in text for text in told)


def test_authentic_pictures_have_the_authentic_captions_only() -> None:
    """No picture that nothing was done to is described as forged."""
    assert captions(caption_class(None, ())) == REAL_PROMPTS


def test_both_eyes_are_called_the_eyes() -> None:
    """A caption reads as a person would say it, and long lists become the whole face."""
    assert caption_class("region_swap", ("left eye", "right eye"))[1] == "the eyes"
    many = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin")
    assert caption_class("face_swap", many)[1] == "the whole face"


def test_pairs_come_back_from_disk_in_batches_with_their_truth(tmp_path: Path) -> None:
    """The forged half differs from the authentic half where the map says so, and only there."""
    write_chunks(iter([pair(seed) for seed in range(5)]), tmp_path, name="lfw", size=2)
    pool = Pool(tmp_path)
    assert pool.refresh() == 5
    stream = BatchStream({"lfw": pool}, {"lfw": 1.0}, np.random.default_rng(0))
    batch = next(stream.batches(8))
    assert batch.images.shape == (16, SIZE, SIZE, 3)
    assert not batch.maps[:8].any()
    assert [kind[0] for kind in batch.kinds] == ["authentic"] * 8 + ["region_swap"] * 8
    change = np.abs(batch.images[8:].astype(float) - batch.images[:8]).mean(axis=3)
    cells = change.reshape(8, CELLS, SIZE // CELLS, CELLS, SIZE // CELLS).mean(axis=(2, 4))
    for row in range(8):
        inside, outside = batch.maps[8 + row] > 0.9, batch.maps[8 + row] == 0
        assert inside.any() and outside.any()
        assert cells[row][inside].mean() > 5 * cells[row][outside].mean()


def test_an_empty_pool_is_an_error_not_an_endless_wait(tmp_path: Path) -> None:
    """A wrong folder is noticed at once."""
    stream = BatchStream({"lfw": Pool(tmp_path)}, {"lfw": 1.0}, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no chunk"):
        next(stream.batches(2))


def test_the_map_follows_the_crop() -> None:
    """A mask at half the picture's size lands in the cells where the crop shows it."""
    mask = np.zeros((64, 64), np.uint8)
    mask[:32] = 255
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    cells = patch_label_map(mask, still)
    assert cells[:8].min() > 0.9 and cells[8:].max() < 0.1
    down = np.array([[1.0, 0, 0], [0, 1, 32]])
    assert patch_label_map(mask, down)[8:12].min() > 0.9


@pytest.mark.parametrize("seed", range(8))
def test_both_members_of_a_pair_are_degraded_alike(seed: int) -> None:
    """The same picture in, the same picture out: compression must not give the forgery away."""
    crop = np.random.default_rng(1).integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
    one, other = Degradation(np.random.default_rng(seed))(crop, crop.copy())
    np.testing.assert_array_equal(one, other)


def test_equal_pictures_differ_nowhere_and_a_changed_patch_is_found() -> None:
    """The truth for DFDC's pairs is their difference, beyond what compression explains."""
    real = np.full((64, 64, 3), 100, np.uint8)
    fake = real + np.uint8(3)
    fake[20:40, 20:40] = 160
    assert not difference_mask(real, real).any()
    mask = difference_mask(real, fake)
    assert mask[30, 30] == 255 and mask[5, 5] == 0


def test_the_tower_gives_features_and_a_map_and_sees_its_input() -> None:
    """Shapes are what open_clip expects, and another picture gives other features."""
    torch.manual_seed(0)
    tower = PocketTower().eval()
    images = torch.randn(2, 3, 128, 128)
    with torch.inference_mode():
        features, evidence = tower(images), tower.evidence(images)
    assert features.shape == (2, tower.num_features)
    assert evidence.shape == (2, 16, 16)
    assert (features[0] - features[1]).abs().max() > 1e-3


def test_orthogonalised_updates_have_singular_values_near_one() -> None:
    """Muon's five steps bring every direction to about the same length."""
    torch.manual_seed(0)
    for shape in ((8, 72), (72, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)).float())
        assert values.min() > 0.5 and values.max() < 1.4


def test_the_weighted_auc_is_that_of_scikit_learn_ties_and_all() -> None:
    """The faster form, which bootstrapping needs, gives the same; one kind alone, NaN."""
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 9, 60), rng.random(60) < 0.4
    weights = rng.integers(0, 4, 60).astype(float)
    ranks = np.unique(scores, return_inverse=True)[1]
    expected = roc_auc_score(labels, scores, sample_weight=weights)
    assert weighted_auc(ranks, labels, weights) == pytest.approx(expected)
    assert np.isnan(weighted_auc(ranks, np.ones(60, bool), weights))
