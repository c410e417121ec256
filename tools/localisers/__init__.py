"""Localisers say where on a face the signs of forgery lie; one file each, one table.

They work with the encoder and the linear head that are loaded already. `LOCALISERS` lists them,
the better first; the first that works with an encoder makes the map. `regions.py` reads a map by
named parts of the face, `overlay.py` draws it. To add one, write a function and a row.
"""

from dataclasses import dataclass

import numpy as np

from tools.alignment import aligned_crop, crop_matrix, transform
from tools.errors import ToolError
from tools.evidence import Evidence
from tools.faces import Face
from tools.localisers import occlusion, tower_map
from tools.localisers.overlay import heat_overlay
from tools.localisers.protocol import Head, Localiser, MapEncoder
from tools.localisers.regions import REGIONS, region_evidence, region_of

LOCALISERS: tuple[Localiser, ...] = (
    Localiser(
        tower_map.tower_map,
        over_region=lambda inside: float(np.quantile(inside, 0.8)),
        unit="logit",
        method=tower_map.METHOD,
        limits=tower_map.LIMITS,
        strong=tower_map.STRONG_LOGITS,
        weak=tower_map.WEAK_LOGITS,
    ),
    Localiser(
        occlusion.lost_score,
        over_region=lambda inside: float(inside.mean()),
        unit="logit",
        method=occlusion.METHOD,
        limits=occlusion.LIMITS,
        strong=None,
        weak=None,
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A face with its heat map and what the map says of each region.

    `crop` (s, s, 3) uint8 RGB is the aligned face; `heat` (s, s) float32 in the evidence's unit.
    """

    crop: np.ndarray
    heat: np.ndarray
    evidence: tuple[Evidence, ...]

    @property
    def limits(self) -> str:
        """What the map does not say."""
        return self.evidence[0].limits


def locate(pixels: np.ndarray, face: Face, *, encoder: MapEncoder, head: Head) -> Located:
    """Say where the signs of forgery lie on a face in a picture (h, w, 3) uint8 RGB.

    Raises ToolError when the face has no landmarks, by which its parts are told apart.
    """
    if face.landmarks is None:
        raise ToolError("its regions cannot be told apart: the face has no landmarks")
    size, margin = encoder.image_size, encoder.face_margin
    crop = aligned_crop(pixels, face.keypoints, size=size, margin=margin)
    landmarks = transform(face.landmarks, crop_matrix(face.keypoints, size=size, margin=margin))
    for localiser in LOCALISERS:
        heat = localiser.heat(crop, encoder=encoder, head=head)
        if heat is not None:
            return Located(crop, heat, region_evidence(heat, landmarks, localiser=localiser))
    raise ToolError("nothing here can make a map of this face")


__all__ = ["LOCALISERS", "REGIONS", "Localiser", "Located", "heat_overlay", "locate", "region_of"]
