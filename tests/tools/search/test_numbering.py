"""A longer list of one search leaves every number what it was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.made.listed_hits import findings, hit
from tools.search.search import SearchOutcome, numbered_as_before

pytestmark = pytest.mark.fast


def outcome(names: Sequence[str]) -> SearchOutcome:
    """A search that ranked these pictures; the name of each stands in for its record."""
    hits = [hit(rank, Path(name)) for rank, name in enumerate(names, 1)]
    return SearchOutcome(findings(hits), cast(Any, None), cast(Any, tuple(names)))


def test_listed_hits_keep_their_handles_however_the_others_rank() -> None:
    """New hits follow by rank with their records; a note names those that rank before old ones."""
    before = outcome(["a", "b"]).findings
    longer = numbered_as_before(outcome(["n", "b", "a", "m"]), [it.face_id for it in before.hits])
    assert [(it.handle, it.image_id) for it in longer.findings.hits] == [
        ("H1", "a"), ("H2", "b"), ("H3", "n"), ("H4", "m"),
    ]  # fmt: skip
    assert cast(Any, longer.records) == ("a", "b", "n", "m")
    assert longer.findings.warnings == ("listed later, but ranked before earlier hits: H3",)


def test_an_unchanged_order_gets_no_note() -> None:
    """Nothing moves where the longer search ranks as the shorter one did."""
    longer = outcome(["a", "b", "c"])
    same = numbered_as_before(longer, ["a:0", "b:0"])
    assert (same.findings, same.records) == (longer.findings, longer.records)
