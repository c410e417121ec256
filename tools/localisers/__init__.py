"""Localisers say where on a face the signs of forgery lie; one file each, one table.

They work with the encoder and the linear head that are loaded already. `LOCALISERS` lists them,
the better first; the first that works with an encoder makes the map. `regions.py` reads a map by
named parts of the face, `overlay.py` draws it. To add one, write a function and a row.
"""

import numpy as np

from tools.errors import ToolError
from tools.faces import Face
from tools.localisers import occlusion, tower_map
from tools.localisers.overlay import heat_overlay
from tools.localisers.protocol import Head, Localiser, MapEncoder
from tools.localisers.regions import REGIONS, Located, located_by, region_of

LOCALISERS: tuple[Localiser, ...] = (
    Localiser(
        "tower_map",
        tower_map.tower_map,
        over_region=lambda inside: float(np.quantile(inside, 0.8)),
        unit="logit",
        method=tower_map.METHOD,
        limits=tower_map.LIMITS,
        strong=tower_map.STRONG_LOGITS,
        weak=tower_map.WEAK_LOGITS,
    ),
    Localiser(
        "occlusion",
        occlusion.lost_score,
        over_region=lambda inside: float(inside.mean()),
        unit="logit",
        method=occlusion.METHOD,
        limits=occlusion.LIMITS,
        strong=None,
        weak=None,
    ),
)


def locate(pixels: np.ndarray, face: Face, *, encoder: MapEncoder, head: Head) -> Located:
    """Say where the signs of forgery lie on a face in a picture (h, w, 3) uint8 RGB.

    Raises ToolError when the face has no landmarks, by which its parts are told apart.
    """
    for localiser in LOCALISERS:
        located = located_by(localiser, pixels, face, encoder=encoder, head=head)
        if located is not None:
            return located
    raise ToolError("nothing here can make a map of this face")


__all__ = ["LOCALISERS", "REGIONS", "Localiser", "Located", "heat_overlay", "locate", "region_of"]
