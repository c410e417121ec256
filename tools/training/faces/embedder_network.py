"""The pocket face embedder's network: plain dense 3×3 residual blocks, which are fast on CPUs."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[int], nn.Module]
"""Builds the activation for a number of channels."""

SIZE = 112  # px, the input size of ArcFace-style embedders
DIMENSION = 256


class Residual(nn.Module):
    """Two dense 3×3 convolutions and a shortcut; `stride` 2 halves the map."""

    def __init__(
        self, inputs: int, outputs: int, *, stride: int, activation: Activation = nn.PReLU
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            activation(outputs),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )
        self.activation = activation(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h/stride, w/stride)."""
        activated: Tensor = self.activation(self.body(images) + self.shortcut(images))
        return activated


def rectified(_: int) -> nn.Module:
    """A plain ReLU: a PReLU makes a training step a third slower."""
    return nn.ReLU(inplace=True)


def embedder(
    widths: tuple[int, ...],
    *,
    dimension: int = DIMENSION,
    activation: Activation = nn.PReLU,
    stem: tuple[int, ...] = (32,),
) -> nn.Sequential:
    """Build the network: (n, 3, 112, 112) in [−1, 1] RGB to (n, dimension), not normalised.

    `stem` are the widths of plain convolutions of stride 2 before the residual blocks; a block that
    changes the width halves the map.
    """
    layers: list[nn.Module] = []
    width, side = 3, SIZE
    for outputs in stem:
        layers += [
            nn.Conv2d(width, outputs, 3, 2, 1, bias=False),
            nn.BatchNorm2d(outputs),
            activation(outputs),
        ]
        width, side = outputs, side // 2
    for outputs in widths:
        stride = 1 if outputs == width else 2
        layers.append(Residual(width, outputs, stride=stride, activation=activation))
        width, side = outputs, side // stride
    return nn.Sequential(
        *layers,
        nn.Conv2d(width, 512, 1, bias=False),
        nn.BatchNorm2d(512),
        activation(512),
        # A learnt weight per position and channel, instead of average pooling.
        nn.Conv2d(512, 512, side, groups=512, bias=False),
        nn.BatchNorm2d(512),
        nn.Flatten(),
        nn.Linear(512, dimension, bias=False),
        nn.BatchNorm1d(dimension),
    )


class Mirrored(nn.Module):
    """Mirror averaging: the sum of the unit vectors of a face and its mirror image.

    The usual test-time augmentation of face recognition, built into the checkpoint so that every
    user of the file gets it; a face costs two passes.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Map (n, 3, 112, 112) to (n, 256), not normalised."""
        straight: Tensor = functional.normalize(self.network(images))
        return straight + functional.normalize(self.network(images.flip(3)))
