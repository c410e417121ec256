"""SBI and CADDM detectors: networks trained on the blending seams of swaps, and on their location.

SBI: Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022 (arXiv
2204.08376), a classifier trained only on authentic photographs blended with themselves. CADDM: Dong
et al., CVPR 2023, see `artefact_module`. `sbi_caddm` is CADDM trained on both kinds of data. All
are reimplemented from the papers and trained by us (`tools.training.detectors.sbi_caddm`); no
weights of the authors are used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tools.detectors.folders import DetectorDescription, StoredDetector
from tools.encoder.clip import best_device
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop

if TYPE_CHECKING:
    import torch

    from tools.detectors.networks.artefact_module import ArtefactOutput

MIN_BOX_SCORE, MAX_BOXES = 0.15, 8
"""Limits for the displayed boxes."""


@dataclass(frozen=True, slots=True, eq=False)
class Caddm:
    """A network on aligned faces of `size` px and `margin`; `predicts_boxes`: it outputs boxes too.

    Does not show: which tool made a forgery. It learned seams, colours and textures that do not
    match their surroundings; an entirely generated face has none. The sigmoid of its logit is not a
    calibrated probability.
    """

    network: "torch.nn.Module"
    size: int
    margin: float
    predicts_boxes: bool
    name: str
    sha256: str
    inputs: Literal["face"] = "face"

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return f"aligned face of margin {self.margin:g} at {self.size} px, values in -1..1"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The aligned face (size, size, 3); raises ValueError without keypoints."""
        if keypoints is None:
            raise ValueError("a face detector needs the face's keypoints")
        return aligned_crop(pixels, keypoints, size=self.size, margin=self.margin)

    def score_images(self, pictures: Sequence[np.ndarray], *, batch_size: int = 32) -> np.ndarray:
        """Face crops (s, s, 3) uint8 RGB to logits (n,) float64, higher = more likely forged."""
        scores = np.empty(len(pictures))
        for start in range(0, len(pictures), batch_size):
            rows = slice(start, start + batch_size)
            logits = self._run(pictures[rows]).logits.double().cpu().numpy()
            scores[rows] = logits[:, 1] - logits[:, 0]
        return scores

    def boxes(self, pictures: Sequence[np.ndarray], *, batch_size: int = 32) -> list[np.ndarray]:
        """Artefact boxes of each face crop: (k, 5), x1 y1 x2 y2 as fractions of the crop, score.

        Raises ValueError for a network without the module (`predicts_boxes` is False).
        """
        from tools.detectors.networks.artefact_module import decode_boxes

        found: list[np.ndarray] = []
        for start in range(0, len(pictures), batch_size):
            output = self._run(pictures[start : start + batch_size])
            decoded = decode_boxes(output, least=MIN_BOX_SCORE, most=MAX_BOXES)
            found += [boxes.cpu().numpy() for boxes in decoded]
        return found

    def _run(self, pictures: Sequence[np.ndarray]) -> "ArtefactOutput":
        import torch

        with torch.inference_mode():
            output: ArtefactOutput = self.network(to_input_tensor(pictures).to(self._device))
        return output

    @property
    def _device(self) -> "torch.device":
        return next(self.network.parameters()).device

    @classmethod
    def load(cls, shelved: StoredDetector) -> "Caddm":
        """Load it from its folder; raises SetupError if weights and description do not match."""
        from tools.detectors.networks.artefact_module import ArtefactNetwork

        settings = shelved.about.settings or {}
        try:
            boxed, size = bool(settings["boxed"]), int(settings["size"])
            network = ArtefactNetwork(str(settings["backbone"]), module=boxed)
            network.load_state_dict(shelved.tensors())
        except (KeyError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise SetupError(f"{shelved.folder} does not hold such a network: {reason}") from error
        return cls(
            network.eval().requires_grad_(False).to(best_device()),
            size, float(settings["margin"]), boxed, shelved.about.name, shelved.sha256,
        )  # fmt: skip


def to_input_tensor(pictures: Sequence[np.ndarray]) -> "torch.Tensor":
    """Images (s, s, 3) uint8 RGB of equal size to (n, 3, s, s) float32 in -1..1."""
    import torch

    stacked = torch.from_numpy(np.stack([np.ascontiguousarray(it) for it in pictures]))
    channels_first = stacked.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    return channels_first.float().div(127.5).sub(1.0)


def describe_network(
    kind: str, settings: Mapping[str, Any], *, trained_on: str, name: str | None = None
) -> DetectorDescription:
    """The `detector.json` description for one of the three kinds."""
    licence = "research and evaluation (trained on photographs for research; see the card)"
    return DetectorDescription(
        kind=kind, name=name or kind, inputs="face", needs="pixels", licence=licence,
        trained_on=trained_on, settings=settings,
    )  # fmt: skip
