"""Prefix cache: compute the beginning that prompts share (system prompt, tools) only once.

On a CPU most of the time to the first token is spent on reading the prompt, most of which never
changes. The key-value cache of the shared part is kept and copied.
"""

import copy
import inspect
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
import transformers

MAX_CACHED_PREFIXES = 2
MIN_PREFIX_TOKENS = 48


@dataclass(frozen=True)
class _Prefix:
    """Token ids of a beginning, and the cache after them (None until it is used)."""

    ids: torch.Tensor
    cache: Any


class PrefixCache:
    """Caches of the most recently used beginnings; needs the checkpoint's lock.

    A beginning is found by its key (everything that determines its text), and used only if the
    prompt really begins with its tokens. If not `enabled`, every prompt is read whole.
    """

    def __init__(self, model: Any) -> None:
        self.enabled = True
        self._model = model
        self._kept: OrderedDict[str, _Prefix] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._kept

    def learn(self, key: str, one: torch.Tensor, other: torch.Tensor) -> None:
        """Find the common beginning of two prompts, (1, n) and (1, m) ids, and store it."""
        shared = common_prefix_length(one[0], other[0])
        cache = self._read(one[:, :shared]) if shared >= MIN_PREFIX_TOKENS else None
        self._kept[key] = _Prefix(one[0, :shared].clone(), cache)
        while len(self._kept) > MAX_CACHED_PREFIXES:
            self._kept.popitem(last=False)

    def cache(self, key: str, input_ids: torch.Tensor) -> Any:
        """A copy of the cache for the beginning of prompts, (b, n) ids; None if none fits them."""
        known = self._kept.get(key)
        if known is None:  # replaced by those of other prompts in the meantime
            return None
        self._kept.move_to_end(key)
        length = len(known.ids)
        # At least one token is left to compute: it gives the first logits.
        begun = length < input_ids.shape[1] and bool((input_ids[:, :length] == known.ids).all())
        several = len(input_ids) > 1
        if known.cache is None or not begun or (several and not _is_repeatable(known.cache)):
            return None
        cache = copy.deepcopy(known.cache)
        if several:
            cache.batch_repeat_interleave(len(input_ids))
        return cache

    def length(self, key: str) -> int:
        """The number of tokens of a beginning; 0 if it is not known."""
        known = self._kept.get(key)
        return 0 if known is None else len(known.ids)

    def _read(self, ids: torch.Tensor) -> Any:
        cache = transformers.DynamicCache(config=self._model.config.get_text_config(decoder=True))
        # The cache is filled in place.
        self._model(
            input_ids=ids.to(self._model.device),
            use_cache=True,
            **cache_argument(self._model, cache),
        )
        return cache


def cache_argument(model: Any, cache: Any) -> dict[str, Any]:
    """The key-value cache as a keyword argument of this model's `forward` and `generate`.

    transformers 5.24 renamed `past_key_values` to `cache`; the signature determines which is used.
    """
    known = inspect.signature(type(model).forward).parameters
    return {"cache" if "cache" in known else "past_key_values": cache}


def _is_repeatable(cache: Any) -> bool:
    """Whether every layer is plain attention: a recurrent state would read the padding too."""
    return all(type(layer) is transformers.cache_utils.DynamicLayer for layer in cache.layers)


def pad_behind(inputs: Any, length: int) -> dict[str, Any]:
    """The inputs of a batch padded on the left, with the padding behind the first `length` tokens.

    So that prompts of different lengths begin at the same place: with tokens that they share, whose
    cache is known. Positions do not change, because padding does not count.
    """
    mask = inputs["attention_mask"]
    place = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    padding = (mask == 0).sum(dim=1, keepdim=True)
    moved = torch.where(place < length + padding, place - length, place)
    source = torch.where(place < length, place + padding, moved).clamp(max=mask.shape[1] - 1)
    return {
        name: it.gather(1, source) if getattr(it, "shape", None) == mask.shape else it
        for name, it in inputs.items()
    }


def common_prefix_length(one: torch.Tensor, other: torch.Tensor) -> int:
    """The number of leading tokens that two rows share."""
    length = min(len(one), len(other))
    different = (one[:length] != other[:length]).nonzero()
    return int(different[0, 0]) if len(different) else length
