"""A gallery says why and until when it is kept; past its day a notice names it."""

import stat
from datetime import date
from pathlib import Path

import pytest

from tests.support.stand_ins import FINGERPRINT
from tools.errors import SetupError
from tools.gallery.database_file import DATABASE_FILE
from tools.gallery.record_store import Gallery
from tools.gallery.retention import RetentionNote, checked_basis, checked_day

pytestmark = pytest.mark.fast


def test_the_note_is_kept_in_the_gallery(tmp_path: Path) -> None:
    """Nothing is noted at first; what is noted is there when opened again, for the owner only."""
    with Gallery.open(tmp_path, "family", fingerprint=FINGERPRINT) as gallery:
        assert gallery.retention == RetentionNote()
        assert gallery.retention.text == ""
        gallery.note_retention(RetentionNote("consent", "2999-01-31"))
    with Gallery.open_existing(tmp_path, "family") as again:
        assert again.retention == RetentionNote("consent", "2999-01-31")
        assert again.notices == []
        assert again.retention.text == ("Lawful basis, as noted: consent; keep until 2999-01-31.")
    file = tmp_path / "galleries" / "family" / DATABASE_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_past_its_day_a_notice_names_the_command(tmp_path: Path) -> None:
    """The last day itself is not past; nothing is deleted."""
    note = RetentionNote("", "2026-03-31")
    assert not note.is_overdue(date(2026, 3, 31))
    assert note.is_overdue(date(2026, 4, 1))
    assert not RetentionNote("consent").is_overdue()
    with Gallery.open(tmp_path, "family", fingerprint=FINGERPRINT) as gallery:
        gallery.note_retention(RetentionNote("", "2020-01-01"))
        (notice,) = gallery.notices
    assert "`unmask forget --gallery family`" in notice
    assert "nothing is deleted by itself" in notice
    assert Gallery.names(tmp_path) == ["family"]


@pytest.mark.parametrize("text", ["31.1.2027", "2027-02-30", "2027-1-1", "soon"])
def test_only_days_are_days(text: str) -> None:
    """Any other form is refused in one line; an empty one removes the day."""
    with pytest.raises(SetupError, match="write it as 2027-01-31"):
        checked_day(text)
    assert checked_day("") == ""
    assert checked_day("2027-01-31") == "2027-01-31"


def test_a_basis_is_one_line() -> None:
    """Line breaks become spaces; a long text is refused."""
    assert checked_basis(" consent\nof Ada ") == "consent of Ada"
    with pytest.raises(SetupError, match="at most 500"):
        checked_basis("x" * 501)
