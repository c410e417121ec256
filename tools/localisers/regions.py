"""Region evidence E11 to E17: a heat map summarised over the named parts of the aligned face."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import aligned_crop, crop_matrix, transform_points
from tools.faces.analyser import Face
from tools.forge.masks import face_region_masks
from tools.localisers.map_scales import NO_FINDING_TEXT, MapThreshold, map_threshold
from tools.localisers.protocol import Localiser, MapEncoder, ScoringHead
from tools.verdict.clauses import join_with_and
from tools.verdict.evidence import FIRST_RERANK_NUMBER, MEASURES, Evidence
from tools.verdict.interpretation import UNCALIBRATED
from tools.verdict.units import NOT_MEASURED

STRONG, WEAK, NO_SIGNS = "strong", "weak", "none"

REGIONS = ("left eye", "right eye", "eyebrows", "nose", "mouth", "skin", "face boundary")
"""In the order of their evidence; left and right as seen in the image."""

_EYES = REGIONS[:2]

FIRST_REGION_NUMBER = len(MEASURES) + 1
"""Evidence number of the first region."""

if FIRST_REGION_NUMBER + len(REGIONS) != FIRST_RERANK_NUMBER:
    raise ValueError("the evidence numbers of regions and of reranking overlap")


@dataclass(frozen=True, slots=True, eq=False)
class Localisation:
    """A face with its heat map and the evidence for each region.

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
        """The heat map to display: zeros if it is known that nothing stands out."""
        read = any(item.reads in (STRONG, WEAK, NO_SIGNS) for item in self.evidence)
        return np.zeros_like(self.heatmap) if read and not self.has_finding else self.heatmap

    @property
    def text(self) -> str:
        """The map in words: the regions that stand out most."""
        for reads in (STRONG, WEAK):
            named = [evidence_region(item.id) for item in self.evidence if item.reads == reads]
            if named:
                return f"{reads} signs of forgery: {', '.join(name for name in named if name)}"
        if any(item.reads == UNCALIBRATED for item in self.evidence):
            found = "places to look at" if self.heatmap.max() > 0 else "no place stands out"
            return f"{found}; {UNCALIBRATED}, so no part of the face is read by it"
        return NO_FINDING_TEXT

    @property
    def limits(self) -> str:
        """What the map does not show."""
        return self.evidence[0].limits


def localise_with(
    localiser: Localiser, pixels: np.ndarray, face: Face, *, encoder: MapEncoder, head: ScoringHead
) -> Localisation | None:
    """One localiser's map of a face in an image; None if it does not support this encoder.

    Raises ToolError if the face has no landmarks, which define its regions.
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
    """One piece of evidence per region, from E11 (left eye) to E17 (face boundary).

    `heat` (s, s) from the localiser; `landmarks` (68, 2) iBUG in its pixels. A region outside the
    crop is not measured; values that authentic photographs also reach read "none".
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


def regions_in_words(names: Sequence[str]) -> str:
    """Regions as one phrase: "both eyes and the nose", "nearly the whole face"."""
    if len(names) >= len(REGIONS) - 1:
        return "nearly the whole face"
    eyes = [name for name in names if name.endswith(" eye")]
    rest = [f"the {name}" for name in names if name not in eyes or len(eyes) < len(_EYES)]
    return join_with_and([*(["both eyes"] if len(eyes) == len(_EYES) else []), *rest])


def interpret_region(
    value: float | None, localiser: Localiser, *, scale: MapThreshold | None = None
) -> str:
    """Strong, weak or none: the interpretation of a region's value for this localiser."""
    if value is None:
        return NOT_MEASURED
    if localiser.strong is None or localiser.weak is None:
        return UNCALIBRATED
    if value < localiser.weak or (scale is not None and value <= scale.finding):
        return NO_SIGNS
    return STRONG if value >= localiser.strong else WEAK


def evidence_region(evidence_id: str) -> str | None:
    """The region of an evidence id such as "E15"; None for other evidence."""
    number = int(evidence_id.removeprefix("E")) - FIRST_REGION_NUMBER
    return REGIONS[number] if 0 <= number < len(REGIONS) else None


def _over(heat: np.ndarray, area: np.ndarray, localiser: Localiser) -> float | None:
    inside = heat[area > 0]
    return localiser.aggregate_region(inside) if inside.size else None
