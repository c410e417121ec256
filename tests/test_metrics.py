"""Retrieval metrics against numbers worked out by hand."""

import math

import pytest

from evals.metrics import average_precision, interval


def test_average_precision_by_hand() -> None:
    """Hits at ranks 1 and 3 of 2 relevant: (1/1 + 2/3) / 2."""
    assert average_precision([True, False, True], 2) == pytest.approx((1 + 2 / 3) / 2)


def test_what_was_never_retrieved_counts_as_missed() -> None:
    """The same list with four relevant items in all is worth half as much."""
    assert average_precision([True, False, True], 4) == pytest.approx((1 + 2 / 3) / 4)


def test_nothing_to_find_is_undefined() -> None:
    """Without relevant items the figure is NaN, not 0 and not 1."""
    assert math.isnan(average_precision([False, False], 0))


def test_the_interval_covers_the_mean_and_narrows_with_more_persons() -> None:
    """More values, a narrower interval around the same mean."""
    few, many = interval([0.0, 1.0] * 5), interval([0.0, 1.0] * 500)
    assert few[0] < many[0] < 0.5 < many[1] < few[1]


def test_one_value_has_no_interval() -> None:
    """An interval of a single value is not measured."""
    assert all(math.isnan(edge) for edge in interval([1.0]))
