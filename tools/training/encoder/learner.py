"""Network and losses for training the pocket encoder, and its export as an open_clip folder.

Losses: CLIP's contrastive loss on captions that are true by construction (pictures of one caption
class are equally correct), a map of the forged area, authentic vs. forged per picture, and the
order within each pair.
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
        # Narrow, because its 49,408 embeddings are half of the checkpoint and there are few
        # captions.
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
    """The encoder, plus the two scales and the linear head that only training uses."""

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
        """Device of the weights."""
        return self.map_scale.device

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features (n, d), map logits (n, 16, 16) and tower features of uint8 images (n, s, s,
        3)."""
        x = images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        tower = self.clip.visual.trunk
        # Few CPUs multiply in 16 bits as fast as in 32; all relevant GPUs do.
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
    """All parts of the loss, to be summed; the names are used in the log."""
    images, maps, weights = (
        torch.from_numpy(part).to(learner.device)
        for part in (batch.images, batch.maps, batch.weights)
    )
    features, evidence, _ = learner(images)
    half = len(images) // 2
    truth = (torch.arange(2 * half, device=learner.device) >= half).float()

    where = functional.binary_cross_entropy_with_logits(evidence, maps, reduction="none")
    # Forged cells are rarer; without a weight the map would learn to predict none.
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
    """CLIP's symmetric loss with one caption per caption class in the batch."""
    classes = sorted(set(kinds))
    words = [str(rng.choice(captions(kind))) for kind in classes]
    # One caption may be true of several classes ("a fake photo"): it counts as correct for all of
    # them.
    texts = learner.texts(words)
    true = {kind: [float(word in captions(kind)) for word in words] for kind in classes}
    fits = torch.tensor([true[kind] for kind in kinds], device=features.device)
    scale = learner.clip.logit_scale.exp().clamp(max=100)
    logits = scale * functional.normalize(features, dim=1) @ texts.T
    to_text = functional.cross_entropy(logits, fits / fits.sum(dim=1, keepdim=True))
    to_image = functional.cross_entropy(logits.T, (fits / fits.sum(dim=0)).T)
    return (to_text + to_image) / 2


def export(learner: EncoderLearner, folder: Path) -> None:
    """Write the open_clip folder; matrices in half precision, statistics in full precision."""
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
