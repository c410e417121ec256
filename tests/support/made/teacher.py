"""An untrained teacher embedder, for tests of distillation."""

from pathlib import Path

import torch
from torch import nn

from tools.training.faces.teacher import Teacher
from tools.training.loops.onnx_export import export


def teacher(folder: Path) -> Teacher:
    """A small untrained network, in a teacher's file format."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 7, 7), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 6))
    axes = {"image": {0: "n"}, "embedding": {0: "n"}}
    example = torch.zeros(2, 3, 112, 112)
    export(network, example, folder / "teacher.onnx", outputs=["embedding"], dynamic=axes)
    return Teacher(folder / "teacher.onnx")
