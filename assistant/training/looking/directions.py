"""Tokens along their leading directions: training on few pictures is fast, and steadier.

The projection is folded into the first layer afterwards, so that the shipped heads read raw tokens.
"""

from dataclasses import dataclass
from typing import Any

import torch

SAMPLED_ROWS = 1200


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """`mean` (d,) and `basis` (d, k): a row of tokens x becomes (x − mean) @ basis."""

    mean: torch.Tensor
    basis: torch.Tensor

    @classmethod
    def of(cls, rows: torch.Tensor, most: int) -> "Directions":
        """The leading directions of rows (n, d), of standardised tokens; at most `most`."""
        drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        rows = rows[drawn[:SAMPLED_ROWS]].float()
        mean, spread = rows.mean(dim=0), rows.std(dim=0) + 1e-3
        _, values, right = torch.linalg.svd((rows - mean) / spread, full_matrices=False)
        kept = right[:most].T / spread[:, None]
        scale = (values[:most].square().mean() / len(rows)).sqrt()
        return cls(mean, kept / scale)

    def project(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows (…, d) to (…, k) float32."""
        return (rows.float() - self.mean) @ self.basis

    def fold(self, trained: Any, whole: Any) -> None:
        """Give `whole`, which reads raw tokens, what `trained` learnt on projected ones."""
        weight, bias = trained.weight, trained.bias
        raw = weight.detach().flatten(1) @ self.basis.T
        with torch.no_grad():
            whole.weight.copy_(raw.view_as(whole.weight))
            whole.bias.copy_(bias - raw @ self.mean)
