"""Patch-level forgery localisation in whole images, background included.

The tower was trained on forged faces, and its own evidence map stays dark elsewhere. Its first
layers still hold what distinguishes a generated or pasted region from a photograph: sharpness,
noise, upsampling grids. The head (`tools.detectors.clip_heads.patch_head`) compares all layers of
each cell with the cells around it: an inserted region differs from the rest of the image. Images
are tiled at their own scale.
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
_MAX_CACHED_MAPS = 64  # cached maps of about 64 × 64 cells: about a megabyte


def local_patch_features(encoder: Encoder, pictures: Sequence[np.ndarray]) -> np.ndarray | None:
    """Features of each cell from every depth of the tower: (n, c, h, w) float32.

    For images (h, w, 3) uint8 RGB, each resized to the encoder's input. None if the tower has no
    such features; only our pocket tower (`tools.encoder.pocket_tower`) has.
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
    """Scores a whole image by tiles, with `head` on the encoder's cells.

    Does not show: a change that leaves no trace in sharpness, noise or compression, or whose traces
    were removed by later strong compression; nor what was there before. Text, logos, screens and
    strongly blurred or retouched parts of authentic images can stand out as well.
    """

    encoder: Encoder
    head: "PatchHead"
    sha256: str
    inputs: Literal["image"] = "image"
    name: str = NAME
    _known: dict[bytes, np.ndarray | None] = field(default_factory=dict, repr=False)

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""
        return f"overlapping tiles at two scales, each at {self.encoder.image_size} px"

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """The whole image, unchanged."""
        return pixels

    def read(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Tiles (s, s, 3) uint8 RGB to logits (n, c, c) of their cells."""
        cells = local_patch_features(self.encoder, parts)
        if cells is None:
            raise SetupError("this encoder's tower does not tell its depths apart")
        return self.head.logits(cells)

    def heatmap(self, pixels: np.ndarray) -> np.ndarray | None:
        """Logit map (rows, columns) of an image (h, w, 3) uint8 RGB; None if it is too small.

        The latest maps are cached: the map of a hit is often requested soon after its score.
        """
        key = repr(pixels.shape).encode() + hashlib.blake2b(pixels.tobytes()).digest()
        if key in self._known:
            return self._known.get(key)
        heat = picture_map(pixels, self.read, size=self.encoder.image_size)
        if len(self._known) >= _MAX_CACHED_MAPS:  # several threads may be here at once
            self._known.pop(next(iter(list(self._known))), None)
        self._known[key] = heat
        return heat

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Images of any sizes to scores (n,) float64: the mean logit of the strongest cells."""
        heats = [self.heatmap(pixels) for pixels in pictures]
        return np.array([np.nan if heat is None else top_mean(heat) for heat in heats])

    @classmethod
    def load(cls, found: "StoredDetector", encoder: Encoder) -> "PatchDetector":
        """Load it from its folder; raises SetupError if weights and encoder do not match."""
        from tools.detectors.clip_heads.patch_head import PatchHead

        try:
            head = PatchHead.of(found.tensors())
        except (KeyError, ValueError, RuntimeError) as error:
            raise SetupError(f"{found.folder} does not hold a patch head") from error
        return cls(encoder, head, found.sha256, name=found.about.name)
