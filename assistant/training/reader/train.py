"""Trains the request reader: adapters of a language model and a head that names the class.

    unmask setup --yes
    python -m assistant.training.reader.train RUN --base MODELS/parts/smollm2_135m --minutes 45

LoRA (Hu et al., arXiv 2106.09685) of rank 16 on q, v, o, up and down, and one linear layer over the
last token's state and the mean of all. AdamW; the rate follows the clock to zero. A stopped run
resumes from its last checkpoint. `--start` begins with adapters that were trained before, so that
new wordings cost minutes; a lower `--lr` keeps what they know.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from assistant.agent.requests.reader import ADAPTERS, pooled
from assistant.training.reader.classes import (
    class_of,
    classes,
    examples,
    request_text,
    wordings,
)
from tools.training.encoder.encoder import TrainingClock

TARGETS = ("q_proj", "v_proj", "o_proj", "up_proj", "down_proj")
RANK, ALPHA = 16, 32
SORTED_BATCHES = 10
"""Batches whose texts are sorted by length together: less padding."""
HELD_OUT = 200
"""Wordings that are never trained on; the log's *right* is measured on them."""
SMOOTHING = 0.05


def learning_rate(progress: float) -> float:
    """Factor of the learning rate: a short warm-up, then a linear fall to zero."""
    return min(1.0, progress / 0.03) * (1.0 - progress)


class ReaderRun:
    """A training run over an endless stream of texts."""

    def __init__(self, given: argparse.Namespace) -> None:
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(given.seed)
        self.given = given
        self.tokenizer = AutoTokenizer.from_pretrained(given.base)
        kind = torch.bfloat16 if given.bf16 else torch.float32
        base = AutoModelForCausalLM.from_pretrained(given.base, dtype=kind)
        wanted = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=[*TARGETS])
        # Only what is frozen is held in bfloat16: small steps would vanish in it.
        self.model: Any = get_peft_model(base, wanted, autocast_adapter_dtype=True)
        self.names = classes()
        self.head = nn.Linear(2 * base.config.hidden_size, len(self.names))
        rows = wordings()
        random.Random(given.seed).shuffle(rows)  # noqa: S311 - not for secrets
        self.rows, self.held_out = rows[HELD_OUT:], rows[:HELD_OUT]
        self.learnt = [it for it in self.model.parameters() if it.requires_grad]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": self.learnt, "weight_decay": 0.01},
                {"params": [*self.head.parameters()], "weight_decay": 0.05},
            ],
            lr=given.lr,
        )
        self.clock = TrainingClock(given.minutes * 60)
        self.step = self.seen = 0
        self.file = given.run / "last.pt"
        if self.file.is_file():
            self._resume()
        elif given.start:
            start_from(given.start, self.model, self.head, self.names)

    def train(self) -> None:
        """Train until the time is over."""
        batches = self._batches()
        self.clock.start()
        losses: list[float] = []
        began, tokens, saved = time.monotonic(), 0, time.monotonic()
        while (progress := self.clock.progress) < 1:
            texts, names = next(batches)
            for group in self.optimiser.param_groups:
                group["lr"] = self.given.lr * learning_rate(progress)
            logits, count = self.logits(texts)
            wanted = torch.tensor([self.names.index(name) for name in names])
            loss = functional.cross_entropy(logits, wanted, label_smoothing=SMOOTHING)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([*self.learnt, *self.head.parameters()], 1.0)
            self.optimiser.step()
            self.optimiser.zero_grad(set_to_none=True)
            self.step += 1
            self.seen += len(texts)
            tokens += count
            losses.append(float(loss.detach()))
            if len(losses) == 20:
                speed = tokens / (time.monotonic() - began)
                print(
                    f"{time.strftime('%H:%M:%S')} step {self.step} at {100 * progress:.1f} %  loss "
                    f"{sum(losses) / len(losses):.3f}  {speed:.0f} tokens/s  {self.seen} texts",
                    flush=True,
                )
                losses, tokens, began = [], 0, time.monotonic()
            if time.monotonic() - saved > 300:
                self._save()
                print(f"right {self.right():.3f}", flush=True)
                saved = time.monotonic()
        self._save()
        print(f"right {self.right():.3f}", flush=True)

    def logits(self, texts: list[str]) -> tuple[torch.Tensor, int]:
        """Logits (n, classes), and the number of tokens read."""
        found = self.tokenizer(
            texts, padding=True, padding_side="right", return_tensors="pt", add_special_tokens=False
        )
        mask = found["attention_mask"]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.given.bf16):
            states = self.model.base_model.model.model(
                input_ids=found["input_ids"], attention_mask=mask
            ).last_hidden_state
        return self.head(pooled(states.float(), mask)), int(mask.sum())

    @torch.no_grad()
    def right(self) -> float:
        """The share of the held-out wordings whose class is found."""
        rng, right = random.Random(1), 0  # noqa: S311 - not for secrets
        for start in range(0, len(self.held_out), 20):
            some = self.held_out[start : start + 20]
            logits, _ = self.logits([request_text(row, rng) for row in some])
            found = [self.names[at] for at in logits.argmax(dim=1)]
            right += sum(class_of(row) == name for row, name in zip(some, found, strict=True))
        return right / len(self.held_out)

    def _batches(self) -> Iterator[tuple[list[str], list[str]]]:
        rng = random.Random(f"{self.given.seed}-{self.step}")  # noqa: S311 - not for secrets
        stream = self._stream(rng)
        while True:
            rows = [next(stream) for _ in range(self.given.rows * SORTED_BATCHES)]
            rows.sort(key=lambda row: len(row[0]))
            starts = [*range(0, len(rows), self.given.rows)]
            rng.shuffle(starts)
            for start in starts:
                texts, names = zip(*rows[start : start + self.given.rows], strict=True)
                yield [*texts], [*names]

    def _stream(self, rng: random.Random) -> Iterator[tuple[str, str]]:
        while True:
            yield from examples(rng, self.rows)

    def _save(self) -> None:
        state = {
            "adapters": {
                name: value.detach()
                for name, value in self.model.named_parameters()
                if value.requires_grad
            },
            "head": self.head.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seen": self.seen,
            "spent_s": self.clock.progress * self.clock.total_s,
        }
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").rename(self.file)
        save_file(
            shipped(self.model, self.head),
            self.given.run / ADAPTERS,
            {"classes": "\n".join(self.names)},
        )

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True)
        self.model.load_state_dict(state["adapters"], strict=False)
        self.head.load_state_dict(state["head"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seen = state["step"], state["seen"]
        self.clock.spent_s = state["spent_s"]


def shipped(model: Any, head: nn.Linear) -> dict[str, torch.Tensor]:
    """Adapters, scaled, and head, in half precision, named as the reader expects them."""
    found = {"head.weight": head.weight.detach(), "head.bias": head.bias.detach()}
    for name, value in model.named_parameters():
        if value.requires_grad:
            layer, _, side = name.removeprefix("base_model.model.").rpartition(".lora_")
            down = side.startswith("A")
            scaled = value.detach() * (1.0 if down else ALPHA / RANK)
            found[f"{layer}.{'down' if down else 'up'}"] = scaled
    return {name: value.to(torch.float16).contiguous() for name, value in found.items()}


@torch.no_grad()
def start_from(file: Path, model: Any, head: nn.Linear, names: Sequence[str]) -> None:
    """Copy adapters and head of a shipped file into a model.

    A class that the file does not know keeps its random start. Raises KeyError if the file lacks an
    adapter.
    """
    ours = load_file(file)
    for name, value in model.named_parameters():
        if value.requires_grad:
            layer, _, side = name.removeprefix("base_model.model.").rpartition(".lora_")
            down = side.startswith("A")
            found = ours[f"{layer}.{'down' if down else 'up'}"].float()
            value.copy_(found / (1.0 if down else ALPHA / RANK))
    with safe_open(file, "pt") as opened:
        known = opened.metadata()["classes"].split("\n")
    for at, name in enumerate(names):
        if name in known:
            head.weight[at] = ours["head.weight"][known.index(name)].float()
            head.bias[at] = ours["head.bias"][known.index(name)].float()


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of the language model")
    parser.add_argument("--start", type=Path, help="a shipped adapters file to begin with")
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=24, help="texts of one step")
    parser.add_argument("--lr", type=float, default=8e-4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16, where the processor can"
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.run.mkdir(parents=True, exist_ok=True)
    ReaderRun(given).train()


if __name__ == "__main__":
    main()
