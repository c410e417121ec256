"""Score calibration and conformal inconclusive bands.

Logistic calibration and fusion (`LogisticCalibrator`), the conformal review band
(`InconclusiveBand`) and the percentile of a score among authentic photographs
(`ReferenceDistribution`). Parameters are data, fitted person-disjoint by
`tools.training.calibration.verdict`; nothing is trained here.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Scores = Mapping[str, float | None]
"""Raw scores by name; None is *not measured*."""


@dataclass(frozen=True, slots=True)
class LogisticCalibrator:
    """p = sigmoid(bias + Σ weight · (score − mean) / scale): Platt scaling of one or more scores.

    With several scores this is the logistic fusion of `methods`: an L2-regularised regression on
    standardised scores. If one score is missing, so is the probability.
    """

    features: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def logit(self, scores: Scores) -> float | None:
        """The fused log-odds, or None if a required score was not measured."""
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
        """The calibrated probability in (0, 1), or None if a score is missing."""
        logit = self.logit(scores)
        return None if logit is None else float(1.0 / (1.0 + np.exp(-np.clip(logit, -40, 40))))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LogisticCalibrator":
        """From the output of `dataclasses.asdict`."""
        return cls(
            features=tuple(data["features"]),
            means=tuple(data["means"]),
            scales=tuple(data["scales"]),
            weights=tuple(data["weights"]),
            bias=float(data["bias"]),
        )


BandPosition = Literal["low", "within", "high"]
"""Position of a probability: below its inconclusive band, within it, or above."""


@dataclass(frozen=True, slots=True)
class InconclusiveBand:
    """Probabilities from `low` to `high`, both edges included, are inconclusive.

    For an unseen person, a sample for which the claim is false exceeds `high` with a probability of
    at most `alpha_high`, and one for which it is true lies below `low` with a probability of at
    most `alpha_low` (conformal prediction for hierarchical data: Lee, Barber & Willett 2023; the
    samples of one person are a cluster, so many photos of a few persons guarantee little).
    `persons_false` and `persons_true` are the numbers of persons; with fewer than 1/α − 1 there is
    no guarantee, and that edge is 1, or 0. They are None if not counted.
    """

    low: float
    high: float
    alpha_low: float
    alpha_high: float
    persons_false: int | None = None
    persons_true: int | None = None

    @property
    def guarantees_high(self) -> bool:
        """Whether there were enough persons for a guarantee above the band."""
        return self.high < 1 and _enough(self.persons_false, self.alpha_high)

    @property
    def guarantees_low(self) -> bool:
        """Whether there were enough persons for a guarantee below the band."""
        return self.low > 0 and _enough(self.persons_true, self.alpha_low)

    def place(self, probability: float) -> BandPosition:
        """'low', 'within' or 'high'; values equal to an edge are within."""
        if probability > self.high:
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
        persons_false: Sequence[Hashable] | None = None,
        persons_true: Sequence[Hashable] | None = None,
    ) -> "InconclusiveBand":
        """Fit both edges; if well-separated classes make the edges cross, both move to the middle.

        `persons_false` and `persons_true` name the person in each sample; without them each sample
        counts as one person. The band always contains 0.5: a claim that is more likely wrong than
        right is never made, even if few validation samples contradict it.
        """
        false, count_false = _weighed(probabilities_false, persons_false)
        true, count_true = _weighed([1.0 - it for it in probabilities_true], persons_true)
        high, low = _upper(false, alpha_high), 1.0 - _upper(true, alpha_low)
        if low > high:
            low = high = (low + high) / 2
        low, high = min(low, 0.5), max(high, 0.5)
        return cls(low, high, alpha_low, alpha_high, count_false, count_true)


_Weighed = list[tuple[float, float]]
"""Values in ascending order with their weights; the weight missing to 1 lies above them all."""


def _weighed(values: Sequence[float], persons: Sequence[Hashable] | None) -> tuple[_Weighed, int]:
    """Give every person equal weight, including one unseen person; also returns their number."""
    of = list(range(len(values))) if persons is None else list(persons)
    counts = Counter(of)
    weights = [1.0 / ((len(counts) + 1) * counts[person]) for person in of]
    return sorted(zip(map(float, values), weights, strict=True)), len(counts)


def _upper(weighed: _Weighed, alpha: float, *, otherwise: float = 1.0) -> float:
    """The lowest value with at least 1 − alpha of the weight at or below it, or `otherwise`."""
    total = 0.0
    for value, weight in weighed:
        total += weight
        if total >= 1.0 - alpha - 1e-9:
            return value
    return otherwise


def conformal_threshold(
    values: Sequence[float], alpha: float, *, persons: Sequence[Hashable]
) -> float:
    """Value that a sample of an unseen person exceeds with probability ≤ alpha; otherwise infinity.

    Like `InconclusiveBand.fit`, for values of any unit.
    """
    weighed, count = _weighed(values, persons)
    return _upper(weighed, alpha, otherwise=float("inf")) if _enough(count, alpha) else float("inf")


def _enough(persons: int | None, alpha: float) -> bool:
    return persons is None or persons + 1 >= 1 / alpha - 1e-9


@dataclass(frozen=True, slots=True)
class ReferenceDistribution:
    """Distribution of one score over authentic validation photographs, as 101 quantiles."""

    quantiles: tuple[float, ...]

    def share_below(self, value: float) -> float:
        """The share (0..1) of authentic photographs that score lower than `value`."""
        return float(np.searchsorted(self.quantiles, value, side="left") / len(self.quantiles))

    def quantile(self, share: float) -> float:
        """The score that `share` (0..1) of authentic photographs do not exceed."""
        return self.quantiles[round(share * (len(self.quantiles) - 1))]

    @classmethod
    def fit(cls, values: Sequence[float]) -> "ReferenceDistribution":
        """From the scores of authentic photographs."""
        return cls(tuple(float(q) for q in np.quantile(values, np.linspace(0, 1, 101))))


def to_json(value: LogisticCalibrator | InconclusiveBand | ReferenceDistribution) -> dict[str, Any]:
    """The parameters as a JSON-serialisable dict."""
    return asdict(value)
