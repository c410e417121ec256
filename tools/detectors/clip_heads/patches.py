"""Where a picture was forged, its background included: a small head on what the encoder's tower
sees of each place, at the picture's own scale.

The tower was trained on forged faces, and its own evidence map stays dark elsewhere. Its first
layers still have what tells a re-generated or pasted region from a photograph: sharpness, noise,
the grid of an up-sampling. The head (`tools.detectors.clip_heads.patch_head`) reads all layers of
each cell beside those around it: what was put into a picture differs from the rest of it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.encoder.clip import Encoder
from tools.encoder.tiles import picture_map, top_mean
from tools.errors import SetupError

if TYPE_CHECKING:
    from tools.detectors.clip_heads.patch_head import PatchHead
    from tools.detectors.folders import StoredDetector

KIND = NAME = "patches"
_BATCH = 16
_REMEMBERED = 64  # maps of at most 64 by 64 places and a few more: about a megabyte


def local_patch_features(encoder: Encoder, pictures: Sequence[np.ndarray]) -> np.ndarray | None:
    """What every depth of the tower sees of each cell (n, c, h, w) float32.

    For pictures (h, w, 3) uint8 RGB, each brought to the encoder's input. None where the tower
    does not tell its depths apart; ours does (`tools.encoder.pocket_tower`).
    """
    import torch

    trunk = getattr(getattr(encoder.model, "visual", None), "trunk", None)
    local = getattr(trunk, "local", None)
    if local is None:
        return None
    with torch.inference_mode():
        parts = [
            local(encoder.preprocess(pictures[start : start + _BATCH])).cpu().numpy()
            for start in range(0, len(pictures), _BATCH)
        ]
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class PatchDetector:
    """A whole picture, tile by tile, read by `head` on the encoder's cells.

    Does not show: a change that leaves no trace in sharpness, noise or compression, or one that a
    strong compression afterwards has wiped out; nor what was there before. Text, logos, screens
    and strongly blurred or retouched parts of authentic pictures can stand out as well.
    """

    encoder: Encoder
    head: "PatchHead"
    sha256: str
    inputs: Literal["image"] = "image"
    name: str = NAME
    _known: dict[bytes, np.ndarray | None] = field(default_factory=dict, repr=False)

    @property
    def preprocessing(self) -> str:
        """How it prepares a picture, in words."""
        return f"overlapping tiles at two scales, each at {self.encoder.image_size} px"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The whole picture as it is."""
        return pixels

    def read(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Tiles (s, s, 3) uint8 RGB to logits (n, c, c) of their cells."""
        cells = local_patch_features(self.encoder, parts)
        if cells is None:
            raise SetupError("this encoder's tower does not tell its depths apart")
        return self.head.logits(cells)

    def heatmap(self, pixels: np.ndarray) -> np.ndarray | None:
        """A picture (h, w, 3) uint8 RGB to its map (rows, columns) of logits; None: too small.

        The latest ones are remembered: who is given the score of a hit soon asks for its map.
        """
        key = repr(pixels.shape).encode() + hashlib.blake2b(pixels.tobytes()).digest()
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = picture_map(pixels, self.read, size=self.encoder.image_size)
        return self._known[key]

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures of any sizes to (n,) float64: the mean logit of the strongest places."""
        heats = [self.heatmap(pixels) for pixels in pictures]
        return np.array([np.nan if heat is None else top_mean(heat) for heat in heats])

    @classmethod
    def load(cls, found: "StoredDetector", encoder: Encoder) -> "PatchDetector":
        """Read it from its folder; raises SetupError where weights and encoder do not fit."""
        from tools.detectors.clip_heads.patch_head import PatchHead

        try:
            head = PatchHead.of(found.tensors())
        except (KeyError, ValueError, RuntimeError) as error:
            raise SetupError(f"{found.folder} holds no head for patches") from error
        return cls(encoder, head, found.sha256, name=found.about.name)
