"""Token-by-token decoding as a generator, without a thread: stop by not taking the next token.

`generate` prepares everything that differs between architectures (caches, masks, positions,
pictures) and then runs the loop given as `custom_generate`; ours is a generator.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import transformers

from assistant.chat_model.local.loading import LoadedCheckpoint
from assistant.chat_model.local.prefix import cache_argument, pad_behind


def generate_token_ids(
    checkpoint: LoadedCheckpoint,
    inputs: Any,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int | None = None,
    suppressed: Sequence[int] = (),
    processors: Sequence[transformers.LogitsProcessor] = (),
    prefix: str | None = None,
) -> Iterator[list[int | None]]:
    """Yield one token id per prompt and step; None for prompts whose answer has ended.

    Ends when all answers have ended, or after `max_new_tokens` steps. `temperature` 0 takes the
    likeliest token. `suppressed` tokens are never generated; the stop token comes out as the last
    one. `prefix` is the key of a beginning in the checkpoint's `prefix_cache`. Nothing is computed
    between two steps, and nothing keeps running after the iterator is closed.
    """
    model = checkpoint.model
    config = transformers.GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=temperature > 0,
        temperature=temperature if temperature > 0 else None,
        eos_token_id=[*checkpoint.stop_ids],
        pad_token_id=_padding(checkpoint),
        suppress_tokens=[*suppressed] or None,
    )
    random = None if seed is None else torch.Generator(model.device).manual_seed(seed)
    with checkpoint.lock, torch.inference_mode():
        _forget_positions(model)
        given, cache = _begun(checkpoint, prefix, inputs.to(model.device))
        steps = model.generate(
            **given,
            generation_config=config,
            logits_processor=transformers.LogitsProcessorList(processors),
            custom_generate=_decode,
            random=random,
            **cache_argument(model, cache),
        )
        # The first step computes the whole prompt; positions must not change before it is done.
        row = next(steps)
    while row is not None:
        yield row
        with checkpoint.lock, torch.inference_mode():
            row = next(steps, None)


def _begun(checkpoint: LoadedCheckpoint, prefix: str | None, inputs: Any) -> tuple[Any, Any]:
    """The inputs and the cache of their beginning; as they are and None if it is not known."""
    if prefix is None:
        return inputs, None
    known = checkpoint.prefix_cache
    several = len(inputs["input_ids"]) > 1
    given = pad_behind(inputs, known.length(prefix)) if several else inputs
    cache = known.cache(prefix, given["input_ids"])
    return (inputs, None) if cache is None else (given, cache)


def _padding(checkpoint: LoadedCheckpoint) -> int:
    padding = checkpoint.tokenizer.pad_token_id
    return int(padding) if padding is not None else checkpoint.stop_ids[0]


def _forget_positions(model: Any) -> None:
    """Clear the picture offsets that Qwen's models keep from the last prompt."""
    if hasattr(model.base_model, "rope_deltas"):
        model.base_model.rope_deltas = None


def _decode(
    model: Any,
    input_ids: Any,
    *,
    logits_processor: transformers.LogitsProcessorList,
    stopping_criteria: transformers.StoppingCriteriaList,
    generation_config: transformers.GenerationConfig,
    random: torch.Generator | None = None,
    **model_kwargs: Any,
) -> Iterator[list[int | None]]:
    """The loop of transformers' `_sample`, as a generator that yields each step's tokens."""
    going = [True] * len(input_ids)
    padding = generation_config.pad_token_id
    outputs = model._prefill(input_ids, generation_config, model_kwargs)
    while True:
        model_kwargs = model._update_model_kwargs_for_generation(outputs, model_kwargs)
        logits = outputs.logits[:, -1].to(copy=True, dtype=torch.float32, device=input_ids.device)
        scores = logits_processor(input_ids, logits)
        tokens = _chosen(scores, generation_config, random)
        said = tokens.tolist()
        row = [token if on else None for token, on in zip(said, going, strict=True)]
        if not all(going):
            said = [padding if token is None else token for token in row]
            tokens = torch.tensor(said, dtype=tokens.dtype, device=tokens.device)
        input_ids = torch.cat([input_ids, tokens[:, None]], dim=-1)
        ended = stopping_criteria(input_ids, None).tolist()
        going = [on and not end for on, end in zip(going, ended, strict=True)]
        yield row
        if not any(going):
            return
        step = model.prepare_inputs_for_generation(
            input_ids, next_sequence_length=1, **model_kwargs
        )
        outputs = model(**step, return_dict=True)


def _chosen(
    scores: torch.Tensor,
    config: transformers.GenerationConfig,
    random: torch.Generator | None,
) -> torch.Tensor:
    if not config.do_sample:
        return scores.argmax(dim=-1)
    chances = torch.nn.functional.softmax(scores, dim=-1)
    return torch.multinomial(chances, num_samples=1, generator=random).squeeze(1)
