"""Load a vision-language checkpoint from disk in 4 bits; never from the network."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from assistant.chat_model.local.constrained import GrammarCache
from assistant.chat_model.local.prefix import PrefixCache
from assistant.chat_model.local.quantisation import compute_dtype, meta_model, nf4_config
from assistant.chat_model.local.template_features import (
    TemplateCapabilities,
    probe_template,
    require_vision,
)
from assistant.conversation.tool_calls import CALL_CLOSE, CALL_OPEN, THINK_CLOSE, THINK_OPEN
from tools.checkpoints.on_disk import folder_on_disk
from tools.errors import SetupError


@dataclass(frozen=True)
class LoadedCheckpoint:
    """A loaded model with its processor, and the capabilities of its chat template.

    `known_tools` are the tools that it was trained with; None if it names none, and takes any.
    `lock` is held for each step of generation: all sessions share the weights, and another answer
    may run its step between two steps of this one.
    """

    name: str
    model: Any
    processor: Any
    habits: TemplateCapabilities
    known_tools: tuple[str, ...] | None = None
    lock: RLock = field(default_factory=RLock)

    @property
    def tokenizer(self) -> Any:
        """The processor's tokenizer."""
        return self.processor.tokenizer

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end an answer."""
        ends = self.model.generation_config.eos_token_id
        ids = [*ends] if isinstance(ends, (list, tuple)) else [ends]
        return tuple({int(it) for it in (*ids, self.tokenizer.eos_token_id) if it is not None})

    @cached_property
    def suppressed_ids(self) -> tuple[int, ...]:
        """Tokens that no answer contains: those that open turns or stand for pictures."""
        known = self.tokenizer.get_vocab()
        silent = {*self.tokenizer.all_special_ids, *(known.get(it) for it in _RESPONSE)}
        spoken = {*self.stop_ids, *(known.get(it) for it in _MARKS)}
        return tuple(sorted(silent - spoken - {None}))

    @cached_property
    def tool_call_open_id(self) -> int | None:
        """The single token that opens a tool call, if there is one."""
        found = self.tokenizer.get_vocab().get(CALL_OPEN)
        return None if found is None else int(found)

    @cached_property
    def vocabulary(self) -> int:
        """Width of the logits."""
        return int(self.model.config.get_text_config().vocab_size)

    @cached_property
    def grammars(self) -> GrammarCache:
        """Compiled grammars over this vocabulary."""
        return GrammarCache(self.tokenizer, vocabulary=self.vocabulary, stop_ids=self.stop_ids)

    @cached_property
    def prefix_cache(self) -> PrefixCache:
        """Key-value caches of the beginnings that prompts share."""
        return PrefixCache(self.model)


_MARKS = (CALL_OPEN, CALL_CLOSE, THINK_OPEN, THINK_CLOSE)
_RESPONSE = ("<tool_response>", "</tool_response>")


def load(
    source: str | Path,
    *,
    threads: int | None = None,
    device: str | None = None,
    four_bit: bool = True,
) -> LoadedCheckpoint:
    """Load and check a folder, or the id of a checkpoint that is already on this machine.

    `threads` limits torch's threads (for the whole process). Raises SetupError if the checkpoint is
    missing, is no vision-language model, has no safetensors, or fails the checks of
    `template_features`.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    name = str(source)
    _quieten()
    with _explained(name):
        folder = folder_on_disk(source)
        if folder is None:
            raise ValueError("it is no folder, and was not downloaded")
        config = transformers.AutoConfig.from_pretrained(folder, **_OFFLINE)
        processor = transformers.AutoProcessor.from_pretrained(folder, **_OFFLINE)
    _require_pictures(name, config, processor)
    # Answers are appended at the right end, at the same place for all prompts of a batch.
    processor.tokenizer.padding_side = "left"
    habits = probe_template(name, processor)
    with _explained(name):
        model = _load_model(folder, config, device=device, four_bit=four_bit)
    require_vision(name, model, processor, habits)
    return LoadedCheckpoint(name, model, processor, habits, read_known_tools(folder))


ABOUT_FILE = "unmask.json"
"""Optional file of a checkpoint's folder: `{"tools": [...]}`."""


def read_known_tools(folder: Path) -> tuple[str, ...] | None:
    """The tools that a checkpoint was trained with, from `ABOUT_FILE`; None if it names none.

    A small model that reads schemas of unknown tools calls the wrong ones. Raises SetupError if
    the file is damaged.
    """
    path = folder / ABOUT_FILE
    if not path.is_file():
        return None
    try:
        tools = json.loads(path.read_text(encoding="utf-8")).get("tools")
    except (OSError, ValueError, AttributeError) as error:
        raise SetupError(
            f"{str(path)!r} cannot be read ({error}); it must be an object such as "
            '{"tools": ["find_person"]}, or be removed'
        ) from error
    if tools is None:
        return None
    if not isinstance(tools, list) or not all(isinstance(name, str) for name in tools):
        raise SetupError(f"{str(path)!r}: `tools` must be a list of names")
    return tuple(tools)


def _quieten() -> None:
    """Switch off progress bars, and advice to install kernels from the network."""
    transformers.utils.logging.disable_progress_bar()
    for library in ("bitsandbytes", "transformers"):
        logging.getLogger(library).setLevel(logging.ERROR)


_OFFLINE: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


def _load_model(folder: Path, config: Any, *, device: str | None, four_bit: bool) -> Any:
    on_cuda = (device or "").startswith("cuda") or (device is None and torch.cuda.is_available())
    shape = meta_model(config)
    dtype = compute_dtype(shape, on_cuda=on_cuda)
    options: dict[str, Any] = {}
    # A checkpoint saved in 4 bits has its own quantisation config.
    if four_bit and getattr(config, "quantization_config", None) is None:
        options["quantization_config"] = nf4_config(shape, dtype, on_cuda=on_cuda)
    loaded: Any = transformers.AutoModelForImageTextToText.from_pretrained(
        folder,
        config=config,
        dtype=dtype,
        device_map="auto" if on_cuda and device is None else {"": device or "cpu"},
        use_safetensors=True,
        output_loading_info=True,
        **options,
        **_OFFLINE,
    )
    model, report = loaded
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"its files lack {len(missing)} weights, such as {missing[0]}")
    return model.eval()


def _require_pictures(name: str, config: Any, processor: Any) -> None:
    mapping = transformers.models.auto.modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    if type(config) not in mapping or not hasattr(processor, "image_processor"):
        raise SetupError(
            f"{name!r} is not a model of pictures and text (its type is {config.model_type!r}); "
            "name another with `--vlm`"
        )


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Convert transformers' errors about a bad checkpoint to one line for the user."""
    try:
        yield
    except (OSError, ValueError, ImportError, SafetensorError, torch.OutOfMemoryError) as error:
        reason = " ".join(str(error).split()).split(". ")[0]
        raise SetupError(
            f"cannot load the model {name!r}: {reason}; get the full profile's with "
            "`unmask models download full`, or name a folder or a server with `--vlm`"
        ) from error
