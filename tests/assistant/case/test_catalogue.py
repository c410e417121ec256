"""The list of cases: search, names, archive, duplicates, and how the last question ended."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.case.catalogue import (
    CaseSummary,
    archive_case,
    duplicate_case,
    list_cases,
    rename_case,
)
from assistant.case.record import Case
from assistant.conversation.steps import (
    DIRECT_CALL,
    CheckedSentence,
    Explanation,
    Failed,
    ModelText,
    Step,
    Stopped,
    ToolCall,
    ToolResult,
)
from tests.support.cases import astronaut_pixels
from tools.agent_tools.review.entries import Decision, HitNote
from tools.errors import SetupError, ToolError

pytestmark = pytest.mark.fast

CALL = ToolCall("find_person", {"photos": ["Q1"]}, "1")
DIRECT = replace(CALL, id=f"{DIRECT_CALL}find_person_2")
RESULT = ToolResult("1", "find_person", "{}", True, 0.1)
ANSWER = ModelText((CheckedSentence("Three hits.", (), "plain"),), None, 0.1)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of the user."""
    from PIL import Image

    Image.fromarray(astronaut_pixels()).save(tmp_path / "ada.png")
    return tmp_path / "ada.png"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder."""
    return tmp_path / "home"


def begun(home: Path, photo: Path, *steps: Step, asked: str = "Find fakes of Ada.") -> Case:
    """A case with one question and what followed."""
    case = Case.create(home, gallery="forum")
    (copy,) = case.keep_photos([photo])
    case.begin_turn(asked, {"Q1": copy}, gallery="forum")
    for step in steps:
        case.append(step)
    return case


def row(home: Path, case: Case) -> CaseSummary:
    """The row of a case in the list."""
    return next(it for it in list_cases(home) if it.id == case.id)


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ((), "unfinished"),
        ((CALL,), "unfinished"),
        ((CALL, RESULT), "unfinished"),
        ((ANSWER, CALL), "unfinished"),
        ((CALL, RESULT, ANSWER), "answered"),
        ((CALL, RESULT, ANSWER, Explanation("H1", ANSWER.sentences)), "answered"),
        ((DIRECT, replace(RESULT, call_id=DIRECT.id)), "answered"),
        ((DIRECT, replace(RESULT, call_id=DIRECT.id, ok=False)), "failed"),
        ((DIRECT,), "unfinished"),
        ((CALL, Stopped("")), "stopped"),
        ((CALL, Failed("the disk is full")), "failed"),
    ],
)
def test_an_interrupted_search_is_no_finished_case(
    steps: tuple[Step, ...], state: str, home: Path, photo: Path
) -> None:
    """An answer ends a question, or a program's result; a killed process leaves it unfinished."""
    assert row(home, begun(home, photo, *steps)).state == state


def test_a_case_is_found_by_its_words(home: Path, photo: Path) -> None:
    """In name, questions, gallery and id, all of them, in any case."""
    first = begun(home, photo, ANSWER)
    second = Case.create(home, gallery="default")
    rename_case(second, "  Bob,\x1b holiday ")
    found = {
        text: [it.id for it in list_cases(home) if it.matches(text)]
        for text in ("ADA forum", "bob", "holiday ada", first.id, "")
    }
    assert found == {
        "ADA forum": [first.id], "bob": [second.id], "holiday ada": [], first.id: [first.id],
        "": sorted([first.id, second.id], reverse=True),
    }  # fmt: skip
    assert row(home, second).name == "Bob, holiday"
    assert row(home, second).state == "empty"


def test_names_and_the_archive_are_signed_entries(home: Path, photo: Path) -> None:
    """The latest counts; what changes nothing is not recorded; nothing is lost."""
    case = begun(home, photo, ANSWER)
    rename_case(case, "Ada")
    archive_case(case)
    entries = len(case.entries())
    rename_case(case, "Ada")
    archive_case(case)
    assert len(case.entries()) == entries
    assert (row(home, case).name, row(home, case).archived) == ("Ada", True)
    rename_case(case, "")
    archive_case(case, archived=False)
    assert (row(home, case).name, row(home, case).archived) == ("", False)
    assert (case.verification().problems, case.verification().signature) == ((), "valid")
    with pytest.raises(ToolError, match="at most 80 characters"):
        rename_case(case, "x" * 81)


def test_a_duplicate_is_a_case_of_its_own(home: Path, photo: Path) -> None:
    """Photos, steps, searches, decisions and notes; both verify, and neither changes the other."""
    case = begun(home, photo, CALL, RESULT, ANSWER)
    case.record_search({"photos": ["Q1"]}, {"hits": []})
    case.record_decision(
        Decision(
            image_id="a", decision="confirmed", at="2026-11-29T16:00:00+00:00", user="ada", hit="H1"
        )
    )
    case.record_decision(
        HitNote(
            image_id="a", text="seen in May", at="2026-11-29T16:00:00+00:00", user="ada", hit="H1"
        )
    )
    rename_case(case, "Ada")
    head = case.head
    made = duplicate_case(case, home)
    assert made.steps() == case.steps()
    assert made.review_entries() == case.review_entries()
    assert made.latest_search() == case.latest_search()
    assert {it: path.read_bytes() for it, path in made.photos().items()} == {
        it: path.read_bytes() for it, path in case.photos().items()
    }
    assert made.verify() == case.verify() == ()
    assert [it.body for it in made.entries() if it.kind == "duplicate"] == [{"of": case.id}]
    assert (row(home, made).name, row(home, case).name) == ("Copy of Ada", "Ada")
    made.append(ANSWER)
    assert case.head == head


def test_a_duplicate_that_fails_leaves_nothing(
    home: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is one sentence, and there is no half of a case."""
    case = begun(home, photo, ANSWER)

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(SetupError, match="cannot be duplicated: no space left"):
        duplicate_case(case, home)
    assert [it.id for it in list_cases(home)] == [case.id]
