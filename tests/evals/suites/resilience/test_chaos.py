"""The chaos suite finds what is lost, doubled or left, and puts files together as after a cut."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from evals.suites.resilience.chaos import analysers
from evals.suites.resilience.chaos.kills import JOBS, faults_of, spread
from evals.suites.resilience.chaos.power_cuts import put_together
from tools.gallery.record_store import Gallery


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of nine pictures."""
    folder = tmp_path_factory.mktemp("chaos")
    analysers.write_pictures(folder / "photos", 9, seed=0)
    analysers.index_photos(folder / "home", folder / "photos", lambda _: None)
    return folder / "home"


def ids_in(home: Path) -> list[str]:
    """The pictures of the gallery."""
    with Gallery.open_existing(home) as gallery:
        return list(gallery.image_ids())


def test_a_sound_gallery_has_no_fault(home: Path) -> None:
    """Everything is there and found."""
    assert set(faults_of(home, ids_in(home)).values()) == {0}


def test_what_is_missing_or_left_is_counted(home: Path) -> None:
    """An acknowledged picture that is not there, a forgotten one that is."""
    known = ids_in(home)
    found = faults_of(home, [*known, "0" * 64], absent=known[:2])
    assert (found["lost"], found["reappeared"]) == (1, 2)


def test_an_upgrade_and_forgetting_leave_no_fault(home: Path, tmp_path: Path) -> None:
    """The jobs that are killed, when they are not."""
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    known, gone = ids_in(copy), list[str]()
    analysers.forget_pictures(copy, known[:2], gone.extend)
    analysers.upgrade(copy)
    assert gone == known[:2]
    assert set(faults_of(copy, known[2:], absent=gone).values()) == {0}


def test_a_cut_keeps_what_was_synced(tmp_path: Path) -> None:
    """Nothing later, or some blocks of it; never a file that was not synced at all."""
    home, synced, rng = tmp_path / "home", tmp_path / "synced", np.random.default_rng(0)
    for folder in (home, synced):
        folder.mkdir()
    (home / "record").write_bytes(b"n" * 9 * 4096)
    (synced / "record").write_bytes(b"o" * 5 * 4096)
    (home / "never synced").write_bytes(b"n")
    put_together(home, synced, tmp_path / "plain", None)
    assert [path.name for path in (tmp_path / "plain").iterdir()] == ["record"]
    assert (tmp_path / "plain" / "record").read_bytes() == b"o" * 5 * 4096
    put_together(home, synced, tmp_path / "torn", rng)
    torn = (tmp_path / "torn" / "record").read_bytes()
    assert len(torn) == 9 * 4096 and {torn[at] for at in range(0, len(torn), 4096)} > {ord("n")}


def test_kills_are_spread_over_all_jobs() -> None:
    """As evenly as possible."""
    assert dict(spread(7)) == {**dict.fromkeys(JOBS, 1), "index": 2, "search": 2}
