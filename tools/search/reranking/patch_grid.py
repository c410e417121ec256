"""Score a whole image for forgery patch by patch: a heat map and one number.

A face crop does not show the rest of a picture, and downscaling the whole picture to an encoder's
input hides small details. Here the picture is cut into tiles (`tools.encoder.tiles`), each tile is
scored, and the scores are combined into a map over the picture and one number. Three tile scorers:

- `tools.detectors.clip_heads.patches`, if the profile has it: trained for this, cell by cell;
- a head on the encoder's features of each tile (`score_tiles_by_features`);
- the encoder's own evidence map of each tile (`score_tiles_by_evidence`), which covers
forged faces only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tools.detectors.clip_heads.patches import PatchDetector
from tools.encoder.clip import Encoder
from tools.encoder.tiles import TileScorer, picture_map, smooth_map, top_mean
from tools.localisers.map_scales import (
    NO_FINDING_TEXT,
    MapThreshold,
    image_map_name,
    map_threshold,
)
from tools.localisers.overlay import overlay_heatmap
from tools.localisers.protocol import ScoringHead
from tools.search.model_bundle import ModelBundle
from tools.verdict.interpretation import UNCALIBRATED

SCORE = "image/patches"
LIMITS = "Text, logos, screens and strong blur stand out too; a dark map proves nothing."
_SHOWN_PX = 960
_USUAL_SHARE = 0.80
"""Heat that occurs somewhere in this share of authentic photographs is not drawn."""


def score_tiles_by_features(encoder: Encoder, head: ScoringHead) -> TileScorer:
    """Score each tile with a head on the encoder's features, one value per tile."""

    def read(parts: Sequence[np.ndarray]) -> np.ndarray:
        logits = head.score(encoder.encode_images(parts))
        return np.asarray(logits, np.float32)[:, None, None]

    return read


def score_tiles_by_evidence(encoder: Encoder) -> TileScorer | None:
    """Score each tile with the encoder's own evidence map; None if the encoder has none."""
    grey = np.full((encoder.image_size, encoder.image_size, 3), 127, np.uint8)
    if encoder.evidence_map(grey) is None:
        return None

    def read(parts: Sequence[np.ndarray]) -> np.ndarray:
        maps = [encoder.evidence_map(part) for part in parts]
        return np.stack([one for one in maps if one is not None])

    return read


def image_heatmap(pixels: np.ndarray, instruments: ModelBundle) -> np.ndarray | None:
    """A picture's map (rows, columns) of logits from the best scorer of the profile.

    None if the profile has no scorer for whole images, or the picture is too small.
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
    """A whole picture with its heat map.

    `drawn` (rows, columns) is the heat that is drawn, 0 where nothing is; `score` is the mean of
    the strongest cells; `where` describes the position of the strongest cell in words;
    `has_finding` is whether the score exceeds that of authentic photographs, None if those were
    not measured.
    """

    drawn: np.ndarray
    score: float
    where: str
    has_finding: bool | None = None

    def over(self, pixels: np.ndarray) -> np.ndarray:
        """The map over its picture (h, w, 3) uint8 RGB, at most 960 px wide or high."""
        shrink = min(1.0, _SHOWN_PX / max(pixels.shape[:2]))
        width, height = (max(1, round(it * shrink)) for it in pixels.shape[1::-1])
        small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        return overlay_heatmap(small, self.drawn)

    @property
    def text(self) -> str:
        """The map in words."""
        if self.has_finding is False:
            return NO_FINDING_TEXT
        strongest = f"strongest at the {self.where} of the picture"
        if self.has_finding is None:
            return f"{UNCALIBRATED}; {strongest}"
        return f"stands out from authentic photographs; {strongest}"


def whole_picture_map(pixels: np.ndarray, instruments: ModelBundle) -> PatchMap | None:
    """The map of a picture; None if it is too small, or the profile has no reader."""
    heat = image_heatmap(pixels, instruments)
    if heat is None:
        return None
    known = instruments.rule.references.get(SCORE) if instruments.rule else None
    usual = known.quantile(_USUAL_SHARE) if known else 0.0
    scale = map_threshold(image_map_name(*pixels.shape[:2]), instruments.encoder)
    return patch_map(heat, usual=usual, scale=scale)


def patch_map(
    heat: np.ndarray, *, usual: float = 0.0, scale: MapThreshold | None = None
) -> PatchMap | None:
    """A map (rows, columns) of logits, to be drawn; None if no cell of it was measured.

    Values below `usual`, in logits, are not drawn: authentic pictures reach them too. If the score
    does not exceed the threshold of `scale`, nothing is drawn.
    """
    if not np.isfinite(heat).any():
        return None
    score = top_mean(heat)
    finds = None if scale is None else bool(score > scale.finding)
    known = np.where(np.isfinite(heat), heat, usual) - usual
    drawn = np.zeros_like(known) if finds is False else known
    return PatchMap(drawn, score, _where(smooth_map(heat)), finds)


def _where(heat: np.ndarray) -> str:
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    down = ("top", "", "bottom")[3 * int(row) // heat.shape[0]]
    across = ("left", "", "right")[3 * int(column) // heat.shape[1]]
    return " ".join(it for it in (down, across) if it) or "middle"
