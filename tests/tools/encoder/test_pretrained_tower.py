"""The pretrained tower: features of every block, computed once for each crop."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from tests.support.tiny_clip import tiny_tower
from tools.encoder.pretrained_tower import PretrainedTower
from tools.encoder.vision_transformer import VisionTransformer
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
