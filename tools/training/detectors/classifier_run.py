"""Resumable training loop for whole-picture classifiers.

Adam and cross-entropy for several classes, AdaGrad and binary cross-entropy for fake vs. real, at a
constant learning rate, as in Goia's thesis. The order of the pictures and all randomness within a
step depend only on the seed and the step number, so a resumed run equals an uninterrupted one.
"""

import copy
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.detectors.networks.architectures import (
    ARCHITECTURES,
    build_network,
    get_architecture,
    to_input_tensor,
)
from tools.detectors.networks.classifier import HEIGHT, WIDTH, resize_exactly
from tools.encoder.clip import best_device
from tools.errors import SetupError
from tools.media.pictures.decoding import read_photo
from tools.training.data.class_folders import LabelledImage, Split, split_sha256
from tools.training.loops.background import prefetch

Progress = Callable[[float, Mapping[str, float]], None]
"""Called with the completed share and the last measurement."""

_KEEP_EVERY_S = 60.0
_NOT_WHAT = ("epochs", "minutes", "patience", "threads", "device")
"""Options for duration and device: a resumed training may change them."""


@dataclass(frozen=True, slots=True)
class ClassifierOptions:
    """All training options; defaults follow the thesis where it states a value.

    Training ends at the first of `epochs`, `minutes` and `patience` (epochs without a lower
    validation loss). `judged` caps the number of validation pictures during training; `mirrored`
    flips half of the pictures; `start` are timm weights.
    """

    network: str
    binary: bool = False
    height: int = HEIGHT
    width: int = WIDTH
    batch: int = 32
    rate: float = 1e-4
    epochs: int = 15
    minutes: float | None = None
    patience: int = 4
    mirrored: bool = True
    judged: int = 600
    seed: int = 0
    threads: int | None = None
    device: str | None = None
    start: Path | None = None

    def told(self) -> dict[str, object]:
        """All options by name, as texts and numbers."""
        return {name: str(it) if isinstance(it, Path) else it for name, it in asdict(self).items()}


@dataclass(slots=True)
class TrainingProgress:
    """Progress of a training: `ended_by` is "epochs", "minutes", "patience", or "" while it
    runs."""

    step: int = 0
    spent_s: float = 0.0
    waited: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    ended_by: str = ""
    curve: list[dict[str, float]] = field(default_factory=list)


class ClassifierRun:
    """One training; `targets` are the class indices of the labels."""

    def __init__(
        self,
        parts: Mapping[Split, Sequence[LabelledImage]],
        targets: Mapping[str, int],
        options: ClassifierOptions,
        *,
        folder: Path,
    ) -> None:
        self.row = get_architecture(options.network)
        self.parts, self.targets, self.options = parts, targets, options
        outputs = 1 if options.binary else len(set(targets.values()))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            network = build_network(
                options.network, outputs=outputs, height=options.height, width=options.width,
                start=options.start,
            )  # fmt: skip
        self.device = torch.device(options.device) if options.device else best_device()
        self.network = network.to(self.device)
        kind = torch.optim.Adagrad if options.binary else torch.optim.Adam
        self.optimiser: torch.optim.Optimizer = kind(network.parameters(), lr=options.rate)
        self.best = copy.deepcopy(network.state_dict())
        self.at = TrainingProgress()
        self.file = folder / "last.pt"
        folder.mkdir(parents=True, exist_ok=True)
        if self.file.is_file():
            self._resume()

    @property
    def per_epoch(self) -> int:
        """Steps per epoch; pictures that do not fill a batch wait for the next epoch's order."""
        return max(1, len(self.parts["learn"]) // self.options.batch)

    def train(self, progress: Progress | None = None) -> TrainingProgress:
        """Train until epochs, time or patience run out; the network ends with its best weights."""
        if self.options.threads:
            torch.set_num_threads(self.options.threads)
        self.at.ended_by = self._over()
        began, since, kept, losses = time.monotonic(), self.at.spent_s, time.monotonic(), []
        batches = iter(()) if self.at.ended_by else prefetch(self._batches())
        for pictures, labels in batches:
            losses.append(self.learn(pictures, labels))
            self.at.spent_s = since + time.monotonic() - began
            over = self._over()
            if over or self.at.step % self.per_epoch == 0:
                found = self._judge(float(np.mean(losses)))
                losses = []
                self.at.ended_by = over or self._over()
                self.save()
                if progress:
                    progress(self._done(), found)
                if self.at.ended_by:
                    break
            elif time.monotonic() - kept > _KEEP_EVERY_S:
                self.save()
                kept = time.monotonic()
        self.network.load_state_dict(self.best)
        return self.at

    def outputs(self, pictures: Sequence[LabelledImage]) -> Tensor:
        """The network's outputs for pictures: (n, outputs) float32 on the CPU."""
        self.network.eval()
        size, found = self.options.batch, []
        with torch.inference_mode():
            for start in range(0, len(pictures), size):
                pixels = self._pixels(pictures[start : start + size])
                found.append(self.network(self._input(pixels)).float().cpu())
        return torch.cat(found)

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy; binary cross-entropy for a single output, where 1 is fake."""
        if self.options.binary:
            return functional.binary_cross_entropy_with_logits(outputs[:, 0], labels.float())
        return functional.cross_entropy(outputs, labels)

    def labels(self, pictures: Sequence[LabelledImage]) -> Tensor:
        """(n,) class index of each picture."""
        return torch.tensor([self.targets[it.label] for it in pictures])

    def _over(self) -> str:
        told, at = self.options, self.at
        if at.step >= told.epochs * self.per_epoch:
            return "epochs"
        if told.minutes is not None and at.spent_s >= 60 * told.minutes:
            return "minutes"
        return "patience" if at.waited >= told.patience else ""

    def _done(self) -> float:
        by_step = self.at.step / (self.options.epochs * self.per_epoch)
        minutes = self.options.minutes
        by_time = self.at.spent_s / (60 * minutes) if minutes else 0.0
        return 1.0 if self.at.ended_by else min(1.0, max(by_step, by_time))

    def _batches(self) -> Iterator[tuple[np.ndarray, Tensor]]:
        """Endless batches from the next step on: pixels (n, h, w, 3) uint8 and labels."""
        learnt, size = self.parts["learn"], self.options.batch
        step = self.at.step
        while True:
            epoch, place = divmod(step, self.per_epoch)
            order = np.random.default_rng([self.options.seed, epoch]).permutation(len(learnt))
            chosen = [learnt[at] for at in order[place * size : (place + 1) * size]]
            pixels = self._pixels(chosen)
            if self.options.mirrored:
                turned = np.random.default_rng([self.options.seed, 1, step]).random(len(pixels))
                pixels[turned < 0.5] = pixels[turned < 0.5, :, ::-1]
            yield pixels, self.labels(chosen)
            step += 1

    def _pixels(self, pictures: Sequence[LabelledImage]) -> np.ndarray:
        told = self.options
        return np.stack([
            resize_exactly(read_photo(it.path).pixels, height=told.height, width=told.width)
            for it in pictures
        ])  # fmt: skip

    def _input(self, pixels: np.ndarray) -> Tensor:
        row = ARCHITECTURES[self.options.network]
        return to_input_tensor(torch.from_numpy(pixels).to(self.device), row)

    def learn(self, pixels: np.ndarray, labels: Tensor) -> float:
        """One training step on pixels (n, h, w, 3) uint8 and class indices (n,); returns the
        loss."""
        self.network.train()
        with torch.random.fork_rng(devices=[]):
            # Dropout must not depend on whether the training was interrupted.
            torch.manual_seed(1_000_003 * (self.options.seed + 1) + self.at.step)
            loss = self.loss(self.network(self._input(pixels)), labels.to(self.device))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimiser.step()
        self.at.step += 1
        return float(loss.detach())

    def _judge(self, learnt_loss: float) -> dict[str, float]:
        """Validation loss and accuracy; keeps the best weights so far."""
        pictures, at = self.parts["judge"], self.at
        order = np.random.default_rng(self.options.seed).permutation(len(pictures))
        some = [pictures[place] for place in order[: self.options.judged]]
        outputs, labels = self.outputs(some), self.labels(some)
        loss = float(self.loss(outputs, labels))
        named = (outputs[:, 0] > 0).long() if self.options.binary else outputs.argmax(dim=1)
        at.waited += 1
        if loss < at.best_loss:
            at.best_loss, at.best_step, at.waited = loss, at.step, 0
            self.best = copy.deepcopy(self.network.state_dict())
        found = {
            "epoch": at.step / self.per_epoch, "loss": learnt_loss, "judged loss": loss,
            "judged accuracy": float((named == labels).double().mean()),
            "minutes": at.spent_s / 60,
        }  # fmt: skip
        at.curve.append(found)
        return found

    @property
    def _identity(self) -> str:
        told = {name: it for name, it in self.options.told().items() if name not in _NOT_WHAT}
        text = json.dumps([told, sorted(self.targets.items()), split_sha256(self.parts)])
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            "identity": self._identity, "at": asdict(self.at), "best": self.best,
            "network": self.network.state_dict(), "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").replace(self.file)

    def _resume(self) -> None:
        state: dict[str, Any] = torch.load(self.file, weights_only=True, map_location=self.device)
        if state["identity"] != self._identity:
            raise SetupError(
                f"{self.file} belongs to another training: other data or options; delete it, or "
                "use another folder"
            )
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.at = state["best"], TrainingProgress(**state["at"])


def parameters(network: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(it.numel() for it in network.parameters())
