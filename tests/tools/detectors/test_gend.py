"""GenD's detector against transformers' CLIPVisionModel, and the checkpoints it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from tools.detectors import PixelDetector
from tools.detectors.clip_heads.gend import CONFIG, WEIGHTS, Gend, to_published_keys
from tools.errors import SetupError

pytestmark = pytest.mark.fast

SIZE, PATCH, WIDTH, LAYERS = 64, 16, 128, 3
TOLERANCE = 1e-3
State = dict[str, torch.Tensor]


class Published(torch.nn.Module):
    """The published model's modules under their published names, around transformers' CLIP."""

    def __init__(self) -> None:
        super().__init__()
        tower = {
            "hidden_size": WIDTH,
            "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": WIDTH // 64,
        }
        clip = CLIPModel(
            CLIPConfig(
                vision_config={**tower, "image_size": SIZE, "patch_size": PATCH},
                text_config={**tower, "num_hidden_layers": 1, "vocab_size": 100},
                projection_dim=48,
            )
        )
        self.feature_extractor = torch.nn.Module()
        self.feature_extractor.vision_model = clip.vision_model
        self.feature_extractor.visual_projection = clip.visual_projection
        self.model = torch.nn.Module()
        self.model.linear = torch.nn.Linear(WIDTH, 2)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits (n, 2), as the paper says."""
        features = self.feature_extractor.vision_model(batch).pooler_output
        return self.model.linear(torch.nn.functional.normalize(features, dim=1))


@pytest.fixture(scope="module")
def published() -> Published:
    """Random weights, of a spread at which activations and LayerNorms matter."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        model = Published().eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
            model.model.linear.weight.mul_(10)
    return model


def write(folder: Path, state: State, *, head: str = "LinearNorm", backbone: str = "") -> Path:
    """A checkpoint's folder in the published layout."""
    folder.mkdir(exist_ok=True)
    backbone = backbone or "openai/clip-vit-large-patch14"
    config = {"model_type": "GenD", "backbone": backbone, "head": head}
    (folder / CONFIG).write_text(json.dumps(config), "utf-8")
    save_file({key: value.contiguous() for key, value in state.items()}, folder / WEIGHTS)
    return folder


@pytest.fixture(scope="module")
def gend(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Gend:
    """The detector under test."""
    folder = write(tmp_path_factory.mktemp("gend") / "checkpoint", published.state_dict())
    return Gend.load(folder, device="cpu")


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Larger, smaller and oblong pictures."""
    return [astronaut, astronaut[:40, :50], astronaut[100:400, 50:500], astronaut[::-1]]


def reference(published: Published, pictures: list[np.ndarray]) -> np.ndarray:
    """Logits by transformers alone, its own preprocessing included."""
    processor = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE)
    batch = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
    with torch.inference_mode():
        return published(batch["pixel_values"]).double().numpy()


def test_scores_are_those_of_transformers(
    gend: Gend, published: Published, pictures: list[np.ndarray]
) -> None:
    """From pixels to the logit, preprocessing included; its sigmoid is the published softmax."""
    expected = reference(published, pictures)
    scores = gend.score_images(pictures)
    assert np.ptp(scores) > 100 * TOLERANCE
    np.testing.assert_allclose(scores, expected[:, 1] - expected[:, 0], atol=TOLERANCE)
    softmax = np.exp(expected[:, 1]) / np.exp(expected).sum(axis=1)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), softmax, atol=TOLERANCE)


def test_the_same_weights_with_the_other_head_differ(
    published: Published, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    """Features of length one are what the head LinearNorm is about: without it, other numbers."""
    plain = Gend.load(write(tmp_path, published.state_dict(), head="linear"), device="cpu")
    expected = reference(published, pictures)
    difference = plain.score_images(pictures) - (expected[:, 1] - expected[:, 0])
    assert np.abs(difference).max() > 10 * TOLERANCE


def test_batches_do_not_change_scores(gend: Gend, pictures: list[np.ndarray]) -> None:
    """One by one or together, and none at all."""
    together = gend.score_images(pictures)
    np.testing.assert_allclose(gend.score_images(pictures, batch_size=3), together, atol=1e-5)
    assert together.dtype == np.float64
    assert gend.score_images([]).shape == (0,)


def test_it_says_what_it_works_on(gend: Gend) -> None:
    """Name, inputs and preprocessing are those of every detector; the input size is the tower's."""
    detector: PixelDetector = gend
    assert isinstance(gend, PixelDetector)
    assert (detector.name, detector.inputs) == ("gend", "face")
    assert f"to {SIZE} px, bicubic" in detector.preprocessing
    assert (gend.pictures.size, len(gend.sha256)) == (SIZE, 64)


def test_every_published_tensor_has_one_place(published: Published) -> None:
    """The written mapping covers the vision tower exactly, no tensor twice."""
    mapped = [key for keys in to_published_keys(LAYERS).values() for key in keys]
    prefix = "feature_extractor.vision_model."
    expected = {
        key
        for key in published.state_dict()
        if key.startswith(prefix) and not key.endswith("position_ids")
    }
    assert len(mapped) == len(set(mapped))
    assert set(mapped) == expected


def _without_a_bias(state: State) -> State:
    return {k: v for k, v in state.items() if not k.endswith("layers.1.mlp.fc1.bias")}


def _with_a_stranger(state: State) -> State:
    return {**state, "model.adapter.weight": torch.zeros(2)}


def _with_a_wide_head(state: State) -> State:
    return {**state, "model.linear.weight": torch.zeros(2, WIDTH + 1)}


def _with_a_short_norm(state: State) -> State:
    key = "feature_extractor.vision_model.post_layernorm.weight"
    return {**state, key: torch.zeros(WIDTH - 1)}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without_a_bias, r"missing \S*layers\.1\.mlp\.fc1\.bias; unexpected nothing"),
        (_with_a_stranger, "missing nothing; unexpected model.adapter.weight"),
        (_with_a_wide_head, "head"),
        (_with_a_short_norm, "do not fit each other: size mismatch for ln_post.weight"),
        (lambda state: {"weight": torch.zeros(1)}, r"and \d+ more; unexpected weight"),
    ],
)
def test_what_does_not_fit_is_refused(
    published: Published, tmp_path: Path, change: Callable[[State], State], reason: str
) -> None:
    """Missing, unexpected and ill-shaped tensors are named and never half used."""
    with pytest.raises(SetupError, match=reason):
        Gend.load(write(tmp_path, change(published.state_dict())), device="cpu")


def test_unused_tensors_are_no_fault(published: Published, tmp_path: Path) -> None:
    """Older files carry position ids; the projection may be left out: neither is computed with."""
    state = published.state_dict()
    state["feature_extractor.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    del state["feature_extractor.visual_projection.weight"]
    assert Gend.load(write(tmp_path, state), device="cpu").pictures.size == SIZE


@pytest.mark.parametrize(
    ("head", "backbone"),
    [("MLP", ""), ("LinearNorm", "vit_pe_core_large_patch14_336"), ("LinearNorm", "laion/clip")],
)
def test_other_backbones_and_heads_are_refused(
    published: Published, tmp_path: Path, head: str, backbone: str
) -> None:
    """Another architecture with tensors of the same names would give plausible nonsense."""
    folder = write(tmp_path, published.state_dict(), head=head, backbone=backbone)
    with pytest.raises(SetupError, match="can be loaded"):
        Gend.load(folder)


def test_missing_and_damaged_files_are_setup_errors(published: Published, tmp_path: Path) -> None:
    """An empty folder, a config that is none, no weights, cut weights."""
    with pytest.raises(SetupError, match="is missing: a GenD"):
        Gend.load(tmp_path)
    write(tmp_path, published.state_dict())
    (tmp_path / WEIGHTS).write_bytes((tmp_path / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(SetupError, match="damaged"):
        Gend.load(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(SetupError, match=r"safetensors is missing"):
        Gend.load(tmp_path)
    (tmp_path / CONFIG).write_text("[]", "utf-8")
    with pytest.raises(SetupError, match="not a GenD config"):
        Gend.load(tmp_path)


def test_the_crop_is_black_beyond_the_picture(gend: Gend, astronaut: np.ndarray) -> None:
    """As GenD's own alignment, unlike the mirrored crop of the pocket parts."""
    template = np.array([[0.34, 0.46], [0.66, 0.46], [0.5, 0.64], [0.37, 0.82], [0.63, 0.82]])
    upright = gend.crop_input(astronaut, template * 100 + 200)
    assert (upright.shape, upright.dtype) == ((256, 256, 3), np.uint8)
    assert upright[0].any()
    corner = gend.crop_input(astronaut, template * 100 - 40)
    assert not corner[:30, :30].any()
    assert corner[-1, -1].any()
    with pytest.raises(ValueError, match="keypoints"):
        gend.crop_input(astronaut, None)
