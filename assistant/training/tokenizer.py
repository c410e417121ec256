"""The pocket model's tokenizer: a byte-level BPE of about two thousand tokens.

Digits and the letters of handles are separate tokens, so that `H3` and `E2` are copied letter by
letter. Runs of JSON between them may become one token each (`","reads":"high"},{"id":"`): a tool's
result costs a fifth of the tokens, and a reading and its measure are one symbol.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
"""Skipped when text is decoded for display."""

TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>",
        "</think>", "<tools>", "</tools>")  # fmt: skip
"""Single tokens that stay in decoded text: tool calls are read from it."""

VOCABULARY = 2048

_PIECES = "|".join(
    (
        r"\d",
        r"[QHCSGEP](?=[1-9])",
        r"\.[EP](?=[1-9])",
        r'"?(?:[{\[,:}\]]{0,3} ?[{\[]?"[A-Za-z_ ]*"[:,}\]]{0,3})+ ?[{\[]?"?',
        r" ?\[(?=[QHCSG][1-9])",
        r"\][.,;:]?",
        r"\n+",
        r" ?(?![QHCSGEP][1-9])[A-Za-z']+",
        r" ?[^\sA-Za-z\d]+",
        r"\s+",
    )
)

IMAGE_PIXELS = 128 * 128
"""A picture is shrunk to at most this many pixels: 64 patches, 16 tokens."""


def train_tokenizer(texts: Iterable[str], *, size: int = VOCABULARY) -> Tokenizer:
    """A tokenizer fitted to the texts, with `size` tokens, special ones included."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size - len(SPECIALS) - len(TAGS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=160,
        min_frequency=3,
        special_tokens=[],
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return bpe


def to_transformers_tokenizer(bpe: Tokenizer) -> Any:
    """The same as a transformers tokenizer with Qwen's special tokens."""
    from transformers import PreTrainedTokenizerFast

    words = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        model_max_length=8192,
    )  # fmt: skip
    rest = [token for token in SPECIALS if token not in ("<|im_end|>", "<|endoftext|>")]
    words.add_special_tokens({"additional_special_tokens": rest})
    words.add_tokens(list(TAGS))
    return words


def processor(words: Any, template: str) -> Any:
    """Qwen3-VL's processor around the tokenizer, for small pictures."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    images = Qwen2VLImageProcessor(
        patch_size=16,
        temporal_patch_size=2,
        merge_size=2,
        size={"shortest_edge": 64 * 64, "longest_edge": IMAGE_PIXELS},
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    return Qwen3VLProcessor(images, words, Qwen3VLVideoProcessor(), chat_template=template)


def save(texts: Iterable[str], folder: Path, *, template: str, size: int = VOCABULARY) -> Any:
    """Fit on the texts and write what AutoProcessor reads; returns the processor."""
    made = processor(to_transformers_tokenizer(train_tokenizer(texts, size=size)), template)
    folder.mkdir(parents=True, exist_ok=True)
    made.save_pretrained(folder)
    return made
