"""Measured values in a reader's words: records keep the method's unit, screens and reports do not.

A detector's score has no natural unit: it is shown in points, and beside it stands how many
authentic photos score lower, which says what is usual.
"""

import math

NOT_MEASURED = "not measured"
PROBABILITY = "probability"
SHARE = "share"
"""Prefix of share units, as in "share of retakes"; displayed as a percentage."""

_POINTS = " points"
_WORDS = {
    "cosine": " on a scale up to 1",
    "logit": _POINTS,
    "log-odds": _POINTS,
    "cosine distance difference": _POINTS,
    "squared distance": _POINTS,
    "distance": _POINTS,
    "correlation": " on a scale up to 2",
    "summed scores of boxes": _POINTS,
    "px": " pixels",
    "keypoints": " matching places",
}
SINGULARS = {
    "faces": "face", "images": "image", "files": "file", "images and videos": "image or video",
}  # fmt: skip
"""Units of counts, with the word for one."""
_YES_OR_NO = {"E8": ("proven", "not proven"), "E10": ("present", "not present"),
              "E34": ("proven", "none found")}  # fmt: skip
"""Evidence whose value is 1 or 0, in words."""


def format_percent(probability: float | None) -> str:
    """A probability as text; never 0 % or 100 %, which no measurement supports."""
    if probability is None:
        return NOT_MEASURED
    if probability >= 0.995:
        return "over 99 %"
    if probability < 0.005:
        return "under 1 %"
    return f"{100 * probability:.0f} %"


def format_factor(factor: float) -> str:
    """A factor with two significant digits, all of them written: 1.5, 12, 120."""
    return f"{float(f'{factor:.2g}'):g}"


def format_value(value: float | None, unit: str, *, id: str = "") -> str:
    """A measured value in words, for display: `97 %`, `12 points`, `not measured`.

    `id` is the handle of the evidence ("E8", "H3.E8"): some values are a yes or no.
    """
    if value is None:
        return NOT_MEASURED
    yes_or_no = _YES_OR_NO.get(id.rpartition(".")[2])
    if yes_or_no is not None:
        return yes_or_no[0] if value else yes_or_no[1]
    if unit == PROBABILITY:
        return format_percent(value)
    if unit.split(" ")[0] == SHARE:
        return f"{round(100 * value)} %{unit.removeprefix(SHARE)}"
    if unit == "log ratio":
        times = format_factor(math.exp(value))
        return f"{'as large as' if times == '1' else f'{times} times'} that of the surroundings"
    if value == 1 and unit in SINGULARS:
        return f"1 {SINGULARS[unit]}"
    return _number(value) + _WORDS.get(unit, f" {unit}" if unit else "")


def format_short(value: float | None, unit: str, *, id: str = "") -> str:
    """A measured value without its unit, for a column whose heading names that; "–" for None."""
    if value is None:
        return "–"
    words = _WORDS.get(unit, f" {unit}" if unit else "")
    if unit == "log ratio":
        return format_factor(math.exp(value))
    if unit.split(" ")[0] == SHARE:
        return f"{100 * value:.0f} %"
    return format_value(value, unit, id=id).removesuffix(words)


def unit_in_words(unit: str) -> str:
    """The unit of `format_short`: "points", "times that of the surroundings"; empty without one."""
    if unit == "log ratio":
        return "times that of the surroundings"
    return "" if unit in ("", PROBABILITY) else _WORDS.get(unit, f" {unit}").strip()


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:.{digits}f}"


def describe_usual(share_of_authentic_below: float | None) -> str:
    """What is usual: `higher than in 98 % of authentic photos`; empty without a reference."""
    if share_of_authentic_below is None:
        return ""
    return f"higher than in {format_percent(share_of_authentic_below)} of authentic photos"
