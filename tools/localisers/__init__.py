"""Localisers say where on a face the evidence of forgery lies; one file each, one protocol.

A localiser works on the encoder and the linear head that are loaded already. `occlusion.py` makes
the map, `regions.py` reads it by named parts of the face, `overlay.py` draws it.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.alignment import aligned_crop, crop_matrix, transform
from tools.analysis import ImageEncoder
from tools.errors import ToolError
from tools.evidence import Evidence
from tools.faces import Face
from tools.localisers.occlusion import Head, lost_score
from tools.localisers.overlay import heat_overlay
from tools.localisers.regions import LIMITS, REGIONS, region_evidence, region_of


class Localiser(Protocol):
    """Makes a map of where a face's forgery score comes from; `lost_score` is one."""

    def __call__(self, crop: np.ndarray, *, encoder: ImageEncoder, head: Head) -> np.ndarray:
        """The aligned crop (h, w, 3) uint8 RGB to (h, w) float32 in logits."""


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A face with its heat map and what the map says of each region.

    `crop` (h, w, 3) uint8 RGB is the aligned face; `heat` (h, w) float32, logits lost.
    """

    crop: np.ndarray
    heat: np.ndarray
    evidence: tuple[Evidence, ...]


def locate(
    pixels: np.ndarray,
    face: Face,
    *,
    encoder: ImageEncoder,
    head: Head,
    localiser: Localiser = lost_score,
) -> Located:
    """Say where the forgery score of a face in a picture (h, w, 3) uint8 RGB comes from.

    Raises ToolError when the face has no landmarks, by which its parts are told apart.
    """
    if face.landmarks is None:
        raise ToolError("its regions cannot be told apart: the face has no landmarks")
    size, margin = encoder.image_size, encoder.face_margin
    crop = aligned_crop(pixels, face.keypoints, size=size, margin=margin)
    landmarks = transform(face.landmarks, crop_matrix(face.keypoints, size=size, margin=margin))
    heat = localiser(crop, encoder=encoder, head=head)
    return Located(crop, heat, region_evidence(heat, landmarks))


__all__ = [
    "LIMITS",
    "REGIONS",
    "Localiser",
    "Located",
    "heat_overlay",
    "locate",
    "lost_score",
    "region_of",
]
