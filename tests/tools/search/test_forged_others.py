"""Somebody else's face that reads as forged may hide a victim of a crude swap: lists say so."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.console.output import print_findings
from tests.support.made.listed_hits import findings, hit

pytestmark = pytest.mark.fast


def test_forged_faces_of_others_are_pointed_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Their number and ranks, in the list and the JSON; nothing where there is none."""
    hits = [hit(rank, Path(f"{rank}.jpg"), "other") for rank in (1, 2, 3)]
    assert findings(hits).forged_others == ""
    forged = [
        it if it.rank == 2 else replace(it, assessment=replace(it.assessment, fake_place="high"))
        for it in hits
    ]
    found = findings(forged)
    assert found.forged_others.startswith("2 pictures of somebody else read as forged (1 and 3): ")
    assert found.to_json()["forged_others"] == found.forged_others
    print_findings(found, explain=False)
    assert "victim of a crude swap" in " ".join(capsys.readouterr().out.split())
