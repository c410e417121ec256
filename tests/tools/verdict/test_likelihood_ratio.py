"""The likelihood ratio: computed from the calibrated odds, limited, and worded without a claim."""

from dataclasses import replace
from typing import Any

import pytest

from tests.tools.verdict.test_rule import RULE
from tools.verdict.likelihood_ratio import NO_SUPPORT, LikelihoodRatio, likelihood_ratio
from tools.verdict.rule import VerdictRule

pytestmark = pytest.mark.fast


def rule(**persons: Any) -> VerdictRule:
    """The rule, fitted on this many persons."""
    return replace(RULE, identity_band=replace(RULE.identity_band, **persons))


FITTED = rule(persons_false=283, persons_true=75)


@pytest.mark.parametrize(
    ("probability", "value", "verbal"),
    [
        (0.5, 1.0, NO_SUPPORT),
        (0.6, 1.5, NO_SUPPORT),
        (0.8, 4.0, "weak support for the same person"),
        (0.2, 0.25, "weak support for another person"),
        (12 / 13, 12.0, "moderate support for the same person"),
        (0.995, 199.0, "moderately strong support for the same person"),
        (1 / 41, 1 / 40, "moderate support for another person"),
    ],
)
def test_odds_at_even_prior_are_the_ratio(probability: float, value: float, verbal: str) -> None:
    """The words are those of the scale, for the proposition that the ratio supports."""
    found = likelihood_ratio(probability, FITTED)
    assert found is not None
    assert found.value == pytest.approx(value, rel=1e-6)
    assert (found.verbal, found.limited, found.note) == (verbal, False, "")
    assert verbal in found.sentence


def test_no_ratio_exceeds_the_number_of_persons() -> None:
    """In either direction, and the reader is told that more was computed."""
    high, low = likelihood_ratio(1.0, FITTED), likelihood_ratio(0.0, FITTED)
    assert high == LikelihoodRatio(283.0, 283, limited=True)
    assert low == LikelihoodRatio(1 / 75, 75, limited=True)
    assert high is not None and "at least 283 times more probable if it shows the person" in (
        high.sentence
    )
    assert low is not None and "at least 75 times more probable if it shows another person" in (
        low.sentence
    )
    assert "supports no larger one" in high.note


def test_a_ratio_is_no_probability_of_a_proposition() -> None:
    """The measurement is more probable, never the person."""
    for step in range(101):
        found = likelihood_ratio(step / 100, FITTED)
        assert found is not None
        assert found.sentence.startswith("The measured similarity of this face is ")
        assert "likely" not in found.sentence and "certain" not in found.sentence


def test_without_a_measurement_or_a_validation_there_is_none() -> None:
    """Not measured, no rule, or a rule that does not say how many persons it was fitted on."""
    assert likelihood_ratio(None, FITTED) is None
    assert likelihood_ratio(0.9, None) is None
    assert likelihood_ratio(0.9, rule(persons_false=None, persons_true=75)) is None
