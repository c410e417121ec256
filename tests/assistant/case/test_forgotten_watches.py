"""A watch forgets one picture and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.case.forgetting.watches import forget_in_watch, held_in_watch
from assistant.cli.watch.places import Feed
from assistant.cli.watch.state import WatchState
from tests.support.made.held_bytes import found_below
from tools.errors import SetupError

pytestmark = pytest.mark.fast

GONE, KEPT = "a" * 64, "b" * 64


def test_a_watch_forgets_one_picture_only(tmp_path: Path) -> None:
    """No byte of it stays; the other is not reported again; a running watch is not touched."""
    folder, traces = tmp_path / "forum", {"id": [GONE.encode()], "path": [b"/x/gone.jpg"]}
    events = [
        {"id": name * 16, "image_id": id, "path": f"/x/{name}.jpg", "person": "ada"}
        for name, id in (("gone", GONE), ("kept", KEPT))
    ]
    pictures, needles = frozenset({GONE}), (GONE.encode(), b"/x/gone.jpg")
    with WatchState.open(folder) as state:
        feed = Feed(folder / "feed.jsonl")
        state.meet(feed.name)
        state.record("ada", "p" * 64, [GONE, KEPT], events)
        state.note_delivered(feed.name, list(feed.deliver(state.pending(feed.name))))
        held = held_in_watch(folder, needles, pictures)
        assert held is not None and held.entries == 2
        with pytest.raises(SetupError, match="is running: stop it"):
            forget_in_watch(held, needles, pictures)
    assert found_below(folder, traces).keys() == traces.keys()
    # As the error for a damaged memory advises; the feed is left.
    (folder / "state.sqlite3").rename(tmp_path / "aside")
    assert held_in_watch(folder, needles, pictures) == replace(held, entries=1)
    (tmp_path / "aside").rename(folder / "state.sqlite3")
    forget_in_watch(held, needles, pictures)
    assert found_below(folder, traces) == {}
    assert held_in_watch(folder, needles, pictures) is None
    assert (folder / "feed.jsonl").read_text().count("kept.jpg") == 1
    with WatchState.open(folder) as state:
        assert state.unseen("ada", "p" * 64, [GONE, KEPT]) == [GONE]
        assert state.pending(feed.name) == []
