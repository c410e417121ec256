"""Figures of batched explanations: ratios are taken within a round."""

import pytest

from evals.suites.performance.batch_speed import Batch, _figures


def test_ratios_are_medians_of_rounds_and_texts_are_compared() -> None:
    """A round on a slow machine counts by its ratio, and another text is not the same answer."""
    alone = [Batch(30.0, 3.0, 60, ("a", "b")), Batch(300.0, 3.0, 60, ("a", "b"))]
    batch = [Batch(10.0, 1.0, 60, ("a", "c")), Batch(100.0, 1.5, 60, ("a", "c"))]
    bare = [Batch(10.0, 0.5, 60), Batch(10.0, 1.5, 60)]
    found = _figures({"one_by_one": alone, "batch": batch, "bare_batch": bare})
    figures = found["batch"]
    assert isinstance(figures, dict)
    assert figures["times_faster_than_one_by_one"] == pytest.approx(3.0)
    assert figures["… by processor time"] == pytest.approx(2.5)
    assert figures["tokens_per_cpu_s_of_bare"] == pytest.approx(0.75)
    assert figures["same_texts"] == 1
