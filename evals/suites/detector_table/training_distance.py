"""How close test pictures are to a detector's training data, without which its figures mean
little."""

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
    """The forgery families on which a detector, or the encoder below it, was trained.

    `ours`: forged by our forge on photographs of LFW's training people; the forge's other families
    are then held out. For a detector trained on other sources, everything here is another source.
    """

    families: frozenset[str]
    ours: bool

    def __or__(self, other: "TrainingFamilies") -> "TrainingFamilies":
        return TrainingFamilies(self.families | other.families, self.ours or other.ours)


POCKET_FAMILIES = TrainingFamilies(frozenset({*FAMILIES, DFDC} - {HELD_OUT_FAMILY}), ours=True)
"""The pocket encoder, its heads and its prompts."""

NO_SHARED_FAMILIES = TrainingFamilies(frozenset(), ours=False)


def read_training_families(
    settings: Mapping[str, Any] | None, *, below: TrainingFamilies | None
) -> TrainingFamilies | None:
    """The `families` entry of `detector.json`; None if there is none.

    `below` are the families of the encoder on whose features, or weights, the detector is based.
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
    """Overlap for the pictures of one family and source; `source` "lfw" means our forge."""
    if training_families is None:
        return "not said"
    if family in training_families.families:
        return "learnt"
    return "left out" if training_families.ours and source == "lfw" else "other source"
