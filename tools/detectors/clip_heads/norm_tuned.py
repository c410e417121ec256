"""GenD's recipe on any encoder: its image tower with tuned normalisation, and a linear head.

Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks", WACV 2026 (arXiv
2508.06248), tune only the scales and shifts of CLIP's LayerNorms, and a linear layer on unit-length
features. Here the same is done to any encoder's tower: the LayerNorms of a ViT, or the affine
parameters of a convolutional tower's BatchNorms, whose running statistics stay unchanged. The file
holds only these parameters, so it needs its encoder. `tools.training.detectors.norm_tuning` trains
them; `gend` loads the published checkpoint.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.detectors.clip_heads.gend import logit_differences
from tools.detectors.clip_heads.head_files import head_sha256, read_head, write_head
from tools.detectors.protocol import require_keypoints
from tools.encoder.clip import Encoder
from tools.encoder.preprocessing import Preprocessing
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop

if TYPE_CHECKING:
    import torch

_NORM = "norm."


@dataclass(frozen=True, slots=True, eq=False)
class NormTunedDetector:
    """A tuned tower with a head of `weight` (2, d) and `bias` (2,); class 1 is forged.

    Does not show: where a face was changed, nor by what. It was trained on particular forgeries on
    top of the encoder's pretraining, and knows little of other kinds. The sigmoid of its score is
    its own softmax, not a calibrated probability.
    """

    tower: "torch.nn.Module"
    weight: "torch.Tensor"
    bias: "torch.Tensor"
    pictures: Preprocessing
    margin: float
    sha256: str = ""
    inputs: Literal["face"] = "face"
    name: str = "gend"

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return (
            f"aligned face of margin {self.margin:g} at {self.pictures.size} px, "
            f"{self.pictures.interpolation}, as its encoder normalises"
        )

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The aligned face at the encoder's input size; raises ValueError without keypoints."""
        points = require_keypoints(keypoints)
        return aligned_crop(pixels, points, size=self.pictures.size, margin=self.margin)

    def score_images(self, pictures: Sequence[np.ndarray], *, batch_size: int = 16) -> np.ndarray:
        """Face crops (h, w, 3) uint8 RGB from `crop_input` to logits (n,) float64."""
        return logit_differences(
            self.logits, pictures, preprocessing=self.pictures, device=self.weight.device,
            batch_size=batch_size,
        )  # fmt: skip

    def logits(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Normalised input (n, 3, s, s) to logits (n, 2): authentic, forged. Differentiable."""
        import torch

        return torch.nn.functional.linear(
            normalised_features(self.tower, batch), self.weight, self.bias
        )

    def save(self, path: Path, *, encoder_sha256: str, **header: object) -> None:
        """Save only the tuned parameters and the head; `header` describes the training."""
        tuned = {_NORM + name: it for name, it in norm_parameters(self.tower).items()}
        tensors = {**tuned, "weight": self.weight, "bias": self.bias}
        arrays = {name: it.detach().float().cpu().numpy() for name, it in tensors.items()}
        write_head(path, arrays, encoder_sha256=encoder_sha256, **header)

    @classmethod
    def load(cls, path: Path, *, encoder: Encoder) -> "NormTunedDetector":
        """Load a file from `save` onto a copy of the encoder's tower; the original stays unchanged.

        Raises SetupError if the file is damaged, for another encoder, or has other shapes.
        """
        import torch

        tower = copy_image_tower(encoder)
        norms = norm_parameters(tower)
        shapes = {_NORM + name: it.ndim for name, it in norms.items()} | {"weight": 2, "bias": 1}
        arrays, _ = read_head(path, encoder_sha256=encoder.sha256, shapes=shapes)
        found = {name: torch.from_numpy(it).to(encoder.device) for name, it in arrays.items()}
        _check(found, norms, path, width=encoder.dimension)
        with torch.no_grad():
            for name, parameter in norms.items():
                parameter.copy_(found[_NORM + name])
        sha256 = head_sha256(path, encoder.sha256)
        return detector_from_tower(
            tower, found["weight"], found["bias"], encoder=encoder, sha256=sha256
        )


def detector_from_tower(
    tower: "torch.nn.Module",
    weight: "torch.Tensor",
    bias: "torch.Tensor",
    *,
    encoder: Encoder,
    sha256: str = "",
) -> NormTunedDetector:
    """A detector with the encoder's preprocessing; it takes ownership of `tower`."""
    tower.eval().requires_grad_(False)
    return NormTunedDetector(
        tower, weight, bias, encoder.preprocessing, encoder.face_margin, sha256
    )


def copy_image_tower(encoder: Encoder) -> "torch.nn.Module":
    """A frozen copy of the encoder's image tower, on the encoder's device.

    Raises SetupError if the encoder has no such tower, or no normalisation layers to tune.
    """
    tower = getattr(encoder.model, "visual", None)
    if tower is None or not norm_parameters(tower):
        raise SetupError(f"{encoder.folder} has no image tower whose normalisation can be tuned")
    copied: torch.nn.Module = copy.deepcopy(tower)
    return copied.eval().requires_grad_(False)


def norm_parameters(tower: "torch.nn.Module") -> "dict[str, torch.nn.Parameter]":
    """Scales and shifts of all normalisation layers of a tower, by full name."""
    from torch import nn

    kinds = nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d
    return {
        f"{name}.{own}": parameter
        for name, module in tower.named_modules()
        if isinstance(module, kinds)
        for own, parameter in module.named_parameters(recurse=False)
    }


def normalised_features(tower: "torch.nn.Module", batch: "torch.Tensor") -> "torch.Tensor":
    """Normalised input (n, 3, s, s) to features (n, d) float32, unit length."""
    import torch

    return torch.nn.functional.normalize(tower(batch).float(), dim=1)


def _check(
    found: "Mapping[str, torch.Tensor]",
    norms: "Mapping[str, torch.nn.Parameter]",
    path: Path,
    *,
    width: int,
) -> None:
    expected = {_NORM + name: it.shape for name, it in norms.items()}
    shapes = {**expected, "weight": (2, width), "bias": (2,)}
    wrong = sorted(name for name, it in found.items() if it.shape != shapes[name])
    if wrong:
        raise SetupError(f"{path} does not fit its encoder: {', '.join(wrong[:3])}")
