"""The page's list of cases: what it shows, what its buttons do, and who may see it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from PIL import Image

from assistant.case.catalogue import list_cases
from assistant.case.locking import case_unit, lock_units
from assistant.case.record import Case
from assistant.chat.cases import CaseShelf
from assistant.chat.sessions import SessionStore, new_token
from assistant.settings import Settings
from tests.support.cases import astronaut_pixels
from tools.gallery.locking.keys import passphrase_key


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of a page on this machine only."""
    return Settings(home=tmp_path / "home", config_dir=tmp_path / "config")


@pytest.fixture
def case(settings: Settings, tmp_path: Path) -> Case:
    """A recorded case with a photo."""
    Image.fromarray(astronaut_pixels()).save(tmp_path / "ada.png")
    made = Case.create(settings.home, gallery="forum")
    (copy,) = made.keep_photos([tmp_path / "ada.png"])
    made.begin_turn("Find <fakes> of Ada.", {"Q1": copy}, gallery="forum")
    return made


def shelf_of(settings: Settings) -> tuple[CaseShelf, SessionStore]:
    """The list, and sessions that hold only a case."""
    sessions = SessionStore(
        settings.home,
        begin=lambda gallery: cast(Any, None),
        resume=lambda case: cast(
            Any, SimpleNamespace(case=case, busy=False, user="", stop=lambda: None)
        ),
    )
    return CaseShelf(settings, sessions), sessions


def press(
    shelf: CaseShelf, action: str, id: str, value: str = "", *, archived: bool = False
) -> str:
    """The list after a button was pressed."""
    event = SimpleNamespace(action=action, id=id, value=value)
    return shelf.act("", archived, cast(Any, None), cast(Any, event))


def test_a_locked_case_shows_nothing_and_opens_by_its_passphrase(
    settings: Settings, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock, a field that hides what is typed, and no name, question or photo."""
    warnings: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text, **_: warnings.append(text))
    shelf, sessions = shelf_of(settings)
    token = new_token()
    assert shelf.open(case.id, token, None)
    key = passphrase_key("four words are enough")
    (done,) = lock_units(settings, [case_unit(settings, case.id)], key)
    assert done.changed
    shown = shelf.html()
    assert "Locked case" in shown and 'type="password"' in shown
    assert "Ada" not in shown and "forum" not in shown and "data:image" not in shown
    assert sessions.find(token, None) is None  # what was open is not shown either
    assert "Locked case" in press(shelf, "unlock", case.id, "four words are not")
    assert warnings == ["the passphrase is wrong: nothing was changed"]
    assert "Find &lt;fakes&gt; of Ada." in press(shelf, "unlock", case.id, "four words are enough")
    assert shelf.open(case.id, token, None)


def test_cases_are_listed_with_a_thumbnail_and_put_in_order(settings: Settings, case: Case) -> None:
    """Escaped words, a small picture; named, archived, taken back, duplicated, deleted."""
    shelf, _ = shelf_of(settings)
    shown = shelf.html()
    assert "Find &lt;fakes&gt; of Ada." in shown
    assert "unfinished" in shown
    assert 'src="data:image/jpeg;base64,' in shown
    assert str(settings.home) not in shown
    assert "<b>Ada, forum</b>" in press(shelf, "rename", case.id, "Ada, forum")
    assert case.id not in press(shelf, "archive", case.id)
    assert case.id in shelf.html("", archived=True)
    assert case.id in press(shelf, "reopen", case.id)
    assert press(shelf, "duplicate", case.id).count("<li>") == 2
    assert case.id not in press(shelf, "delete", case.id)
    assert [it.id for it in list_cases(settings.home)] != [case.id]
    assert "No case has these words" in shelf.html("nowhere")


def test_a_listed_case_becomes_the_browsers_own(settings: Settings, case: Case) -> None:
    """Under a token of its own, as if it had begun there; a deleted one is nobody's any more."""
    shelf, sessions = shelf_of(settings)
    token = new_token()
    assert shelf.open(case.id, token, None)
    found = sessions.find(token, None)
    assert found is not None
    assert found.case.id == case.id


def test_with_logins_or_for_others_no_case_is_listed(settings: Settings, case: Case) -> None:
    """Nobody sees, opens or deletes the case of another user."""
    for changes in ({"auth": "ada:secret"}, {"host": "0.0.0.0"}):  # noqa: S104 - what is refused
        open_ = Settings.model_validate(settings.model_dump() | changes)
        shelf, sessions = shelf_of(open_)
        token = new_token()
        assert case.id not in shelf.html()
        assert case.id not in press(shelf, "delete", case.id)
        assert not shelf.open(case.id, token, "ada")
        assert sessions.find(token, "ada") is None
        assert [it.id for it in list_cases(settings.home)] == [case.id]
