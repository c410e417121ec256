"""How near pictures are to what a detector learnt from: a figure means little without it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tools.forge.forgery import FAMILIES
from tools.training.data.forgery_pool import HELD_OUT_FAMILY

TrainingOverlap = Literal["learnt", "left out", "other source", "not said"]
TRAINING_OVERLAPS: tuple[TrainingOverlap, ...] = ("learnt", "left out", "other source", "not said")

DFDC = "dfdc"
_OTHER_NAMES = {"video_deepfake": DFDC}


@dataclass(frozen=True, slots=True)
class TrainingFamilies:
    """The families of forgeries that a detector, or the encoder below it, was trained on.

    `ours`: on photographs of LFW's training people, forged by our forge. Then the forge's other
    families are left out; for a detector of other sources everything here is of another source.
    """

    families: frozenset[str]
    ours: bool

    def __or__(self, other: "TrainingFamilies") -> "TrainingFamilies":
        return TrainingFamilies(self.families | other.families, self.ours or other.ours)


POCKET_FAMILIES = TrainingFamilies(frozenset({*FAMILIES, DFDC} - {HELD_OUT_FAMILY}), ours=True)
"""The pocket encoder, its heads and the words that it knows."""

NO_SHARED_FAMILIES = TrainingFamilies(frozenset(), ours=False)


def read_training_families(
    settings: Mapping[str, Any] | None, *, below: TrainingFamilies | None
) -> TrainingFamilies | None:
    """What `detector.json` says in its `families`; None where it does not say.

    `below` is what the encoder knows whose features, or weights, the detector began with.
    """
    said = (settings or {}).get("families")
    if said is None:
        return below
    own = TrainingFamilies(frozenset(_OTHER_NAMES.get(it, it) for it in _names(said)), ours=True)
    return own if below is None else own | below


def _names(said: object) -> Iterable[str]:
    return (str(it) for it in said) if isinstance(said, (list, tuple)) else (str(said),)


def training_overlap(
    training_families: TrainingFamilies | None, *, family: str, source: str
) -> TrainingOverlap:
    """Of the pictures of one family and source; `source` "lfw" is where our forge was at work."""
    if training_families is None:
        return "not said"
    if family in training_families.families:
        return "learnt"
    return "left out" if training_families.ours and source == "lfw" else "other source"
