"""Randomly initialised checkpoints of the real model classes, a few hundred kB each, in a second.

Their templates are ours, in the formats of the published ones; their tokenizers are trained on a
handful of sentences. The output of such a model is meaningless; the tests check that it loads in 4
bits, streams, takes pictures and cannot write an invalid call.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tools.checkpoints.table import CHAT_WEIGHTS_DIR

HERMES = (CHAT_WEIGHTS_DIR / "vlm" / "chat_template.jinja").read_text(encoding="utf-8")

# Qwen3.5's format of tools and calls, instead of Hermes JSON.
_XML_HELP = (
    "If you choose to call a function ONLY reply in the following format with NO suffix:\\n\\n"
    "<tool_call>\\n<function=example_function_name>\\n<parameter=example_parameter_1>\\nvalue_1\\n"
    "</parameter>\\n</function>\\n</tool_call>"
)
QWEN_XML = (
    "{%- macro parts(content) -%}{%- if content is string -%}{{ content }}{%- else -%}"
    "{%- for part in content -%}{%- if part.type == 'image' -%}"
    "<|vision_start|><|image_pad|><|vision_end|>{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}{%- endif -%}{%- endmacro -%}"
    "{%- if tools -%}<|im_start|>system\n# Tools\n<tools>"
    "{%- for tool in tools %}{{ '\\n' ~ (tool | tojson) }}{% endfor -%}"
    "{{ '\\n</tools>\\n\\n" + _XML_HELP + "<|im_end|>\\n' }}{%- endif -%}"
    "{%- if not messages | selectattr('role', 'equalto', 'user') | list -%}"
    "{{ raise_exception('No user query found in messages.') }}{%- endif -%}"
    "{%- for message in messages -%}"
    "{%- set role = 'user' if message.role == 'tool' else message.role -%}"
    "{{ '<|im_start|>' ~ role ~ '\\n' }}"
    "{%- if message.role == 'tool' -%}"
    "{{ '<tool_response>\\n' ~ parts(message.content) ~ '\\n</tool_response>' }}"
    "{%- else -%}{{ parts(message.content) }}"
    "{%- for call in message.tool_calls or [] -%}"
    "{{ '\\n<tool_call>\\n<function=' ~ call.function.name ~ '>\\n' }}"
    "{%- for name, value in call.function.arguments.items() -%}"
    "{{ '<parameter=' ~ name ~ '>\\n' ~ (value if value is string else value | tojson)"
    " ~ '\\n</parameter>\\n' }}"
    "{%- endfor -%}{{ '</function>\\n</tool_call>' }}{%- endfor -%}{%- endif -%}"
    "{{ '<|im_end|>\\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}"
    "{{ '<think>\\n' if enable_thinking is not defined or enable_thinking"
    " else '<think>\\n\\n</think>\\n\\n' }}{%- endif -%}"
)

SENTENCES = (
    "Which of these images show this person but are forged?",
    "The identity reads same person [H1.E1] and the blending stands out [H1.E2].",
    'find_person {"name": "find_person", "arguments": {"photos": ["Q1"], "top": 10}}',
    "<function=find_person> <parameter=photos> score_fake compare_faces image first second",
)

IMAGE_SIZE = 64


def tokenizer(specials: tuple[str, ...], **named: Any) -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the given special tokens."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        SENTENCES * 3,
        trainers.BpeTrainer(
            vocab_size=400, special_tokens=[], initial_alphabet=alphabet, show_progress=False
        ),
    )
    named = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", **named}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **named)
    fast.add_special_tokens({"additional_special_tokens": list(specials)})
    fast.add_tokens(["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"])
    fast.add_tokens(["<think>", "</think>"])
    return fast


_QWEN_SPECIALS = (
    "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip


def _qwen_ids(words: transformers.PreTrainedTokenizerFast) -> dict[str, int]:
    names = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return {key: words.convert_tokens_to_ids(token) for key, token in names.items()}


_QWEN_VISION = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_heads": 2,
    "patch_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "out_hidden_size": 64,
    "num_position_embeddings": 16,
}
_TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def _qwen_processor(words: Any, template: str) -> Any:
    images = transformers.Qwen2VLImageProcessor(
        patch_size=16,
        temporal_patch_size=2,
        merge_size=2,
        size={"shortest_edge": 32 * 32, "longest_edge": IMAGE_SIZE * IMAGE_SIZE},
    )
    videos = transformers.Qwen3VLVideoProcessor()
    return transformers.Qwen3VLProcessor(images, words, videos, chat_template=template)


def qwen3_vl(template: str = HERMES) -> tuple[Any, Any]:
    """Qwen3-VL: plain attention, DeepStack vision tower."""
    words = tokenizer(_QWEN_SPECIALS)
    config = transformers.Qwen3VLConfig(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "num_hidden_layers": 2,
            "head_dim": 16,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config={**_QWEN_VISION, "deepstack_visual_indexes": [0, 1]},
        **_qwen_ids(words),
    )
    return transformers.Qwen3VLForConditionalGeneration(config), _qwen_processor(words, template)


def qwen3_5() -> tuple[Any, Any]:
    """Qwen3.5: linear-attention layers between full-attention ones; calls in XML."""
    words = tokenizer(_QWEN_SPECIALS)
    config = transformers.Qwen3_5Config(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "num_hidden_layers": 2,
            "head_dim": 32,
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.5,
                "mrope_section": [4, 2, 2],
                "mrope_interleaved": True,
            },
        },
        vision_config=_QWEN_VISION,
        **_qwen_ids(words),
    )
    model = transformers.Qwen3_5ForConditionalGeneration(config)
    return model, _qwen_processor(words, QWEN_XML)


def gemma4() -> tuple[Any, Any]:
    """Gemma 4: sliding-window layers, a projector between tower and text; drops tool pictures."""
    words = tokenizer(
        ("<|im_start|>", "<|video|>"),
        extra_special_tokens={
            "image_token": "<|image|>",
            "boi_token": "<|image>",
            "eoi_token": "<image|>",
            "audio_token": "<|audio|>",
            "boa_token": "<|audio>",
            "eoa_token": "<audio|>",
        },
    )
    config = transformers.Gemma4Config(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "vocab_size_per_layer_input": len(words),
            "hidden_size_per_layer_input": 16,
            "num_hidden_layers": 2,
            "head_dim": 16,
            "global_head_dim": 16,
            "sliding_window": 64,
            "layer_types": ["sliding_attention", "full_attention"],
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 16,
            "pooling_kernel_size": 2,
        },
        image_token_id=words.image_token_id,
        boi_token_id=words.convert_tokens_to_ids("<|image>"),
        eoi_token_id=words.convert_tokens_to_ids("<image|>"),
        video_token_id=words.convert_tokens_to_ids("<|video|>"),
        audio_token_id=words.convert_tokens_to_ids("<|audio|>"),
    )
    template = HERMES.replace("<|vision_start|><|image_pad|><|vision_end|>", "<|image|>")
    # As in many published templates: a tool's result is text, whatever else it holds.
    template = template.replace(
        "parts(message.content) ~ '\\n</tool_response>'",
        "parts(message.content).replace('<|image|>', '') ~ '\\n</tool_response>'",
    )
    processor = transformers.Gemma4Processor(
        transformers.Gemma4AudioFeatureExtractor(),
        transformers.Gemma4ImageProcessor(patch_size=16, pooling_kernel_size=2, max_soft_tokens=70),
        words,
        transformers.Gemma4VideoProcessor(),
        chat_template=template,
        image_seq_length=70,
    )
    return transformers.Gemma4ForConditionalGeneration(config), processor


def smolvlm(template: str | None = None) -> tuple[Any, Any]:
    """SmolVLM2: SigLIP tower, a connector, Llama; published without a template for tools."""
    words = tokenizer(
        ("<|im_start|>", "<image>", "<fake_token_around_image>", "<global-img>",
         "<end_of_utterance>", "<video>"),
    )  # fmt: skip
    config = transformers.SmolVLMConfig(
        text_config={
            **_TEXT,
            "model_type": "llama",
            "vocab_size": len(words),
            "num_hidden_layers": 2,
            "pad_token_id": words.pad_token_id,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": IMAGE_SIZE,
            "patch_size": 16,
        },
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=words.pad_token_id,
    )
    images = transformers.SmolVLMImageProcessor(
        size={"longest_edge": IMAGE_SIZE},
        max_image_size={"longest_edge": IMAGE_SIZE},
        do_image_splitting=False,
    )
    adapted = HERMES.replace("<|vision_start|><|image_pad|><|vision_end|>", "<image>")
    processor = transformers.SmolVLMProcessor(
        images,
        words,
        transformers.SmolVLMVideoProcessor(),
        image_seq_len=4,
        chat_template=template or adapted,
    )
    return transformers.SmolVLMForConditionalGeneration(config), processor


FAMILIES: dict[str, Callable[[], tuple[Any, Any]]] = {
    "qwen3_vl": qwen3_vl,
    "qwen3_5": qwen3_5,
    "gemma4": gemma4,
    "smolvlm": smolvlm,
}


def save(folder: Path, made: tuple[Any, Any]) -> Path:
    """Write a model and its processor as a checkpoint folder."""
    model, processor = made
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make(folder: Path, family: str) -> Path:
    """A checkpoint of one of `FAMILIES`; seeded."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return save(folder, FAMILIES[family]())
