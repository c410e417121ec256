"""The identity threshold grows with gallery size, as the most similar stranger does, and holds."""

from dataclasses import asdict

import numpy as np
import pytest

from tools.verdict.impostors import ImpostorThreshold

pytestmark = pytest.mark.fast


def _cosines(rng: np.random.Generator, queries: int, strangers: int) -> np.ndarray:
    """Of queries that differ in how many they resemble: (queries, strangers)."""
    own = rng.normal(0.0, 0.03, (queries, 1))
    return np.asarray(own + rng.normal(0.0, 0.12, (queries, strangers)))


@pytest.mark.parametrize("size", [1, 10, 50, 200])
def test_any_of_n_strangers_passes_as_rarely_as_was_promised(size: int) -> None:
    """Over simulated calibrations, new queries in new galleries of n exceed the edge in alpha."""
    rng, alpha = np.random.default_rng(size), 0.1
    passed = []
    for _ in range(40):
        edge = ImpostorThreshold.fit(_cosines(rng, 60, 400), alpha=alpha).threshold(size)
        passed.append((_cosines(rng, 100, size).max(axis=1) > edge).mean())
    assert np.mean(passed) <= alpha + 0.02
    assert np.mean(passed) >= 0.02  # and not by calling nobody the same


def test_the_edge_rises_with_the_gallery_also_beyond_what_was_tried() -> None:
    """More faces never lower it; past the largest size it goes on, and says that."""
    fitted = ImpostorThreshold.fit(_cosines(np.random.default_rng(0), 80, 300), alpha=0.05)
    edges = [fitted.threshold(size) for size in (1, 2, 3, 10, 77, 300, 301, 3000, 10**6)]
    assert edges == sorted(edges)
    assert edges[-1] > edges[-2] > edges[-3]
    assert fitted.measured(300)
    assert not fitted.measured(301)


def test_the_edge_for_one_stranger_would_be_passed_by_some_of_many() -> None:
    """What holds for two faces does not hold for a gallery: that is what the size is for."""
    rng = np.random.default_rng(1)
    fitted = ImpostorThreshold.fit(_cosines(rng, 80, 300), alpha=0.05)
    among = _cosines(rng, 200, 300).max(axis=1)
    assert (among > fitted.threshold(1)).mean() > 0.5
    assert (among > fitted.threshold(300)).mean() < 0.12


def test_too_few_queries_promise_nothing() -> None:
    """With ten persons nothing rarer than one in eleven can be promised: nothing is enough."""
    fitted = ImpostorThreshold.fit(_cosines(np.random.default_rng(2), 10, 50), alpha=0.05)
    assert not fitted.has_guarantee
    assert fitted.threshold(1) > 1


def test_the_same_person_is_left_out_and_json_keeps_it() -> None:
    """NaN on the diagonal is nobody's similarity; what is written is read back the same."""
    cosines = _cosines(np.random.default_rng(3), 40, 40)
    np.fill_diagonal(cosines, np.nan)
    fitted = ImpostorThreshold.fit(cosines, alpha=0.1)
    assert fitted.sizes[-1] == 39
    assert ImpostorThreshold.from_json(asdict(fitted)) == fitted
