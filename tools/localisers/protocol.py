"""Localiser protocols: heat map functions, and the encoders and heads they use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from tools.gallery.indexing.analysis import ImageEncoder
from tools.localisers.overlay import FULL_HEAT

if TYPE_CHECKING:
    import torch


class MapEncoder(ImageEncoder, Protocol):
    """An encoder that may have its own forgery map; `tools.encoder.clip.Encoder` is one."""

    def evidence_map(self, image: np.ndarray, *, size: int | None = None) -> np.ndarray | None:
        """(s, s) float32 logits, computed at `size` px; None: the architecture has no map."""


class ScoringHead(Protocol):
    """A face detector on features; higher is more forged."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) to scores (n,)."""


@runtime_checkable
class GradientEncoder(Protocol):
    """An encoder with differentiable features; `tools.encoder.clip.Encoder` is one."""

    @property
    def model(self) -> "torch.nn.Module":
        """The network; its image tower is `visual`."""

    def preprocess(self, images: Sequence[np.ndarray]) -> "torch.Tensor":
        """Images (h, w, 3) uint8 RGB to the network's input (n, 3, s, s)."""

    def forward(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Input to features (n, d); differentiable."""


@runtime_checkable
class LinearHead(Protocol):
    """A head with score `features @ weight + bias`: (d,) and a number."""

    @property
    def weight(self) -> np.ndarray:
        """(d,)."""

    @property
    def bias(self) -> float:
        """Added to every score."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d) to scores (n,)."""


class HeatmapFunction(Protocol):
    """The function of a localiser."""

    def __call__(
        self, crop: np.ndarray, *, encoder: MapEncoder, head: ScoringHead
    ) -> np.ndarray | None:
        """Aligned crop (s, s, 3) uint8 RGB to a map (s, s) float32; None: encoder not supported."""


@dataclass(frozen=True, slots=True)
class Localiser:
    """A heat map method, and how to interpret its regions.

    A region reads strong or weak from the thresholds `strong` and `weak` on (in the heat's unit).
    They are None if not calibrated: then the map can be displayed, but no region may be
    interpreted. `full_heat` is the top of the colour scale.
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
