"""Shared training state of face detector and landmark model: one-cycle schedule, averaged weights,
resume."""

import copy
import math
from pathlib import Path

import torch
from torch import Tensor, nn

from tools.training.loops.muon import Muon

AVERAGE_DECAY = 0.997  # weight average used for export, over about 300 steps


class AveragedRun:
    """A model in training with the running average of its weights, which is exported.

    AdamW, or with `muon` Muon for the weights of convolutions behind the first and AdamW for the
    rest.

    The learning rate rises during the first 5 % of the steps and then falls along a cosine, at once
    or after the share `hold` of the run. `checkpoint` is read if it exists and written by `save`;
    `spent_s` is the elapsed time, if the training records it.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        rate: float,
        steps: int,
        checkpoint: Path,
        hold: float = 0.0,
        muon: bool = False,
    ) -> None:
        self.model = model
        self.average = copy.deepcopy(model)
        self.optimisers = _optimisers(model, rate=rate, muon=muon)
        self.rate, self.steps, self.checkpoint, self.step = rate, steps, checkpoint, 0
        self.spent_s, self.hold = 0.0, hold
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            for optimiser, its in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(its)
            self.step = int(state["step"])
            self.spent_s = float(state.get("spent_s", 0.0))

    def update(self, loss: Tensor, *, done: float | None = None) -> None:
        """One optimiser step on this loss; `done` 0..1 if the run is limited by time instead of
        steps."""
        if done is None:
            done = self.step / self.steps
        fallen = max(0.0, (done - self.hold) / (1 - self.hold))
        wave = 0.5 + 0.5 * math.cos(math.pi * fallen)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.rate * (min(done / 0.05, wave) + 1e-3)
            optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        self._average(min(AVERAGE_DECAY, self.step / (self.step + 20)))

    def save(self) -> None:
        """Write the checkpoint atomically."""
        partial = self.checkpoint.with_suffix(".partial")
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [it.state_dict() for it in self.optimisers],
            "step": self.step,
            "spent_s": self.spent_s,
        }
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        for mean, weight in zip(self.average.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
        for kept, value in zip(self.average.buffers(), self.model.buffers(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)


def _optimisers(model: nn.Module, *, rate: float, muon: bool) -> list[torch.optim.Optimizer]:
    if not muon:
        return [torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)]
    # The first convolution reads three channels, a depthwise one reads one.
    matrices = [it for it in model.parameters() if it.ndim == 4 and it.shape[1] > 3]
    chosen = {id(it) for it in matrices}
    rest = [it for it in model.parameters() if id(it) not in chosen]
    return [
        Muon(matrices, lr=rate, weight_decay=0.02),
        torch.optim.AdamW(rest, lr=rate, weight_decay=0.02),
    ]
