"""Converts published weight files into tensors with the names of their architectures."""

import io
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import SetupError

Tensors = Mapping[str, np.ndarray]

# Blocks of each stage of EfficientNet-Lite0 (Tan & Le, 2019).
_STAGES = (1, 2, 2, 3, 3, 4, 1)


def clip_int8_onnx(content: bytes) -> Tensors:
    """Float weights of an 8-bit CLIP image tower, with transformers' names.

    Each linear layer is an integer matrix with a scale and a zero point per column; its node has
    the layer's name. 8-bit weights become float16, the others keep their type.
    """
    import onnx
    from onnx.numpy_helper import to_array

    model = onnx.load_from_string(content)
    stored = {it.name: to_array(it) for it in model.graph.initializer}
    found = {name: values for name, values in stored.items() if name.startswith("vision_model.")}
    for node in model.graph.node:
        if node.op_type == "MatMulInteger":
            weights, zero = node.input[1], node.input[3]
            scale = stored[weights.removesuffix("_quantized") + "_scale"]
            whole = stored[weights].astype(np.float32) - stored[zero].astype(np.float32)
            layer = node.name.removesuffix("/MatMul_quant").strip("/").replace("/", ".")
            found[f"{layer}.weight"] = np.ascontiguousarray((whole * scale).T.astype(np.float16))
    return found


def efficientnet_lite(content: bytes) -> Tensors:
    """Weights of a PyTorch EfficientNet-Lite with timm's names; loaded without running code."""
    import torch

    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {
        _timm_name(name): values.numpy()
        for name, values in state.items()
        if not name.endswith("num_batches_tracked")
    }


def llama_gguf(content: bytes) -> Tensors:
    """Float16 weights of a GGUF file of the llama architecture, with transformers' names."""
    import gguf

    with tempfile.TemporaryDirectory() as folder:
        reader = gguf.GGUFReader(_written(content, Path(folder)))
        heads = {
            "attn_q": _number(reader, "llama.attention.head_count"),
            "attn_k": _number(reader, "llama.attention.head_count_kv"),
        }
        found = {}
        for tensor in reader.tensors:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
            name, layer = _llama_name(tensor.name)
            if layer in heads:
                values = _halves_together(values, heads[layer])
            found[name] = np.ascontiguousarray(values.astype(np.float16))
    return found


def gguf_tokenizer(content: bytes) -> Mapping[str, bytes]:
    """The tokenizer of a GGUF file, as the files that transformers reads, by name."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as folder:
        file = _written(content, Path(folder))
        made: Any = AutoTokenizer.from_pretrained(
            folder, gguf_file=file.name, local_files_only=True, trust_remote_code=False
        )
        made.save_pretrained(Path(folder) / "tokenizer")
        kept = sorted((Path(folder) / "tokenizer").glob("tokenizer*.json"))
        return {path.name: path.read_bytes() for path in kept}


CONVERSIONS: Mapping[str, Callable[[bytes], Tensors]] = {
    "clip_int8_onnx": clip_int8_onnx,
    "efficientnet_lite": efficientnet_lite,
    "llama_gguf": llama_gguf,
}
"""By their name in the table."""

FURTHER_FILES: Mapping[str, Callable[[bytes], Mapping[str, bytes]]] = {
    "llama_gguf": gguf_tokenizer,
}
"""By the same name: files besides the weights, for conversions that have some."""


def _written(content: bytes, folder: Path) -> Path:
    file = folder / "model.gguf"
    file.write_bytes(content)
    return file


def _number(reader: Any, field: str) -> int:
    return int(reader.fields[field].contents())


_LLAMA_LAYERS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}


def _llama_name(name: str) -> tuple[str, str]:
    """transformers' name of a GGUF tensor, and the GGUF name of its layer."""
    outside = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
    layer = name.removesuffix(".weight")
    if layer in outside:
        return f"{outside[layer]}.weight", layer
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)", layer)
    if block is None or block[2] not in _LLAMA_LAYERS:
        raise SetupError(f"the file has a tensor {name!r}, which no Llama with tied embeddings has")
    return f"model.layers.{block[1]}.{_LLAMA_LAYERS[block[2]]}.weight", block[2]


def _halves_together(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows in transformers' order: GGUF interleaves the two halves that rotary positions turn."""
    apart = values.reshape(heads, values.shape[0] // heads // 2, 2, *values.shape[1:])
    return apart.swapaxes(1, 2).reshape(values.shape)


def _timm_name(name: str) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", name)
    if block is None:
        layer, _, values = name.removeprefix("_").partition(".")
        ours = {"bn0": "bn1", "bn1": "bn2", "fc": "classifier"}
        return f"{ours.get(layer, layer)}.{values}"
    stage, within = _place(int(block[1]))
    # The first stage's block has no expansion layer, so its numbering starts one layer later.
    layers = (
        {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
        if stage == 0
        else {
            "expand_conv": "conv_pw", "bn0": "bn1", "depthwise_conv": "conv_dw", "bn1": "bn2",
            "project_conv": "conv_pwl", "bn2": "bn3",
        }
    )  # fmt: skip
    return f"blocks.{stage}.{within}.{layers[block[2]]}.{block[3]}"


def _place(block: int) -> tuple[int, int]:
    """Stage and index within it of a block numbered across all stages."""
    for stage, blocks in enumerate(_STAGES):
        if block < blocks:
            return stage, block
        block -= blocks
    raise SetupError("the network has more blocks than an EfficientNet-Lite0")
