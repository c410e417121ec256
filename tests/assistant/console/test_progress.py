"""Progress without a terminal: occasional lines on stderr, nothing on stdout."""

import pytest

from assistant.console import progress as console_progress
from assistant.console.progress import RerankingDisplay

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
