"""From a heat map over the aligned face to evidence about its named parts: E11 to E17."""

import numpy as np

from tools.evidence import MEASURES, Evidence
from tools.forge_masks import face_regions
from tools.handles import NOT_MEASURED
from tools.localisers.protocol import Localiser
from tools.readings import UNCALIBRATED

REGIONS = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary")
"""In the order of their evidence; left and right as seen in the picture."""

FIRST = len(MEASURES) + 1
"""The number of the first region's evidence."""


def region_evidence(
    heat: np.ndarray, landmarks: np.ndarray, *, localiser: Localiser
) -> tuple[Evidence, ...]:
    """One piece of evidence a region, E11 the left eye to E17 the face's boundary.

    `heat` (s, s) as the localiser made it; `landmarks` (68, 2) iBUG in its pixels. A region that
    lies outside of the crop is not measured.
    """
    areas = face_regions(np.asarray(landmarks, np.float32), heat.shape)
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
            reads=read_region(value, localiser),
        )
        for number, (name, value) in enumerate(zip(REGIONS, values, strict=True), start=FIRST)
    )


def read_region(value: float | None, localiser: Localiser) -> str:
    """Strong, weak or none: what a region's value means for this localiser."""
    if value is None:
        return NOT_MEASURED
    if localiser.strong is None or localiser.weak is None:
        return UNCALIBRATED
    if value >= localiser.strong:
        return "strong"
    return "weak" if value >= localiser.weak else "none"


def region_of(evidence_id: str) -> str | None:
    """The region that an evidence id like "E15" speaks of; None for other evidence."""
    number = int(evidence_id.removeprefix("E")) - FIRST
    return REGIONS[number] if 0 <= number < len(REGIONS) else None


def _over(heat: np.ndarray, area: np.ndarray, localiser: Localiser) -> float | None:
    inside = heat[area > 0]
    return localiser.over_region(inside) if inside.size else None
