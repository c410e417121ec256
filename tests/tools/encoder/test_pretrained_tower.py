"""The pretrained tower: features of every block, computed once for each crop."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from tests.support.tiny_clip import tiny_tower
from tools.encoder.pretrained_tower import PretrainedTower, UpperNorms
from tools.encoder.vision_transformer import Block, VisionTransformer
from tools.errors import SetupError

RNG = np.random.default_rng(0)
CROPS = [RNG.integers(0, 256, (40, 40, 3), np.uint8) for _ in range(3)]


def test_each_block_gives_its_class_token_and_the_mean_of_its_patches(tmp_path: Path) -> None:
    """Compared with transformers' own hidden states."""
    import torch
    from transformers import CLIPVisionModelWithProjection

    tower = tiny_tower(tmp_path)
    features = tower.block_features(CROPS)
    assert features.shape == (3, 24, 16)
    assert features.dtype == np.float16
    wanted = tower.preprocessing
    mean, spread = (torch.tensor(it).view(3, 1, 1) for it in (wanted.mean, wanted.std))
    pixels = (wanted.batch(CROPS).float() / 255 - mean) / spread
    network = CLIPVisionModelWithProjection.from_pretrained(tmp_path, local_files_only=True)
    states = network.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
    for block in (0, 11):
        state = states[block + 1].detach().numpy()
        np.testing.assert_allclose(features[:, block], state[:, 0], atol=0.05)
        np.testing.assert_allclose(features[:, 12 + block], state[:, 1:].mean(1), atol=0.05)


def test_a_crop_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All heads read the same crop; the order of the answers is that of the question."""
    tower = tiny_tower(tmp_path)
    first = tower.block_features(CROPS)
    runs = []

    def counting(network: VisionTransformer, images: Tensor) -> Iterator[Tensor]:
        runs.append(len(images))
        return states(network, images)

    states = VisionTransformer.states
    monkeypatch.setattr(VisionTransformer, "states", counting)
    again = tower.block_features([CROPS[2], CROPS[0], CROPS[2]])
    assert runs == []
    np.testing.assert_array_equal(again, first[[2, 0, 2]])
    assert len(tower.block_features([CROPS[0][::-1]])) == 1
    assert runs == [1]


def test_a_missing_part_is_none_and_a_damaged_one_says_what_to_do(tmp_path: Path) -> None:
    """Without `unmask setup` there is no tower; a broken folder names the command."""
    assert PretrainedTower.installed(tmp_path) is None
    tower = tiny_tower(tmp_path / "part")
    (tmp_path / "part" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(SetupError, match="unmask setup"):
        tower.block_features(CROPS)
    (tmp_path / "part" / "preprocessing.json").unlink()
    with pytest.raises(SetupError, match="unmask setup"):
        _ = PretrainedTower(tmp_path / "part", "x").preprocessing


def _norms(tower: PretrainedTower, start: int) -> list[Tensor]:
    return [
        getattr(norm, kind)
        for block in tower.network.blocks[start:]
        for norm in (block.first_norm, block.second_norm)
        for kind in ("weight", "bias")
    ]


def test_tuned_norms_change_only_the_upper_blocks_and_share_the_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the tower's own norms nothing changes; no lower block runs twice for a crop."""
    tower = tiny_tower(tmp_path)
    same = UpperNorms(6, _norms(tower, 6), "same")
    other = UpperNorms(6, [it + 0.5 for it in same.norms], "other")
    np.testing.assert_array_equal(tower.tuned_features(CROPS, same), tower.block_features(CROPS))
    fresh, runs = PretrainedTower(tower.folder, "again"), list[int]()
    fresh.tuned_features(CROPS[:1], other)  # from now on it keeps what both halves share

    def counting(
        network: VisionTransformer, states: Tensor, blocks: list[Block]
    ) -> Iterator[Tensor]:
        runs.append(len(blocks))
        return continued(network, states, blocks)

    continued = VisionTransformer.continued
    monkeypatch.setattr(VisionTransformer, "continued", counting)
    plain, tuned = fresh.block_features(CROPS), fresh.tuned_features(CROPS, other)
    assert runs == [12, 6]
    lower = [*range(6), *range(12, 18)]
    np.testing.assert_array_equal(tuned[:, lower], plain[:, lower])
    upper = [*range(6, 12), *range(18, 24)]
    assert np.abs(tuned[:, upper].astype(float) - plain[:, upper]).max(axis=(0, 2)).min() > 0.01
    np.testing.assert_array_equal(tuned[2:], fresh.tuned_features(CROPS[2:], other))


def test_norms_of_another_tower_are_refused(tmp_path: Path) -> None:
    """Too few, or of another width: one line says what does not fit."""
    tower = tiny_tower(tmp_path)
    norms = _norms(tower, 6)
    for wrong in (norms[:-4], [it[:8] for it in norms]):
        with pytest.raises(SetupError, match="do not fit"):
            tower.tuned_features(CROPS, UpperNorms(6, wrong, "wrong"))
