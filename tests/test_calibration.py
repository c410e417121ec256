"""Calibration is arithmetic on published formulas: checked against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.calibration import Band, Logistic, Reference, to_json

FUSION = Logistic(("a", "b"), (1.0, 0.0), (2.0, 1.0), (3.0, -1.0), 0.5)


def test_fusion_matches_the_formula() -> None:
    """sigmoid(bias + Σ w (x − mean) / scale), worked out by hand for one point."""
    logit = 0.5 + 3 * (2 - 1) / 2 - 1 * 0.25
    assert FUSION.logit({"a": 2.0, "b": 0.25}) == pytest.approx(logit)
    assert FUSION.probability({"a": 2.0, "b": 0.25}) == pytest.approx(1 / (1 + math.exp(-logit)))


@pytest.mark.parametrize("missing", [{"a": 1.0}, {"a": 1.0, "b": None}, {"a": math.nan, "b": 1.0}])
def test_a_missing_score_makes_the_probability_missing(missing: dict[str, float | None]) -> None:
    """Absent, None and NaN scores give None, never a number."""
    assert FUSION.probability(missing) is None


def test_extreme_scores_stay_probabilities() -> None:
    """A score far outside of what was fitted neither overflows nor leaves (0, 1)."""
    probability = FUSION.probability({"a": 1e9, "b": 0.0})
    assert probability is not None
    assert 0 < probability <= 1


def test_parameters_survive_json() -> None:
    """Reading back what was written gives the same calibrator."""
    assert Logistic.from_json(to_json(FUSION)) == FUSION


def test_the_upper_edge_is_the_conformal_quantile() -> None:
    """With 99 false samples and α = 0.1 the edge is the 90th of them: ceil(100 · 0.9) = 90."""
    false = [number / 100 for number in range(1, 100)]
    band = Band.fit(false, [0.5] * 50, alpha_low=0.1, alpha_high=0.1)
    assert band.high == pytest.approx(0.90)


@given(st.lists(st.floats(0, 1), min_size=20, max_size=60), st.floats(0.05, 0.3))
def test_at_most_alpha_of_the_false_samples_reach_above_the_edge(
    false: list[float], alpha: float
) -> None:
    """The promise of the band, on any sample: no more than α of the false ones exceed `high`."""
    band = Band.fit(false, [0.0] * 20, alpha_low=0.1, alpha_high=alpha)
    assert np.mean(np.asarray(false) > band.high) <= alpha


def test_edges_that_cross_meet_halfway() -> None:
    """Perfectly separated classes leave no band, and the edge lies between them."""
    band = Band.fit([0.1] * 50, [0.9] * 50, alpha_low=0.05, alpha_high=0.05)
    assert band.low == band.high == pytest.approx(0.5)
    assert (band.place(0.2), band.place(0.5), band.place(0.8)) == ("low", "high", "high")


def test_a_place_among_authentic_photos() -> None:
    """The median of the reference is higher than half of it; beyond its maximum is all of it."""
    reference = Reference.fit(list(np.linspace(-1, 1, 1001)))
    assert reference.share_below(0.0) == pytest.approx(0.5, abs=0.02)
    assert reference.share_below(5.0) == 1.0
    assert reference.share_below(-5.0) == 0.0


def test_no_band_lets_a_claim_pass_that_is_more_likely_wrong() -> None:
    """However well validation samples are told apart, the edges stay on their side of one half."""
    likely = Band.fit([0.01, 0.02] * 10, [0.3, 0.35] * 10, alpha_low=0.1, alpha_high=0.1)
    assert (likely.high, likely.place(0.45)) == (0.5, "within")
    unlikely = Band.fit([0.7, 0.8] * 10, [0.95, 0.99] * 10, alpha_low=0.1, alpha_high=0.1)
    assert (unlikely.low, unlikely.place(0.55)) == (0.5, "within")


@pytest.mark.parametrize("count", [0, 1, 8])
def test_too_few_samples_promise_nothing(count: int) -> None:
    """Below 1/α − 1 = 9 samples there is no quantile: all is inconclusive, and 9 do have one."""
    band = Band.fit([0.1] * count, [0.9] * count, alpha_low=0.1, alpha_high=0.1)
    assert (band.low, band.high) == (0.0, 1.0)
    assert {band.place(it) for it in (0.0, 0.3, 1.0)} == {"within"}
    enough = Band.fit([0.1] * 9, [0.9] * 9, alpha_low=0.1, alpha_high=0.1)
    assert (enough.place(0.2), enough.place(0.8)) == ("low", "high")
