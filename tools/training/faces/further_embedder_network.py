"""The second face embedder's network: fire modules, as in SqueezeNet and SqueezeFacePoseNet.

Deliberately another architecture than the first embedder's: networks of one kind make the same
errors.
"""

import torch
from torch import Tensor, nn

SIZE = 112  # px
DIMENSION = 256


class Fire(nn.Module):
    """A 1×1 squeeze, then parallel 1×1 and 3×3 expansions (Iandola et al., 2016).

    With a shortcut if input and output widths match (their "simple bypass").
    """

    def __init__(self, inputs: int, outputs: int, *, squeezed: int) -> None:
        super().__init__()
        self.squeeze = _conv(inputs, squeezed, side=1)
        self.narrow = _conv(squeezed, outputs // 2, side=1)
        self.wide = _conv(squeezed, outputs // 2, side=3)
        self.bypass = inputs == outputs

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w)."""
        squeezed = self.squeeze(images)
        widened = torch.cat([self.narrow(squeezed), self.wide(squeezed)], dim=1)
        return widened + images if self.bypass else widened


def second_embedder() -> nn.Sequential:
    """Build the network: (n, 3, 112, 112) in [−1, 1] RGB to (n, 256), not normalised."""
    return nn.Sequential(
        _conv(3, 32, side=3, stride=2),
        nn.MaxPool2d(2),
        Fire(32, 96, squeezed=16),
        Fire(96, 96, squeezed=24),
        nn.MaxPool2d(2),
        Fire(96, 192, squeezed=32),
        Fire(192, 192, squeezed=48),
        Fire(192, 192, squeezed=48),
        nn.MaxPool2d(2),
        Fire(192, 320, squeezed=64),
        Fire(320, 320, squeezed=64),
        # A learnt weight per position and channel, instead of average pooling.
        nn.Conv2d(320, 320, 7, groups=320, bias=False),
        nn.BatchNorm2d(320),
        nn.Flatten(),
        nn.Linear(320, DIMENSION, bias=False),
        nn.BatchNorm1d(DIMENSION),
    )


def _conv(inputs: int, outputs: int, *, side: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, side, stride, side // 2, bias=False),
        nn.BatchNorm2d(outputs),
        # A PReLU, as in ArcFace's networks, makes a training step 50 % slower.
        nn.ReLU(inplace=True),
    )
