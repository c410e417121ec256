"""Trains low-rank adapters of a language model on request examples, on two cores.

    unmask setup --yes
    python -m assistant.training.reader.adapters RUN --base MODELS/parts/smollm2_135m --minutes 85

LoRA (Hu et al., arXiv 2106.09685) of rank 16 on q, v, o, up and down; AdamW; the loss covers only
the answers. The schedule follows the clock, so a stopped run resumes from its last checkpoint and
still ends with the learning rate at zero. The system prompt and the tools begin every example:
their keys and values are computed once for several steps.
"""

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from assistant.chat_model.reader.assembly import ADAPTERS, ADAPTERS_DIR, TEMPLATE
from assistant.training.reader.examples import RequestExamples
from assistant.training.reader.rows import RequestRow, RequestTokenizer, RowBatch
from tools.training.encoder.encoder import TrainingClock

TARGETS = ("q_proj", "v_proj", "o_proj", "up_proj", "down_proj")
RANK, ALPHA = 16, 32
PREFIX_STEPS = 4
"""Steps after which the shared beginning is read again with the changed adapters."""
SORTED_BATCHES = 12
"""Batches whose rows are sorted by length together: less padding."""


def learning_rate(progress: float) -> float:
    """Factor of the learning rate: a short warm-up, then a linear fall to zero."""
    return min(1.0, progress / 0.03) * (1.0 - progress)


class AdapterRun:
    """A training run over an endless stream of examples."""

    def __init__(self, given: argparse.Namespace) -> None:
        from peft import LoraConfig, get_peft_model

        torch.manual_seed(given.seed)
        self.given = given
        tokenizer = AutoTokenizer.from_pretrained(given.base)
        tokenizer.chat_template = given.template.read_text(encoding="utf-8")
        base = AutoModelForCausalLM.from_pretrained(given.base, dtype=torch.float32)
        wanted = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=[*TARGETS])
        self.model: Any = get_peft_model(base, wanted)
        self.rows = RequestTokenizer(tokenizer)
        self.examples = RequestExamples()
        self.pad = int(tokenizer.pad_token_id)
        self.learnt = [it for it in self.model.parameters() if it.requires_grad]
        self.optimiser = torch.optim.AdamW(self.learnt, lr=given.lr, weight_decay=0.01)
        self.clock = TrainingClock(given.minutes * 60)
        self.step = self.seen = 0
        self.file = given.run / "last.pt"
        if self.file.is_file():
            self._resume()

    def train(self) -> None:
        """Train until the time is over."""
        batches = self._batches()
        self.clock.start()
        losses: list[float] = []
        beginning: Any = None
        began, tokens, saved = time.monotonic(), 0, time.monotonic()
        while (progress := self.clock.progress) < 1:
            if self.step % PREFIX_STEPS == 0 or beginning is None:
                beginning = self._beginning()
            batch = next(batches)
            losses.append(self._update(batch, beginning, factor=learning_rate(progress)))
            tokens += int(batch.mask.sum())
            if len(losses) == 10:
                speed = tokens / (time.monotonic() - began)
                print(
                    f"{time.strftime('%H:%M:%S')} step {self.step} at {100 * progress:.1f} %  "
                    f"loss {sum(losses) / len(losses):.4f}  {speed:.0f} tokens/s  "
                    f"{self.seen} examples",
                    flush=True,
                )
                losses, tokens, began = [], 0, time.monotonic()
            if time.monotonic() - saved > 240:
                self._save()
                saved = time.monotonic()
        self._save()

    def _update(self, batch: RowBatch, beginning: Any, *, factor: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.given.lr * factor
        loss = self.loss(batch, beginning)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.learnt, 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.seen += len(batch.ids)
        return float(loss.detach())

    def loss(self, batch: RowBatch, beginning: Any) -> torch.Tensor:
        """Mean cross-entropy of the answers' tokens."""
        inner = self.model.base_model.model
        cache, shared = DynamicCache(), beginning.get_seq_length()
        for at, layer in enumerate(beginning.layers):
            rows = (len(batch.ids), -1, -1, -1)
            cache.update(layer.keys.expand(*rows), layer.values.expand(*rows), at)
        before = torch.ones(len(batch.ids), shared, dtype=torch.bool)
        hidden = inner.model(
            input_ids=batch.ids,
            attention_mask=torch.cat([before, batch.mask], dim=1).long(),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state
        learnt = batch.wanted >= 0
        return functional.cross_entropy(inner.lm_head(hidden[learnt]), batch.wanted[learnt])

    @torch.no_grad()
    def _beginning(self) -> Any:
        cache = DynamicCache()
        ids = self.rows.beginning(self.examples.opening)
        self.model.base_model.model.model(input_ids=ids, past_key_values=cache, use_cache=True)
        return cache

    def _batches(self) -> Iterator[RowBatch]:
        rng = random.Random(f"{self.given.seed}-{self.step}")  # noqa: S311 - not for secrets
        stream = self._stream(rng)
        while True:
            rows = [next(stream) for _ in range(self.given.rows * SORTED_BATCHES)]
            rows.sort(key=lambda row: len(row.ids))
            starts = [*range(0, len(rows), self.given.rows)]
            rng.shuffle(starts)
            for start in starts:
                yield self.rows.batch(rows[start : start + self.given.rows], pad=self.pad)

    def _stream(self, rng: random.Random) -> Iterator[RequestRow]:
        while True:
            for messages in self.examples.epoch(rng):
                yield self.rows.row(messages)

    def _save(self) -> None:
        state = {
            "adapters": {
                name: value.detach()
                for name, value in self.model.named_parameters()
                if value.requires_grad
            },
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seen": self.seen,
            "spent_s": self.clock.progress * self.clock.total_s,
        }
        torch.save(state, self.file.with_suffix(".new"))
        self.file.with_suffix(".new").rename(self.file)
        save_file(shipped(self.model), self.given.run / ADAPTERS)

    def _resume(self) -> None:
        state = torch.load(self.file, weights_only=True)
        self.model.load_state_dict(state["adapters"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seen = state["step"], state["seen"]
        self.clock.spent_s = state["spent_s"]


def shipped(model: Any) -> dict[str, torch.Tensor]:
    """The adapters as `assistant.chat_model.reader.assembly` reads them: half precision, scaled."""
    found = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            layer, _, side = name.removeprefix("base_model.model.").rpartition(".lora_")
            down = side.startswith("A")
            scaled = value.detach() * (1.0 if down else ALPHA / RANK)
            found[f"{layer}.{'down' if down else 'up'}"] = scaled.to(torch.float16).contiguous()
    return found


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of the language model")
    template = ADAPTERS_DIR / TEMPLATE
    parser.add_argument("--template", type=Path, default=template, help="the chat template")
    parser.add_argument("--minutes", type=float, default=85)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=24, help="examples of one step")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.run.mkdir(parents=True, exist_ok=True)
    AdapterRun(given).train()


if __name__ == "__main__":
    main()
