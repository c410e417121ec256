"""4-bit quantisation (NF4) of a vision-language model, and its compute dtype.

NF4 with double quantisation (Dettmers et al., QLoRA, arXiv 2305.14314, §3) for the language model's
linear layers only. All other modules keep their precision: vision towers in 4 bits produce
nonsense, and rounding shows first in the output layer.
"""

from collections.abc import Iterator
from typing import Any

import torch
import transformers
from torch import nn

LARGE_MODEL_PARAMETERS = 500_000_000
"""Parameters from which a CPU is faster, and not only smaller, in bf16."""


def meta_model(config: Any) -> nn.Module:
    """The model as its classes build it, on no device: names and shapes only."""
    with torch.device("meta"):
        model: nn.Module = transformers.AutoModelForImageTextToText.from_config(config)
    return model


def compute_dtype(model: nn.Module, *, on_cuda: bool) -> torch.dtype:
    """bf16 where supported: on GPUs (else float16), and for large models on CPUs (else float32).

    A small model is slower in bf16 on a CPU (88 instead of 122 tokens/s at 12 M parameters).
    """
    if on_cuda:
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    from bitsandbytes.functional import has_avx512bf16

    large = sum(weight.numel() for weight in model.parameters()) >= LARGE_MODEL_PARAMETERS
    return torch.bfloat16 if large and has_avx512bf16() else torch.float32


def nf4_config(model: Any, dtype: torch.dtype, *, on_cuda: bool) -> Any:
    """The transformers quantisation config for a model of this shape."""
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        # Given a list, transformers no longer skips the output layer by itself: our list includes
        # it.
        llm_int8_skip_modules=unquantised_modules(model, on_cuda=on_cuda),
    )


def unquantised_modules(model: Any, *, on_cuda: bool) -> list[str]:
    """Names of the modules that are not quantised: towers, projectors, the output layer.

    Everything outside the text decoder, which is found by descending to it: this works for any
    architecture, whatever its parts are called.
    """
    decoder = model.get_decoder()
    outside = [name for name, module in _beside(model, decoder) if _has_linear(module)]
    return outside if on_cuda else outside + _unpackable(model)


def _beside(
    module: nn.Module, target: nn.Module, path: str = ""
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        full = f"{path}{name}"
        if child is target:
            continue
        if any(part is target for part in child.modules()):
            yield from _beside(child, target, f"{full}.")
        else:
            yield full, child


def _has_linear(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Linear) for part in module.modules())


def _unpackable(model: nn.Module) -> list[str]:
    """Linear layers of sizes that bitsandbytes cannot pack for the CPU's bf16 instructions.

    It packs 32 rows at a time, in blocks of 64 weights, and fails at the first use otherwise.
    """
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and (module.out_features % 32 or module.in_features % 64)
    ]
