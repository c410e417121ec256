"""Trains the pocket VLM: Qwen3-VL's classes at 6.7 million parameters, on two cores.

    python -m assistant.training.dialogues.tool_results HARVEST --data ../shared/data
    python -m assistant.training.corpus CORPUS HARVEST --draws 60000
    python -m assistant.training.pocket_vlm CORPUS RUN HARVEST --minutes 40 --threads 2

The loss covers only the assistant's turns. Muon optimises the matrices of layers, AdamW the rest;
the export holds a running mean of the weights. The schedule follows the clock: a stopped run
resumes from its last checkpoint and still ends with the learning rate at zero.
"""

import argparse
import copy
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from assistant.chat_model.local.loading import ABOUT_FILE
from assistant.training import architecture
from assistant.training.batches import DialogueBatch, DialogueSampler, PatchStore
from assistant.training.forward import hidden_states
from assistant.training.rows import TAUGHT_TOOLS, DialogueTokenizer, rows_from_arrays
from tools.training.encoder.encoder import TrainingClock, update_average
from tools.training.loops.muon import Muon

HELD_OUT = 192
"""Rows that are never trained on; the log's *exact* is measured on them."""


def rate(progress: float) -> float:
    """The learning rate's factor: a short warm-up, constant, then a linear decay to zero."""
    return min(1.0, progress / 0.02) * min(1.0, (1.0 - progress) / 0.6)


def optimisers(model: nn.Module, *, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for matrices inside layers, AdamW for embeddings, norms, biases and mergers."""
    matrices = [
        parameter
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2 and (".layers." in name or ".blocks." in name)
    ]
    chosen = {id(parameter) for parameter in matrices}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    return [
        Muon(matrices, lr=lr, weight_decay=0.02),
        torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98)),
    ]


def twin(model: nn.Module) -> nn.Module:
    """A copy with its own gradients that shares the weights."""
    other = copy.deepcopy(model)
    for mine, theirs in zip(other.parameters(), model.parameters(), strict=True):
        mine.data = theirs.data
    return other


def logits(model: Any, batch: DialogueBatch) -> tuple[Tensor, Tensor]:
    """Logits (n, v) and tokens (n,) at the target positions."""
    with torch.autocast("cpu", torch.bfloat16):
        hidden = hidden_states(model, batch.rows)
        learnt = batch.wanted >= 0
        return model.lm_head(hidden[learnt]).float(), batch.wanted[learnt]


def gradients(model: nn.Module, batch: DialogueBatch, share: float) -> float:
    """Set the parameters' gradients to this batch's share of the loss; returns its loss."""
    model.zero_grad(set_to_none=True)
    guessed, wanted = logits(model, batch)
    loss = functional.cross_entropy(guessed, wanted)
    (loss * share).backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


@torch.no_grad()
def exact(model: nn.Module, shelf: DialogueSampler) -> float:
    """The share of rows in which every target token is the likeliest."""
    right = []
    for row in shelf.rows:
        guessed, wanted = logits(model, shelf.batch([row]))
        right.append(bool((guessed.argmax(dim=1) == wanted).all()))
    return float(np.mean(right))


def export(model: Any, folder: Path, processor: Any) -> None:
    """Write files for AutoModelForImageTextToText and AutoProcessor, in half precision.

    `ABOUT_FILE` beside them names the tools that the model was trained with.
    """
    half = copy.deepcopy(model).to(torch.bfloat16)
    half.generation_config.eos_token_id = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    half.generation_config.pad_token_id = processor.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    half.save_pretrained(folder)
    processor.save_pretrained(folder)
    about = json.dumps({"tools": TAUGHT_TOOLS}, indent=2)
    (folder / ABOUT_FILE).write_text(f"{about}\n", encoding="utf-8")


class TrainingRun:
    """A training run that can be stopped at any step and resumes from its last checkpoint."""

    def __init__(
        self,
        given: argparse.Namespace,
        shelves: tuple[DialogueSampler, DialogueSampler],
        processor: Any,
    ):
        torch.manual_seed(given.seed)
        self.given, self.processor = given, processor
        self.shelf, self.held_out = shelves
        self.workers = ThreadPoolExecutor(given.threads)
        self.model: Any = architecture.new(processor.tokenizer)
        if given.start is not None:
            self._start_from(given.start)
        self.slow = copy.deepcopy(self.model)
        self.optimisers = optimisers(self.model, lr=given.lr)
        self.clock = TrainingClock(given.minutes * 60)
        self.step, self.stopped = 0, False
        self.file = given.run / "last.pt"
        if self.file.is_file():
            self._resume()
        self.twins = [self.model, *(twin(self.model) for _ in range(given.threads - 1))]
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True

    def _start_from(self, given: Path) -> None:
        if given.is_dir():
            exported = type(self.model).from_pretrained(given, dtype=torch.float32)
            self.model.load_state_dict(exported.state_dict())
        else:
            self.model.load_state_dict(torch.load(given, weights_only=True)["slow"])

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.slow.load_state_dict(state["slow"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.step, self.clock.spent_s = state["step"], state["spent_s"]

    def save(self) -> None:
        """Checkpoint and export of the averaged weights."""
        state = {
            "model": self.model.state_dict(),
            "slow": self.slow.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "spent_s": self.clock.progress * self.clock.total_s,
        }
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").rename(self.file)
        export(self.slow, self.given.run / "vlm", self.processor)

    def train(self) -> None:
        """Train until the time is over or the process receives a request to end."""
        rng = np.random.default_rng([self.given.seed, self.step])
        stream = self.shelf.batches(rng, tokens=self.given.tokens)
        self.clock.start()
        losses: list[float] = []
        saved = began = time.monotonic()
        tokens = 0
        while (progress := self.clock.progress) < 1 and not self.stopped:
            batches = [next(stream) for _ in self.twins]
            losses.append(self._update(batches, factor=rate(progress)))
            tokens += sum(batch.rows.rest.numel() for batch in batches)
            if len(losses) == 25:
                speed = tokens / (time.monotonic() - began)
                print(_line(self.step, progress, float(np.mean(losses)), speed), flush=True)
                losses, tokens, began = [], 0, time.monotonic()
            if time.monotonic() - saved > 240:
                print(f"exact {exact(self.slow, self.held_out):.3f}", flush=True)
                self.save()
                saved = began = time.monotonic()
                tokens = 0
        self.save()
        print(f"exact {exact(self.slow, self.held_out):.3f}", flush=True)

    def _update(self, batches: list[DialogueBatch], *, factor: float) -> float:
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.given.lr * factor
        spoken = [batch.loss_mask for batch in batches]
        shares = [count / sum(spoken) for count in spoken]
        told = [*self.workers.map(gradients, self.twins, batches, shares)]
        for same in zip(*(one.parameters() for one in self.twins), strict=True):
            present = [parameter.grad for parameter in same if parameter.grad is not None]
            if present:
                same[0].grad = torch.stack(present).sum(dim=0)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        update_average(self.slow, self.model, step=self.step)
        return float(np.dot(told, shares))


def _line(step: int, progress: float, loss: float, speed: float) -> str:
    now = time.strftime("%H:%M:%S")
    return f"{now} step {step} at {100 * progress:.1f} %  loss {loss:.4f}  {speed:.0f} tokens/s"


def shelves(given: argparse.Namespace, processor: Any) -> tuple[DialogueSampler, DialogueSampler]:
    """The training rows and the held-out rows."""
    rows = [
        row
        for file in sorted(given.corpus.glob("rows*.npz"))
        for row in rows_from_arrays(np.load(file))
    ]
    writer, words = DialogueTokenizer(processor), processor.tokenizer
    beginnings = {
        "tools": writer.prefix(tools=True), "plain": writer.prefix(tools=False)
    }  # fmt: skip
    pictures = PatchStore(given.harvest, processor)
    pad, image = (words.convert_tokens_to_ids(it) for it in ("<|endoftext|>", "<|image_pad|>"))
    first, second = (
        DialogueSampler(some, beginnings, pictures, pad=pad, image=image)
        for some in (rows[HELD_OUT:], rows[:HELD_OUT])
    )
    return first, second


def main() -> None:
    """Command line; see the module's docstring."""
    from transformers import AutoProcessor

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("harvest", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=4096, help="of one thread's batch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    start = "another run's last.pt, or an exported model's folder, to begin from"
    parser.add_argument("--start", type=Path, help=start)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.run.mkdir(parents=True, exist_ok=True)
    processor = AutoProcessor.from_pretrained(given.corpus / "processor")
    TrainingRun(given, shelves(given, processor), processor).train()


if __name__ == "__main__":
    main()
