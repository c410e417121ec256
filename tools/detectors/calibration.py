"""A detector's logits to calibrated probabilities, and the band in which it should not decide.

Three calibrators (`methods` as published): temperature σ(z / T) (Guo et al., ICML 2017, section
4.2), Platt's σ(a·z + b) (1999), and isotonic regression (Zadrozny & Elkan, KDD 2002), which needs
`MIN_ISOTONIC_SAMPLES` samples of each kind before it is more than a drawing of the noise. One
belongs to one detector, one checkpoint and one way of preparing pictures; on others it says
nothing.
"""

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from tools.detectors.protocol import DetectorMetadata, qualified_name
from tools.errors import SetupError
from tools.verdict.calibration import InconclusiveBand

CalibrationMethod = Literal["temperature", "platt", "isotonic"]
CALIBRATION_FILE = "calibration.json"
MIN_ISOTONIC_SAMPLES = 1000
"""Samples of each kind; with fewer isotonic regression follows chance."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Parameters of one calibrator, and what they were fitted on.

    `knots` are (logit, probability) pairs: of `temperature` and `platt` there are none, and
    p = σ(slope · z + bias). `fitted_on` says of which data, of how many persons, and by its sha256.
    Does not show: anything about other sources; a calibrator fitted on news photographs is too
    sure of itself on video frames.
    """

    detector: str
    checkpoint: str
    preprocessing: str
    method: CalibrationMethod
    slope: float
    bias: float
    knots: tuple[tuple[float, float], ...]
    band: InconclusiveBand
    fitted_on: Mapping[str, Any]

    def matches_detector(self, detector: "HasPreprocessing") -> bool:
        """Whether it was fitted for this detector, this checkpoint and this preprocessing."""
        asked = qualified_name(detector), detector.sha256, detector.preprocessing
        return asked == (self.detector, self.checkpoint, self.preprocessing)

    @property
    def is_increasing(self) -> bool:
        """Whether a higher logit means a higher probability; where not, nothing was learnt."""
        return self.slope > 0

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(n,) logits to (n,) probabilities of forgery in 0..1; NaN stays NaN."""
        wide = np.asarray(logits, np.float64)
        if self.method == "isotonic":
            at, values = np.array(self.knots).T
            found = np.interp(wide, at, values)
            return np.where(np.isnan(wide), np.nan, found)
        return _sigmoid(self.slope * wide + self.bias)

    def save(self, path: Path) -> None:
        """Write what `load` reads."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Read one; raises SetupError when the file is damaged."""
        try:
            return cls.from_json(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetupError(f"the calibration {path} cannot be read: {error}") from error

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Calibration":
        """What `dataclasses.asdict` gave."""
        knots = tuple((float(at), float(value)) for at, value in data["knots"])
        return cls(**{**data, "knots": knots, "band": InconclusiveBand(**data["band"])})


class HasPreprocessing(DetectorMetadata, Protocol):
    """A detector that says how it prepares pictures."""

    @property
    def preprocessing(self) -> str:
        """In words, or the encoder's mode."""


def fit_calibration(
    detector: HasPreprocessing,
    logits: np.ndarray,
    forged: np.ndarray,
    *,
    fitted_on: Mapping[str, Any],
    method: CalibrationMethod | None = None,
    persons: Sequence[Hashable] | None = None,
    alpha_high: float = 0.02,
    alpha_low: float = 0.10,
) -> Calibration:
    """Fit a calibrator and its conformal band on (n,) logits and labels; NaN rows are left out.

    Without a `method`: isotonic where there is enough data, else Platt. Classes weigh the same,
    so that a probability is for prior odds of one to one. At most `alpha_high` of authentic
    pictures lie above the band and `alpha_low` of forgeries below it; `persons` (n,) names whom
    each picture shows, so that many of one person count once. The edges may be fitted on what the
    calibrator was: one rising score keeps its order in any calibrator, and where isotonic
    regression makes many logits one probability, that plateau is never beyond an edge. Raises
    ValueError where a kind is missing, and for isotonic regression on too few samples.
    """
    known = np.isfinite(logits)
    scores, labels = np.asarray(logits, np.float64)[known], np.asarray(forged, bool)[known]
    fewest = int(min(labels.sum(), (~labels).sum()))
    if not fewest:
        raise ValueError("a calibration needs logits of authentic and of forged pictures")
    chosen: CalibrationMethod = method or (
        "isotonic" if fewest >= MIN_ISOTONIC_SAMPLES else "platt"
    )
    if chosen == "isotonic" and fewest < MIN_ISOTONIC_SAMPLES:
        raise ValueError(
            f"isotonic regression needs {MIN_ISOTONIC_SAMPLES} of each kind, not {fewest}"
        )
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum()) * len(labels)
    slope, bias, knots = _FITTED[chosen](scores, labels, weights)
    provisional = Calibration(
        qualified_name(detector),
        detector.sha256,
        detector.preprocessing,
        chosen,
        slope,
        bias,
        knots,
        InconclusiveBand(0.5, 0.5, alpha_low, alpha_high),
        {},
    )
    found = provisional.probabilities(scores)
    shown = np.arange(len(logits)) if persons is None else np.array(list(map(str, persons)))
    whose = shown[known]
    band = InconclusiveBand.fit(
        found[~labels].tolist(), found[labels].tolist(), alpha_low=alpha_low,
        alpha_high=alpha_high, persons_false=whose[~labels].tolist(),
        persons_true=whose[labels].tolist(),
    )  # fmt: skip
    counts = {"authentic": int((~labels).sum()), "forged": int(labels.sum())}
    return replace(provisional, band=band, fitted_on={**counts, **fitted_on})


_Parameters = tuple[float, float, tuple[tuple[float, float], ...]]


def _temperature(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> _Parameters:
    from scipy.optimize import minimize_scalar

    def loss(log_slope: float) -> float:
        signed = np.where(labels, 1.0, -1.0) * np.exp(log_slope) * scores
        return float((weights * np.logaddexp(0, -signed)).mean())

    found = minimize_scalar(loss, bounds=(-7.0, 7.0), method="bounded")
    return float(np.exp(found.x)), 0.0, ()


def _platt(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> _Parameters:
    from sklearn.linear_model import LogisticRegression

    spread = float(scores.std()) or 1.0
    model = LogisticRegression(C=1e3, max_iter=1000)
    model.fit(scores[:, None] / spread, labels, weights)
    return float(model.coef_[0, 0]) / spread, float(model.intercept_[0]), ()


def _isotonic(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> _Parameters:
    from sklearn.isotonic import IsotonicRegression

    # Never quite 0 or 1: no sample says that something cannot happen.
    edge = 1 / (2 * min(labels.sum(), (~labels).sum()))
    model = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    model.fit(scores, labels.astype(float), weights)
    knots = tuple(zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True))
    return 1.0, 0.0, knots


_FITTED = {"temperature": _temperature, "platt": _platt, "isotonic": _isotonic}


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60))))
