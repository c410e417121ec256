"""From a heat map over the aligned face to evidence about its named parts: E11 to E17."""

import numpy as np

from tools.evidence import MEASURES, Evidence
from tools.forge_masks import face_regions
from tools.handles import NOT_MEASURED

REGIONS = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary")
"""In the order of their evidence; left and right as seen in the picture."""

FIRST = len(MEASURES) + 1
"""The number of the first region's evidence."""

STRONG_LOGITS, WEAK_LOGITS = 1.0, 0.5
"""Mean score lost over a region from which it is read as strong, and as weak."""

METHOD = "mean loss of the face's forgery score when patches of the region are blurred (occlusion)"
LIMITS = "Says where this detector's score comes from, not what was changed or how."


def region_evidence(heat: np.ndarray, landmarks: np.ndarray) -> tuple[Evidence, ...]:
    """One piece of evidence a region, E11 the left eye to E17 the face's boundary.

    `heat` (h, w) in logits as `lost_score` gives it; `landmarks` (68, 2) iBUG in its pixels. A
    region that lies outside of the crop is not measured.
    """
    areas = face_regions(np.asarray(landmarks, np.float32), heat.shape)
    values = [_mean(heat, areas[name]) for name in REGIONS]
    return tuple(
        Evidence(
            id=f"E{number}",
            score=f"region/{name}",
            name=f"forgery score lost when the {name} is hidden",
            value=value,
            unit="logit",
            method=METHOD,
            limits=LIMITS,
            reads=read_region(value),
        )
        for number, (name, value) in enumerate(zip(REGIONS, values, strict=True), start=FIRST)
    )


def read_region(value: float | None) -> str:
    """Strong, weak or none: how much of the score rests on a region."""
    if value is None:
        return NOT_MEASURED
    if value >= STRONG_LOGITS:
        return "strong"
    return "weak" if value >= WEAK_LOGITS else "none"


def region_of(evidence_id: str) -> str | None:
    """The region that an evidence id like "E15" speaks of; None for other evidence."""
    number = int(evidence_id.removeprefix("E")) - FIRST
    return REGIONS[number] if 0 <= number < len(REGIONS) else None


def _mean(heat: np.ndarray, area: np.ndarray) -> float | None:
    size = float(area.sum())
    return float((heat * area).sum() / size) if size >= 1 else None
