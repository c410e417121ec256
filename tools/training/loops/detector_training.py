"""Training loop for detectors that run a network on face crops.

The loop knows a detector only as a `TrainableDetector`: losses on a batch of pairs, logits of
pictures, and how to save it. It splits pairs by person, stops early, keeps a running average of the
weights, and resumes from its last checkpoint.
"""

import copy
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tools.encoder.clip import best_device
from tools.errors import SetupError
from tools.training.data.pairs import CropSample, PairSource, crops
from tools.training.loops.background import prefetch

Progress = Callable[[float, Mapping[str, float]], None]
"""Called with the completed share and the last measurement."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Training duration and rates; training ends at `minutes` or `epochs`, whichever comes first.

    Validation runs once per epoch; with more than ten epochs, or without `epochs`, after every
    tenth of the training. `patience` validations without a better held-out AUC also end it.
    """

    minutes: float | None = None
    epochs: int | None = 20
    pairs: int = 16
    rate: float = 3e-4
    decay: float = 1e-2
    held_out: float = 0.15
    patience: int = 5
    judged: int = 200
    seed: int = 0
    threads: int = 1


class TrainableDetector(Protocol):
    """A network that separates forged from authentic pictures; also an `nn.Module`."""

    @property
    def size(self) -> int:
        """Side of its crops, px."""

    @property
    def margin(self) -> float:
        """Margin of the aligned crops."""

    def losses(self, samples: Sequence[CropSample]) -> Mapping[str, Tensor]:
        """Parts of the loss, to be summed; the first half is authentic, then their forgeries."""

    def logits(self, samples: Sequence[CropSample]) -> Tensor:
        """(n,) logits, higher is more likely forged; without gradients."""

    def groups(self, options: TrainingOptions) -> list[dict[str, Any]]:
        """AdamW's parameter groups, with separate rates where they differ."""


@dataclass(slots=True)
class TrainingOutcome:
    """Result of a training: held-out AUC over time, the best AUC, pairs seen, and the split."""

    figures: dict[str, float] = field(default_factory=dict)
    curve: list[dict[str, float]] = field(default_factory=list)
    held_out: list[int] = field(default_factory=list)


def split_by_group(source: PairSource, *, share: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices for training and for validation; no group is on both sides.

    Raises SetupError with fewer than two groups.
    """
    groups = [source.group(index) for index in range(len(source))]
    names = sorted(set(groups))
    if len(names) < 2:
        raise SetupError(
            f"{len(names)} person is too few to split into training and validation: add persons"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    held = {names[at] for at in order[: max(1, round(share * len(names)))]}
    learnt = [index for index, group in enumerate(groups) if group not in held]
    return learnt, [index for index, group in enumerate(groups) if group in held]


class NetworkTraining:
    """The state of one training; `folder` holds its checkpoint."""

    def __init__(
        self, learner: Any, source: PairSource, options: TrainingOptions, *, folder: Path, name: str
    ) -> None:
        self.learner, self.source, self.options = learner.to(best_device()), source, options
        self.file = folder / "last.pt"
        folder.mkdir(parents=True, exist_ok=True)
        told = f"{name} {sorted(asdict(options).items())} {len(source)}"
        self.identity = hashlib.sha256(told.encode()).hexdigest()
        self.slow = copy.deepcopy(learner).eval()
        self.best = copy.deepcopy(learner.state_dict())
        self.optimiser = torch.optim.AdamW(
            learner.groups(options), lr=options.rate, weight_decay=options.decay
        )
        self.bases = [group["lr"] for group in self.optimiser.param_groups]
        self.step, self.spent_s, self.waited = 0, 0.0, 0
        self.outcome = TrainingOutcome()
        if self.file.is_file():
            self._resume()

    def train(self, progress: Progress | None = None) -> TrainingOutcome:
        """Train until time, epochs or patience run out; the learner ends with its best weights."""
        torch.set_num_threads(self.options.threads)
        learnt, held = split_by_group(
            self.source, share=self.options.held_out, seed=self.options.seed
        )
        self.outcome.held_out = held
        judged = self._judged(held)
        per_epoch = max(1, len(learnt) // self.options.pairs)
        checks = self._checks(per_epoch)
        began, since = time.monotonic(), self.spent_s
        sums: dict[str, float] = {}
        # Do not continue a training that had already ended.
        batches = iter(()) if self._over(per_epoch) else prefetch(self._batches(learnt))
        for samples in batches:
            self.spent_s = since + time.monotonic() - began
            done = self._done(per_epoch)
            if done >= checks * (1 + len(self.outcome.curve)) or done >= 1:
                found = self._judge(judged, done, sums)
                sums = {}
                if progress:
                    progress(done, found)
                self.save()
                if self._over(per_epoch):
                    break
            for name, value in self._learn(samples, done).items():
                sums[name] = sums.get(name, 0.0) + value
            sums["steps"] = sums.get("steps", 0) + 1
        self.learner.load_state_dict(self.best)
        self.outcome.figures |= {"pairs_seen": float(self.step * self.options.pairs)}
        return self.outcome

    def _checks(self, per_epoch: int) -> float:
        """Share of the training between two validations: an epoch, or a tenth."""
        return 1 / min(self.options.epochs or 10, 10) if per_epoch else 1.0

    def _done(self, per_epoch: int) -> float:
        by_time = self.spent_s / (60 * self.options.minutes) if self.options.minutes else 0.0
        by_step = self.step / (per_epoch * self.options.epochs) if self.options.epochs else 0.0
        return min(1.0, max(by_time, by_step))

    def _over(self, per_epoch: int) -> bool:
        return self._done(per_epoch) >= 1 or self.waited >= self.options.patience

    def _batches(self, learnt: Sequence[int]) -> Iterator[list[CropSample]]:
        rng = np.random.default_rng([self.options.seed, self.step])
        reals: list[CropSample] = []
        fakes: list[CropSample] = []
        while True:
            for index in rng.permutation(learnt):
                pair = self._pair(int(index), rng, augment=True)
                if pair is None:
                    continue
                reals.append(pair[0])
                fakes.append(pair[1])
                if len(reals) == self.options.pairs:
                    yield reals + fakes
                    reals, fakes = [], []

    def _pair(
        self, index: int, rng: np.random.Generator, *, augment: bool
    ) -> tuple[CropSample, CropSample] | None:
        drawn = self.source.draw(index, rng)
        if drawn is None:
            return None
        learner = self.learner
        return crops(
            drawn, rng, group=self.source.group(index), size=learner.size,
            margin=learner.margin, augment=augment,
        )  # fmt: skip

    def _judged(self, held: Sequence[int]) -> list[CropSample]:
        rng = np.random.default_rng(self.options.seed)
        found: list[CropSample] = []
        for index in rng.permutation(held)[: self.options.judged]:
            found += self._pair(int(index), rng, augment=False) or ()
        return found

    def _learn(self, samples: Sequence[CropSample], done: float) -> dict[str, float]:
        warm, fall = min(1.0, done / 0.02 + 0.01), max(0.0, (done - 0.3) / 0.7)
        factor = warm * (0.5 + 0.5 * float(np.cos(np.pi * fall)))
        for group, base in zip(self.optimiser.param_groups, self.bases, strict=True):
            group["lr"] = base * factor
        self.learner.train()
        parts = self.learner.losses(samples)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(parts.values())).sum())
        learnt = [it for group in self.optimiser.param_groups for it in group["params"]]
        nn.utils.clip_grad_norm_(learnt, 2.0)
        self.optimiser.step()
        self.step += 1
        self._follow()
        return {name: float(value.detach()) for name, value in parts.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """Update the running average of the weights, over the last few hundred steps."""
        decay = min(0.995, (1 + self.step) / (10 + self.step))
        pairs = zip(
            self.slow.state_dict().values(), self.learner.state_dict().values(), strict=True
        )
        for old, new in pairs:
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - decay)
            else:
                old.copy_(new)

    def _judge(
        self, judged: Sequence[CropSample], done: float, sums: Mapping[str, float]
    ) -> dict[str, float]:
        from sklearn.metrics import roc_auc_score

        self.slow.eval()
        with torch.inference_mode():
            logits = [
                self.slow.logits(judged[start : start + 32]).float().cpu().numpy()
                for start in range(0, len(judged), 32)
            ]
        labels = [sample.forged for sample in judged]
        auc = float(roc_auc_score(labels, np.concatenate(logits)))
        steps = sums.get("steps", 1)
        found = {name: value / steps for name, value in sums.items() if name != "steps"}
        found |= {"done": done, "auc": auc, "minutes": self.spent_s / 60, "step": float(self.step)}
        self.waited += 1
        if auc > self.outcome.figures.get("held_out_auc", -1.0):
            self.outcome.figures["held_out_auc"] = auc
            self.best, self.waited = copy.deepcopy(self.slow.state_dict()), 0
        self.outcome.curve.append(found)
        return found

    def save(self) -> None:
        """Write the checkpoint atomically."""
        state = {
            "identity": self.identity, "step": self.step, "spent_s": self.spent_s,
            "waited": self.waited, "curve": self.outcome.curve, "figures": self.outcome.figures,
            "learner": self.learner.state_dict(), "slow": self.slow.state_dict(),
            "best": self.best, "optimiser": self.optimiser.state_dict(),
        }  # fmt: skip
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").replace(self.file)

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True)
        if state["identity"] != self.identity:
            raise SetupError(
                f"{self.file} belongs to another training: other data or options; delete it, or "
                "use another folder"
            )
        self.learner.load_state_dict(state["learner"])
        self.slow.load_state_dict(state["slow"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.best, self.step, self.waited = state["best"], state["step"], state["waited"]
        self.spent_s = state["spent_s"]
        self.outcome.curve, self.outcome.figures = state["curve"], state["figures"]
