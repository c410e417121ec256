r"""Train the pocket encoder: an open_clip model that separates authentic from forged pictures.

    python -m tools.training.data.forgery_pool lfw POOL/lfw --data ../shared/data
    python -m tools.training.data.forgery_pool dfdc POOL/dfdc --data ../shared/data
    python -m tools.training.data.forgery_pool frames POOL/frames --data ../shared/data
    python -m tools.training.encoder.encoder POOL RUN --minutes 100 --threads 2

On a GPU, limited by how fast the CPU cores prepare pairs:

    python -m tools.training.encoder.encoder POOL RUN --minutes 9 --workers 14 \
        --pairs 256 --lr 3e-3 \
        --shares lfw=0.7 frames=0.2 dfdc/train=0.1

Network and losses are in `learner`. The schedule follows the clock, not the steps: an interrupted
run resumes from its last checkpoint and still ends with the learning rate at zero.
"""

import argparse
import copy
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import cv2
import numpy as np
import torch
from torch import nn

from tools.encoder.clip import best_device
from tools.training.data.forgery_batches import Batch, BatchStream, Pool
from tools.training.encoder.learner import EncoderLearner, export, losses
from tools.training.loops.background import prefetch
from tools.training.loops.muon import Muon
from tools.training.loops.pair_loading import batches_of_processes

DATASET_WEIGHTS = {"lfw": 0.5, "dfdc/train": 0.5}
"""Shares of the pairs in a batch, by folder of the pool."""


@dataclass(slots=True)
class TrainingClock:
    """Elapsed and total training time, in seconds; stored in the checkpoint."""

    total_s: float
    spent_s: float = 0.0
    since: float = 0.0

    def start(self) -> None:
        """Start counting."""
        self.since = time.monotonic()

    @property
    def progress(self) -> float:
        """0 at the beginning, 1 at the end."""
        return min(1.0, (self.spent_s + time.monotonic() - self.since) / self.total_s)


def rate(progress: float) -> float:
    """Learning rate factor: a short warm-up, constant, then a cosine down to zero."""
    warm = min(1.0, progress / 0.02)
    fall = max(0.0, (progress - 0.35) / 0.65)
    return warm * 0.5 * (1 + float(np.cos(np.pi * fall)))


def optimisers(learner: EncoderLearner, *, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the tower's convolutions, AdamW for all other parameters."""
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


def clone_with_shared_weights(learner: EncoderLearner) -> EncoderLearner:
    """A copy that shares the weights but has its own gradients and running statistics."""
    other = copy.deepcopy(learner)
    for mine, theirs in zip(other.parameters(), learner.parameters(), strict=True):
        mine.data = theirs.data
    return other


def split(batch: Batch, count: int) -> list[Batch]:
    """Split the batch into parts of whole pairs."""
    half = len(batch.images) // 2
    parts = []
    for pairs in np.array_split(np.arange(half), count):
        rows = np.concatenate([pairs, pairs + half])
        kinds = [batch.kinds[row] for row in rows]
        parts.append(Batch(batch.images[rows], batch.maps[rows], batch.weights[rows], kinds))
    return parts


def gradients(learner: EncoderLearner, batch: Batch, rng: np.random.Generator) -> dict[str, float]:
    """Accumulate the loss gradients in the learner's parameters; returns the parts of the loss."""
    learner.train()
    learner.zero_grad(set_to_none=True)
    parts = losses(learner, batch, rng)
    torch.autograd.backward(torch.stack(list(parts.values())).sum())
    return {name: value.item() for name, value in parts.items()}


@torch.no_grad()
def update_average(slow: nn.Module, fast: nn.Module, *, step: int) -> None:
    """Exponential moving average of the weights, over the last few hundred steps."""
    decay = min(0.998, (1 + step) / (10 + step))
    for old, new in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


class EncoderTraining:
    """A training that resumes from its last checkpoint after an interruption at any step."""

    def __init__(self, given: argparse.Namespace) -> None:
        torch.manual_seed(given.seed)
        self.given = given
        self.workers = ThreadPoolExecutor(given.threads)
        self.learner = EncoderLearner().to(best_device() if given.device is None else given.device)
        self.learner.clip.to(memory_format=torch.channels_last)
        self.slow = copy.deepcopy(self.learner).eval()
        self.optimisers = optimisers(self.learner, lr=given.lr)
        self.clock = TrainingClock(given.minutes * 60)
        self.step, self.stopped = 0, False
        self.file = given.run / "last.pt"
        if self.file.is_file():
            self._resume()
        # Several threads in one layer synchronise many times per step, which is slow on a busy
        # machine. Threads that each process their own part of the batch synchronise once.
        twins = given.threads if self.learner.device.type == "cpu" else 1
        self.twins = [
            self.learner,
            *(clone_with_shared_weights(self.learner) for _ in range(twins - 1)),
        ]
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True, map_location=self.learner.device)
        self.learner.load_state_dict(state["learner"])
        self.slow.load_state_dict(state["slow"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.clock.spent_s = state["step"], state["spent_s"]

    def save(self) -> None:
        """Write the checkpoint and export the averaged weights."""
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

    def train(self, batches: Iterator[Batch]) -> None:
        """Train until the time is up or the process receives a stop signal."""
        rng = np.random.default_rng([self.given.seed, self.step])
        self.clock.start()
        sums: dict[str, float] = {}
        saved, count, began = time.monotonic(), 0, time.monotonic()
        for batch in batches:
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
        update_average(self.slow, self.learner, step=self.step)
        return {name: float(np.mean([part[name] for part in told])) for name in told[0]}


def _line(step: int, progress: float, speed: float, sums: Mapping[str, float]) -> str:
    means = " ".join(f"{name} {value / 50:.4f}" for name, value in sums.items())
    now = time.strftime("%H:%M:%S")
    return f"{now} step {step} at {100 * progress:.1f} %  {means}  {speed:.0f} images/s"


def _shares(given: list[str]) -> dict[str, float]:
    """Parse shares such as `lfw=0.7`; raises ValueError."""
    return {name: float(share) for name, share in (one.split("=") for one in given)}


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("pool", type=Path)
    add("run", type=Path)
    add("--minutes", type=float, default=100)
    add("--threads", type=int, default=2, help="training threads on a CPU")
    add("--workers", type=int, default=0, help="processes that prepare pairs (0: a thread)")
    add("--device", help="cpu, cuda … (default: the best available)")
    add("--pairs", type=int, default=24)
    add("--lr", type=float, default=2e-3)
    add("--seed", type=int, default=0)
    add("--shares", nargs="+", default=[f"{name}={part}" for name, part in DATASET_WEIGHTS.items()])
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    given.run.mkdir(parents=True, exist_ok=True)
    run, shares = EncoderTraining(given), _shares(given.shares)
    folders = {name: given.pool / name for name in shares}
    if given.workers:
        seed = given.seed + run.step
        batches = batches_of_processes(
            folders, shares, pairs=given.pairs, processes=given.workers, seed=seed
        )
    else:
        pools = {name: Pool(folder) for name, folder in folders.items()}
        rng = np.random.default_rng([given.seed, run.step])
        batches = prefetch(BatchStream(pools, shares, rng).batches(given.pairs))
    run.train(batches)


if __name__ == "__main__":
    main()
