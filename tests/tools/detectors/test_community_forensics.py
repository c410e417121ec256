"""Community Forensics against transformers' ViT and torchvision, and the folders it refuses.

The checkpoints are random, of the smallest networks that the published layout has.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

from evals.protocol.measured import load_models
from evals.suites.detector_table.detector_list import evaluated_detectors
from evals.suites.detector_table.training_distance import NO_SHARED_FAMILIES
from tests.assistant.cli.test_detectors import listed, run
from tests.tools.detectors.test_image_classifier import REAL_FIRST, vit, write
from tools.detectors import CommunityForensics, ImageClassifier, PixelDetector
from tools.detectors.networks.classifier_folders import load_classifier
from tools.detectors.networks.community_forensics import WEIGHTS
from tools.detectors.networks.image_classifier import CONFIG
from tools.encoder.preprocessing import CLIP_MEAN, CLIP_STD
from tools.errors import SetupError

TOLERANCE = 1e-4
WIDTH, LAYERS = 192, 12
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
State = dict[str, torch.Tensor]

# transformers' names to timm's, once and in each layer; of both weight and bias.
ONCE = {
    "vit.embeddings.patch_embeddings.projection": "patch_embed.proj",
    "vit.layernorm": "norm",
    "classifier": "head",
}
PER_LAYER = {
    "layernorm_before": "norm1", "layernorm_after": "norm2", "attention.o_proj": "attn.proj",
    "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2",
}  # fmt: skip


def reference(side: int) -> Any:
    """transformers' ViT of timm's tiny size, with weights at which every part matters."""
    config = transformers.ViTConfig(
        hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=3, num_labels=1,
        intermediate_size=4 * WIDTH, image_size=side, patch_size=16, layer_norm_eps=1e-6,
    )  # fmt: skip
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(side)
        model = transformers.ViTForImageClassification(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
            model.classifier.weight.mul_(5)
    return model


def published(model: Any) -> State:
    """Its weights under the published names."""
    theirs = model.state_dict()
    found = {
        "cls_token": theirs["vit.embeddings.cls_token"],
        "pos_embed": theirs["vit.embeddings.position_embeddings"],
    }
    for kind in ("weight", "bias"):
        found |= {f"{ours}.{kind}": theirs[f"{it}.{kind}"] for it, ours in ONCE.items()}
        for layer in range(LAYERS):
            source, target = f"vit.layers.{layer}", f"blocks.{layer}"
            found |= {
                f"{target}.{ours}.{kind}": theirs[f"{source}.{it}.{kind}"]
                for it, ours in PER_LAYER.items()
            }
            parts = [theirs[f"{source}.attention.{it}_proj.{kind}"] for it in "qkv"]
            found[f"{target}.attn.qkv.{kind}"] = torch.cat(parts)
    return {f"vit.{name}": tensor.contiguous() for name, tensor in found.items()}


def put(folder: Path, state: State, *, side: int = 224, **config: Any) -> Path:
    """A checkpoint's folder as it is published."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "device": "cuda", "freeze_backbone": False, "input_size": side, "model_size": "tiny",
        "patch_size": 16, **config,
    }  # fmt: skip
    (folder / CONFIG).write_text(json.dumps(said), "utf-8")
    save_file(state, folder / WEIGHTS)
    return folder


@pytest.fixture(scope="module")
def small() -> Any:
    """The reference for pictures of 224 px."""
    return reference(224)


@pytest.fixture(scope="module")
def state(small: Any) -> State:
    """Its weights as published."""
    return published(small)


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Larger, smaller, oblong both ways, with sides that leave odd margins."""
    return [astronaut, astronaut[:40, :51], astronaut[100:400, 50:455], astronaut[:401, 90:190]]


@pytest.fixture(scope="module")
def detector(state: State, tmp_path_factory: pytest.TempPathFactory) -> CommunityForensics:
    """The detector under test."""
    folder = put(tmp_path_factory.mktemp("published") / "commfor-model-224", state)
    return CommunityForensics.from_folder(folder, device="cpu")


@pytest.fixture(scope="module")
def scores(detector: CommunityForensics, pictures: list[np.ndarray]) -> np.ndarray:
    """What it says of the pictures."""
    return detector.score_images(pictures)


def expected(
    model: Any, pictures: list[np.ndarray], *, shorter: int, side: int, colours: Any = IMAGENET
) -> np.ndarray:
    """Logits by transformers and torchvision alone, as the authors' evaluation prepares."""
    prepare = transforms.Compose(
        [
            transforms.Resize(shorter),
            transforms.CenterCrop(side),
            transforms.ToTensor(),
            transforms.Normalize(*colours),
        ]
    )
    batch = torch.stack([prepare(Image.fromarray(picture)) for picture in pictures])
    with torch.inference_mode():
        found: np.ndarray = model(pixel_values=batch).logits[:, 0].double().numpy()
    return found


# -- scores ---------------------------------------------------------------------------------------


def test_scores_are_those_of_the_published_recipe(
    small: Any, scores: np.ndarray, pictures: list[np.ndarray]
) -> None:
    """From pixels to the one logit, higher for fake."""
    assert scores.dtype == np.float64
    assert np.ptp(scores) > 1000 * TOLERANCE  # another picture, another score
    wanted = expected(small, pictures, shorter=256, side=224)
    np.testing.assert_allclose(scores, wanted, atol=TOLERANCE)


def test_so_they_are_at_the_larger_size(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    """The network for 384 px has more places, and its pictures another size before the cut."""
    large = reference(384)
    folder = put(tmp_path / "commfor", published(large), side=384)
    score = CommunityForensics.from_folder(folder, device="cpu").score_images(pictures[2:3])
    wanted = expected(large, pictures[2:3], shorter=440, side=384)
    np.testing.assert_allclose(score, wanted, atol=TOLERANCE)


@pytest.mark.parametrize(
    "other",
    [{"colours": (CLIP_MEAN, CLIP_STD)}, {"colours": ([0.5] * 3, [0.5] * 3)}, {"shorter": 224}],
)
def test_another_preparation_gives_other_scores(
    small: Any, scores: np.ndarray, pictures: list[np.ndarray], other: dict[str, Any]
) -> None:
    """That scores agree says something of colours and size: with others they would not."""
    strange = expected(small, pictures[:1], **{"shorter": 256, "side": 224, **other})
    assert abs(scores[0] - strange[0]) > 100 * TOLERANCE


def test_batches_do_not_matter(
    detector: CommunityForensics, scores: np.ndarray, pictures: list[np.ndarray]
) -> None:
    """One by one or together the same; no pictures, no scores; other arrays are refused."""
    again = detector.score_images(pictures[:2], batch_size=1)
    assert again == pytest.approx(scores[:2], abs=TOLERANCE)
    assert detector.score_images([]).shape == (0,)
    with pytest.raises(ValueError, match="uint8 RGB"):
        detector.score_images([np.zeros((9, 9, 3))])


# -- what is recorded, what is refused ------------------------------------------------------------


def test_it_says_what_it_works_on(
    tmp_path: Path, detector: CommunityForensics, state: State, astronaut: np.ndarray
) -> None:
    """Name, inputs and preprocessing are those of every detector; other weights, another sha256."""
    assert isinstance(detector, PixelDetector)
    assert (detector.name, detector.inputs) == ("commfor-model-224", "image")
    assert detector.preprocessing == (
        "whole picture, shorter side to 256 px, bilinear; centre of 224×224 px, "
        "ImageNet's mean and std"
    )
    assert detector.crop_input(astronaut, None) is astronaut
    turned = {**state, "vit.head.weight": -state["vit.head.weight"]}
    other = CommunityForensics.from_folder(put(tmp_path / "turned", turned))
    assert len(detector.sha256) == 64
    assert detector.sha256 != other.sha256


def _without_a_bias(state: State) -> State:
    return {key: it for key, it in state.items() if key != "vit.blocks.3.mlp.fc1.bias"}


def _with_a_stranger(state: State) -> State:
    return {**state, "vit.head.2.weight": torch.zeros(1, WIDTH)}


def _of_two_classes(state: State) -> State:
    return {**state, "vit.head.weight": torch.zeros(2, WIDTH), "vit.head.bias": torch.zeros(2)}


def _without_prefix(state: State) -> State:
    return {key.removeprefix("vit."): it for key, it in state.items()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_without_a_bias, r"missing: vit\.blocks\.3\.mlp\.fc1\.bias\)"),
        (_with_a_stranger, r"unexpected: vit\.head\.2\.weight\)"),
        (_of_two_classes, r"of another shape: vit\.head\.bias, vit\.head\.weight\)"),
        (_without_prefix, r"missing: .* and 149 more; unexpected: blocks.* and 149 more"),
    ],
)
def test_weights_that_do_not_fit_are_named(
    tmp_path: Path, state: State, change: Callable[[State], State], named: str
) -> None:
    """Before anything is asked of it: which tensors are wrong, and what to do."""
    folder = put(tmp_path / "commfor", change(state))
    with pytest.raises(SetupError, match=f"(?s){named}.*copy both files of one checkpoint"):
        CommunityForensics.from_folder(folder)


def test_weights_of_another_size_are_refused(tmp_path: Path, state: State) -> None:
    """A config of 384 px beside the weights for 224: one has more places than the other."""
    with pytest.raises(SetupError, match=r"of another shape: vit\.pos_embed"):
        CommunityForensics.from_folder(put(tmp_path / "commfor", state, side=384))


@pytest.mark.parametrize(
    "config", [{"model_size": "large"}, {"input_size": 512}, {"patch_size": 32}, {"patch_size": []}]
)
def test_networks_that_were_never_published_are_refused(
    tmp_path: Path, state: State, config: dict[str, Any]
) -> None:
    """What the authors' code cannot build is not guessed at; those that it can are listed."""
    with pytest.raises(SetupError, match=r"known are \(\('small', 384, 16\)"):
        CommunityForensics.from_folder(put(tmp_path / "commfor", state, **config))


def test_damage_is_told(tmp_path: Path, state: State) -> None:
    """Broken, absent and pickled weights are told with their file."""
    folder = put(tmp_path / "commfor", state)
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")
    with pytest.raises(SetupError, match=r"model\.safetensors is missing: copy the whole"):
        CommunityForensics.from_folder(folder)
    (folder / WEIGHTS).write_bytes(b"nothing")
    with pytest.raises(SetupError, match="is damaged"):
        CommunityForensics.from_folder(folder)


# -- among the classifiers ------------------------------------------------------------------------


def test_folders_are_told_apart_by_their_config(tmp_path: Path, state: State) -> None:
    """The published layout, transformers' form, and neither of the two."""
    ours = put(tmp_path / "image" / "commfor", state)
    assert isinstance(load_classifier(ours, inputs="image"), CommunityForensics)
    others = write(tmp_path / "image" / "vit", vit, REAL_FIRST)
    assert isinstance(load_classifier(others, inputs="image"), ImageClassifier)
    (ours / CONFIG).write_text('{"hidden": 3}', "utf-8")
    with pytest.raises(SetupError, match="it is not a transformers classifier"):
        load_classifier(ours, inputs="image")


def test_it_is_not_shown_faces(tmp_path: Path, state: State) -> None:
    """It learnt whole pictures; below `face` it is told to be in the wrong place."""
    folder = put(tmp_path / "face" / "commfor", state)
    with pytest.raises(SetupError, match=rf"move it to {tmp_path / 'image'}$"):
        load_classifier(folder, inputs="face")


def test_it_is_listed_and_asked_by_evaluations(home: Path, state: State) -> None:
    """Where it was said to be missing it is listed, with the licence of its card; once."""
    missing = listed()[None, "image/commfor-model-224"]
    assert (missing["state"], missing["licence"]) == ("not here", "MIT")
    assert "put OwensLab/commfor-model-224 (config.json, model.safetensors" in missing["get"]
    folder = put(home / "models" / "classifiers" / "image" / "commfor-model-224", state)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Model card\n", "utf-8")
    row = listed()[None, "image/commfor-model-224"]
    assert (row["state"], row["needs"], row["licence"]) == ("here", "pixels", "mit")
    assert row["trained_on"] == missing["trained_on"]
    assert "shorter side to 256 px" in row["preprocessing"]
    assert "classes" not in row
    assert "image/commfor-model-224" in run("detectors").stdout
    found = evaluated_detectors(
        load_models().settings.model_copy(update={"models_dir": home / "models"})
    )
    (one,) = [it for it in found.evaluated_detectors if isinstance(it.detector, CommunityForensics)]
    assert (one.name, one.training_families) == ("image/commfor-model-224", NO_SHARED_FAMILIES)


def test_weights_that_do_not_fit_are_listed_with_the_reason(home: Path, state: State) -> None:
    """The list goes on, and speaks of tensors, not of classes."""
    place = home / "models" / "classifiers" / "image" / "mine"
    put(place, _without_a_bias(state))
    row = listed()[None, "image/mine"]
    assert row["state"] == "unusable"
    assert "missing: vit.blocks.3" in row["problem"]
