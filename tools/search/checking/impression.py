"""What a network names about a picture: an impression in words, never a measurement.

No verdict, ranking or evidence reads it; it is only shown, and always with its label.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

IMPRESSION_LABEL = "The model's impression, not a measurement"
NO_IMPRESSION = "none: the network that looks at pictures is missing; `unmask setup` brings it"
"""Shown instead of an impression without `unmask setup`."""

NOTHING_NAMED = "nothing that it is sure enough to name"


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that is named, its calibrated probability (0..1), and how far to trust it."""

    what: str
    probability: float
    remark: str = ""

    @property
    def text(self) -> str:
        """The thing with its probability, as "a screenshot (97 %)"."""
        percent = min(99, round(100 * self.probability))
        return f"{self.what} ({percent} %{f'; {self.remark}' if self.remark else ''})"

    def to_json(self) -> dict[str, str | float]:
        """A JSON-able dict."""
        remark = {"remark": self.remark} if self.remark else {}
        return {"what": self.what, "probability": round(self.probability, 3), **remark}


Impression = tuple[Seen, ...]
"""Everything that is named about a picture; empty if the network is sure of nothing."""

Look = Callable[[np.ndarray, np.ndarray | None], Impression]
"""Looks at a picture (h, w, 3) uint8 RGB, and at its face by keypoints (5, 2) px, if given."""


def impression_text(impression: Impression | None) -> str:
    """The impression in words; None is one that could not be formed for want of the network."""
    if impression is None:
        return NO_IMPRESSION
    return ", ".join(it.text for it in impression) or NOTHING_NAMED
