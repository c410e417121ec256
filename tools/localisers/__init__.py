"""Forgery localisation: heat maps of the signs of forgery on a face, and where they are strong.

Localisers use the encoder and linear head that are already loaded. `LOCALISERS` lists them, best
first; the first one that supports an encoder makes the map. `optional_localisers` gives further
ones for `localise_with`, for display and comparison. `regions.py` summarises a map by named parts
of the face, `overlay.py` draws it. To add one, write a function and a row.
"""

from collections.abc import Iterable

import numpy as np

from tools.errors import ToolError
from tools.faces.analyser import Face
from tools.localisers import grad_cam, occlusion, relevance, tower_map
from tools.localisers.artefact_boxes import BoxDetector, artefact_boxes
from tools.localisers.gradients import UNIT
from tools.localisers.overlay import overlay_heatmap
from tools.localisers.protocol import Localiser, MapEncoder, ScoringHead
from tools.localisers.regions import REGIONS, Localisation, evidence_region, localise_with


def _mean(inside: np.ndarray) -> float:
    return float(inside.mean())


LOCALISERS: tuple[Localiser, ...] = (
    Localiser(
        "tower_map",
        tower_map.tower_map,
        aggregate_region=lambda inside: float(np.quantile(inside, 0.8)),
        unit="logit",
        method=tower_map.METHOD,
        limits=tower_map.LIMITS,
        strong=tower_map.STRONG_LOGITS,
        weak=tower_map.WEAK_LOGITS,
    ),
    # Before occlusion: one forward and backward pass instead of 65 forward passes, which take over
    # a minute with a ViT-L.
    Localiser(
        "relevance",
        relevance.relevance_map,
        aggregate_region=_mean,
        unit=UNIT,
        method=relevance.METHOD,
        limits=relevance.LIMITS,
    ),
    Localiser(
        "occlusion",
        occlusion.occlusion_map,
        aggregate_region=_mean,
        unit="logit",
        method=occlusion.METHOD,
        limits=occlusion.LIMITS,
    ),
)

OPTIONAL_LOCALISERS: tuple[Localiser, ...] = (
    Localiser(
        "grad_cam",
        grad_cam.grad_cam,
        aggregate_region=_mean,
        unit=UNIT,
        method=grad_cam.METHOD,
        limits=grad_cam.LIMITS,
    ),
    Localiser(
        "rollout",
        relevance.rollout_map,
        aggregate_region=_mean,
        unit=UNIT,
        method=relevance.ROLLOUT_METHOD,
        limits=relevance.ROLLOUT_LIMITS,
    ),
)
"""Never chosen automatically: no better than those above, or independent of the detector."""


def optional_localisers(detectors: Iterable[object]) -> tuple[Localiser, ...]:
    """`OPTIONAL_LOCALISERS`, then a box localiser for each of the `detectors` that has boxes."""
    boxes = (artefact_boxes(it) for it in detectors if isinstance(it, BoxDetector))
    return (*OPTIONAL_LOCALISERS, *boxes)


def localise_forgery(
    pixels: np.ndarray, face: Face, *, encoder: MapEncoder, head: ScoringHead
) -> Localisation:
    """Localise signs of forgery on a face in an image (h, w, 3) uint8 RGB.

    Raises ToolError if the face has no landmarks, which define its regions.
    """
    for localiser in LOCALISERS:
        located = localise_with(localiser, pixels, face, encoder=encoder, head=head)
        if located is not None:
            return located
    raise ToolError("nothing here can make a map of this face")


__all__ = [
    "LOCALISERS",
    "OPTIONAL_LOCALISERS",
    "REGIONS",
    "Localisation",
    "Localiser",
    "evidence_region",
    "localise_forgery",
    "localise_with",
    "optional_localisers",
    "overlay_heatmap",
]
