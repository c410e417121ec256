"""The access log holds who, when and what, rotates, and never stops an access."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tools.gallery import access_log
from tools.gallery.access_log import accesses, login_name, record_access
from tools.gallery.database_file import try_lock

pytestmark = pytest.mark.fast

MANY = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tools.gallery.access_log import record_access
for _ in range(50):
    record_access(Path(sys.argv[2]), "search", who="n" * 200)
"""


def test_a_line_holds_time_login_and_kind_and_nothing_else(tmp_path: Path) -> None:
    """The chat's login, or else the user of the process; readable by the owner only."""
    assert record_access(tmp_path, "search", who="ada")
    assert record_access(tmp_path, "export")
    first, second = accesses(tmp_path)
    assert (first.who, first.what, second.who, second.what) == (
        "ada", "search", login_name(), "export",
    )  # fmt: skip
    file = tmp_path / "access.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {*json.loads(file.read_text().splitlines()[0])} == {"at", "who", "what"}


def test_it_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest accesses stay, two files at most, each below the limit."""
    monkeypatch.setattr(access_log, "MAX_BYTES", 1000)
    for number in range(100):
        record_access(tmp_path, "check", who=f"user{number:03}")
    files = sorted(it.name for it in tmp_path.iterdir())
    assert files == ["access.1.jsonl", "access.jsonl"]
    assert all((tmp_path / it).stat().st_size <= 1000 for it in files)
    kept = [it.who for it in accesses(tmp_path)]
    assert kept == [f"user{number:03}" for number in range(100 - len(kept), 100)]
    assert len(kept) >= 1000 // 80


def test_only_one_process_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that find the file full at once would set it aside twice, and the older half is lost."""
    monkeypatch.setattr(access_log, "MAX_BYTES", 100)
    record_access(tmp_path, "check", who="ada")
    other = try_lock(tmp_path / "access.lock")
    assert other is not None
    record_access(tmp_path, "check", who="bob")
    assert not (tmp_path / "access.1.jsonl").exists()
    other.close()
    record_access(tmp_path, "check", who="eve")
    assert [it.who for it in accesses(tmp_path)] == ["ada", "bob", "eve"]
    assert sorted(it.name for it in tmp_path.iterdir()) == ["access.1.jsonl", "access.jsonl"]


def test_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    """Two writers at once leave whole lines."""
    command = [sys.executable, "-c", MANY, str(ROOT), str(tmp_path)]
    writers = [subprocess.Popen(command) for _ in range(2)]
    assert [it.wait(timeout=60) for it in writers] == [0, 0]
    assert len(list(accesses(tmp_path))) == 100


def test_what_cannot_be_logged_is_said_and_goes_on(tmp_path: Path) -> None:
    """A folder that is not there, or a file in its place; torn lines are left out."""
    assert record_access(tmp_path / "nix", "search") is False
    assert list(accesses(tmp_path / "nix")) == []
    record_access(tmp_path, "forget", who="ada")
    with (tmp_path / "access.jsonl").open("a") as log:
        log.write('{"at": "2026-')
    assert [it.what for it in accesses(tmp_path)] == ["forget"]
