"""Temperatures, scales and thresholds, chosen on the calibration split."""

from collections.abc import Sequence

import numpy as np

from assistant.chat_model.looking.reading import NEVER

PRECISION = 0.9
"""How often a named attribute shall be right on the calibration split."""
UNNAMED = ("none",)
"""No face: half of the web photographs that show one, small or in profile, read as showing none."""
LEAST_NAMED = 8
"""A class that would be named more rarely than this is never named."""
FALSE_ALARMS = 0.1
"""Share of authentic faces of the calibration split for which a place may be named."""
_STEPS = np.round(np.linspace(0.5, 0.95, 19), 3)


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with the least log-loss, 0.5 to 4; logits (n, c), labels (n,), -1 open."""
    known = labels >= 0
    if not known.any():
        return 1.0

    def loss(temperature: float) -> float:
        values = logits[known] / temperature
        values = values - values.max(axis=1, keepdims=True)
        right = values[np.arange(len(values)), labels[known].astype(int)]
        return float((np.log(np.exp(values).sum(axis=1)) - right).mean())

    return float(min(np.round(np.geomspace(0.5, 4, 40), 3), key=loss))


def thresholds(chances: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """For each class the lowest threshold with the wanted precision; chances (n, c)."""
    return {
        name: NEVER if name in UNNAMED else threshold(chances, labels, at)
        for at, name in enumerate(classes)
    }


def threshold(chances: np.ndarray, labels: np.ndarray, at: int) -> float:
    """The lowest threshold at which class `at` is right often enough; `NEVER` if none is."""
    likeliest = (chances.argmax(axis=1) == at) & (labels >= 0)
    for step in _STEPS:
        named = likeliest & (chances[:, at] >= step)
        if named.sum() < LEAST_NAMED:
            break
        if float((labels[named] == at).mean()) >= PRECISION:
            return float(step)
    return NEVER


def fit_scale(logits: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Platt's scale and shift of one output: logits (n,), truth (n,) in {0, 1}, -1 open."""
    from sklearn.linear_model import LogisticRegression

    known = truth >= 0
    fitted = LogisticRegression(C=10).fit(logits[known, None], truth[known] > 0)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def face_thresholds(chances: np.ndarray, family: np.ndarray) -> float:
    """From which probability of an alteration a place is named; chances (n, 4)."""
    authentic = np.sort(chances[family == "authentic", 0])
    allowed = authentic[int(np.ceil((1 - FALSE_ALARMS) * (len(authentic) - 1)))]
    return float(max(0.5, allowed))


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) without cases."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.96, right / count
    centre = share + z * z / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low, high = (centre - reach) / (1 + z * z / count), (centre + reach) / (1 + z * z / count)
    return float(max(0.0, low)), float(min(1.0, high))
