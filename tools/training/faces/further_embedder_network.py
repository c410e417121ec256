"""The second embedder's network: fire modules, as in SqueezeNet and SqueezeFacePoseNet.

Another architecture than the first embedder's on purpose: what two networks of one kind get wrong
they get wrong together.
"""

import torch
from torch import Tensor, nn

SIZE = 112  # px
DIMENSION = 256


class Fire(nn.Module):
    """Squeezed by a 1×1 convolution, widened by 1×1 and 3×3 side by side (Iandola et al., 2016).

    With a shortcut where the widths allow one (their "simple bypass").
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
        # A learnt weight for every place of every channel, instead of an average pooling.
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
        # A PReLU, as ArcFace's networks have it, makes a training step half as long again.
        nn.ReLU(inplace=True),
    )
