"""Relevance maps: attention equals open_clip's, and the maps follow the papers."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from tests.support.tiny_clip import (
    HEADS,
    LAYERS,
    SIZE,
    WIDTH,
    as_transformers,
    config,
    random_weights,
)
from tests.support.tiny_clip import write_encoder as write
from tools.detectors import UnifdLinear
from tools.encoder.clip import Encoder, build_model
from tools.localisers import LOCALISERS, localise_forgery
from tools.localisers.gradients import relative_excess, upsample_map
from tools.localisers.relevance import (
    attention_blocks,
    record_attention,
    relevance,
    relevance_map,
    rollout,
    rollout_map,
    self_attention,
)

GRID = SIZE // 16


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights of a spread at which attention is not even."""
    return random_weights(0.08)


@pytest.fixture(scope="module")
def encoder(weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A small ViT of open_clip's."""
    return write(tmp_path_factory.mktemp("relevance") / "vit", weights, quick_gelu=True)


@pytest.fixture(scope="module")
def head(encoder: Encoder) -> UnifdLinear:
    """A random linear head."""
    weight = np.random.default_rng(0).normal(size=encoder.dimension)
    return UnifdLinear(weight, 0.3, "face")


@pytest.fixture(scope="module")
def peer(weights: dict[str, torch.Tensor]) -> CLIPVisionModel:
    """transformers' tower with the same weights, whose attention can be asked for."""
    model = CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            image_size=SIZE,
            patch_size=16,
            attn_implementation="eager",
        )
    )
    wanted = set(model.state_dict())
    theirs = as_transformers(weights)
    # Depending on the release the tower's names begin with its own or not.
    short = {name.removeprefix("vision_model."): value for name, value in theirs.items()}
    model.load_state_dict({name: {**theirs, **short}[name] for name in wanted}, strict=True)
    return model.eval()


@pytest.fixture(scope="module")
def crop(astronaut: np.ndarray) -> np.ndarray:
    """The astronaut's face, as large as the encoder's input."""
    return np.ascontiguousarray(astronaut[60 : 60 + 2 * SIZE : 2, 170 : 170 + 2 * SIZE : 2])


def blocks_of(encoder: Encoder) -> list[torch.nn.MultiheadAttention]:
    """Its blocks, which are known to be there."""
    blocks = attention_blocks(encoder.model)
    assert blocks is not None
    return blocks


def test_recomputed_attention_gives_what_the_block_gives(encoder: Encoder) -> None:
    """Output and weights equal those of PyTorch's own attention, block by block."""
    for block in blocks_of(encoder):
        tokens = torch.randn(GRID * GRID + 1, WIDTH, generator=torch.Generator().manual_seed(1))
        made, weights = self_attention(block, tokens)
        expected, theirs = block(
            tokens[None], tokens[None], tokens[None], average_attn_weights=False
        )
        assert expected.abs().mean() > 0.01
        assert (made - expected[0]).abs().max() < 1e-4
        assert (weights - theirs[0]).abs().max() < 1e-4


def test_watching_attention_changes_no_feature(encoder: Encoder, crop: np.ndarray) -> None:
    """Features are the same while attention is recomputed, and nothing is left behind after."""
    before = encoder.encode_images([crop])
    with record_attention(blocks_of(encoder)) as seen:
        during = encoder.encode_images([crop])
    assert len(seen) == LAYERS
    assert np.abs(during - before).max() < 1e-4
    assert np.array_equal(encoder.encode_images([crop]), before)
    assert len(seen) == LAYERS


def test_another_threads_passes_are_left_alone(encoder: Encoder, crop: np.ndarray) -> None:
    """A batch that is being indexed meanwhile neither fills the list nor is touched."""
    with record_attention(blocks_of(encoder)) as seen:
        other = threading.Thread(target=encoder.encode_images, args=([crop, crop],))
        other.start()
        other.join()
    assert seen == []


def peer_attention(
    peer: CLIPVisionModel, encoder: Encoder, crop: np.ndarray
) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """transformers' output and its attention, (1, heads, t, t) a block."""
    found = peer(pixel_values=encoder.preprocess([crop]), output_attentions=True)
    assert len(found.attentions) == LAYERS
    return found, found.attentions


def test_rollout_is_that_of_transformers(
    encoder: Encoder, peer: CLIPVisionModel, crop: np.ndarray, head: UnifdLinear
) -> None:
    """The same weights give the same rollout, by the paper's formula on their attention."""
    with torch.no_grad():
        _, theirs = peer_attention(peer, encoder, crop)
    flow = np.eye(GRID * GRID + 1)
    for weights in theirs:
        mixed = 0.5 * weights[0].mean(dim=0).numpy() + 0.5 * np.eye(len(flow))
        flow = mixed / mixed.sum(axis=1, keepdims=True) @ flow
    expected = flow[0, 1:].reshape(GRID, GRID)
    with torch.inference_mode(), record_attention(blocks_of(encoder)) as seen:
        encoder.forward(encoder.preprocess([crop]))
    ours = rollout(seen).reshape(GRID, GRID)
    assert expected.std() > 0.02 * expected.mean()
    assert np.abs(ours / ours.mean() - expected / expected.mean()).max() < 1e-3
    heat = rollout_map(crop, encoder=encoder, head=head)
    assert heat is not None
    assert np.abs(heat - upsample_map(relative_excess(expected), side=SIZE)).max() < 1e-3


def test_relevance_is_that_of_transformers(
    encoder: Encoder,
    peer: CLIPVisionModel,
    crop: np.ndarray,
    head: UnifdLinear,
    weights: dict[str, torch.Tensor],
) -> None:
    """Gradients of the score through transformers' own attention give the same relevance."""
    found, theirs = peer_attention(peer, encoder, crop)
    features = found.pooler_output[0] @ weights["visual.proj"]
    score = features @ torch.from_numpy(head.weight).float()
    gradients = torch.autograd.grad(score, theirs)
    flow = torch.eye(GRID * GRID + 1)
    for attention, gradient in zip(theirs, gradients, strict=True):
        flow = flow + (gradient * attention)[0].clamp(min=0).mean(dim=0) @ flow
    expected = relative_excess(flow[0, 1:].detach().numpy().reshape(GRID, GRID))
    heat = relevance_map(crop, encoder=encoder, head=head)
    assert heat is not None
    assert heat.shape == crop.shape[:2]
    assert expected.std() > 0.1
    assert np.abs(heat - upsample_map(expected, side=SIZE)).max() < 1e-3


def test_rollout_of_one_block_by_hand() -> None:
    """Half attention, half shortcut: 0.5·(1 0 0) + 0.5·(0.2 0.5 0.3), without the class token."""
    attention = torch.tensor([[[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    assert rollout([attention]) == pytest.approx([0.25, 0.15])


def test_relevance_by_hand() -> None:
    """Only attention whose gradient is positive counts, and blocks chain.

    One head, two blocks of (class, a, b). First: a hears b with 0.5 and gradient 2, so R = I with
    R[a, b] = 1. Second: the class hears a with 0.4 and gradient 1, b with 0.6 and gradient -1, so
    0.4 of a's row is added to its own: a 0.4, b 0.4·1 = 0.4.
    """
    first, second, up, down = (torch.zeros(1, 3, 3) for _ in range(4))
    first[0, 1, 2], up[0, 1, 2] = 0.5, 2.0
    second[0, 0, 1], second[0, 0, 2] = 0.4, 0.6
    down[0, 0, 1], down[0, 0, 2] = 1.0, -1.0
    assert relevance([first, second], [up, down]) == pytest.approx([0.4, 0.4])


def test_the_head_decides_what_is_relevant(
    encoder: Encoder, crop: np.ndarray, head: UnifdLinear
) -> None:
    """The opposite head gives another relevance and the same rollout."""
    against = UnifdLinear(-head.weight, 0.0, "face")
    maps = [relevance_map(crop, encoder=encoder, head=it) for it in (head, against)]
    assert maps[0] is not None
    assert maps[1] is not None
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] < 0.9
    rolled = [rollout_map(crop, encoder=encoder, head=it) for it in (head, against)]
    assert rolled[0] is not None
    assert np.array_equal(rolled[0], rolled[1])


class ScalesFirst:
    """A head with weights that scores directions: its weights alone do not explain it."""

    def __init__(self, weight: np.ndarray) -> None:
        self.weight, self.bias = weight, 0.0

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, d) to (n,)."""
        return features @ self.weight / np.linalg.norm(features, axis=1)


def test_a_head_that_is_not_linear_gets_no_relevance(
    encoder: Encoder, crop: np.ndarray, head: UnifdLinear
) -> None:
    """No wrong map is made of weights that are only part of the score."""
    assert relevance_map(crop, encoder=encoder, head=ScalesFirst(head.weight)) is None


def test_the_pocket_tower_keeps_its_own_map(case: Any, astronaut: np.ndarray) -> None:
    """A convolutional tower has no attention; what the shipped weights show stays what it was."""
    parts = case.models
    face = parts.faces.analyse([astronaut])[0][0]
    head = next(it for it in parts.detectors if it.inputs == "face")
    small = np.ascontiguousarray(astronaut[:128, :128])
    assert relevance_map(small, encoder=parts.encoder, head=head) is None
    assert rollout_map(small, encoder=parts.encoder, head=head) is None
    located = localise_forgery(astronaut, face, encoder=parts.encoder, head=head)
    assert "tower's own map" in located.evidence[0].method


def test_a_clip_vit_answers_with_relevance(
    case: Any, encoder: Encoder, astronaut: np.ndarray, head: UnifdLinear
) -> None:
    """Where the tower has no map of its own, relevance comes before occlusion, never read."""
    face = case.models.faces.analyse([astronaut])[0][0]
    located = localise_forgery(astronaut, face, encoder=encoder, head=head)
    assert [it.name for it in LOCALISERS] == ["tower_map", "relevance", "occlusion"]
    assert "relevance" in located.evidence[0].method
    assert {item.reads for item in located.evidence} == {"not calibrated"}


def test_other_towers_have_no_blocks(tmp_path: Path) -> None:
    """A ViT that averages its tokens is none of those whose class token is asked."""
    averaging = config(quick_gelu=True)
    averaging["model_cfg"]["vision_cfg"]["pool_type"] = "avg"
    assert attention_blocks(build_model(averaging)) is None
    assert attention_blocks(torch.nn.Linear(2, 2)) is None
