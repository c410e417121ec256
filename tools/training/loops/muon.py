"""The Muon optimiser: momentum with orthogonalised matrices.

Jordan et al., 2024; step size as in Liu et al., 2025. In short trainings of small networks it needs
clearly fewer steps than AdamW. It is for the weights of layers; use AdamW for biases, norms,
embeddings and heads.
"""

from collections.abc import Callable, Iterable

import torch


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, at the root-mean-square size of an AdamW step."""

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update; a closure is not supported."""
        if closure is not None:
            raise ValueError("Muon takes no closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                average = state.setdefault("average", torch.zeros_like(parameter))
                average.lerp_(parameter.grad, 1 - group["momentum"])
                direction = parameter.grad.lerp(average, group["momentum"]).flatten(1)
                update = orthogonal(direction) * 0.2 * max(direction.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update.view_as(parameter), alpha=-group["lr"])


def orthogonal(matrix: torch.Tensor, *, steps: int = 5) -> torch.Tensor:
    """Approximately the nearest semi-orthogonal matrix: singular values end up in about 0.7 to
    1.2."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    found: torch.Tensor = (x.T if tall else x).to(matrix.dtype)
    return found
