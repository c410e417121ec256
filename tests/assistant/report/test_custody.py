"""The custody log: every kind of entry in words, also those that put cases in order."""

from pathlib import Path

import pytest

from assistant.case.catalogue import archive_case, duplicate_case, rename_case
from assistant.case.record import Case
from assistant.case.signed.signing import SigningKeys
from assistant.report.contents.custody import custody_items
from tools.agent_tools.review.entries import HitNote

pytestmark = pytest.mark.fast

NOTE = HitNote(
    image_id="a", text="seen in May", at="2026-11-29T16:00:00+00:00", user="ada", hit="H1"
)


def test_names_archives_notes_and_duplicates_are_in_words(tmp_path: Path) -> None:
    """No entry is listed by its internal kind alone, and a note's text is not repeated."""
    case = Case.create(tmp_path, gallery="family", keys=SigningKeys(tmp_path / "keys"))
    case.record_decision(NOTE)
    case.record_decision(HitNote(image_id="a", text="", at=NOTE.at, user="ada", undoes=True))
    rename_case(case, "Ada")
    rename_case(case, "")
    archive_case(case)
    archive_case(case, archived=False)
    assert [it.what for it in custody_items(case)][1:] == [
        "note on H1, sha256 a, written, by ada",
        "note on a picture, sha256 a, removed (an undo), by ada",
        "case named “Ada”", "name of the case removed", "case archived", "case reopened",
    ]  # fmt: skip
    made = duplicate_case(case, tmp_path)
    assert f"duplicated from case {case.id}" in [*custody_items(made)][1].what
