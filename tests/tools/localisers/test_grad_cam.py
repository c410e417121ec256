"""Grad-CAM follows the paper's formula on convolutions and ViTs, and finds the right place."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tests.support.tiny_clip import SIZE, random_weights, write_encoder
from tools.detectors import UnifdLinear
from tools.encoder.clip import Encoder
from tools.faces.alignment import aligned_crop
from tools.localisers import OPTIONAL_LOCALISERS, localise_with
from tools.localisers.grad_cam import (
    class_activation,
    grad_cam,
    last_convolutional,
    last_token_layer,
    weight_activations,
)


class TwoChannels(nn.Module):
    """A convolution that copies red and green, then the mean of each, as a classifier has it."""

    def __init__(self) -> None:
        super().__init__()
        self.copy = nn.Conv2d(3, 2, 1, bias=False)
        self.pool = nn.AdaptiveAvgPool2d(1)
        with torch.no_grad():
            self.copy.weight[:] = torch.tensor([[1.0, 0, 0], [0, 1, 0]])[..., None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) to (n, 2)."""
        return self.pool(self.copy(x)).flatten(1)


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A small ViT of open_clip's with random weights."""
    weights = random_weights(0.08)
    return write_encoder(tmp_path_factory.mktemp("cam") / "vit", weights, quick_gelu=True)


@pytest.fixture(scope="module")
def head(vit: Encoder) -> UnifdLinear:
    """A random linear head on it, one of those that are warm at several patches of the crop."""
    return UnifdLinear(np.random.default_rng(3).normal(size=vit.dimension), 0.3, "face")


@pytest.fixture(scope="module")
def crop(astronaut: np.ndarray) -> np.ndarray:
    """The astronaut's face, as large as the ViT's input."""
    return np.ascontiguousarray(astronaut[60 : 60 + 2 * SIZE : 2, 170 : 170 + 2 * SIZE : 2])


def test_the_formula_by_hand() -> None:
    """Channel means of the gradient weigh the channels: 2·(1 0 / 3 1) - 1·(0 4 / 1 0), cut at 0."""
    activation = torch.tensor([[[1.0, 0.0], [3.0, 1.0]], [[0.0, 4.0], [1.0, 0.0]]])
    gradient = torch.tensor([[[8.0, 0.0], [0.0, 0.0]], [[-1.0, -1.0], [-1.0, -1.0]]])
    assert weight_activations(activation, gradient).tolist() == [[2.0, 0.0], [5.0, 2.0]]


def test_a_convolution_shows_where_its_channel_is() -> None:
    """For red minus green: red's place is warm, green's is cut off, by a quarter a pixel.

    The mean over four places gives each a gradient of 1/4 for red, so that a red of 4 in the
    upper left corner makes 4 · 1/4 = 1 there.
    """
    picture = torch.zeros(1, 3, 2, 2, requires_grad=True)
    with torch.no_grad():
        picture[0, 0, 0, 0], picture[0, 1, 1, 1] = 4.0, 4.0
    tower = TwoChannels()

    def red_less_green() -> torch.Tensor:
        both = tower(picture)[0]
        return both[0] - both[1]

    cells = class_activation(tower, red_less_green)
    assert cells is not None
    assert cells.tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_a_network_without_places_has_no_map() -> None:
    """Fully connected layers say nothing about where."""
    tower = nn.Linear(3, 1)
    given = torch.ones(1, 3, requires_grad=True)
    assert class_activation(tower, lambda: tower(given)[0, 0]) is None


def test_the_pocket_towers_last_layer_with_places(case: Any, astronaut: np.ndarray) -> None:
    """Of the pocket tower it is the mixing layer, not the one-channel map behind it."""
    encoder = case.models.encoder
    small = np.ascontiguousarray(astronaut[:128, :128])
    visual = encoder.model.visual
    layer = last_convolutional(visual, lambda: encoder.forward(encoder.preprocess([small])))
    assert layer is not None
    assert layer.module is visual.trunk.mix


def test_the_pocket_encoder_gets_a_map(case: Any, astronaut: np.ndarray) -> None:
    """A map of the crop's size that the opposite head would not give; nothing of it is read."""
    parts = case.models
    head = next(it for it in parts.detectors if it.inputs == "face")
    against = UnifdLinear(-head.weight, -head.bias, "face")
    face = parts.faces.analyse([astronaut])[0][0]
    side, margin = parts.encoder.image_size, parts.encoder.face_margin
    crop = aligned_crop(astronaut, face.keypoints, size=side, margin=margin)
    maps = [grad_cam(crop, encoder=parts.encoder, head=it) for it in (head, against)]
    assert maps[0] is not None
    assert maps[1] is not None
    assert maps[0].shape == (side, side)
    assert maps[0].dtype == np.float32
    assert maps[0].min() >= -1
    assert not np.allclose(maps[0], maps[1], atol=0.1)
    located = localise_with(
        OPTIONAL_LOCALISERS[0], astronaut, face, encoder=parts.encoder, head=head
    )
    assert located is not None
    assert {item.reads for item in located.evidence} == {"not calibrated"}


def test_a_vit_is_asked_before_its_last_attention(
    vit: Encoder, crop: np.ndarray, head: UnifdLinear
) -> None:
    """The norm before the last attention has a gradient at the patches; the one after has none.

    The map is held against the formula, taken with a graph that autograd's own hooks fill.
    """
    visual = vit.model.visual
    layer = last_token_layer(visual)
    last = visual.transformer.resblocks[-1]
    assert layer is not None
    assert layer.module is last.ln_1
    seen: dict[str, torch.Tensor] = {}
    handles = [
        module.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out}))
        for name, module in (("before", last.ln_1), ("after", last.ln_2))
    ]
    features = vit.forward(vit.preprocess([crop]).requires_grad_())[0]
    for handle in handles:
        handle.remove()
    score = features @ torch.from_numpy(head.weight).float()
    before, after = torch.autograd.grad(score, [seen["before"], seen["after"]])
    assert before[0, 1:].abs().max() > 1e-4
    assert after[0, 1:].abs().max() == 0
    expected = (seen["before"][0, 1:] @ before[0, 1:].mean(dim=0)).clamp(min=0)
    batch = vit.preprocess([crop]).requires_grad_()
    weight = torch.from_numpy(head.weight).float()
    cells = class_activation(visual, lambda: vit.forward(batch)[0] @ weight)
    assert cells is not None
    assert cells.max() > 0
    assert np.allclose(cells.ravel(), expected.detach().numpy(), atol=1e-5)


def test_a_vit_of_open_clips_gets_a_map(vit: Encoder, crop: np.ndarray, head: UnifdLinear) -> None:
    """Through the encoder, at the crop's size, with nothing left hanging on the model."""
    heat = grad_cam(crop, encoder=vit, head=head)
    assert heat is not None
    assert heat.shape == crop.shape[:2]
    assert heat.max() > 0
    assert not any(module._forward_hooks for module in vit.model.modules())


def test_a_timm_vit_works_too() -> None:
    """A classifier of timm's with a class token: the grid is its patches'."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=64, depth=2, num_classes=2, pretrained=False
    ).eval()
    picture = torch.randn(1, 3, 64, 64)
    cells = class_activation(model, lambda: model(picture)[0, 1])
    assert cells is not None
    assert cells.shape == (4, 4)


def test_a_timm_convolutional_classifier_works_too() -> None:
    """A residual network's last stage, a thirty-second of the picture a cell."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model("resnet10t", num_classes=2, pretrained=False).eval()
    picture = torch.randn(1, 3, 96, 96)
    cells = class_activation(model, lambda: model(picture)[0, 1])
    assert cells is not None
    assert cells.shape == (3, 3)
