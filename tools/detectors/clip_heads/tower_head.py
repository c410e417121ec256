"""A small head on all blocks of the pretrained CLIP tower (RINE: Koutlis & Papadopoulos, 2024).

Each block gives a class token and a mean of patches; a learnt projection shared by the blocks, a
learnt weighting of blocks per projected value, and a linear layer make the logit. One head answers
one question: was the face manipulated, or was it synthesised as a whole?
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.detectors.folders import StoredDetector
from tools.detectors.protocol import require_keypoints
from tools.encoder.pretrained_tower import PretrainedTower
from tools.faces.alignment import aligned_crop

if TYPE_CHECKING:
    import torch

KIND = "tower_head"
SIZE, MARGIN = 224, 1.3


@dataclass(frozen=True, slots=True, eq=False)
class TowerHead:
    """A detector of faces that reads the tower's block features.

    Does not show: forgeries of a kind that its training did not hold; a generator's successor can
    read as a photograph.
    """

    tower: PretrainedTower
    tensors: "dict[str, torch.Tensor]"
    name: str
    sha256: str
    inputs: Literal["face"] = "face"

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return f"aligned face crop, margin {MARGIN}, {SIZE} px, CLIP's normalisation"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The aligned face (224, 224, 3) uint8 RGB."""
        return aligned_crop(pixels, require_keypoints(keypoints), size=SIZE, margin=MARGIN)

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Crops to logits (n,) float64."""
        if not pictures:
            return np.empty(0)
        return self.score_features(self.tower.block_features(pictures))

    def score_features(self, features: np.ndarray) -> np.ndarray:
        """Block features (n, slots, width) to logits (n,) float64."""
        import torch

        with torch.inference_mode():
            given = torch.from_numpy(np.asarray(features, np.float32))
            scores: np.ndarray = head_logits(given, self.tensors).double().numpy()
        return scores

    @classmethod
    def load(cls, found: StoredDetector, tower: PretrainedTower) -> "TowerHead":
        """Load its folder. Raises SetupError if a weight file is missing or damaged."""
        return cls(tower, found.tensors(), found.about.name, found.sha256)


def head_logits(features: "torch.Tensor", tensors: "dict[str, torch.Tensor]") -> "torch.Tensor":
    """Block features (n, slots, width) float32 to logits (n,).

    Tensors: `mean` and `scale` (slots, width) standardise; `project` (width, d) and `project_bias`
    (d); `importance` (slots, d), softmax over the slots; `out` (d) and `bias` ().
    """
    import torch

    standard = (features - tensors["mean"]) / tensors["scale"]
    projected = torch.nn.functional.gelu(standard @ tensors["project"] + tensors["project_bias"])
    weighted = (projected * tensors["importance"].softmax(dim=0)).sum(dim=1)
    return weighted @ tensors["out"] + tensors["bias"]
