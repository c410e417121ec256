"""Architecture of the pocket model: Qwen3-VL's classes, small enough to train on two cores."""

from typing import Any

LAYERS, WIDTH, HEADS, KEY_HEADS, HEAD_WIDTH, INNER = 6, 256, 4, 2, 64, 768


def config(words: Any) -> Any:
    """The configuration for a tokenizer's vocabulary."""
    from transformers import Qwen3VLConfig

    ids = {
        "image_token_id": "<|image_pad|>",
        "video_token_id": "<|video_pad|>",
        "vision_start_token_id": "<|vision_start|>",
        "vision_end_token_id": "<|vision_end|>",
    }
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": WIDTH,
            "intermediate_size": INNER,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KEY_HEADS,
            "head_dim": HEAD_WIDTH,
            "max_position_embeddings": 8192,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": [12, 10, 10],
                "mrope_interleaved": True,
            },
            "eos_token_id": words.convert_tokens_to_ids("<|im_end|>"),
            "pad_token_id": words.convert_tokens_to_ids("<|endoftext|>"),
            "tie_word_embeddings": True,
        },
        # One deep-stack level: its features are added to the text after the first layer.
        vision_config={
            "depth": 3,
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_heads": 4,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": WIDTH,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": [1],
        },
        tie_word_embeddings=True,
        **{name: words.convert_tokens_to_ids(token) for name, token in ids.items()},
    )


def new(words: Any) -> Any:
    """A freshly initialised model; call torch.manual_seed before."""
    from transformers import Qwen3VLForConditionalGeneration

    return Qwen3VLForConditionalGeneration(config(words))
