"""Converts published weight files into tensors with the names of their architectures."""

import io
import re
from collections.abc import Callable, Mapping

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


CONVERSIONS: Mapping[str, Callable[[bytes], Tensors]] = {
    "clip_int8_onnx": clip_int8_onnx,
    "efficientnet_lite": efficientnet_lite,
}
"""By their name in the table."""


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
