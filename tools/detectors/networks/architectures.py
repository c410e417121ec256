"""Architectures of the image classifiers: four timm networks and a small CNN.

They are the networks of Goia, "Deepfake Detection in Facial Images" (thesis, Babeş-Bolyai
University): EfficientNet (Tan & Le, 2019; also its Lite0), ResNet-50 (He et al., 2016), a Vision
Transformer (Dosovitskiy et al., 2021) and a custom CNN. The thesis does not specify its CNN; ours
has five convolutions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tools.errors import SetupError

_Colour = tuple[float, float, float]
_IMAGENET: tuple[_Colour, _Colour] = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_EVEN: tuple[_Colour, _Colour] = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True, slots=True)
class Architecture:
    """A row: colour mean and std (0..1) for normalisation, and the layer for Grad-CAM.

    `places` names the last module with a spatial output; None for a ViT, whose tokens Grad-CAM
    finds itself. `needs_image_size`: the image size is fixed when the network is built.
    """

    mean_and_std: tuple[_Colour, _Colour]
    places: str | None
    needs_image_size: bool = False


ARCHITECTURES: Mapping[str, Architecture] = {
    "efficientnet_b0": Architecture(_IMAGENET, "bn2"),
    # `unmask setup` brings ImageNet weights of it; its preprocessing is in the part's table.
    "tf_efficientnet_lite0": Architecture(_EVEN, "bn2"),
    "resnet50": Architecture(_IMAGENET, "layer4"),
    "vit_tiny_patch16_224": Architecture(_EVEN, None, needs_image_size=True),
    "small_cnn": Architecture(_EVEN, "features"),
}


class SmallCnn(nn.Module):
    """Five 3×3 convolutions, the first at full resolution, then global mean pooling and one layer.

    The first keeps full resolution because forgery traces are finer than the image content.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, 128, 128)
        blocks = [
            nn.Sequential(
                nn.Conv2d(before, after, 3, stride=1 if before == 3 else 2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            )
            for before, after in pairwise(widths)
        ]
        self.features = nn.Sequential(*blocks)
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(widths[-1], outputs))

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, h, w) to logits (n, outputs)."""
        found: Tensor = self.head(self.features(pictures).mean(dim=(2, 3)))
        return found


def get_architecture(name: str) -> Architecture:
    """The row of a network; raises SetupError with the known names."""
    if name not in ARCHITECTURES:
        raise SetupError(f"unknown network {name!r}; known are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build_network(
    name: str, *, outputs: int, height: int, width: int, start: Path | None = None
) -> nn.Module:
    """Build a network for images of this size (px), with random weights or those of `start`.

    `start` is a timm safetensors file of the same architecture; its last layer is skipped if the
    number of outputs differs, and a ViT's position embeddings are resized. Raises SetupError for an
    unknown name and for weights that do not fit.
    """
    row = get_architecture(name)
    if name == "small_cnn":
        if start is not None:
            raise SetupError("small_cnn is our own: there are no weights of timm's to start from")
        return _laid_out(SmallCnn(outputs))
    options: dict[str, Any] = {"img_size": (height, width)} if row.needs_image_size else {}
    if start is not None:
        options |= {"pretrained": True, "pretrained_cfg_overlay": {"file": str(_file(start))}}
    return _laid_out(_of_timm(name, outputs, options))


def _laid_out(network: nn.Module) -> nn.Module:
    """In channels-last memory format: halves the time of convolutions on a CPU."""
    return network.to(memory_format=torch.channels_last)


def _file(start: Path) -> Path:
    if start.suffix != ".safetensors" or not start.is_file():
        raise SetupError(f"{start} is not safetensors: --start takes timm's model.safetensors")
    return start


def _of_timm(name: str, outputs: int, options: Mapping[str, Any]) -> nn.Module:
    import timm
    from safetensors import SafetensorError

    try:
        network: nn.Module = timm.create_model(
            name, **{"pretrained": False, "num_classes": outputs, **options}
        )
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise SetupError(f"the weights to start from are not of {name}: {reason}") from error
    return network


def to_input_tensor(pictures: Tensor, row: Architecture) -> Tensor:
    """Normalise images (n, h, w, 3) uint8 RGB to the network's input (n, 3, h, w) float32."""
    mean, spread = (
        torch.tensor(it, device=pictures.device)[:, None, None] for it in row.mean_and_std
    )
    channels_first = pictures.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return (channels_first.float() / 255 - mean) / spread
