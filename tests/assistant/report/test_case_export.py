"""Exports of a case: no formula in a table, nothing made up, decisions beside verdicts."""

import csv
import io
from pathlib import Path

import pytest

from assistant.report.case_export import CSV_COLUMNS, findings_json, hits_csv
from tests.support.made.listed_hits import findings, hit
from tools.agent_tools.review.entries import Decision

pytestmark = pytest.mark.fast

MADE = Decision(
    image_id="a", decision="rejected", at="2026-01-02T03:04:05+00:00", user="ada", hit="H1"
)


@pytest.mark.parametrize("name", ["=1+2.jpg", "+x.jpg", "-x.jpg", "@SUM(A1).jpg", " =1.jpg"])
def test_a_file_name_is_no_formula(name: str) -> None:
    """A relative path that a spreadsheet would compute is text in the table."""
    (row,) = csv.DictReader(io.StringIO(hits_csv(findings([hit(1, Path(name))]), {})))
    assert row["file"] == f"'{name}"
    assert row["note"] == "a reason"


def test_what_was_not_measured_is_empty() -> None:
    """Neither a probability nor a decision is made up; the columns are in the documented order."""
    found = findings([hit(1, Path("/x/a,b.jpg"), "not assessed", same=None, fake=None)])
    text = hits_csv(found, {})
    assert text.splitlines()[0].split(",") == list(CSV_COLUMNS)
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {
        "rank": "1", "verdict": "not assessed", "identity_probability": "",
        "fake_probability": "", "forgery_question": "", "impersonation_probability": "",
        "decision": "", "decision_by": "", "reviewer_note": "", "reviewer_note_by": "",
        "copy_of": "",
        "file": "/x/a,b.jpg", "note": "a reason",
    }  # fmt: skip


def test_decisions_stand_beside_verdicts() -> None:
    """In the table by a word, in JSON with time and user; the verdict is the rule's."""
    found = findings([hit(1, Path("a.jpg"), "impersonation", fake=0.91234), hit(2, Path("b.jpg"))])
    first, second = csv.DictReader(io.StringIO(hits_csv(found, {"H1": MADE})))
    assert (first["verdict"], first["decision"]) == ("impersonation", "rejected")
    assert (first["decision_by"], second["decision_by"]) == ("ada", "")
    assert first["fake_probability"] == "0.9123"
    assert second["decision"] == ""
    rows = findings_json(found, {"H1": MADE})["hits"]
    assert rows[0]["decision"] == {
        "decision": "rejected", "at": "2026-01-02T03:04:05+00:00", "user": "ada",
    }  # fmt: skip
    assert (rows[0]["verdict"], rows[1]["decision"]) == ("impersonation", None)
