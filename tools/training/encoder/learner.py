"""What the pocket encoder learns by: the network, its losses, and the open_clip folder it becomes.

Losses: captions that are true by construction (CLIP's contrastive loss, where pictures of one
caption class are equally right), a map of where the forgery is, authentic or forged per picture,
and the order within each pair.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from prompts.captions import captions
from tools.training.data.forgery_batches import Batch

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 256,
        "vision_cfg": {
            "timm_model_name": "unmask_pocket_tower",
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "linear",
            "image_size": 128,
        },
        # Narrow, because its 49,408 embeddings are half of the checkpoint and the captions few.
        "text_cfg": {
            "context_length": 32,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 2,
        },
    },
    "preprocess_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
    "face_margin": 1.0,
}


class EncoderLearner(nn.Module):
    """The encoder, with the two scales and the linear head that only training needs."""

    clip: Any

    def __init__(self) -> None:
        super().__init__()
        from open_clip import SimpleTokenizer

        from tools.encoder.clip import build_model

        self.clip = build_model(CONFIG)
        self.forged = nn.Linear(CONFIG["model_cfg"]["embed_dim"], 1)
        self.map_scale = nn.Parameter(torch.tensor([1.0, 1.0]))
        self._tokenizer = SimpleTokenizer(context_length=32)
        self._tokens: dict[str, torch.Tensor] = {}

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.map_scale.device

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features (n, d), map logits (n, 16, 16) and tower features, of uint8 (n, s, s, 3)."""
        x = images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        tower = self.clip.visual.trunk
        # Few processors multiply in 16 bits as fast as in 32; every GPU that matters does.
        with torch.autocast(x.device.type, torch.bfloat16, enabled=x.is_cuda):
            cells, evidence = tower.cells(x.contiguous(memory_format=torch.channels_last))
        pooled = tower.pool(cells, evidence)
        return self.clip.visual.head(pooled), evidence.float(), pooled

    def texts(self, wordings: list[str]) -> torch.Tensor:
        """Caption features (n, d) of length one."""
        for text in wordings:
            if text not in self._tokens:
                self._tokens[text] = self._tokenizer([text])[0]
        tokens = torch.stack([self._tokens[text] for text in wordings]).to(self.device)
        encoded: torch.Tensor = self.clip.encode_text(tokens, normalize=True)
        return encoded


def losses(
    learner: EncoderLearner, batch: Batch, rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    """Every part of the loss, to be summed; the names are those of the log."""
    images, maps, weights = (
        torch.from_numpy(part).to(learner.device)
        for part in (batch.images, batch.maps, batch.weights)
    )
    features, evidence, _ = learner(images)
    half = len(images) // 2
    truth = (torch.arange(2 * half, device=learner.device) >= half).float()

    where = functional.binary_cross_entropy_with_logits(evidence, maps, reduction="none")
    # Forged cells are the rarer ones; without weight the map would learn to say "nowhere".
    where = (where * (1 + 2 * maps)).mean()
    top = evidence.flatten(1).sort(dim=1, descending=True).values[:, :40].mean(dim=1)
    top = learner.map_scale[0] * top + learner.map_scale[1]
    linear = learner.forged(features).squeeze(1)
    parts = {"map": 1.5 * where}
    for name, logits in (("top", top), ("linear", linear)):
        told = functional.binary_cross_entropy_with_logits(logits, truth, weights)
        order = (functional.softplus(logits[:half] - logits[half:]) * weights[:half]).mean()
        parts[name] = 0.5 * (told + 0.5 * order)
    parts["caption"] = 0.2 * _caption_loss(learner, features, batch.kinds, rng)
    return parts


def _caption_loss(
    learner: EncoderLearner,
    features: torch.Tensor,
    kinds: list[tuple[str, str]],
    rng: np.random.Generator,
) -> torch.Tensor:
    """CLIP's symmetric loss with one wording per caption class that occurs in the batch."""
    classes = sorted(set(kinds))
    words = [str(rng.choice(captions(kind))) for kind in classes]
    # The same wording may be true of several classes ("a fake photo"): it is right for all.
    texts = learner.texts(words)
    true = {kind: [float(word in captions(kind)) for word in words] for kind in classes}
    fits = torch.tensor([true[kind] for kind in kinds], device=features.device)
    scale = learner.clip.logit_scale.exp().clamp(max=100)
    logits = scale * functional.normalize(features, dim=1) @ texts.T
    to_text = functional.cross_entropy(logits, fits / fits.sum(dim=1, keepdim=True))
    to_image = functional.cross_entropy(logits.T, (fits / fits.sum(dim=0)).T)
    return (to_text + to_image) / 2


def export(learner: EncoderLearner, folder: Path) -> None:
    """Write the open_clip folder; matrices in half precision, statistics in full."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: (value.half() if value.ndim >= 2 and value.is_floating_point() else value)
        .detach()
        .contiguous()
        .clone()
        for name, value in learner.clip.state_dict().items()
    }
    save_file(weights, folder / "model.safetensors.new", metadata={"format": "pt"})
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (folder / "model.safetensors.new").rename(folder / "model.safetensors")
