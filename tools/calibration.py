"""From raw scores to calibrated probabilities, and the bands in which nobody should decide.

Logistic calibration and fusion (`Logistic`), the conformal review band (`Band`) and the place of
a score among authentic photographs (`Reference`). Parameters are data, fitted person-disjoint by
`tools.training.verdict`; nothing here is learnt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Scores = Mapping[str, float | None]
"""Raw scores by name; None is *not measured*."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = sigmoid(bias + Σ weight · (score − mean) / scale): Platt scaling with one score or many.

    With several scores this is the logistic fusion of `methods`: an L2-regularised regression on
    standardised scores. A single missing score makes the probability missing.
    """

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def logit(self, scores: Scores) -> float | None:
        """The fused log-odds, or None when any score it needs was not measured."""
        total = self.bias
        for name, mean, scale, weight in zip(
            self.features, self.means, self.scales, self.weights, strict=True
        ):
            value = scores.get(name)
            if value is None or not np.isfinite(value):
                return None
            total += weight * (value - mean) / scale
        return float(total)

    def probability(self, scores: Scores) -> float | None:
        """The calibrated probability in (0, 1), or None when a score is missing."""
        logit = self.logit(scores)
        return None if logit is None else float(1.0 / (1.0 + np.exp(-np.clip(logit, -40, 40))))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Logistic":
        """Read what `dataclasses.asdict` wrote."""
        return cls(
            features=tuple(data["features"]),
            means=tuple(data["means"]),
            scales=tuple(data["scales"]),
            weights=tuple(data["weights"]),
            bias=float(data["bias"]),
        )


@dataclass(frozen=True, slots=True)
class Band:
    """Probabilities from `low` to `high` are inconclusive; edges are split-conformal quantiles.

    `high` is exceeded by at most `alpha_high` of the validation samples for which the claim is
    false, `low` is undercut by at most `alpha_low` of those for which it is true (Vovk et al.,
    split conformal prediction; the edge is the ⌈(n + 1)(1 − α)⌉-th smallest of n). With fewer
    than 1/α − 1 samples there is no such one, nothing can be promised, and the edge is 1, or 0.
    """

    low: float
    high: float
    alpha_low: float
    alpha_high: float

    def place(self, probability: float) -> str:
        """'low', 'within' or 'high'; above an edge at 1 there is nothing."""
        if self.high <= probability and self.high < 1:
            return "high"
        return "low" if probability < self.low else "within"

    @classmethod
    def fit(
        cls,
        probabilities_false: Sequence[float],
        probabilities_true: Sequence[float],
        *,
        alpha_low: float,
        alpha_high: float,
    ) -> "Band":
        """Fit both edges; where the classes are so far apart that they cross, they meet halfway.

        The band always holds 0.5: a claim that is more likely wrong than right is not made, however
        few of the validation samples would have suffered from it.
        """
        high = _conformal_upper(np.asarray(probabilities_false, float), alpha_high)
        low = 1.0 - _conformal_upper(1.0 - np.asarray(probabilities_true, float), alpha_low)
        if low > high:
            low = high = (low + high) / 2
        low, high = min(low, 0.5), max(high, 0.5)
        return cls(low=low, high=high, alpha_low=alpha_low, alpha_high=alpha_high)


def _conformal_upper(values: np.ndarray, alpha: float) -> float:
    rank = int(np.ceil((len(values) + 1) * (1.0 - alpha)))
    return float(np.sort(values)[rank - 1]) if rank <= len(values) else 1.0


@dataclass(frozen=True, slots=True)
class Reference:
    """The distribution of one score over authentic validation photographs, as 101 quantiles."""

    quantiles: tuple[float, ...]

    def share_below(self, value: float) -> float:
        """The share (0..1) of authentic photographs that score lower than `value`."""
        return float(np.searchsorted(self.quantiles, value, side="left") / len(self.quantiles))

    def quantile(self, share: float) -> float:
        """The score that `share` (0..1) of authentic photographs do not exceed."""
        return self.quantiles[round(share * (len(self.quantiles) - 1))]

    @classmethod
    def fit(cls, values: Sequence[float]) -> "Reference":
        """Summarise the scores of authentic photographs."""
        return cls(tuple(float(q) for q in np.quantile(values, np.linspace(0, 1, 101))))


def to_json(value: Logistic | Band | Reference) -> dict[str, Any]:
    """A JSON-able dict of the parameters."""
    return asdict(value)
