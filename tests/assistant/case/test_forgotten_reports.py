"""Reports and maps in a case's folder, as a deletion finds them."""

from pathlib import Path

import pytest

from assistant.case.forgetting.reports import MAP_ID_LENGTH, reports_about, reports_in
from assistant.case.redaction import HeldInCase, Subject
from tools.agent_tools.casework_tools import EXPORT_FILES

pytestmark = pytest.mark.fast

ID, OTHER = "a" * 64, "b" * 64


def test_maps_and_every_format_are_found(tmp_path: Path) -> None:
    """Nothing else in the folder; a map goes with its picture, a report with a name in it."""
    maps = [f"map-H{n}-{id[:MAP_ID_LENGTH]}.jpg" for n, id in enumerate((ID, OTHER), start=1)]
    names = {*EXPORT_FILES.values(), "report.schema.json", *maps}
    for name in (*names, "case.sqlite3"):
        (tmp_path / name).write_bytes(b"")
    assert {it.name for it in reports_in(tmp_path)} == names
    (tmp_path / "report.pdf").write_text(f"a picture {ID}")
    subject = Subject(frozenset({ID}))
    found = reports_about(tmp_path, subject, HeldInCase((), ()))
    assert {it.name for it in found} == {"report.pdf", maps[0]}
    held = reports_about(tmp_path, subject, HeldInCase((3,), ()))
    assert {it.name for it in held} == names - {maps[1]}  # another hit's map shows nothing of it
