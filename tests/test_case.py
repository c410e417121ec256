"""The case record keeps everything, privately, and shows when it was changed."""

import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from assistant.case import RECORD, Case, cases
from assistant.steps import Failed, Stopped, ToolCall, UserTurn
from tests.stand_ins import picture
from tools.errors import SetupError, ToolError
from tools.handles import Fact

FACT = Fact("H1.E1", "identity similarity", 0.6, "cosine", "same person", "ArcFace", "none", 0.5)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A case just begun."""
    return Case.create(tmp_path, gallery="family")


def test_steps_come_back_in_order(case: Case, tmp_path: Path) -> None:
    """What was appended is there after opening the case again."""
    steps = [
        UserTurn("find fakes", ("Q1",)),
        ToolCall("1", "find_person", {"photos": ["Q1"]}),
        Stopped(),
    ]
    for step in steps:
        case.append(step)
    again = Case.open(tmp_path, case.id)
    assert again.steps() == steps
    assert again.gallery == "family"
    assert again.verify() == ()


def test_threads_append_one_after_the_other(case: Case) -> None:
    """Two writers at once leave one unbroken chain."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: case.append(UserTurn(str(n))), range(20)))
    assert len(case.steps()) == 20
    assert case.verify() == ()


@pytest.mark.parametrize(
    ("tampering", "entry"),
    [
        ("UPDATE entries SET body = replace(body, 'fakes', 'ghosts') WHERE seq = 2", 2),
        ("UPDATE entries SET at = '2020-01-01' WHERE seq = 2", 2),
        ("DELETE FROM entries WHERE seq = 2", 2),
        ("UPDATE entries SET seq = seq + 1 WHERE seq = 3", 3),
    ],
)
def test_a_changed_record_is_noticed(case: Case, tampering: str, entry: int) -> None:
    """Editing, removing and moving an entry break the chain."""
    case.append(UserTurn("find fakes"))
    case.append(Failed("no disk"))
    with sqlite3.connect(case.folder / RECORD) as connection:
        connection.execute(tampering)
    connection.close()
    assert case.verify() == (f"entry {entry} was changed, removed or inserted",)


def test_the_head_shows_what_was_cut_off(case: Case) -> None:
    """A chain cannot miss its end; the hash noted elsewhere does."""
    case.append(UserTurn("find fakes"))
    noted = case.head
    with sqlite3.connect(case.folder / RECORD) as connection:
        connection.execute("DELETE FROM entries WHERE seq = 2")
    connection.close()
    assert case.verify() == ()
    assert case.head != noted


def test_photos_are_private_copies_without_their_names(case: Case, tmp_path: Path) -> None:
    """Only the owner reads them, no file name survives, and a changed copy is noticed."""
    path = tmp_path / "Ada Lovelace.png"
    Image.fromarray(picture(1)).save(path)
    copy = case.keep_photo(path)
    case.record_photo("Q1", copy)
    case.record_photo("Q1", copy)
    assert case.keep_photo(path) == copy
    assert case.photos() == {"Q1": copy}
    assert copy.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(case.folder.stat().st_mode) == 0o700
    for file in case.folder.iterdir():
        assert file.is_dir() or stat.S_IMODE(file.stat().st_mode) == 0o600
    record = (case.folder / RECORD).read_bytes()
    assert b"Lovelace" not in record
    copy.write_bytes(b"another picture")
    assert case.verify() == ("the photo Q1 is missing or was changed",)


def test_a_broken_photo_is_not_kept(case: Case, tmp_path: Path) -> None:
    """A file that is no picture is refused by name and leaves nothing behind."""
    (tmp_path / "ada.jpg").write_text("not a picture")
    with pytest.raises(ToolError, match=r"ada\.jpg"):
        case.keep_photo(tmp_path / "ada.jpg")
    assert list(case.photos_folder.iterdir()) == []


def test_values_are_kept_as_they_were(case: Case) -> None:
    """What a text cited can be read long after the gallery is gone."""
    case.append(UserTurn("why?"))
    case.append_facts((FACT,))
    case.append(Stopped())
    assert case.told() == [(UserTurn("why?"), {"H1.E1": FACT}), (Stopped(), {})]


def test_the_latest_search_belongs_to_the_gallery(case: Case) -> None:
    """Switching the gallery forgets the search, as the desk does; switching to itself does not."""
    assert case.latest_search() is None
    case.record_search({"photos": ["Q1"], "top": 5}, {"hits": []})
    case.switch_gallery("family")
    latest = case.latest_search()
    assert latest is not None
    assert latest["arguments"] == {"photos": ["Q1"], "top": 5}
    case.switch_gallery("work")
    assert case.latest_search() is None
    assert case.gallery == "work"


def test_cases_are_listed(case: Case, tmp_path: Path) -> None:
    """The newest first, each with what was asked."""
    case.append(UserTurn("find fakes of Ada"))
    other = Case.create(tmp_path, gallery="default")
    listed = {summary.id: summary for summary in cases(tmp_path)}
    assert listed[case.id].asked == "find fakes of Ada"
    assert listed[other.id].steps == 0
    assert cases(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["never", "../galleries/default", ""])
def test_a_case_that_is_none_is_refused(case: Case, tmp_path: Path, name: str) -> None:
    """The message names the cases there are; a name cannot lead out of the folder."""
    with pytest.raises(SetupError, match=case.id):
        Case.open(tmp_path, name)


def test_a_damaged_record_is_plain_words(case: Case) -> None:
    """A file that lost its table is not a bug of ours, nor silently a new case."""
    (case.folder / RECORD).write_bytes(b"")
    with pytest.raises(SetupError, match=case.id):
        case.steps()
