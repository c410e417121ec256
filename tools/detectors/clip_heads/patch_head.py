"""Patch head: a small network that gives each cell of a tile a forgery logit."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CONTEXT_KERNEL_SIZE = 5
"""Side, in cells, of the neighbourhood a cell is compared with."""


class PatchHead(nn.Module):
    """One logit from a cell's features, their mean around it, and their mean over the tile.

    `mean` and `spread` (c,) are the statistics of cell features in the training data.
    """

    def __init__(self, mean: torch.Tensor, spread: torch.Tensor, *, hidden: int = 64) -> None:
        super().__init__()
        self.mean: torch.Tensor
        self.spread: torch.Tensor
        self.register_buffer("mean", mean.float().clone())
        self.register_buffer("spread", spread.float().clone())
        self.dropout = nn.Dropout2d(0.1)
        self.first = nn.Conv2d(len(mean), hidden, 1)
        self.second = nn.Conv2d(3 * hidden, hidden, 1)
        self.last = nn.Conv2d(hidden, 1, 1)

    def forward(self, cells: torch.Tensor) -> torch.Tensor:
        """Cells (n, c, h, w) to logits (n, h, w), higher is more likely forged."""
        known = (cells - self.mean[:, None, None]) / self.spread[:, None, None]
        seen = functional.relu(self.first(self.dropout(known)))
        around = functional.avg_pool2d(
            seen, CONTEXT_KERNEL_SIZE, 1, CONTEXT_KERNEL_SIZE // 2, count_include_pad=False
        )
        whole = seen.mean(dim=(2, 3), keepdim=True).expand_as(seen)
        logits: torch.Tensor = self.last(
            functional.relu(self.second(torch.cat([seen, around, whole], dim=1)))
        )
        return logits[:, 0]

    def logits(self, cells: np.ndarray) -> np.ndarray:
        """Like `forward`, for arrays and without gradients: (n, c, h, w) to (n, h, w) float32."""
        self.eval()
        with torch.inference_mode():
            given = torch.from_numpy(np.ascontiguousarray(cells, np.float32))
            return np.asarray(self(given).numpy(), np.float32)

    def save(self, path: Path) -> None:
        """Save the weights for `of`."""
        from safetensors.torch import save_file

        save_file({name: it.contiguous() for name, it in self.state_dict().items()}, path)

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor]) -> Self:
        """A head with these weights; raises KeyError or RuntimeError if they do not match."""
        head = cls(tensors["mean"], tensors["spread"], hidden=len(tensors["first.weight"]))
        head.load_state_dict(dict(tensors))
        return head.eval()
