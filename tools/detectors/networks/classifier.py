"""Whole-image classifier: authentic, or which generator.

The models of Goia, "Deepfake Detection in Facial Images": EfficientNet, ResNet-50, a ViT and a
small CNN (`architectures`), trained on one folder per class by `python -m
tools.training.detectors.classifier`. As a detector it gives the log-odds of its fake classes;
`attribute` gives the probability of every class, `heatmap` the regions that raised the fake
log-odds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from tools.detectors.folders import WEIGHTS_FILE, DetectorDescription, StoredDetector
from tools.detectors.networks.architectures import ARCHITECTURES, build_network, to_input_tensor
from tools.detectors.networks.class_labels import ClassMapping, resolve_classes
from tools.encoder.clip import best_device
from tools.errors import SetupError
from tools.localisers.grad_cam import TargetLayer, class_activation
from tools.localisers.gradients import relative_excess

KIND = "classifier"
HEIGHT, WIDTH = 218, 178
"""Image size in the thesis, px: that of CelebA's aligned photographs."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierNetwork:
    """A network on images of `height` × `width` px, with the meaning of its outputs.

    A single output is the log-odds of fake against real; otherwise there is one output per class.

    Does not show: which generator made an image if it was not trained on that generator (it names
    one of its own), nor that it uses traces of the generator: classes that differ in size, crop or
    compression are separated by that. Its probabilities are not calibrated.
    """

    network: nn.Module
    architecture: str
    classes: ClassMapping
    height: int
    width: int
    name: str
    sha256: str
    inputs: Literal["image"] = "image"

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        mean, spread = ARCHITECTURES[self.architecture].mean_and_std
        return f"whole picture at {self.height}×{self.width} px, mean {mean}, spread {spread}"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The whole image, unchanged."""
        return pixels

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Images (h, w, 3) uint8 RGB to scores (n,) float64: log p(fake) / p(real)."""
        return self.log_odds(self._logits(pictures)).numpy()

    def attribute(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Probabilities (n, classes) float64 of images (h, w, 3) uint8 RGB, as `classes.labels`."""
        found: np.ndarray = self._logits(pictures).softmax(dim=1).numpy()
        return found

    def heatmap(self, picture: np.ndarray) -> np.ndarray:
        """Grad-CAM of the fake log-odds on an image (h, w, 3) uint8 RGB: (h, w) float32 around 0.

        0 means the mean contribution, 1 twice the mean, -1 none.

        Does not show: where an image was forged, nor what lowered the log-odds; a cell is a
        sixteenth to a thirty-second of the image and also depends on its surroundings.
        """
        batch = self._batch([picture])

        def score() -> Tensor:
            return self.log_odds(self._classes(self.network(batch.clone().requires_grad_())))[0]

        cells = class_activation(self.network, score, layer=self._layer)
        if cells is None:
            raise ValueError(f"{self.architecture} has no spatial layer")
        height, width = picture.shape[:2]
        heat = cv2.resize(self._laid_out(relative_excess(cells)), (width, height))
        return np.asarray(heat, np.float32)

    def log_odds(self, logits: Tensor) -> Tensor:
        """Logits (n, classes) to log-odds (n,) of all fake classes against all real ones."""
        fake, real = (
            logits[:, list(places)].logsumexp(dim=1)
            for places in (self.classes.fake, self.classes.real)
        )
        return fake - real

    def _logits(self, pictures: Sequence[np.ndarray], *, batch_size: int = 16) -> Tensor:
        """Logits (n, classes) float64 on the CPU."""
        self.network.eval()
        found = [torch.empty(0, len(self.classes.labels), dtype=torch.float64)]
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                batch = self._batch(pictures[start : start + batch_size])
                found.append(self._classes(self.network(batch)).double().cpu())
        return torch.cat(found)

    def _classes(self, outputs: Tensor) -> Tensor:
        """One logit per class; a single output is split into real (0) and fake."""
        if outputs.shape[1] == len(self.classes.labels):
            return outputs
        both = [torch.zeros_like(outputs[:, 0])] * 2
        both[self.classes.fake[0]] = outputs[:, 0]
        return torch.stack(both, dim=1)

    def _batch(self, pictures: Sequence[np.ndarray]) -> Tensor:
        device = next(self.network.parameters()).device
        sized = [resize_exactly(it, height=self.height, width=self.width) for it in pictures]
        row = ARCHITECTURES[self.architecture]
        return to_input_tensor(torch.from_numpy(np.stack(sized)).to(device), row)

    @property
    def _layer(self) -> TargetLayer | None:
        places = ARCHITECTURES[self.architecture].places
        return None if places is None else TargetLayer(self.network.get_submodule(places))

    def _laid_out(self, cells: np.ndarray) -> np.ndarray:
        """Resize cells (h, w) to the network's input; -1 outside a ViT's whole patches."""
        patch = getattr(getattr(self.network, "patch_embed", None), "patch_size", None)
        if patch is None:
            return cv2.resize(cells, (self.width, self.height))
        seen = cells.shape[0] * patch[0], cells.shape[1] * patch[1]
        whole = np.full((self.height, self.width), -1, np.float32)
        whole[: seen[0], : seen[1]] = cv2.resize(cells, seen[::-1])
        return whole

    @classmethod
    def load(cls, shelved: StoredDetector) -> "ClassifierNetwork":
        """Load it from its folder; raises SetupError if weights and description do not match."""
        settings = shelved.about.settings or {}
        try:
            named = {str(label): meaning for label, meaning in settings["classes"].items()}
            classes = resolve_classes(dict(enumerate(named)), named, source=shelved.folder)
            height, width = int(settings["height"]), int(settings["width"])
            outputs = 1 if settings["binary"] else len(named)
            network = build_network(
                str(settings["network"]), outputs=outputs, height=height, width=width
            )
            network.load_state_dict(shelved.tensors())
        except (KeyError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise SetupError(f"{shelved.folder} does not hold such a network: {reason}") from error
        network = network.eval().requires_grad_(False).to(best_device())
        return cls(
            network, str(settings["network"]), classes, height, width, shelved.about.name,
            shelved.sha256,
        )  # fmt: skip


def resize_exactly(picture: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """Resize an image (h, w, 3) uint8 RGB to exactly this size (px), ignoring its aspect ratio.

    Raises ValueError for other arrays.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"a picture is (h, w, 3) uint8 RGB, not {picture.shape} {picture.dtype}")
    if picture.shape[:2] == (height, width):
        return np.ascontiguousarray(picture)
    smaller = height * width < picture.shape[0] * picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    found: np.ndarray = cv2.resize(
        np.ascontiguousarray(picture), (width, height), interpolation=how
    )
    return found


def save_classifier(
    folder: Path,
    state: Mapping[str, Tensor],
    settings: Mapping[str, Any],
    *,
    licence: str,
    trained_on: str,
) -> StoredDetector:
    """Write weights and description to the detector's folder; the folder's name is its name.

    `settings` are `network`, `classes` (label to fake, real or neither, in the order of the
    outputs), `binary` (one output: fake against real), `height` and `width`.
    """
    from safetensors.torch import save_file

    about = DetectorDescription(
        kind=KIND, name=folder.name, inputs="image", needs="pixels", licence=licence,
        trained_on=trained_on, settings=dict(settings),
    )  # fmt: skip
    about.save(folder)
    save_file(
        {name: it.detach().cpu().contiguous() for name, it in state.items()}, folder / WEIGHTS_FILE
    )
    return StoredDetector(folder, about)
