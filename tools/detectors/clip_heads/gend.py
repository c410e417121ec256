"""GenD's detector: CLIP's image tower with tuned LayerNorms and a linear head on unit features.

Yermakov et al., "Deepfake Detection that Generalizes Across Benchmarks", WACV 2026 (arXiv
2508.06248), in the layout of the published `yermandy/GenD_CLIP_L_14`: `config.json` beside
`model.safetensors`. The authors' code is not run: the tower is open_clip's, and this module maps
the published tensor names to it.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.detectors.protocol import require_keypoints
from tools.encoder.clip import best_device, build_image_tower
from tools.encoder.preprocessing import Preprocessing
from tools.errors import SetupError
from tools.faces.alignment import crop_matrix, warp
from tools.media.hashing import combined_sha256

if TYPE_CHECKING:
    import torch

CONFIG, WEIGHTS = "config.json", "model.safetensors"
BACKBONES = "openai/clip-vit-"
HEAD_NORMALISES = {"LinearNorm": True, "linear": False}
"""Heads of the published layout, and whether they take unit-length features."""
MARGIN, CROP_SIZE = 1.3, 256
"""The face crops that GenD was trained on, before its encoder's own resize."""
HEAD_WIDTH = 64
"""Attention heads of all OpenAI CLIP ViTs have this dimension."""

_TOWER = "feature_extractor.vision_model."
_HEAD = ("model.linear.weight", "model.linear.bias")
# In the file but not used.
_UNUSED = {"feature_extractor.visual_projection.weight", f"{_TOWER}embeddings.position_ids"}

# Our names to the published ones; several tensors are concatenated by rows.
_ONCE = {
    "class_embedding": ("embeddings.class_embedding",),
    "positional_embedding": ("embeddings.position_embedding.weight",),
    "conv1.weight": ("embeddings.patch_embedding.weight",),
    "ln_pre.weight": ("pre_layrnorm.weight",),
    "ln_pre.bias": ("pre_layrnorm.bias",),
    "ln_post.weight": ("post_layernorm.weight",),
    "ln_post.bias": ("post_layernorm.bias",),
}
_PER_LAYER = {
    "ln_1.{}": ("layer_norm1.{}",),
    "ln_2.{}": ("layer_norm2.{}",),
    "attn.in_proj_{}": ("self_attn.q_proj.{}", "self_attn.k_proj.{}", "self_attn.v_proj.{}"),
    "attn.out_proj.{}": ("self_attn.out_proj.{}",),
    "mlp.c_fc.{}": ("mlp.fc1.{}",),
    "mlp.c_proj.{}": ("mlp.fc2.{}",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Gend:
    """A tower with a head of `weight` (2, w) and `bias` (2,); class 1 is forged.

    Does not show: where a face was changed, nor by what. It was trained on the swaps and
    reenactments of FaceForensics++, not on entirely generated faces. The sigmoid of its score is
    its own softmax, not a calibrated probability.
    """

    tower: "torch.nn.Module"
    weight: "torch.Tensor"
    bias: "torch.Tensor"
    normalise: bool
    pictures: Preprocessing
    sha256: str
    inputs: Literal["face"] = "face"
    name: str = "gend"

    @classmethod
    def load(cls, folder: Path, *, device: str | None = None) -> "Gend":
        """Load a checkpoint of the published layout, for any size of CLIP's ViT.

        Raises SetupError for another backbone or head, and, with their names, for tensors that are
        missing, unexpected or of mismatched shapes.
        """
        normalise = _head_of(folder / CONFIG)
        weights = folder / WEIGHTS
        state = _tensors(weights)
        tower, image_size = _tower(state, weights)
        head, bias = (state[key].float() for key in _HEAD)
        width = len(state[f"{_TOWER}embeddings.class_embedding"])
        if head.shape != (2, width) or bias.shape != (2,):
            raise SetupError(
                f"{weights} has a head {tuple(head.shape)}, {tuple(bias.shape)}; "
                f"the tower's features need (2, {width}), (2,)"
            )
        target = device or best_device()
        return cls(
            tower.eval().requires_grad_(False).to(target),
            head.to(target),
            bias.to(target),
            normalise,
            Preprocessing(size=image_size),
            combined_sha256([folder / CONFIG, weights]),
        )

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return (
            f"aligned face of margin {MARGIN}, black beyond the image; shorter side to "
            f"{self.pictures.size} px, {self.pictures.interpolation}, CLIP's mean and std"
        )

    def score_images(self, pictures: Sequence[np.ndarray], *, batch_size: int = 16) -> np.ndarray:
        """Face crops (h, w, 3) uint8 RGB from `crop_input` to logits (n,) float64."""
        return logit_differences(
            self.logits, pictures, preprocessing=self.pictures, device=self.weight.device,
            batch_size=batch_size,
        )  # fmt: skip

    def logits(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Normalised input (n, 3, s, s) to logits (n, 2): authentic, forged. Differentiable."""
        import torch

        features = self.tower(batch)
        if self.normalise:
            features = torch.nn.functional.normalize(features, dim=1)
        return torch.nn.functional.linear(features, self.weight, self.bias)

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """GenD's face crop (256, 256, 3) uint8 RGB from five keypoints (5, 2).

        Unlike `aligned_crop`, it is black beyond the image's edges. Our warp averages before a
        strong reduction; theirs aliases. Raises ValueError without keypoints.
        """
        matrix = crop_matrix(require_keypoints(keypoints), size=CROP_SIZE, margin=MARGIN)
        return warp(pixels, matrix, size=CROP_SIZE)


def logit_differences(
    logits_of: "Callable[[torch.Tensor], torch.Tensor]",
    pictures: Sequence[np.ndarray],
    *,
    preprocessing: Preprocessing,
    device: "torch.device",
    batch_size: int,
) -> np.ndarray:
    """Logit of forged minus logit of authentic, (n,) float64, computed in batches.

    `logits_of` maps normalised input (b, 3, s, s) to (b, 2). The sigmoid of the difference is the
    softmax of the two.
    """
    import torch

    scores = np.empty(len(pictures))
    with torch.inference_mode():
        for start in range(0, len(pictures), batch_size):
            rows = slice(start, start + batch_size)
            batch = preprocessing.batch(pictures[rows]).to(device)
            logits = logits_of(preprocessing.normalise(batch))
            scores[rows] = (logits[:, 1] - logits[:, 0]).double().cpu().numpy()
    return scores


def to_published_keys(layers: int) -> dict[str, tuple[str, ...]]:
    """Maps open_clip's tensor names of a tower to the published ones they consist of."""
    mapped = {ours: tuple(_TOWER + key for key in theirs) for ours, theirs in _ONCE.items()}
    for layer in range(layers):
        source, target = f"{_TOWER}encoder.layers.{layer}.", f"transformer.resblocks.{layer}."
        for ours, theirs in _PER_LAYER.items():
            for kind in ("weight", "bias"):
                mapped[target + ours.format(kind)] = tuple(
                    source + key.format(kind) for key in theirs
                )
    return mapped


def _head_of(path: Path) -> bool:
    """Whether the config's head takes unit-length features."""
    try:
        config = json.loads(path.read_text("utf-8"))
        backbone, head = str(config["backbone"]), str(config["head"])
    except FileNotFoundError as error:
        raise SetupError(
            f"{path} is missing: a GenD checkpoint is {CONFIG} and {WEIGHTS}"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{path} is not a GenD config: it needs 'backbone', 'head'") from error
    if not backbone.startswith(BACKBONES) or head not in HEAD_NORMALISES:
        raise SetupError(
            f"{path} names {backbone!r} with {head!r}; only {BACKBONES}* with one of "
            f"{sorted(HEAD_NORMALISES)} can be loaded"
        )
    return HEAD_NORMALISES[head]


def _tensors(path: Path) -> dict[str, "torch.Tensor"]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise SetupError(f"{path} is missing: a GenD checkpoint is {CONFIG} and {WEIGHTS}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise SetupError(f"{path} is damaged: {error}") from error


def _tower(state: Mapping[str, "torch.Tensor"], path: Path) -> tuple["torch.nn.Module", int]:
    """The tower with these tensors (sizes inferred from them), and the side of its input in px."""
    import torch

    numbers = [re.match(rf"{re.escape(_TOWER)}encoder\.layers\.(\d+)\.", key) for key in state]
    layers = 1 + max((int(found[1]) for found in numbers if found), default=0)
    names = to_published_keys(layers)
    _check_keys({*_HEAD}.union(*names.values()), set(state), path)
    conv = state[f"{_TOWER}embeddings.patch_embedding.weight"]
    cells = len(state[f"{_TOWER}embeddings.position_embedding.weight"]) - 1
    hidden = len(state[f"{_TOWER}encoder.layers.0.mlp.fc1.weight"])
    width, patch, grid = conv.shape[0], conv.shape[-1], round(cells**0.5)
    if conv.ndim != 4 or grid**2 != cells or width % HEAD_WIDTH:
        raise SetupError(f"{path} is not a square CLIP ViT: width {width}, {cells} cells")
    tower = build_image_tower(
        image_size=patch * grid, patch_size=patch, width=width, layers=layers, hidden=hidden
    )
    mapped = {
        ours: torch.cat([state[key].float() for key in theirs]) for ours, theirs in names.items()
    }
    try:
        tower.load_state_dict(mapped, strict=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise SetupError(f"{path} has tensors that do not fit each other: {reason}") from error
    return tower, patch * grid


def _check_keys(expected: set[str], found: set[str], path: Path) -> None:
    missing, unexpected = expected - found, found - expected - _UNUSED
    if missing or unexpected:
        raise SetupError(
            f"{path} is not a GenD checkpoint of this layout: "
            f"missing {_listed(missing)}; unexpected {_listed(unexpected)}"
        )


def _listed(keys: set[str]) -> str:
    shown = ", ".join(sorted(keys)[:5]) or "nothing"
    return shown if len(keys) <= 5 else f"{shown} and {len(keys) - 5} more"
