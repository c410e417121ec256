"""A network that looks at whole pictures and names their class: authentic, or which generator.

The models of Goia, "Deepfake Detection in Facial Images": EfficientNet, ResNet-50, a ViT and a
small CNN (`classifier_architectures`), trained on a folder per class by
`python -m tools.training.detectors.classifier`. As a detector it gives the log-odds of its fake
classes; `attribute` gives the probability of every class, `heatmap` what raised the fake log-odds.
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
"""Of the thesis' pictures, px: those of CelebA's aligned photographs."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierNetwork:
    """A network on pictures of `height` × `width` px and what its outputs mean.

    One output alone is the log-odds of fake against real; several are one a class.

    Does not show: which generator made a picture of one that it never learnt (it names one of its
    own), nor that it reads traces of the generator: classes that differ in size, crop or
    compression are told apart by that. Its probabilities are no calibrated ones.
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
        """How it prepares a picture, in words."""
        mean, spread = ARCHITECTURES[self.architecture].mean_and_std
        return f"whole picture at {self.height}×{self.width} px, mean {mean}, spread {spread}"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The picture itself: it looks at all of it, whatever its face."""
        return pixels

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (h, w, 3) uint8 RGB to (n,) float64: log p(fake classes) / p(real classes)."""
        return self.log_odds(self._logits(pictures)).numpy()

    def attribute(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures (h, w, 3) uint8 RGB to (n, classes) float64, columns as `classes.labels`."""
        found: np.ndarray = self._logits(pictures).softmax(dim=1).numpy()
        return found

    def heatmap(self, picture: np.ndarray) -> np.ndarray:
        """Grad-CAM of the fake log-odds on a picture (h, w, 3) uint8 RGB: (h, w) float32 around 0.

        0 is a place that raised it as much as the mean did, 1 twice as much, -1 not at all.

        Does not show: where a picture was forged, nor what lowered the log-odds; a cell is a
        sixteenth to a thirty-second of the picture and sees its surroundings too.
        """
        batch = self._batch([picture])

        def score() -> Tensor:
            return self.log_odds(self._classes(self.network(batch.clone().requires_grad_())))[0]

        cells = class_activation(self.network, score, layer=self._layer)
        if cells is None:
            raise ValueError(f"{self.architecture} has no layer with places")
        height, width = picture.shape[:2]
        heat = cv2.resize(self._laid_out(relative_excess(cells)), (width, height))
        return np.asarray(heat, np.float32)

    def log_odds(self, logits: Tensor) -> Tensor:
        """Logits (n, classes) to (n,): fake classes together against real ones together."""
        fake, real = (
            logits[:, list(places)].logsumexp(dim=1)
            for places in (self.classes.fake, self.classes.real)
        )
        return fake - real

    def _logits(self, pictures: Sequence[np.ndarray], *, batch_size: int = 16) -> Tensor:
        """(n, classes) float64 on the CPU."""
        self.network.eval()
        found = [torch.empty(0, len(self.classes.labels), dtype=torch.float64)]
        with torch.inference_mode():
            for start in range(0, len(pictures), batch_size):
                batch = self._batch(pictures[start : start + batch_size])
                found.append(self._classes(self.network(batch)).double().cpu())
        return torch.cat(found)

    def _classes(self, outputs: Tensor) -> Tensor:
        """A logit a class; those of real and fake where the network gives but their difference."""
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
        """Cells (h, w) over the network's picture; what a ViT's whole patches leave out is -1."""
        patch = getattr(getattr(self.network, "patch_embed", None), "patch_size", None)
        if patch is None:
            return cv2.resize(cells, (self.width, self.height))
        seen = cells.shape[0] * patch[0], cells.shape[1] * patch[1]
        whole = np.full((self.height, self.width), -1, np.float32)
        whole[: seen[0], : seen[1]] = cv2.resize(cells, seen[::-1])
        return whole

    @classmethod
    def load(cls, shelved: StoredDetector) -> "ClassifierNetwork":
        """Read it from its folder; raises SetupError when weights and description do not fit."""
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
            raise SetupError(f"{shelved.folder} holds no such network: {reason}") from error
        network = network.eval().requires_grad_(False).to(best_device())
        return cls(
            network, str(settings["network"]), classes, height, width, shelved.about.name,
            shelved.sha256,
        )  # fmt: skip


def resize_exactly(picture: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """A picture (h, w, 3) uint8 RGB at exactly that size (px), its sides not kept in proportion.

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
    """Write weights and description into the detector's folder, which gives it its name.

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
