"""Freed memory is returned to the system."""

import ctypes
import sys
from pathlib import Path

import pytest

from tests.support.stand_ins import FINGERPRINT, FakeEncoder, FakeFaceAnalyser, write_pictures
from tools.gallery.indexing import free_memory
from tools.gallery.indexing.job import index_folders
from tools.gallery.record_store import Gallery

pytestmark = pytest.mark.fast

GLIBC = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim")


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps freed memory and can be told to let go")
def test_holes_between_what_is_held_are_given_back() -> None:
    """Blocks freed below one that is still held stay with glibc until they are given back."""
    held = [b"x" * (60_000 + size) for size in range(2_000)]
    del held[:-1]
    before = _resident()
    free_memory.trim_malloc()
    assert before - _resident() > 60_000_000


def test_a_job_gives_memory_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While indexing, after so many pictures, and at the end."""
    calls: list[int] = []
    monkeypatch.setattr(free_memory, "trim_malloc", lambda: calls.append(1))
    monkeypatch.setattr("tools.gallery.indexing.committing.TRIM_MEMORY_EVERY", 4)
    write_pictures(tmp_path / "pictures", 10)
    with Gallery.open(tmp_path / "home", fingerprint=FINGERPRINT) as gallery:
        index_folders(
            [tmp_path / "pictures"],
            gallery=gallery,
            faces=FakeFaceAnalyser(),
            encoder=FakeEncoder(),
        )
    assert len(calls) >= 2
