"""Likelihood ratio of the face comparison, with a verbal scale, limited by its validation.

LR = p(similarity | same person) / p(similarity | another person). The identity calibrator is a
logistic regression with equal class weights, so its odds are this ratio (Platt scaling; Brümmer &
du Preez 2006). N persons in the validation support no ratio beyond about N in either direction:
rarer coincidences were never looked for. The limit counts persons, not comparisons, because the
comparisons of one person depend on each other. Words follow the scale of the ENFSI guideline for
evaluative reporting (2015).

Does not show: whose photograph it is by origin; a forgery of a person resembles the person too.
The other person is drawn at random from the validation's photographs: relatives, look-alikes,
children, and groups of people that are rare among them are more alike than it says.
"""

import math
from dataclasses import dataclass

from tools.verdict.calibration import InconclusiveBand
from tools.verdict.rule import VerdictRule

SCALE = (
    (10.0, "weak support"),
    (100.0, "moderate support"),
    (1_000.0, "moderately strong support"),
    (10_000.0, "strong support"),
    (1_000_000.0, "very strong support"),
    (math.inf, "extremely strong support"),
)
"""Ratios below each bound, with the words for them; below `_EVEN` there is no support."""

NO_SUPPORT = "no support for either proposition"
_EVEN = 2.0


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """A reported ratio (> 0); above 1 it supports the same person, below 1 another person.

    `limited`: the measured ratio lies beyond `limit` (≥ 1), the number of persons in the validation
    on that side, and is reported as that limit.
    """

    value: float
    limit: int
    limited: bool

    @property
    def factor(self) -> float:
        """The ratio or its inverse, whichever is at least 1."""
        return max(self.value, 1.0 / self.value)

    @property
    def supports_same_person(self) -> bool:
        """Whether the measurement is more probable for the same person than for another."""
        return self.value >= 1.0

    @property
    def verbal(self) -> str:
        """The words of the scale, with the proposition that is supported."""
        if self.factor < _EVEN:
            return NO_SUPPORT
        words = next(words for bound, words in SCALE if self.factor < bound)
        whom = "the same person" if self.supports_same_person else "another person"
        return f"{words} for {whom}"

    @property
    def sentence(self) -> str:
        """The ratio in one sentence; it never says how probable a proposition is."""
        same = "it shows the person in the query photos"
        other = "it shows another person of the reference population"
        first, second = (same, other) if self.supports_same_person else (other, same)
        if self.factor < _EVEN:
            return (
                "The measured similarity of this face is about as probable if "
                f"{first} as if {second}: {self.verbal}."
            )
        least = "at least " if self.limited else "about "
        return (
            f"The measured similarity of this face is {least}{_rounded(self.factor)} times more "
            f"probable if {first} than if {second}: {self.verbal}."
        )

    @property
    def note(self) -> str:
        """Why the ratio was limited; empty if it was not."""
        if not self.limited:
            return ""
        return (
            f"A larger ratio was computed, and is reported as {self.limit}, because the validation "
            f"had {self.limit} persons on that side and supports no larger one."
        )


def likelihood_ratio(
    identity_probability: float | None, rule: VerdictRule | None
) -> LikelihoodRatio | None:
    """The ratio of a hit's calibrated identity probability (0..1, at prior odds of one to one).

    None if identity was not measured, or if nothing says how many persons the rule was fitted on.
    """
    limits = None if rule is None else validated_limits(rule.identity_band)
    if identity_probability is None or limits is None:
        return None
    most, least = limits
    kept = min(max(identity_probability, 1e-12), 1.0 - 1e-12)
    measured = kept / (1.0 - kept)
    value = min(max(measured, 1.0 / least), float(most))
    limit = most if measured >= 1.0 else least
    return LikelihoodRatio(value, limit, limited=value != measured)


def validated_limits(band: InconclusiveBand) -> tuple[int, int] | None:
    """The largest ratio for the same person and for another person; None if persons are unknown.

    The first is the number of persons compared with strangers, the second the number compared with
    themselves.
    """
    if not band.persons_false or not band.persons_true:
        return None
    return band.persons_false, band.persons_true


def _rounded(factor: float) -> str:
    """Two significant digits: "2.4", "35", "280"; a limit stays as it is."""
    if factor >= 100 and float(factor).is_integer():
        return f"{factor:,.0f}"
    shown = float(f"{factor:.2g}")
    return f"{shown:,.0f}" if shown >= 10 else f"{shown:g}"
