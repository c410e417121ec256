"""From the heads' logits to what is named: calibrated probabilities against thresholds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.chat_model.looking.attributes import FACE_PARTS, PICTURE_GROUPS, WHOLE_FACE

NEVER = 2.0
"""A threshold that no probability reaches: the class is never named."""
_LEAST_PART = 0.5


@dataclass(frozen=True, slots=True)
class Named:
    """A class that the model names, with its calibrated probability (0..1)."""

    group: str
    name: str
    probability: float


def name_attributes(logits: np.ndarray, settings: Mapping[str, Any]) -> tuple[Named, ...]:
    """The attributes of one picture whose probability reaches their threshold.

    `logits` (classes,) of all groups in their order; `settings` has temperatures and thresholds.
    "no" is never named.
    """
    found, start = [], 0
    for group, classes in PICTURE_GROUPS.items():
        values = logits[start : start + len(classes)] / settings["temperature"][group]
        start += len(classes)
        chances = np.exp(values - values.max())
        chances = chances / chances.sum()
        at = int(chances.argmax())
        if classes[at] != "no" and chances[at] >= settings["threshold"][group][classes[at]]:
            found.append(Named(group, classes[at], float(chances[at])))
    named = {it.group: it.name for it in found}
    if named.get("faces") not in ("one", "two", "several"):
        found = [it for it in found if it.group != "position"]
    return tuple(found)


def name_place(logits: Sequence[float] | np.ndarray, settings: Mapping[str, Any]) -> Named | None:
    """The place of one aligned face that looks altered; None if none is named.

    `logits` (4,): altered at all, eyes, nose, mouth. The probability is that of any alteration.
    """
    values = np.asarray(logits) * settings["scale"] + settings["shift"]
    altered, *parts = (1 / (1 + np.exp(-values))).tolist()
    if altered < settings["threshold"] or max(parts) < _LEAST_PART:
        return None
    if min(parts) >= _LEAST_PART:
        return Named("altered", WHOLE_FACE, altered)
    return Named("altered", FACE_PARTS[int(np.argmax(parts))], altered)
