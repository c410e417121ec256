"""The whole image scored patch by patch, by whatever the profile has for it.

A face crop says nothing of the rest of a picture, and the whole picture squeezed into an encoder's
input hides what is small in it. Here the picture is cut into tiles (`tools.encoder.tiles`), each is
read, and the readings are put together to a map over the picture and one number. Three readers:

- `tools.detectors.clip_heads.patches`, where a profile has it: learnt for this, cell by cell;
- a head on the encoder's features of each tile (`score_tiles_by_features`);
- the tower's own evidence map of each tile (`score_tiles_by_evidence`), which knows forged faces
only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools.detectors.clip_heads.patches import PatchDetector
from tools.encoder.clip import Encoder
from tools.encoder.tiles import TileScorer, picture_map, smooth_map, top_mean
from tools.localisers.map_scales import NO_FINDING_TEXT, MapThreshold
from tools.localisers.overlay import overlay_heatmap
from tools.localisers.protocol import ScoringHead
from tools.search.model_bundle import ModelBundle
from tools.verdict.interpretation import UNCALIBRATED

SCORE = "image/patches"
LIMITS = "Text, logos, screens and strong blur stand out too; a dark map proves nothing."
_SHOWN_PX = 960


def score_tiles_by_features(encoder: Encoder, head: ScoringHead) -> TileScorer:
    """Each tile by a head on the encoder's features, one place a tile."""

    def read(parts: Sequence[np.ndarray]) -> np.ndarray:
        logits = head.score(encoder.encode_images(parts))
        return np.asarray(logits, np.float32)[:, None, None]

    return read


def score_tiles_by_evidence(encoder: Encoder) -> TileScorer | None:
    """Each tile by the tower's own map; None where the encoder makes none."""
    grey = np.full((encoder.image_size, encoder.image_size, 3), 127, np.uint8)
    if encoder.evidence_map(grey) is None:
        return None

    def read(parts: Sequence[np.ndarray]) -> np.ndarray:
        maps = [encoder.evidence_map(part) for part in parts]
        return np.stack([one for one in maps if one is not None])

    return read


def image_heatmap(pixels: np.ndarray, instruments: ModelBundle) -> np.ndarray | None:
    """A picture's map (rows, columns) of logits by the best that a profile has for it.

    None where it has nothing that looks at whole images, or the picture is too small.
    """
    for detector in instruments.pixel_detectors:
        if isinstance(detector, PatchDetector):
            return detector.heatmap(pixels)
    heads = (it for it in instruments.detectors if it.inputs == "image")
    head = next((it for it in heads if it.name == "unifd_linear"), None)
    encoder = instruments.encoder
    if head is None:
        return None
    return picture_map(pixels, score_tiles_by_features(encoder, head), size=encoder.image_size)


@dataclass(frozen=True, slots=True, eq=False)
class PatchMap:
    """The whole picture with its map over it.

    `shown` (h, w, 3) uint8 RGB, at most 960 px wide or high; `score` is the mean of its strongest
    places; `where` in the picture the strongest lies, in words; `has_finding` says whether it is
    stronger than in authentic photographs, None where nobody measured those.
    """

    shown: np.ndarray
    score: float
    where: str
    has_finding: bool | None = None

    @property
    def text(self) -> str:
        """The map in words."""
        if self.has_finding is False:
            return NO_FINDING_TEXT
        strongest = f"strongest at the {self.where} of the picture"
        if self.has_finding is None:
            return f"{UNCALIBRATED}; {strongest}"
        return f"stands out from authentic photographs; {strongest}"


def patch_map(
    pixels: np.ndarray, heat: np.ndarray, *, usual: float = 0.0, scale: MapThreshold | None = None
) -> PatchMap | None:
    """A picture (h, w, 3) uint8 RGB with its map; None where nothing in that was measured.

    Nothing below `usual`, in logits, is drawn: so strong a sign is in authentic pictures too.
    Where `scale` says that nothing stands out, nothing is drawn at all.
    """
    if not np.isfinite(heat).any():
        return None
    shrink = min(1.0, _SHOWN_PX / max(pixels.shape[:2]))
    width, height = (max(1, round(it * shrink)) for it in pixels.shape[1::-1])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    score = top_mean(heat)
    finds = None if scale is None else bool(score > scale.finding)
    known = np.where(np.isfinite(heat), heat, usual) - usual
    shown = overlay_heatmap(small, np.zeros_like(known) if finds is False else known)
    return PatchMap(shown, score, _where(smooth_map(heat)), finds)


def _where(heat: np.ndarray) -> str:
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    down = ("top", "", "bottom")[3 * int(row) // heat.shape[0]]
    across = ("left", "", "right")[3 * int(column) // heat.shape[1]]
    return " ".join(it for it in (down, across) if it) or "middle"
