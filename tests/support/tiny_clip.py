"""A randomly initialised CLIP, as our encoder and as transformers' model with the same weights."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from tools.encoder.clip import CONFIG, WEIGHTS, Encoder, build_model
from tools.encoder.pretrained_tower import PretrainedTower

WIDTH, HEADS, LAYERS, SIZE, DIMENSION, CONTEXT = 128, 2, 3, 64, 48, 77


def config(*, quick_gelu: bool) -> dict[str, Any]:
    """A small ViT in open_clip's configuration format."""
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


def random_weights(spread: float) -> dict[str, torch.Tensor]:
    """A random state dict of that shape: the usual initialisation plus normal noise, deterministic.

    `build_model` uses torch's global generator, whose state depends on earlier tests.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        start = build_model(config(quick_gelu=True)).state_dict()
    noise = torch.Generator().manual_seed(0)
    return {
        name: value + spread * torch.randn(value.shape, generator=noise)
        for name, value in start.items()
    }


def as_clip_model(weights: dict[str, torch.Tensor]) -> CLIPModel:
    """transformers' CLIP holding the weights."""
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


def tiny_clip(folder: Path) -> tuple[Encoder, CLIPModel]:
    """Both models with the same weights, with a spread at which the activation functions matter."""
    weights = random_weights(0.05)
    return write_encoder(folder, weights, quick_gelu=True), as_clip_model(weights)


def tiny_tower(folder: Path, *, blocks: int = 12) -> PretrainedTower:
    """An image tower in the layout of `unmask setup`: `blocks` blocks of width 16 on 32 px."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=blocks, num_attention_heads=2,
        image_size=32, patch_size=8, projection_dim=8,
    )  # fmt: skip
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    (folder / "preprocessing.json").write_text(json.dumps({"size": 32}), "utf-8")
    return PretrainedTower(folder, "tiny")
