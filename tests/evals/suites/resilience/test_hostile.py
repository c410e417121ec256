"""The hostile files, and what counts as a fault."""

from collections import Counter
from pathlib import Path

import pytest

from evals.options import EvalOptions
from evals.suites.resilience.hostile.doors import Fate
from evals.suites.resilience.hostile.files import KINDS, HostileFile, hostile_files
from evals.suites.resilience.hostile.suite import (
    FAULTS,
    Outcome,
    Trial,
    fault_of,
    figures,
    is_plain,
)

FILE = HostileFile("a.jpg", "cut off", b"\xff\xd8\xff\xe0", refused=True)
GOOD = {"file": "a.jpg", "reason": "damaged: copy it again", "error": "", "seconds": 0.1,
        "cpu_s": 0.1, "peak_mb": 99.0, "helpers_mb": 0.0}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> list[HostileFile]:
    """Made once: some are large."""
    return hostile_files()


def test_there_are_more_than_three_hundred_of_every_kind(files: list[HostileFile]) -> None:
    """With different names, and the same bytes for the same seed."""
    kinds = Counter(file.kind for file in files)
    assert set(kinds) == set(KINDS) and min(kinds.values()) >= 8
    assert len({file.name for file in files}) == len(files) >= 300
    assert sum(len(file.data) for file in files) < 200_000_000


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"error": "ValueError: x"}, "error"),
        ({"cpu_s": 11.0}, "slow"),
        ({"reason": "two\nlines of text"}, "unclear"),
        ({"reason": ""}, "wrongly read"),
        ({"reason": "no face was found in it"}, "wrongly read"),
    ],
)
def test_what_is_a_fault(changed: dict[str, object], fault: str) -> None:
    """Every fault begins with its kind."""
    found = fault_of(Outcome("check", FILE, Fate(**{**GOOD, **changed})))  # type: ignore[arg-type]
    assert found.startswith(fault) and bool(found) == bool(fault)
    assert not fault or any(found.startswith(kind) for kind in FAULTS)
    assert fault_of(Outcome("check", FILE, None, "crashed (-11)")) == "crashed (-11)"


def test_a_reason_may_end_with_a_list_of_faces() -> None:
    """Further lines are numbered, and everything together is short."""
    line = "'a.jpg' shows 2 faces; say which one is meant with --face a.jpg=N:"
    assert is_plain(f"{line}\n  1: 90 px wide\n  2: 80 px wide")
    assert not is_plain(f"{line}\nTraceback") and not is_plain(f"{line}\n  1: \x1b[2J")
    assert not is_plain(line + "\n  1: 90 px wide" * 30) and not is_plain("\n  1: 90 px wide")


def test_files_pass_through_a_door_in_a_child(tmp_path: Path) -> None:
    """Provenance, the door that needs no models; a file that cannot be taken apart is no fault."""
    files = [FILE, HostileFile("b.png", "disguise", b"<svg/>", refused=True)]
    outcomes = Trial(tmp_path, files, doors=["provenance"]).outcomes(EvalOptions(data=tmp_path))
    assert [(it.door, it.file.name, it.died) for it in outcomes] == [
        ("provenance", "a.jpg", ""), ("provenance", "b.png", ""),
    ]  # fmt: skip
    found = figures(outcomes)
    assert (found["passages"], found["faults"]) == (2, 0)
    assert 0 < float(str(found["most memory (MB)"])) < 2000
