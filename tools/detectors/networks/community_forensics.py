"""Community Forensics, the published checkpoints: a ViT on whole images with one logit.

Park and Owens, "Community Forensics: Using Thousands of Generators to Train Fake Image Detectors",
CVPR 2025 (arXiv 2411.04125), in the layout of `OwensLab/commfor-model-384` and `commfor-model-224`:
`config.json` beside `model.safetensors`, no image processor. The authors' code is not run: the
network is timm's, with the tensor names of their file, and images are preprocessed as in their
evaluation (github.com/JeongsooP/Community-Forensics, `main`). Its branch `eval_single` once used
CLIP's mean and std; the authors say that this was a mistake and that ImageNet's are those of
training and evaluation (their issue 5).

A copy in transformers' format is an `ImageClassifier` and uses the image processor that comes with
it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tools.detectors.networks.image_classifier import CONFIG, read_json
from tools.encoder.clip import best_device
from tools.encoder.preprocessing import Preprocessing, center_crop, validate_image
from tools.errors import SetupError
from tools.media.hashing import combined_sha256

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
CONFIG_KEYS = ("model_size", "input_size", "patch_size")
"""Keys that describe the network in a config of this layout."""
NETWORKS = (
    ("small", 384, 16), ("small", 224, 16), ("small", 384, 32), ("small", 224, 32),
    ("tiny", 384, 16), ("tiny", 224, 16),
)  # fmt: skip
"""Networks that the authors' code can build, by `CONFIG_KEYS`; the first two are published."""
RESIZE_SHORTEST_EDGE = {224: 256, 384: 440}
"""Shorter side in px before the centre crop, by the side of the input."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

_PREFIX = "vit."


@dataclass(frozen=True, eq=False)
class CommunityForensics:
    """A checkpoint in `folder`; `from_folder` checks it, and the weights are loaded on first use.

    Its logit is the log-odds of being generated: it was trained on 1 for fake, 0 for real.

    Does not show: where, nor by what; nor anything outside the central square. It was trained on
    entirely generated images against photographs; a photograph with a swapped face is neither. The
    sigmoid of its logit is not a calibrated probability.
    """

    folder: Path
    network: str
    side: int
    device: str | None = None
    inputs: Literal["image"] = "image"

    @classmethod
    def from_folder(cls, folder: Path, *, device: str | None = None) -> "CommunityForensics":
        """The checkpoint in a folder of the published layout.

        Raises SetupError for a network unknown to the authors' code, and, with their names, for
        tensors that are missing, unexpected or of another shape.
        """
        size, side, patch = _described(folder / CONFIG)
        found = cls(folder, f"vit_{size}_patch{patch}_{side}", side, device)
        found._check_weights()
        return found

    def with_weights_loaded(self) -> "CommunityForensics":
        """Load the weights now and return itself."""
        _ = self._loaded
        return self

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @cached_property
    def sha256(self) -> str:
        """Identifies this checkpoint: a hash of its config and weights."""
        return combined_sha256([self.folder / CONFIG, self.folder / WEIGHTS])

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return (
            f"whole picture, shorter side to {RESIZE_SHORTEST_EDGE[self.side]} px, bilinear; "
            f"centre of {self.side}×{self.side} px, ImageNet's mean and std"
        )

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The whole image, unchanged."""
        return pixels

    def score_images(self, pictures: Sequence[np.ndarray], *, batch_size: int = 16) -> np.ndarray:
        """Images (h, w, 3) uint8 RGB of any sizes to logits (n,) float64; higher is forged.

        Raises ValueError for other arrays.
        """
        import torch

        prepared = Preprocessing(self.side, IMAGENET_MEAN, IMAGENET_STD)
        scores = np.empty(len(pictures))
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                rows = slice(start, start + batch_size)
                centres = [_centre(picture, side=self.side) for picture in pictures[rows]]
                batch = prepared.batch(centres).to(self._device)
                logits = self._loaded(prepared.normalise(batch))
                scores[rows] = logits[:, 0].double().cpu().numpy()
        return scores

    @cached_property
    def _device(self) -> "torch.device":
        import torch

        return torch.device(self.device) if self.device else best_device()

    @cached_property
    def _loaded(self) -> "torch.nn.Module":
        from safetensors.torch import load_file

        state = load_file(self.folder / WEIGHTS)
        network = _built(self.network)
        network.load_state_dict(
            {key.removeprefix(_PREFIX): tensor.float() for key, tensor in state.items()},
            strict=True, assign=True,
        )  # fmt: skip
        return network.eval().requires_grad_(False).to(self._device)

    def _check_weights(self) -> None:
        """Check that the file holds this network's tensors; reads only its header."""
        path = self.folder / WEIGHTS
        found = _shapes(path)
        expected = {
            _PREFIX + key: tuple(tensor.shape)
            for key, tensor in _built(self.network).state_dict().items()
        }
        wrong = {
            "missing": expected.keys() - found.keys(),
            "unexpected": found.keys() - expected.keys(),
            "of another shape": {
                key for key in expected.keys() & found.keys() if expected[key] != found[key]
            },
        }
        if any(wrong.values()):
            found_wrong = [f"{what}: {_listed(keys)}" for what, keys in wrong.items() if keys]
            raise SetupError(
                f"{path} does not hold the {self.network} with one output described in {CONFIG} "
                f"({'; '.join(found_wrong)}): copy both files of one checkpoint"
            )


def is_community_forensics_config(config: Mapping[str, Any]) -> bool:
    """Whether a config.json has this layout, for `CommunityForensics`."""
    return "model_type" not in config and all(key in config for key in CONFIG_KEYS)


def _centre(picture: np.ndarray, *, side: int) -> np.ndarray:
    """The network's input square, (side, side, 3) uint8.

    Resized with Pillow, like the authors' torchvision: another resize that differs by single grey
    levels changes a logit by about 0.001.
    """
    from PIL import Image

    pixels = validate_image(picture)
    height, width = pixels.shape[:2]
    shorter, wanted = min(height, width), RESIZE_SHORTEST_EDGE[side]
    size = int(wanted * width / shorter), int(wanted * height / shorter)
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR)
    return center_crop(np.asarray(resized), side)


def _described(path: Path) -> tuple[str, int, int]:
    config = read_json(path)
    asked = tuple(config.get(key) for key in CONFIG_KEYS)
    found = next((network for network in NETWORKS if network == asked), None)
    if found is None:
        raise SetupError(f"{path} asks for {CONFIG_KEYS} {asked}; known are {NETWORKS}")
    return found


def _built(name: str) -> "torch.nn.Module":
    """timm's network with one output, on the meta device: shapes without values."""
    import timm
    import torch

    with torch.device("meta"):
        network: torch.nn.Module = timm.create_model(name, pretrained=False, num_classes=1)
    return network


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise SetupError(f"{path} is missing: copy the whole checkpoint, {CONFIG} and {WEIGHTS}")
    try:
        with safe_open(path, framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise SetupError(f"{path} is damaged: {error}; copy it again") from error


def _listed(keys: set[str]) -> str:
    shown = ", ".join(sorted(keys)[:3])
    return shown if len(keys) <= 3 else f"{shown} and {len(keys) - 3} more"
