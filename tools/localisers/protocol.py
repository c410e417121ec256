"""What a localiser is, and what it works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from tools.gallery.indexing.analysis import ImageEncoder
from tools.localisers.overlay import FULL_HEAT

if TYPE_CHECKING:
    import torch


class MapEncoder(ImageEncoder, Protocol):
    """An encoder whose tower may make a map of its own; `tools.encoder.clip.Encoder` is one."""

    def evidence_map(self, image: np.ndarray, *, size: int | None = None) -> np.ndarray | None:
        """(s, s) float32 logits, looked at at `size` px; None: the architecture makes no map."""


class ScoringHead(Protocol):
    """Scores features, higher is more forged; a face detector."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, d) features to (n,) scores."""


@runtime_checkable
class GradientEncoder(Protocol):
    """An encoder whose features can be differentiated; `tools.encoder.clip.Encoder` is one."""

    @property
    def model(self) -> "torch.nn.Module":
        """The network; its image tower is `visual`."""

    def preprocess(self, images: Sequence[np.ndarray]) -> "torch.Tensor":
        """Pictures (h, w, 3) uint8 RGB to the network's input (n, 3, s, s)."""

    def forward(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Input to features (n, d), differentiable."""


@runtime_checkable
class LinearHead(Protocol):
    """A head whose score is `features @ weight + bias`, (d,) and a number."""

    @property
    def weight(self) -> np.ndarray:
        """(d,)."""

    @property
    def bias(self) -> float:
        """Added to every score."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, d) features to (n,) scores."""


class HeatmapFunction(Protocol):
    """The one thing that a localiser does."""

    def __call__(
        self, crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead
    ) -> np.ndarray | None:
        """The aligned crop (s, s, 3) uint8 RGB to (s, s) float32; None: not with this encoder."""


@dataclass(frozen=True, slots=True)
class Localiser:
    """A way to make a heat map, and how its regions are to be read.

    From `strong` and `weak` on (in the heat's unit) a region reads so; None where that was never
    calibrated: then the map can be looked at, and nothing may be said of a region. From
    `full_heat` on its colour no longer grows.
    """

    name: str
    heatmap: HeatmapFunction
    aggregate_region: Callable[[np.ndarray], float]
    unit: str
    method: str
    limits: str
    strong: float | None = None
    weak: float | None = None
    full_heat: float = FULL_HEAT
