"""Shared training state of face detector and landmark model: one-cycle schedule, averaged weights,
resume."""

import copy
import math
from pathlib import Path

import torch
from torch import Tensor, nn

AVERAGE_DECAY = 0.997  # weight average used for export, over about 300 steps


class AveragedRun:
    """A model in training with the running average of its weights, which is exported.

    The learning rate rises during the first 5 % of the steps and then falls along a cosine, at once
    or after the share `hold` of the run. `checkpoint` is read if it exists and written by `save`;
    `spent_s` is the elapsed time, if the training records it.
    """

    def __init__(
        self, model: nn.Module, *, rate: float, steps: int, checkpoint: Path, hold: float = 0.0
    ) -> None:
        self.model = model
        self.average = copy.deepcopy(model)
        self.optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.02)
        self.rate, self.steps, self.checkpoint, self.step = rate, steps, checkpoint, 0
        self.spent_s, self.hold = 0.0, hold
        if checkpoint.exists():
            state = torch.load(checkpoint, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = int(state["step"])
            self.spent_s = float(state.get("spent_s", 0.0))

    def update(self, loss: Tensor, *, done: float | None = None) -> None:
        """One optimiser step on this loss; `done` 0..1 if the run is limited by time instead of
        steps."""
        if done is None:
            done = self.step / self.steps
        for group in self.optimiser.param_groups:
            fallen = max(0.0, (done - self.hold) / (1 - self.hold))
            wave = 0.5 + 0.5 * math.cos(math.pi * fallen)
            group["lr"] = self.rate * (min(done / 0.05, wave) + 1e-3)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        self._average(min(AVERAGE_DECAY, self.step / (self.step + 20)))

    def save(self) -> None:
        """Write the checkpoint atomically."""
        partial = self.checkpoint.with_suffix(".partial")
        state = {"model": self.model, "average": self.average, "optimiser": self.optimiser}
        stored = {name: part.state_dict() for name, part in state.items()}  # type: ignore[attr-defined]
        torch.save({**stored, "step": self.step, "spent_s": self.spent_s}, partial)
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
