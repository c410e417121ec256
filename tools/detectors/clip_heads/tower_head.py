"""A linear head on early, middle and late blocks of the pretrained CLIP tower.

The last block alone forgets what a forgery leaves in the pixels (RINE: Koutlis & Papadopoulos,
2024). Each chosen block gives its class token and the mean of its patches. One head answers one
question: was the face manipulated, or was it synthesised as a whole?

A head may bring tuned norms for the tower's upper blocks: GenD (Yermakov et al., WACV 2026, arXiv
2508.06248) tunes only the scales and shifts of CLIP's LayerNorms. The lower blocks stay as they
are, so the plain tower, which runs anyway, shares them and a face costs half a tower more.
`tools.training.tower.tuned` trains such a head.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tools.detectors.folders import StoredDetector
from tools.detectors.protocol import require_keypoints
from tools.encoder.pretrained_tower import PretrainedTower, UpperNorms
from tools.faces.alignment import aligned_crop

KIND = "tower_head"
MANIPULATED, SYNTHESISED = "face/clip_tuned", "face/clip_synthesis"
UNTUNED = "face/clip_manipulation"
"""Manipulated, by a head on plain norms: where the tuning of `MANIPULATED` begins."""
FORGED = "face/clip_forged"
"""Score of both questions together: forged is one or the other."""
SIZE, MARGIN = 224, 1.3


@dataclass(frozen=True, slots=True, eq=False)
class TowerHead:
    """A detector of faces that reads the tower's block features.

    `weight` (k, width) belongs to the features' slots `slots` (k,). `upper` are tuned norms, None
    for the plain tower.

    Does not show: forgeries of a kind that its training did not hold; a generator's successor can
    read as a photograph.
    """

    tower: PretrainedTower
    slots: np.ndarray
    weight: np.ndarray
    bias: float
    name: str
    sha256: str
    upper: UpperNorms | None = None
    inputs: Literal["face"] = "face"

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return f"aligned face crop, margin {MARGIN}, {SIZE} px, CLIP's normalisation"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The aligned face (224, 224, 3) uint8 RGB."""
        return aligned_crop(pixels, require_keypoints(keypoints), size=SIZE, margin=MARGIN)

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Crops to logits (n,) float64. Raises SetupError if tuned norms do not fit the tower."""
        if not pictures:
            return np.empty(0)
        tower, upper = self.tower, self.upper
        return self.score_features(
            tower.block_features(pictures) if upper is None
            else tower.tuned_features(pictures, upper)
        )  # fmt: skip

    def score_features(self, features: np.ndarray) -> np.ndarray:
        """Block features (n, slots, width) to logits (n,) float64."""
        chosen = np.asarray(features, np.float64)[:, self.slots]
        logits: np.ndarray = (chosen * self.weight).sum(axis=(1, 2)) + self.bias
        return logits

    @classmethod
    def load(cls, found: StoredDetector, tower: PretrainedTower) -> "TowerHead":
        """Load its folder. Raises SetupError if a weight file is missing or damaged."""
        tensors = found.tensors()
        slots, weight, bias = (tensors[name].numpy() for name in ("slots", "weight", "bias"))
        upper = None
        if "norms" in tensors:
            start = int((found.about.settings or {})["start"])
            upper = UpperNorms(start, tuple(tensors["norms"]), found.sha256)
        return cls(
            tower, slots.astype(int), weight.astype(float), float(bias), found.about.name,
            found.sha256, upper,
        )  # fmt: skip


def forged_logit(scores: Mapping[str, float | None]) -> float | None:
    """Log of the summed odds of both questions, whose scores are on one scale; None if either was
    not measured.
    """
    manipulated, synthesised = scores.get(MANIPULATED), scores.get(SYNTHESISED)
    if manipulated is None or synthesised is None:
        return None
    return float(np.logaddexp(manipulated, synthesised))
