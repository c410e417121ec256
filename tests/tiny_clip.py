"""A randomly initialised CLIP, twice: as our encoder and as transformers' model.

The shapes and the mapping of names are those of the encoder's own parity test.
"""

from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPModel

from tests.test_encoder_parity import (
    CONTEXT,
    DIMENSION,
    HEADS,
    LAYERS,
    SIZE,
    WIDTH,
    as_transformers,
    config,
    write_encoder,
)
from tools.encoder import Encoder, build_model

__all__ = ["CONTEXT", "DIMENSION", "WIDTH", "tiny_clip"]


def tiny_clip(folder: Path) -> tuple[Encoder, CLIPModel]:
    """The same seeded weights in both, of a spread at which the activations' shapes matter."""
    generator = torch.Generator().manual_seed(0)
    weights = {
        name: value + 0.05 * torch.randn(value.shape, generator=generator)
        for name, value in build_model(config(quick_gelu=True)).state_dict().items()
    }
    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
    }
    peer = CLIPModel(
        CLIPConfig(
            vision_config={**tower, "image_size": SIZE, "patch_size": 16},
            text_config={**tower, "max_position_embeddings": CONTEXT, "vocab_size": 49408},
            projection_dim=DIMENSION,
        )
    )
    peer.load_state_dict(as_transformers(weights), strict=True)
    return write_encoder(folder, weights, quick_gelu=True), peer.eval()
