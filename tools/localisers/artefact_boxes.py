"""A detector's artefact boxes as a heat map (CADDM's, as published).

Dong et al., "Implicit Identity Leakage", CVPR 2023 (arXiv 2210.14457): the artifact detection
module locates regions of a face that do not match the rest. Boxes are the detector's own output,
not a post-hoc explanation. Unlike the other localisers, this one needs a detector of its own, so it
is a function that makes a `Localiser`, not a row of the table; `optional_localisers` makes one for
every such detector.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from tools.localisers.protocol import Localiser, MapEncoder, ScoringHead

NAME = "artefact_boxes"
UNIT = "summed scores of boxes"
METHOD = "boxes around artefacts by the detector that looks for them, summed; mean over the region"
LIMITS = (
    "Boxes are coarse and few; a box around the whole face is an opinion and no place, and hardly "
    "any points at a small change. They were learnt on blended and swapped faces: a face that was "
    "made as a whole can have none."
)

BOX_EDGE_SOFTNESS = 0.06
"""Width of a box's fading edge, as a fraction of the crop's side."""

FULL_HEAT = 1.0
"""The heat of one box with a score of 1."""


@runtime_checkable
class BoxDetector(Protocol):
    """A detector of artefacts on aligned faces; `tools.detectors.networks.caddm.Caddm` is one."""

    @property
    def name(self) -> str:
        """The detector's name."""

    @property
    def size(self) -> int:
        """Side of its input crop, px."""

    @property
    def margin(self) -> float:
        """Margin of that crop, see `tools.faces.alignment.aligned_crop`."""

    def boxes(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Crops (size, size, 3) uint8 RGB to (k, 5) each: x1 y1 x2 y2 as fractions, score 0..1."""


def artefact_boxes(finder: BoxDetector) -> Localiser:
    """A localiser that draws the boxes of this detector, `artefact_boxes/<its name>`.

    It makes no map (None) with an encoder whose crop is smaller than the detector's. Region values
    were never compared with the truth, so they are not interpreted.

    Does not show: how a region was changed. A box around the whole face is a verdict, not a
    location.
    """

    def heat(crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead) -> np.ndarray | None:
        share = finder.margin / encoder.face_margin
        if share > 1 + 1e-6:
            return None
        (boxes,) = finder.boxes([_middle(crop, share=share, size=finder.size)])
        return boxes_to_heatmap(_widened(boxes, share=share), side=crop.shape[0])

    return Localiser(
        f"{NAME}/{finder.name}",
        heat,
        aggregate_region=lambda inside: float(inside.mean()),
        unit=UNIT,
        method=METHOD,
        limits=LIMITS,
        full_heat=FULL_HEAT,
    )


def boxes_to_heatmap(boxes: np.ndarray, *, side: int) -> np.ndarray:
    """Boxes (k, 5), x1 y1 x2 y2 as fractions of the crop and a score, to (side, side) float32 ≥ 0.

    Each pixel is the sum of the scores of the boxes that cover it. Boxes fade out over
    `BOX_EDGE_SOFTNESS`, half of it inside the box, except at the edges of the crop. Without boxes,
    all zeros.
    """
    at = (np.arange(side) + 0.5) / side
    total = np.zeros((side, side), np.float64)
    for left, top, right, bottom, score in np.asarray(boxes, np.float64).reshape(-1, 5):
        total += score * np.outer(_covered(at, top, bottom), _covered(at, left, right))
    return total.astype(np.float32)


def _covered(at: np.ndarray, start: float, end: float) -> np.ndarray:
    """Weight of a box at each position along one axis, 0..1."""
    rising = (
        np.ones_like(at) if start <= 0 else np.clip((at - start) / BOX_EDGE_SOFTNESS + 0.5, 0, 1)
    )
    falling = np.ones_like(at) if end >= 1 else np.clip((end - at) / BOX_EDGE_SOFTNESS + 0.5, 0, 1)
    return np.asarray(np.minimum(rising, falling))


def _middle(crop: np.ndarray, *, share: float, size: int) -> np.ndarray:
    """The central `share` of the crop, (size, size, 3): the same face with a smaller margin."""
    side = crop.shape[0]
    edge = round((1 - share) / 2 * side)
    inner = crop[edge : side - edge, edge : side - edge]
    if len(inner) == size:
        return inner
    how = cv2.INTER_AREA if len(inner) > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(inner, (size, size), interpolation=how))


def _widened(boxes: np.ndarray, *, share: float) -> np.ndarray:
    """The same boxes as fractions of the whole crop."""
    found = np.array(boxes, np.float64).reshape(-1, 5)
    found[:, :4] = 0.5 + (found[:, :4] - 0.5) * share
    return found
