"""Calibration formulas against numbers computed by hand."""

import math
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.detectors.calibration import fit_calibration
from tools.verdict.calibration import (
    InconclusiveBand,
    LogisticCalibrator,
    ReferenceDistribution,
    to_json,
)

pytestmark = pytest.mark.fast

FUSION = LogisticCalibrator(("a", "b"), (1.0, 0.0), (2.0, 1.0), (3.0, -1.0), 0.5)


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
    assert LogisticCalibrator.from_json(to_json(FUSION)) == FUSION


def test_the_upper_edge_is_the_conformal_quantile() -> None:
    """With 99 false samples and α = 0.1 the edge is the 90th of them: ceil(100 · 0.9) = 90."""
    false = [number / 100 for number in range(1, 100)]
    band = InconclusiveBand.fit(false, [0.5] * 50, alpha_low=0.1, alpha_high=0.1)
    assert band.high == pytest.approx(0.90)


@given(st.lists(st.floats(0, 1), min_size=20, max_size=60), st.floats(0.05, 0.3))
def test_at_most_alpha_of_the_false_samples_reach_above_the_edge(
    false: list[float], alpha: float
) -> None:
    """The promise of the band, on any sample: no more than α of the false ones exceed `high`."""
    band = InconclusiveBand.fit(false, [0.0] * 20, alpha_low=0.1, alpha_high=alpha)
    assert np.mean(np.asarray(false) > band.high) <= alpha


def test_edges_that_cross_meet_halfway() -> None:
    """Perfectly separated classes leave no band, and the edge lies between them."""
    band = InconclusiveBand.fit([0.1] * 50, [0.9] * 50, alpha_low=0.05, alpha_high=0.05)
    assert band.low == band.high == pytest.approx(0.5)
    assert (band.place(0.2), band.place(0.5), band.place(0.8)) == ("low", "within", "high")


def test_a_place_among_authentic_photos() -> None:
    """The median of the reference is higher than half of it; beyond its maximum is all of it."""
    reference = ReferenceDistribution.fit(list(np.linspace(-1, 1, 1001)))
    assert reference.share_below(0.0) == pytest.approx(0.5, abs=0.02)
    assert reference.share_below(5.0) == 1.0
    assert reference.share_below(-5.0) == 0.0


def test_no_band_lets_a_claim_pass_that_is_more_likely_wrong() -> None:
    """However well validation samples are told apart, the edges stay on their side of one half."""
    likely = InconclusiveBand.fit(
        [0.01, 0.02] * 10, [0.3, 0.35] * 10, alpha_low=0.1, alpha_high=0.1
    )
    assert (likely.high, likely.place(0.45)) == (0.5, "within")
    unlikely = InconclusiveBand.fit(
        [0.7, 0.8] * 10, [0.95, 0.99] * 10, alpha_low=0.1, alpha_high=0.1
    )
    assert (unlikely.low, unlikely.place(0.55)) == (0.5, "within")


@pytest.mark.parametrize("count", [0, 1, 8])
def test_too_few_samples_promise_nothing(count: int) -> None:
    """Below 1/α − 1 = 9 samples there is no quantile: all is inconclusive, and 9 do have one."""
    band = InconclusiveBand.fit([0.1] * count, [0.9] * count, alpha_low=0.1, alpha_high=0.1)
    assert (band.low, band.high) == (0.0, 1.0)
    assert {band.place(it) for it in (0.0, 0.3, 1.0)} == {"within"}
    enough = InconclusiveBand.fit([0.1] * 9, [0.9] * 9, alpha_low=0.1, alpha_high=0.1)
    assert (enough.place(0.2), enough.place(0.8)) == ("low", "high")


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_equal_probabilities_at_an_edge_stay_inside(share: float) -> None:
    """A plateau holds many samples of one probability: beyond the edge none of them may be."""
    plateau = [0.8] * int(100 * share) + [0.1] * int(100 * (1 - share))
    band = InconclusiveBand.fit(plateau, plateau, alpha_low=0.1, alpha_high=0.1)
    assert (band.high, band.place(0.8)) == (0.8, "within")
    assert np.mean([band.place(it) == "high" for it in plateau]) <= 0.1
    assert np.mean([band.place(it) == "low" for it in plateau]) <= 0.1


def test_a_person_counts_once_however_many_photos() -> None:
    """99 persons with one photo each weigh as much as they would if one of them had hundreds."""
    once = [number / 100 for number in range(1, 100)]
    persons = [*range(99), *[0] * 500]
    band = InconclusiveBand.fit(
        [*once, *[once[0]] * 500], [0.5] * 50, alpha_low=0.1, alpha_high=0.1, persons_false=persons
    )
    assert band.high == pytest.approx(0.90)
    assert (band.persons_false, band.persons_true) == (99, 50)


def test_many_photos_of_few_persons_promise_nothing() -> None:
    """A thousand photos of eight persons are eight: the band is as wide as can be, and says so."""
    persons = list(np.repeat(range(8), 125))
    band = InconclusiveBand.fit(
        [0.1] * 1000, [0.9] * 1000, alpha_low=0.1, alpha_high=0.1,
        persons_false=persons, persons_true=persons,
    )  # fmt: skip
    assert (band.low, band.high) == (0.0, 1.0)
    assert not band.guarantees_low
    assert not band.guarantees_high
    enough = list(np.repeat(range(9), 125))
    held = InconclusiveBand.fit(
        [0.1] * 1125, [0.9] * 1125, alpha_low=0.1, alpha_high=0.1,
        persons_false=enough, persons_true=enough,
    )  # fmt: skip
    assert held.guarantees_low
    assert held.guarantees_high


def _people(rng: np.random.Generator, count: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities in clusters: whoever is photographed less often scores higher."""
    sizes = rng.choice([1, 2, 30], count)
    own = rng.normal(level - 0.6 * np.log(sizes), 0.7)
    logits = np.concatenate(
        [at + rng.normal(0, 0.5, size) for at, size in zip(own, sizes, strict=True)]
    )
    return 1 / (1 + np.exp(-logits)), np.repeat(np.arange(count), sizes)


def _beyond(outside: np.ndarray, persons: np.ndarray) -> float:
    """The chance that a photo of a person drawn anew lies outside."""
    return float(np.mean([outside[persons == person].mean() for person in np.unique(persons)]))


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("persons", [25, 80])
def test_the_promise_holds_for_persons_never_seen(alpha: float, persons: int) -> None:
    """Over 200 simulated calibrations, persons as clusters: no more than alpha lie beyond."""
    rng = np.random.default_rng(persons)
    high, low = [], []
    for _ in range(200):
        false, shown = _people(rng, persons, -2.0)
        true, depicted = _people(rng, persons, 3.0)
        band = InconclusiveBand.fit(
            false.tolist(), true.tolist(), alpha_low=alpha, alpha_high=alpha,
            persons_false=shown.tolist(), persons_true=depicted.tolist(),
        )  # fmt: skip
        false, shown = _people(rng, 40, -2.0)
        true, depicted = _people(rng, 40, 3.0)
        high.append(_beyond(false > band.high, shown))
        low.append(_beyond(true < band.low, depicted))
    assert np.mean(high) <= alpha + 0.015
    assert np.mean(low) <= alpha + 0.015


class _Detector:
    inputs: Literal["face", "image"] = "face"
    name, sha256, preprocessing = "made", "0", "none"


@pytest.mark.parametrize("per_person", [1, 5])
def test_plateaus_of_isotonic_regression_keep_the_promise(per_person: int) -> None:
    """Four logits become four probabilities or fewer: none of them is beyond an edge as a whole."""
    rng = np.random.default_rng(4)
    logits = rng.integers(0, 4, 6000).astype(float)
    forged = rng.random(6000) < 0.2 + 0.2 * logits
    fitted = fit_calibration(
        _Detector(), logits, forged, fitted_on={}, method="isotonic",
        persons=(np.arange(6000) // per_person).tolist(),
    )  # fmt: skip
    places = np.array([fitted.band.place(it) for it in fitted.probabilities(logits)])
    assert (places[~forged] == "high").mean() <= 0.02
    assert (places[forged] == "low").mean() <= 0.10
    assert fitted.band.persons_false is not None
    assert fitted.band.persons_false <= 6000 / per_person
