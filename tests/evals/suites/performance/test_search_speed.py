"""What the search's speed is measured by."""

from itertools import count

import pytest

from evals.suites.performance.search_speed import _NETWORKS, Cost, _timed


@pytest.mark.parametrize(("owner", "name"), _NETWORKS)
def test_every_network_is_entered_where_the_table_says(owner: object, name: str) -> None:
    """A method that was renamed would end the measurement."""
    assert callable(getattr(owner, name))


def test_a_network_within_another_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tuned tower runs the plain one; here a look at the clock takes a second."""
    clock = count()
    monkeypatch.setattr("time.process_time", lambda: float(next(clock)))
    cost = Cost()
    inner = _timed(lambda: None, cost)
    inner()
    assert cost.networks_s == 1.0
    _timed(inner, cost)()
    assert cost.networks_s == 2.0
