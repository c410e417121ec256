"""Calibration of detectors: logits to probabilities, and an inconclusive band.

Three published `methods`: temperature scaling σ(z / T) (Guo et al., ICML 2017, section 4.2), Platt
scaling σ(a·z + b) (1999), and isotonic regression (Zadrozny & Elkan, KDD 2002), which overfits with
fewer than `MIN_ISOTONIC_SAMPLES` samples per class. A calibration is valid for one detector, one
checkpoint and one preprocessing only.
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
"""Minimum per class; with fewer samples isotonic regression fits noise."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Parameters of one calibrator, and the data it was fitted on.

    `knots` are (logit, probability) pairs for `isotonic`; `temperature` and `platt` have none and
    give p = σ(slope · z + bias). `fitted_on` names the data, their sha256 and the number of
    persons. Does not show: anything about other sources; a calibrator fitted on news photographs is
    overconfident on video frames.
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
        """Whether it was fitted for this detector, checkpoint and preprocessing."""
        asked = qualified_name(detector), detector.sha256, detector.preprocessing
        return asked == (self.detector, self.checkpoint, self.preprocessing)

    @property
    def is_increasing(self) -> bool:
        """Whether the probability rises with the logit; if not, the detector learned nothing."""
        return self.slope > 0

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Logits (n,) to probabilities of forgery (n,) in 0..1; NaN stays NaN."""
        wide = np.asarray(logits, np.float64)
        if self.method == "isotonic":
            at, values = np.array(self.knots).T
            found = np.interp(wide, at, values)
            return np.where(np.isnan(wide), np.nan, found)
        return _sigmoid(self.slope * wide + self.bias)

    def save(self, path: Path) -> None:
        """Save as JSON for `load`."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path) -> "Calibration":
        """Load from JSON; raises SetupError if the file is damaged."""
        try:
            return cls.from_json(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SetupError(f"the calibration {path} cannot be read: {error}") from error

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Calibration":
        """From the output of `dataclasses.asdict`."""
        knots = tuple((float(at), float(value)) for at, value in data["knots"])
        return cls(**{**data, "knots": knots, "band": InconclusiveBand(**data["band"])})


class HasPreprocessing(DetectorMetadata, Protocol):
    """A detector that describes its preprocessing."""

    @property
    def preprocessing(self) -> str:
        """A description, or the encoder's mode."""


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
    """Fit a calibrator and its conformal band on logits (n,) and labels (n,), without NaN rows.

    Default `method`: isotonic if there are enough samples, otherwise Platt. Classes have equal
    weight, so a probability is for prior odds of one to one. At most `alpha_high` of authentic
    images lie above the band and `alpha_low` of forgeries below it; `persons` (n,) names the person
    in each image, so that many images of one person count once. The band may be fitted on the same
    data as the calibrator: a calibrator keeps the order of scores, and a plateau of isotonic
    regression, which maps many logits to one probability, never lies beyond an edge of the band.
    Raises ValueError if a class is missing, and for isotonic regression on too few samples.
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

    # Never exactly 0 or 1: a finite sample cannot show that something is impossible.
    edge = 1 / (2 * min(labels.sum(), (~labels).sum()))
    model = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip")
    model.fit(scores, labels.astype(float), weights)
    knots = tuple(zip(model.X_thresholds_.tolist(), model.y_thresholds_.tolist(), strict=True))
    return 1.0, 0.0, knots


_FITTED = {"temperature": _temperature, "platt": _platt, "isotonic": _isotonic}


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60, 60))))
