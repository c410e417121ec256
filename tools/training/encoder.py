"""Trains the pocket encoder: an open_clip model that tells authentic from forged pictures.

    python -m tools.training.forgery_pool lfw POOL/lfw --data ../shared/data
    python -m tools.training.forgery_pool dfdc POOL/dfdc --data ../shared/data
    python -m tools.training.encoder POOL RUN --minutes 100 --threads 2

Losses: captions that are true by construction (CLIP's contrastive loss, where pictures of one
caption class are equally right), a map of where the forgery is, authentic or forged per picture,
and the order within each pair. The schedule follows the clock, not the steps: a run that is
stopped goes on from its last checkpoint and still ends with the learning rate at zero.
"""

import argparse
import copy
import json
import signal
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from prompts.captions import captions
from tools.training.background import ahead
from tools.training.forgery_data import Batch, Pool, Stream
from tools.training.muon import Muon

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


class Learner(nn.Module):
    """The encoder, with the two scales and the linear head that only training needs."""

    clip: Any

    def __init__(self) -> None:
        super().__init__()
        from open_clip import SimpleTokenizer

        from tools.encoder import build_model

        self.clip = build_model(CONFIG)
        self.forged = nn.Linear(CONFIG["model_cfg"]["embed_dim"], 1)
        self.map_scale = nn.Parameter(torch.tensor([1.0, 1.0]))
        self._tokenizer = SimpleTokenizer(context_length=32)
        self._tokens: dict[str, torch.Tensor] = {}

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Features (n, d), map logits (n, 16, 16) and tower features, of uint8 (n, s, s, 3)."""
        x = images.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)
        tower = self.clip.visual.trunk
        with torch.autocast("cpu", torch.bfloat16):
            cells, evidence = tower.cells(x.contiguous(memory_format=torch.channels_last))
        pooled = tower.pool(cells, evidence)
        return self.clip.visual.head(pooled), evidence.float(), pooled

    def texts(self, wordings: list[str]) -> torch.Tensor:
        """Caption features (n, d) of length one."""
        for text in wordings:
            if text not in self._tokens:
                self._tokens[text] = self._tokenizer([text])[0]
        tokens = torch.stack([self._tokens[text] for text in wordings])
        encoded: torch.Tensor = self.clip.encode_text(tokens, normalize=True)
        return encoded


def losses(learner: Learner, batch: Batch, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Every part of the loss, to be summed; the names are those of the log."""
    features, evidence, _ = learner(torch.from_numpy(batch.images))
    maps, weights = torch.from_numpy(batch.maps), torch.from_numpy(batch.weights)
    half = len(batch.images) // 2
    truth = torch.cat([torch.zeros(half), torch.ones(half)])

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
    learner: Learner,
    features: torch.Tensor,
    kinds: list[tuple[str, str]],
    rng: np.random.Generator,
) -> torch.Tensor:
    """CLIP's symmetric loss with one wording per caption class that occurs in the batch."""
    classes = sorted(set(kinds))
    words = [str(rng.choice(captions(kind))) for kind in classes]
    # The same wording may be true of several classes ("a fake photo"): it is right for all.
    texts = learner.texts(words)
    fits = torch.tensor([[float(_true_of(word, kind)) for word in words] for kind in kinds])
    scale = learner.clip.logit_scale.exp().clamp(max=100)
    logits = scale * functional.normalize(features, dim=1) @ texts.T
    to_text = functional.cross_entropy(logits, fits / fits.sum(dim=1, keepdim=True))
    to_image = functional.cross_entropy(logits.T, (fits / fits.sum(dim=0)).T)
    return (to_text + to_image) / 2


def _true_of(wording: str, kind: tuple[str, str]) -> bool:
    return wording in captions(kind)


@dataclass(slots=True)
class Clock:
    """Time spent and time given, in seconds; survives a restart."""

    total_s: float
    spent_s: float = 0.0
    since: float = 0.0

    def start(self) -> None:
        """Count from now."""
        self.since = time.monotonic()

    @property
    def progress(self) -> float:
        """0 at the beginning, 1 at the end."""
        return min(1.0, (self.spent_s + time.monotonic() - self.since) / self.total_s)


def rate(progress: float) -> float:
    """The learning rate's factor: a short warm-up, level, then down to zero along a cosine."""
    warm = min(1.0, progress / 0.02)
    fall = max(0.0, (progress - 0.35) / 0.65)
    return warm * 0.5 * (1 + float(np.cos(np.pi * fall)))


def optimisers(learner: Learner, *, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the tower's convolutions, AdamW for everything else."""
    convolutions = [
        p
        for n, p in learner.clip.visual.trunk.named_parameters()
        if p.ndim == 4 and "score" not in n
    ]
    chosen = {id(parameter) for parameter in convolutions}
    rest = [p for p in learner.parameters() if id(p) not in chosen]
    return [
        Muon(convolutions, lr=lr, weight_decay=0.02),
        torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98)),
    ]


def twin(learner: Learner) -> Learner:
    """A copy with gradients and running statistics of its own, but the very same weights."""
    other = copy.deepcopy(learner)
    for mine, theirs in zip(other.parameters(), learner.parameters(), strict=True):
        mine.data = theirs.data
    return other


def split(batch: Batch, count: int) -> list[Batch]:
    """The batch in parts of whole pairs."""
    half = len(batch.images) // 2
    parts = []
    for pairs in np.array_split(np.arange(half), count):
        rows = np.concatenate([pairs, pairs + half])
        kinds = [batch.kinds[row] for row in rows]
        parts.append(Batch(batch.images[rows], batch.maps[rows], batch.weights[rows], kinds))
    return parts


def gradients(learner: Learner, batch: Batch, rng: np.random.Generator) -> dict[str, float]:
    """Leave the loss's gradients in the learner's parameters; returns the parts of the loss."""
    learner.train()
    learner.zero_grad(set_to_none=True)
    parts = losses(learner, batch, rng)
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    return {name: value.item() for name, value in parts.items()}


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, *, step: int) -> None:
    """Exponential average of the weights, over the last few hundred steps."""
    decay = min(0.998, (1 + step) / (10 + step))
    for old, new in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def export(learner: Learner, folder: Path) -> None:
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


class Run:
    """A training that can be stopped at any step and goes on from its last checkpoint."""

    def __init__(self, given: argparse.Namespace) -> None:
        torch.manual_seed(given.seed)
        self.given = given
        self.workers = ThreadPoolExecutor(given.threads)
        self.learner = Learner()
        self.learner.clip.to(memory_format=torch.channels_last)
        self.slow = copy.deepcopy(self.learner).eval()
        self.optimisers = optimisers(self.learner, lr=given.lr)
        self.clock = Clock(given.minutes * 60)
        self.step, self.stopped = 0, False
        self.file = given.run / "last.pt"
        if self.file.is_file():
            self._resume()
        # Several threads on one layer wait for each other many times a step, which is slow on a
        # busy machine; each working on its own part of the batch, they meet once.
        self.twins = [self.learner, *(twin(self.learner) for _ in range(given.threads - 1))]
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True)
        self.learner.load_state_dict(state["learner"])
        self.slow.load_state_dict(state["slow"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.clock.spent_s = state["step"], state["spent_s"]

    def save(self) -> None:
        """Checkpoint and export of the averaged weights."""
        state = {
            "learner": self.learner.state_dict(),
            "slow": self.slow.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "spent_s": self.clock.progress * self.clock.total_s,
        }
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").rename(self.file)
        export(self.slow, self.given.run / "encoder")

    def train(self, stream: Stream) -> None:
        """Until the time is over or the process is asked to end."""
        rng = np.random.default_rng([self.given.seed, self.step])
        self.clock.start()
        sums: dict[str, float] = {}
        saved, count, began = time.monotonic(), 0, time.monotonic()
        for batch in ahead(stream.batches(self.given.pairs)):
            progress = self.clock.progress
            if progress >= 1 or self.stopped:
                break
            parts = self._update(batch, rng, factor=rate(progress))
            count += 1
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value
            if count == 50:
                speed = 50 * 2 * self.given.pairs / (time.monotonic() - began)
                print(_line(self.step, progress, speed, sums), flush=True)
                sums, count, began = {}, 0, time.monotonic()
            if time.monotonic() - saved > 180:
                self.save()
                saved = time.monotonic()
        self.save()

    def _update(
        self, batch: Batch, rng: np.random.Generator, *, factor: float
    ) -> Mapping[str, float]:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.given.lr * factor
        shares = split(batch, len(self.twins))
        seeds = rng.spawn(len(shares))
        told = list(self.workers.map(gradients, self.twins, shares, seeds))
        for same in zip(*(one.parameters() for one in self.twins), strict=True):
            present = [parameter.grad for parameter in same if parameter.grad is not None]
            if present:
                same[0].grad = torch.stack(present).mean(dim=0)
        nn.utils.clip_grad_norm_(self.learner.parameters(), 5.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        follow(self.slow, self.learner, step=self.step)
        return {name: float(np.mean([part[name] for part in told])) for name in told[0]}


def _line(step: int, progress: float, speed: float, sums: Mapping[str, float]) -> str:
    means = " ".join(f"{name} {value / 50:.4f}" for name, value in sums.items())
    now = time.strftime("%H:%M:%S")
    return f"{now} step {step} at {100 * progress:.1f} %  {means}  {speed:.0f} images/s"


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pool", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=24)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dfdc-share", type=float, default=0.5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.run.mkdir(parents=True, exist_ok=True)
    pools = {"lfw": Pool(given.pool / "lfw"), "dfdc": Pool(given.pool / "dfdc" / "train")}
    shares = {"lfw": 1 - given.dfdc_share, "dfdc": given.dfdc_share}
    run = Run(given)
    run.train(Stream(pools, shares, np.random.default_rng([given.seed, run.step])))


if __name__ == "__main__":
    main()
