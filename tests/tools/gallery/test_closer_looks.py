"""Results of closer looks, kept beside a gallery: they save time, and nothing depends on them."""

from pathlib import Path

import pytest

from tools.gallery import closer_looks
from tools.gallery.closer_looks import FILE, StoredLooks, forget_looks

pytestmark = pytest.mark.fast


def test_results_come_back_under_their_key_only(tmp_path: Path) -> None:
    """For the faces asked for; the latest counts; the file is its owner's alone."""
    looks = StoredLooks(tmp_path)
    assert looks.closer_looks("ada", ["a:0"]) == {}
    looks.keep_closer_looks("ada", {"a:0": "[0.1]", "b:0": "[2]"})
    looks.keep_closer_looks("ada", {"b:0": "[3]"})
    looks.keep_closer_looks("bea", {"a:0": "[4]"})
    assert looks.closer_looks("ada", ["b:0", "a:0", "c:0"]) == {"a:0": "[0.1]", "b:0": "[3]"}
    assert looks.closer_looks("bea", ["a:0", "b:0"]) == {"a:0": "[4]"}
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_the_oldest_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file does not grow without end."""
    monkeypatch.setattr(closer_looks, "MOST_ENTRIES", 2)
    looks = StoredLooks(tmp_path)
    for name in "abc":
        looks.keep_closer_looks("key", {name: name})
    assert looks.closer_looks("key", ["a", "b", "c"]) == {"b": "b", "c": "c"}


def test_a_damaged_or_missing_place_stops_no_search(tmp_path: Path) -> None:
    """Nothing is known, nothing is kept, nothing is raised."""
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    damaged, nowhere = StoredLooks(tmp_path), StoredLooks(tmp_path / "missing")
    for looks in (damaged, nowhere):
        looks.keep_closer_looks("key", {"a": "b"})
        assert looks.closer_looks("key", ["a"]) == {}


def test_forgetting_leaves_nothing(tmp_path: Path) -> None:
    """Whether or not there was anything."""
    StoredLooks(tmp_path).keep_closer_looks("key", {"a": "b"})
    forget_looks(tmp_path)
    forget_looks(tmp_path)
    assert list(tmp_path.iterdir()) == []
