"""Metrics of heat maps against numbers computed by hand."""

import math
from itertools import pairwise

import numpy as np
import pytest

from tools.metrics.localisation import (
    deletion_steps,
    iou_at,
    mean_area_under,
    pointing_game,
    rank_correlation,
)

pytestmark = pytest.mark.fast

# Hottest to coldest: 9 (upper left), 7 (lower left), 3 (upper right), 1 (lower right).
HEAT = np.array([[9.0, 3.0], [7.0, 1.0]])
LEFT = np.array([[True, False], [True, False]])
TOP = np.array([[True, True], [False, False]])
NOTHING = np.zeros((2, 2), bool)


def test_pointing_is_where_the_hottest_place_lies() -> None:
    """The 9 is on the left and in the top row, not in the right column."""
    assert pointing_game(HEAT, LEFT) == 1.0
    assert pointing_game(HEAT, ~LEFT) == 0.0
    assert math.isnan(pointing_game(HEAT, NOTHING))


def test_pointing_forgives_a_distance() -> None:
    """Four places in a row, the hottest first and the truth third: two pixels off."""
    row, third = np.array([[9.0, 0.0, 0.0, 0.0]]), np.array([[False, False, True, False]])
    assert pointing_game(row, third) == 0.0
    assert pointing_game(row, third, tolerance_px=1.9) == 0.0
    assert pointing_game(row, third, tolerance_px=2) == 1.0


def test_an_empty_map_points_as_well_as_chance() -> None:
    """All four places are equally hot, and half of them lie on the left."""
    assert pointing_game(np.zeros((2, 2)), LEFT) == 0.5


def test_iou_at_a_fraction() -> None:
    """Half of the map are 9 and 7, the left column.

    With the left: 2 of 2. With the top row: 1 in both, 3 in either. A quarter is the 9 alone:
    1 of the left's 2. Three quarters add the 3: 2 of 3 with the left.
    """
    assert iou_at(HEAT, LEFT, 0.5) == 1.0
    assert iou_at(HEAT, TOP, 0.5) == pytest.approx(1 / 3)
    assert iou_at(HEAT, LEFT, 0.25) == 0.5
    assert iou_at(HEAT, LEFT, 0.75) == pytest.approx(2 / 3)
    assert math.isnan(iou_at(HEAT, NOTHING, 0.5))


def test_iou_at_the_truths_own_size() -> None:
    """The truth has two places, so two are taken: as at a half. One place: the 9 only."""
    assert iou_at(HEAT, TOP) == pytest.approx(1 / 3)
    assert iou_at(HEAT, LEFT & TOP) == 1.0


def test_deletion_hides_the_hottest_first() -> None:
    """Four steps hide 9, 7, 3 and 1 one after the other; two hide 9 and 7, then the rest."""
    hidden = deletion_steps(HEAT, 4)
    assert hidden.sum(axis=(1, 2)).tolist() == [0, 1, 2, 3, 4]
    assert [HEAT[after & ~before].tolist() for before, after in pairwise(hidden)] == [
        [9.0], [7.0], [3.0], [1.0],
    ]  # fmt: skip
    assert np.array_equal(deletion_steps(HEAT, 2)[1], LEFT)
    with pytest.raises(ValueError, match="steps"):
        deletion_steps(HEAT, 0)


def test_the_area_under_a_curve() -> None:
    """Trapezoids of 1, 0.5, 0: (0.75 + 0.25) / 2 = 0.5. A score that is missing leaves no area."""
    assert mean_area_under([1.0, 0.5, 0.0]) == 0.5
    # (0.95 + 0.5 + 0.05) / 3
    assert mean_area_under([1.0, 0.9, 0.1, 0.0]) == pytest.approx(0.5)
    assert mean_area_under([1.0, 0.0, 0.0]) == 0.25
    assert math.isnan(mean_area_under([1.0, float("nan"), 0.0]))
    with pytest.raises(ValueError, match="two scores"):
        mean_area_under([1.0])


def test_rank_correlation_sees_the_order_only() -> None:
    """Ranks 4 2 3 1. The same order: 1; reversed: -1; 9 and 7 exchanged gives 3 2 4 1.

    For the last, Spearman is 1 - 6·(1 + 0 + 1 + 0) / (4·15) = 0.8.
    """
    assert rank_correlation(HEAT, HEAT**3) == pytest.approx(1.0)
    assert rank_correlation(HEAT, -HEAT) == pytest.approx(-1.0)
    assert rank_correlation(HEAT, np.array([[7.0, 3.0], [9.0, 1.0]])) == pytest.approx(0.8)
    assert math.isnan(rank_correlation(HEAT, np.ones((2, 2))))


def test_what_cannot_be_compared_is_refused() -> None:
    """Other shapes, a truth of numbers and a map with holes are mistakes, not low scores."""
    with pytest.raises(ValueError, match="same shape"):
        pointing_game(HEAT, np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="bool"):
        iou_at(HEAT, LEFT.astype(float), 0.5)
    with pytest.raises(ValueError, match="finite"):
        pointing_game(np.full((2, 2), np.nan), LEFT)
    with pytest.raises(ValueError, match="same shape"):
        rank_correlation(HEAT, np.ones((3, 3)))
