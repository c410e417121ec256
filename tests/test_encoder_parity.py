"""The encoder against another implementation of CLIP: the same weights give the same features.

transformers' `CLIPModel` is the reference. A mistake in the activation, the preprocessing, the
pooling or the tokens would leave features that look plausible and are wrong.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

from tools.encoder import CONFIG, WEIGHTS, Encoder, build_model

WIDTH, HEADS, LAYERS, SIZE, DIMENSION, CONTEXT = 128, 2, 3, 64, 48, 77
TOLERANCE = 1e-4


def config(*, quick_gelu: bool) -> dict[str, Any]:
    """A small ViT in open_clip's words."""
    return {
        "model_cfg": {
            "embed_dim": DIMENSION,
            "quick_gelu": quick_gelu,
            "vision_cfg": {
                "image_size": SIZE,
                "layers": LAYERS,
                "width": WIDTH,
                "patch_size": 16,
                "head_width": WIDTH // HEADS,
            },
            "text_cfg": {
                "context_length": CONTEXT,
                "vocab_size": 49408,
                "width": WIDTH,
                "heads": HEADS,
                "layers": LAYERS,
            },
        }
    }


def write_encoder(folder: Path, weights: dict[str, torch.Tensor], *, quick_gelu: bool) -> Encoder:
    """Save weights as a checkpoint and load it."""
    folder.mkdir()
    save_file(weights, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config(quick_gelu=quick_gelu)), "utf-8")
    return Encoder.load(folder, threads=1, device="cpu")


def block(ours: dict[str, torch.Tensor], prefix: str, target: str) -> dict[str, torch.Tensor]:
    """One transformer layer, from open_clip's names to transformers'."""
    mapped = {}
    for kind in ("weight", "bias"):
        # open_clip keeps the three projections in one matrix.
        parts = ours[f"{prefix}.attn.in_proj_{kind}"].chunk(3)
        for name, part in zip(("q_proj", "k_proj", "v_proj"), parts, strict=True):
            mapped[f"{target}.self_attn.{name}.{kind}"] = part
        for theirs, name in (
            ("self_attn.out_proj", "attn.out_proj"),
            ("layer_norm1", "ln_1"),
            ("layer_norm2", "ln_2"),
            ("mlp.fc1", "mlp.c_fc"),
            ("mlp.fc2", "mlp.c_proj"),
        ):
            mapped[f"{target}.{theirs}.{kind}"] = ours[f"{prefix}.{name}.{kind}"]
    return mapped


def as_transformers(ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A whole state dict, from open_clip's names to transformers'."""
    vision, text = "vision_model", "text_model"
    mapped = {
        "logit_scale": ours["logit_scale"],
        f"{vision}.embeddings.class_embedding": ours["visual.class_embedding"],
        f"{vision}.embeddings.patch_embedding.weight": ours["visual.conv1.weight"],
        f"{vision}.embeddings.position_embedding.weight": ours["visual.positional_embedding"],
        f"{text}.embeddings.token_embedding.weight": ours["token_embedding.weight"],
        f"{text}.embeddings.position_embedding.weight": ours["positional_embedding"],
        "visual_projection.weight": ours["visual.proj"].T,
        "text_projection.weight": ours["text_projection"].T,
    }
    for kind in ("weight", "bias"):
        mapped |= {
            f"{vision}.pre_layrnorm.{kind}": ours[f"visual.ln_pre.{kind}"],
            f"{vision}.post_layernorm.{kind}": ours[f"visual.ln_post.{kind}"],
            f"{text}.final_layer_norm.{kind}": ours[f"ln_final.{kind}"],
        }
    for layer in range(LAYERS):
        mapped |= block(
            ours, f"visual.transformer.resblocks.{layer}", f"{vision}.encoder.layers.{layer}"
        )
        mapped |= block(ours, f"transformer.resblocks.{layer}", f"{text}.encoder.layers.{layer}")
    return mapped


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights, of a spread at which the activations' shapes matter."""
    generator = torch.Generator().manual_seed(0)
    state = build_model(config(quick_gelu=True)).state_dict()
    return {
        name: value + 0.05 * torch.randn(value.shape, generator=generator)
        for name, value in state.items()
    }


@pytest.fixture(scope="module")
def encoder(weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """The encoder under test."""
    return write_encoder(tmp_path_factory.mktemp("parity") / "quick", weights, quick_gelu=True)


@pytest.fixture(scope="module")
def peer(weights: dict[str, torch.Tensor]) -> CLIPModel:
    """transformers' CLIP holding the same weights; its activation is QuickGELU by default."""
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
    }
    model = CLIPModel(
        CLIPConfig(
            vision_config={**tower, "image_size": SIZE, "patch_size": 16},
            text_config={**tower, "max_position_embeddings": CONTEXT, "vocab_size": 49408},
            projection_dim=DIMENSION,
        )
    )
    model.load_state_dict(as_transformers(weights), strict=True)
    return model.eval()


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Larger, smaller and oblong pictures."""
    return [astronaut, astronaut[:40, :50], astronaut[100:400, 50:500]]


def peer_features(peer: CLIPModel, pictures: list[np.ndarray]) -> np.ndarray:
    """Image features by transformers alone, its own preprocessing included."""
    processor = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE)
    batch = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
    with torch.inference_mode():
        return peer.get_image_features(**batch).pooler_output.numpy()


def test_pictures_get_the_features_of_transformers(
    encoder: Encoder, peer: CLIPModel, pictures: list[np.ndarray]
) -> None:
    """From pixels to features, preprocessing included, both implementations agree.

    Both resize 8-bit pictures with torch, so the inputs are equal and no tolerance is spent on
    them; Pillow's resize differs by a level or two (see test_encoder).
    """
    ours, theirs = encoder.encode_images(pictures), peer_features(peer, pictures)
    assert np.abs(theirs).mean() > 0.1
    assert np.abs(ours - theirs).max() < TOLERANCE


def test_texts_get_the_features_of_transformers(encoder: Encoder, peer: CLIPModel) -> None:
    """The same tokens give the same text features, once both are scaled to length one."""
    texts = ["a photo of a face", "a deepfake, the mouth was replaced"]
    tokens = encoder._tokenizer(texts)
    # The reference is told where each text ends, as its own tokenizer would.
    ends = (tokens == 49407).int().argmax(dim=1)
    mask = torch.arange(CONTEXT)[None] <= ends[:, None]
    with torch.inference_mode():
        theirs = peer.get_text_features(input_ids=tokens, attention_mask=mask.long()).pooler_output
    expected = torch.nn.functional.normalize(theirs, dim=1).numpy()
    ours = encoder.encode_texts(texts)
    assert np.abs(ours[0] - ours[1]).max() > 100 * TOLERANCE
    assert np.abs(ours - expected).max() < TOLERANCE


def test_plain_gelu_would_be_noticed(
    weights: dict[str, torch.Tensor], peer: CLIPModel, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    """With the wrong activation the agreement is gone, by far more than the tolerance."""
    wrong = write_encoder(tmp_path / "plain", weights, quick_gelu=False)
    difference = np.abs(wrong.encode_images(pictures) - peer_features(peer, pictures)).max()
    assert difference > 10 * TOLERANCE
