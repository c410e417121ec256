"""Export small ONNX files: batch normalisation folded into convolutions, weights stored in 16
bits."""

import copy
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SMALLEST_HALVED = 64  # elements; shorter tensors stay 32-bit, their size is negligible


def export(
    model: nn.Module,
    example: torch.Tensor,
    path: Path,
    *,
    outputs: list[str],
    dynamic: dict[str, dict[int, str]],
) -> None:
    """Write the model as ONNX with one input `image` of the example's shape except for `dynamic`
    axes."""
    import onnx

    folded = fold(copy.deepcopy(model).to(memory_format=torch.contiguous_format).eval())
    partial = path.with_suffix(".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # The exporter without extra dependencies is deprecated, but not yet replaced.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            folded,
            (example,),
            str(partial),
            input_names=["image"],
            output_names=outputs,
            dynamic_axes=dynamic,
            opset_version=17,
            dynamo=False,
        )
    graph = onnx.load(str(partial))
    halve(graph)
    onnx.save(graph, str(partial))
    partial.replace(path)


def fold(model: nn.Module) -> nn.Module:
    """Fold every consecutive (convolution, batch normalisation) in a `Sequential` into one
    layer."""
    for module in model.modules():
        if isinstance(module, nn.Sequential):
            for position in range(len(module) - 1):
                first, second = module[position], module[position + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    module[position] = fuse_conv_bn_eval(first, second)
                    module[position + 1] = nn.Identity()
    return model


def halve(model: "onnx.ModelProto") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Store long weights as float16 and cast them back on loading; computation stays float32.

    onnxruntime folds the casts once when the session starts, so inference is not slower.
    """
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < SMALLEST_HALVED:
            continue
        name = tensor.name
        stored = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(stored)
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for position, node in enumerate(casts):
        model.graph.node.insert(position, node)
