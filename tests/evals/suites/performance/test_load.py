"""The suite `load` compares rounds with their own idle search, and its neighbour takes a core."""

import time
from pathlib import Path

import pytest

from evals.suites.performance.load import SearchCost, busy_neighbour, load_figures


def test_ratios_are_of_each_round() -> None:
    """The median over rounds, with its range; wall time is over all searches."""
    idle = [[SearchCost(2.0, 2.0)], [SearchCost(4.0, 4.0)]]
    four = [[SearchCost(2.0, 8.0), SearchCost(2.4, 8.0)], [SearchCost(6.0, 9.0)]]
    found = load_figures({"idle": idle, "four": four})
    assert found["idle"]["cpu_over_idle"] == 1.0  # type: ignore[index]
    assert found["four"] == {
        "cpu_s": pytest.approx(4.1), "wall_s": 8.0, "cpu_over_idle": pytest.approx(1.3),
        "cpu_over_idle_least": pytest.approx(1.1), "cpu_over_idle_most": pytest.approx(1.5),
    }  # fmt: skip


def test_the_neighbour_never_rests() -> None:
    """It takes processor time as long as it is there, and is gone afterwards."""
    with busy_neighbour() as process_id:
        until = time.monotonic() + 30  # the machine may be busy
        while ticks(process_id) < 20 and time.monotonic() < until:
            time.sleep(0.1)
        assert ticks(process_id) >= 20
    with pytest.raises(FileNotFoundError):
        ticks(process_id)


def ticks(process_id: int) -> int:
    """Processor time of a process, in ticks."""
    stat = Path(f"/proc/{process_id}/stat").read_text("ascii")
    return int(stat.rpartition(")")[2].split()[11])
