"""Times for readers are on this machine's clock; what is no time stays as it is."""

import time
from collections.abc import Callable, Iterator

import pytest

from assistant.report.times import local_time, utc_clock

pytestmark = pytest.mark.fast

AT = "2026-11-30T21:14:05+00:00"


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Sets the time zone of this process, in the notation of POSIX (west is positive)."""
    with monkeypatch.context() as changed:

        def set_to(name: str) -> None:
            changed.setenv("TZ", name)
            time.tzset()

        yield set_to
    time.tzset()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("UTC0", "30 November 2026, 21:14 (UTC)"),
        ("CET-1", "30 November 2026, 22:14 (UTC+1)"),
        ("IST-5:30", "1 December 2026, 02:44 (UTC+5:30)"),
        ("EST5", "30 November 2026, 16:14 (UTC-5)"),
    ],
)
def test_a_time_is_shown_on_the_clock_of_this_machine(
    zone: Callable[[str], None], name: str, shown: str
) -> None:
    """With its distance from UTC; milliseconds and a Z are read, too."""
    zone(name)
    assert local_time(AT) == local_time("2026-11-30T21:14:05.123Z") == shown


def test_what_is_no_time_stays(zone: Callable[[str], None]) -> None:
    """An imported record may hold anything."""
    assert [*map(local_time, ("", "soon", "2026-13-01T00:00:00"))] == [
        "", "soon", "2026-13-01T00:00:00",
    ]  # fmt: skip
    assert utc_clock(AT) == utc_clock("2026-11-30T21:14:05Z") == "2026-11-30 21:14:05"
