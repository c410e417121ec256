"""Progress without a terminal: occasional lines on stderr, nothing on stdout."""

import pytest

from assistant.console import progress as console_progress
from assistant.console.progress import CountingDisplay, RerankingDisplay

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(("every_s", "lines"), [(0.0, 3), (3600.0, 0)])
def test_a_log_hears_of_the_closer_look_now_and_then(
    every_s: float,
    lines: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A line whenever the interval is over, and none before; stdout stays the answer's."""
    monkeypatch.setattr(console_progress, "_LINE_EVERY_S", every_s)
    with RerankingDisplay() as display:
        for done in range(3):
            display(done, 2)
    told = capsys.readouterr()
    wanted = ["looking closer: 0 of 2", "looking closer: 1 of 2", "looking closer: 2 of 2"]
    assert told.err.splitlines() == wanted[:lines]
    assert told.out == ""


def test_a_log_does_not_stand_at_its_first_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When work ends before the next line is due, the last state is written at the end, once."""
    with CountingDisplay("indexing") as display:
        monkeypatch.setattr(console_progress, "_LINE_EVERY_S", 0.0)
        display(0, 25)
        monkeypatch.setattr(console_progress, "_LINE_EVERY_S", 3600.0)
        display(12, 25)
        display(25, 25)
    assert capsys.readouterr().err.splitlines() == ["indexing: 0 of 25", "indexing: 25 of 25"]
