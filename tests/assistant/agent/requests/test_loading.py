"""The reader that stands in for a chat model is loaded once, however many turns fail at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assistant import Settings
from assistant.agent.requests import loading
from tools.errors import SetupError

pytestmark = pytest.mark.fast


def test_turns_that_fail_at_once_share_one_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for the first; what could not be loaded is tried again."""
    calls = list[object]()

    def load(settings: Settings) -> object:
        calls.append(settings)
        time.sleep(0.05)
        if len(calls) == 1:
            raise SetupError("damaged")
        return object()

    monkeypatch.setattr(loading, "_load", load)
    stand_in = loading.StandIn(Settings(home=tmp_path))
    with pytest.raises(SetupError):
        stand_in()
    with ThreadPoolExecutor(8) as threads:
        found = [it.result() for it in [threads.submit(stand_in) for _ in range(8)]]
    assert len(calls) == 2 and len(set(map(id, found))) == 1


def test_without_its_part_there_is_none(tmp_path: Path) -> None:
    """Nothing is loaded, and a chat model of the user's own has no reader beside it."""
    settings = Settings(home=tmp_path, vlm="http://127.0.0.1:1/v1#none")
    assert loading.StandIn(settings)() is None
    assert loading.load_request_reader(settings) is None
