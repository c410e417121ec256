"""From a heat map over the aligned face to evidence about its named parts: E11 to E17."""

from dataclasses import dataclass

import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import aligned_crop, crop_matrix, transform_points
from tools.faces.analyser import Face
from tools.forge.masks import face_region_masks
from tools.localisers.map_scales import MapThreshold, map_threshold
from tools.localisers.protocol import Localiser, MapEncoder, ScoringHead
from tools.verdict.evidence import FIRST_RERANK_NUMBER, MEASURES, Evidence
from tools.verdict.handles import NOT_MEASURED
from tools.verdict.interpretation import UNCALIBRATED

STRONG, WEAK, NO_SIGNS = "strong", "weak", "none"

REGIONS = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary")
"""In the order of their evidence; left and right as seen in the picture."""

FIRST_REGION_NUMBER = len(MEASURES) + 1
"""The number of the first region's evidence."""

if FIRST_REGION_NUMBER + len(REGIONS) != FIRST_RERANK_NUMBER:
    raise ValueError("the regions' evidence and that of a closer look have the same numbers")


@dataclass(frozen=True, slots=True, eq=False)
class Localisation:
    """A face with its heat map and what the map says of each region.

    `crop` (s, s, 3) uint8 RGB is the aligned face; `heatmap` (s, s) float32 in the evidence's unit.
    """

    crop: np.ndarray
    heatmap: np.ndarray
    evidence: tuple[Evidence, ...]

    @property
    def has_finding(self) -> bool:
        """Whether some region stands out from authentic photographs."""
        return any(item.reads in (STRONG, WEAK) for item in self.evidence)

    @property
    def displayed_heatmap(self) -> np.ndarray:
        """The heat to be shown: none where it is known that nothing stands out."""
        read = any(item.reads in (STRONG, WEAK, NO_SIGNS) for item in self.evidence)
        return np.zeros_like(self.heatmap) if read and not self.has_finding else self.heatmap

    @property
    def limits(self) -> str:
        """What the map does not say."""
        return self.evidence[0].limits


def localise_with(
    localiser: Localiser, pixels: np.ndarray, face: Face, *, encoder: MapEncoder, head: ScoringHead
) -> Localisation | None:
    """One localiser's map of a face in a picture; None when it cannot work with this encoder.

    Raises ToolError when the face has no landmarks, by which its parts are told apart.
    """
    if face.landmarks is None:
        raise ToolError("its regions cannot be told apart: the face has no landmarks")
    size, margin = encoder.image_size, encoder.face_margin
    crop = aligned_crop(pixels, face.keypoints, size=size, margin=margin)
    landmarks = transform_points(
        face.landmarks, crop_matrix(face.keypoints, size=size, margin=margin)
    )
    heat = localiser.heatmap(crop, encoder=encoder, head=head)
    if heat is None:
        return None
    scale = map_threshold(localiser.name, encoder)
    return Localisation(
        crop, heat, region_evidence(heat, landmarks, localiser=localiser, scale=scale)
    )  # fmt: skip


def region_evidence(
    heat: np.ndarray,
    landmarks: np.ndarray,
    *,
    localiser: Localiser,
    scale: MapThreshold | None = None,
) -> tuple[Evidence, ...]:
    """One piece of evidence a region, E11 the left eye to E17 the face's boundary.

    `heat` (s, s) as the localiser made it; `landmarks` (68, 2) iBUG in its pixels. A region that
    lies outside of the crop is not measured; what authentic photographs reach too reads "none".
    """
    areas = face_region_masks(np.asarray(landmarks, np.float32), heat.shape)
    values = [_over(heat, areas[name], localiser) for name in REGIONS]
    return tuple(
        Evidence(
            id=f"E{number}",
            score=f"region/{name}",
            name=f"signs of forgery at the {name}",
            value=value,
            unit=localiser.unit,
            method=localiser.method,
            limits=localiser.limits,
            reads=interpret_region(value, localiser, scale=scale),
        )
        for number, (name, value) in enumerate(
            zip(REGIONS, values, strict=True), start=FIRST_REGION_NUMBER
        )
    )


def interpret_region(
    value: float | None, localiser: Localiser, *, scale: MapThreshold | None = None
) -> str:
    """Strong, weak or none: what a region's value means for this localiser."""
    if value is None:
        return NOT_MEASURED
    if localiser.strong is None or localiser.weak is None:
        return UNCALIBRATED
    if value < localiser.weak or (scale is not None and value <= scale.finding):
        return NO_SIGNS
    return STRONG if value >= localiser.strong else WEAK


def evidence_region(evidence_id: str) -> str | None:
    """The region that an evidence id like "E15" speaks of; None for other evidence."""
    number = int(evidence_id.removeprefix("E")) - FIRST_REGION_NUMBER
    return REGIONS[number] if 0 <= number < len(REGIONS) else None


def _over(heat: np.ndarray, area: np.ndarray, localiser: Localiser) -> float | None:
    inside = heat[area > 0]
    return localiser.aggregate_region(inside) if inside.size else None
