"""The request reader: a small language model with our adapters names the class of a request.

It writes no text. A pretrained language model (`unmask setup`) reads the words, adapters and a
linear head that ship with Unmask turn its states into probabilities of classes. What a class does
is defined in `planning`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from tools.checkpoints.pretrained.store import WEIGHTS
from tools.checkpoints.table import CHAT_WEIGHTS_DIR
from tools.errors import SetupError

READER_DIR = CHAT_WEIGHTS_DIR / "reader"
ADAPTERS = "adapters.safetensors"
PHOTO_MARK = "[photo] "
"""Stands before the words of a request that a photo came with."""

MAX_TOKENS = 96
"""Tokens of a request that are read: its beginning and its end, if it is longer."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The likeliest class of a request, its probability (0..1), and the next likely class."""

    name: str
    probability: float
    runner_up: str


class ReadsRequests(Protocol):
    """Anything that names the class of a request."""

    def read(self, text: str, *, with_photo: bool) -> Reading:
        """The class of the words; `with_photo` if a photo came with them."""


class RequestReader:
    """`RequestReader.load(part).read("why is H3 in the list?", with_photo=False)`.

    Safe to share between threads; one request is read at a time.
    """

    def __init__(self, model: Any, tokenizer: Any, head: nn.Linear, classes: Sequence[str]) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._head = head
        self.classes = tuple(classes)
        self._lock = Lock()

    @classmethod
    def load(cls, language_model: Path, adapters: Path = READER_DIR / ADAPTERS) -> Self:
        """Load the installed language model and merge our adapters into it.

        Raises SetupError if a file is missing or damaged, or if the two do not belong together.
        """
        import transformers

        try:
            config = transformers.AutoConfig.from_pretrained(language_model, local_files_only=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                language_model, local_files_only=True
            )
            ours = load_file(adapters)
            with safe_open(adapters, "pt") as file:
                classes = str((file.metadata() or {})["classes"]).split("\n")
            merged = merge_adapters(load_file(language_model / WEIGHTS), ours)
            model = transformers.AutoModel.from_config(config, dtype=torch.float32)
            model.load_state_dict({name.removeprefix("model."): it for name, it in merged.items()})
            head = nn.Linear(ours["head.weight"].shape[1], len(classes))
            head.load_state_dict(
                {"weight": ours["head.weight"].float(), "bias": ours["head.bias"].float()}
            )
        except (OSError, KeyError, ValueError, RuntimeError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:200]
            raise SetupError(
                f"the request reader cannot be loaded ({reason}); run `unmask models verify` and "
                "`unmask setup` again"
            ) from error
        return cls(model.eval(), tokenizer, head.eval(), classes)

    def read(self, text: str, *, with_photo: bool) -> Reading:
        """The class of a request's words; `with_photo` if a photo came with them."""
        ids = self._ids(f"{PHOTO_MARK if with_photo else ''}{text.strip() or '(no words)'}")
        with self._lock, torch.inference_mode():
            states = self._model(input_ids=ids).last_hidden_state
            chances = self._head(pooled(states, torch.ones_like(ids))).softmax(dim=1)[0]
        likeliest = chances.topk(2)
        first, second = (self.classes[int(at)] for at in likeliest.indices)
        return Reading(first, float(likeliest.values[0]), second)

    def _ids(self, text: str) -> torch.Tensor:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) > MAX_TOKENS:
            half = MAX_TOKENS // 2
            ids = [*ids[:half], *ids[-half:]]
        return torch.tensor([ids])


def pooled(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """States (n, t, d) of texts padded on the right -> the last state beside the mean, (n, 2d)."""
    last = mask.sum(dim=1) - 1
    weights = mask[..., None].to(states.dtype)
    mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
    return torch.cat([states[torch.arange(len(states)), last], mean], dim=1)


def merge_adapters(
    weights: Mapping[str, torch.Tensor], adapters: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Weights (out, in) plus up (out, r) times down (r, in) of each adapted layer, as float32.

    Adapters are named `<layer>.down` and `<layer>.up`; their scale is part of `up` (LoRA, Hu et
    al., arXiv 2106.09685). Raises KeyError for an adapter of a layer that the weights do not have.
    """
    merged = {name: value.float() for name, value in weights.items()}
    for name in sorted(it.removesuffix(".down") for it in adapters if it.endswith(".down")):
        change = adapters[f"{name}.up"].float() @ adapters[f"{name}.down"].float()
        merged[f"{name}.weight"] = merged[f"{name}.weight"] + change
    return merged
