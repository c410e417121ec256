"""The page's list of cases: what it shows, what its buttons do, and who may see it."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from PIL import Image

from assistant.case.catalogue import list_cases
from assistant.case.locking import case_unit, lock_units
from assistant.case.record import Case
from assistant.chat.sessions import SessionStore, new_token
from assistant.chat.users.cases import CaseShelf
from assistant.chat.users.permissions import PageUsers
from assistant.report.times import local_time
from assistant.server.access.accounts import AccountStore
from assistant.server.access.gate import IDENTITY
from assistant.server.access.passwords import Cost
from assistant.server.access.roles import Identity, Role
from assistant.server.work.case_access import CaseAccess
from assistant.server.work.ledger import Ledger
from assistant.settings import Settings
from tests.support.cases import astronaut_pixels
from tools.gallery.locking.keys import passphrase_key

WORDS = "four words are enough"
REQUEST = cast(gr.Request, SimpleNamespace(username=None))


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
        resume=lambda case, _: cast(
            Any, SimpleNamespace(case=case, busy=False, user="", stop=lambda: None)
        ),
    )
    return CaseShelf(settings, sessions, PageUsers(settings)), sessions


def press(
    shelf: CaseShelf, action: str, id: str, value: str = "", *, archived: bool = False
) -> str:
    """The list after a button was pressed."""
    event = SimpleNamespace(action=action, id=id, value=value)
    return shelf.act("", archived, "", REQUEST, cast(Any, event))


def test_a_locked_case_shows_nothing_and_opens_by_its_passphrase(
    settings: Settings, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock, a field that hides what is typed, and no name, question or photo."""
    warnings: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text, **_: warnings.append(text))
    shelf, sessions = shelf_of(settings)
    token = new_token()
    assert shelf.open(case.id, token, shelf.users.of(REQUEST))
    key = passphrase_key("four words are enough")
    (done,) = lock_units(settings, [case_unit(settings, case.id)], key)
    assert done.changed
    shown = shelf.html("", False, "", REQUEST)
    assert "Locked case" in shown and 'type="password"' in shown
    assert "Ada" not in shown and "forum" not in shown and "data:image" not in shown
    assert sessions.find(token, None) is None  # what was open is not shown either
    assert "Locked case" in press(shelf, "unlock", case.id, "four words are not")
    assert warnings == ["the passphrase is wrong: nothing was changed"]
    assert "Find &lt;fakes&gt; of Ada." in press(shelf, "unlock", case.id, "four words are enough")
    assert shelf.open(case.id, token, shelf.users.of(REQUEST))


def test_cases_are_listed_with_a_thumbnail_and_put_in_order(settings: Settings, case: Case) -> None:
    """Escaped words, a small picture; named, archived, taken back, duplicated, deleted."""
    shelf, _ = shelf_of(settings)
    shown = shelf.html("", False, "", REQUEST)
    assert "Find &lt;fakes&gt; of Ada." in shown
    assert "unfinished" in shown
    assert 'src="data:image/jpeg;base64,' in shown
    assert str(settings.home) not in shown
    assert "<b>Ada, forum</b>" in press(shelf, "rename", case.id, "Ada, forum")
    assert case.id not in press(shelf, "archive", case.id)
    assert case.id in shelf.html("", True, "", REQUEST)
    assert case.id in press(shelf, "reopen", case.id)
    assert press(shelf, "duplicate", case.id).count("<li") == 2
    assert case.id not in press(shelf, "delete", case.id)
    assert [it.id for it in list_cases(settings.home)] != [case.id]
    assert "No case has these words" in shelf.html("nowhere", False, "", REQUEST)


def test_a_listed_case_becomes_the_browsers_own(settings: Settings, case: Case) -> None:
    """Under a token of its own, as if it had begun there; a deleted one is nobody's any more."""
    shelf, sessions = shelf_of(settings)
    token = new_token()
    assert shelf.open(case.id, token, shelf.users.of(REQUEST))
    found = sessions.find(token, None)
    assert found is not None
    assert found.case.id == case.id


def test_the_open_case_is_marked(settings: Settings, case: Case) -> None:
    """The one that the browser with this token shows, and no other; dates are for readers."""
    Case.create(settings.home, gallery="other")
    shelf, _ = shelf_of(settings)
    token = new_token()
    assert 'aria-current="true"' not in shelf.html("", False, token, REQUEST)
    assert shelf.open(case.id, token, shelf.users.of(REQUEST))
    shown = shelf.html("", False, token, REQUEST)
    (marked,) = re.findall(r"<li aria-current=.*?</li>", shown, re.DOTALL)
    assert case.id in marked and "Open now" in marked
    assert local_time(case.entries()[0].at) in marked
    assert 'aria-current="true"' not in shelf.html("", False, new_token(), REQUEST)


def test_with_logins_or_for_others_no_case_is_listed(
    settings: Settings, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees, opens or deletes the case of another user."""
    warnings: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text, **_: warnings.append(text))
    for changes in ({"auth": "ada:secret"}, {"host": "0.0.0.0"}):  # noqa: S104 - what is refused
        open_ = Settings.model_validate(settings.model_dump() | changes)
        shelf, sessions = shelf_of(open_)
        token = new_token()
        assert case.id not in shelf.html("", False, "", REQUEST)
        assert case.id not in press(shelf, "delete", case.id)
        assert not shelf.open(case.id, token, Identity("ada", frozenset({"page"})))
        assert sessions.find(token, "ada") is None
        assert [it.id for it in list_cases(settings.home)] == [case.id]
    assert warnings == ["Only its maker and admins may do that: ask one of them."] * 2


# -- behind the gate of a server ------------------------------------------------------------------


def sent_by(name: str, role: Role = "investigator") -> gr.Request:
    """An event of a login, as the gate passes it on."""
    scope = {IDENTITY: Identity(name, frozenset({"page"}), role)}
    return cast(gr.Request, SimpleNamespace(request=SimpleNamespace(scope=scope)))


@pytest.fixture
def shelf(settings: Settings, case: Case) -> CaseShelf:
    """The list of a server with accounts, on which ada made the case and shared it with eve."""
    AccountStore(settings.config_dir, cost=Cost(16, 1, 1)).add("eve", "viewer", WORDS)
    access = CaseAccess(Ledger(settings.home), settings.home)
    access.own(Identity("ada", frozenset()), case.id)
    access.share(case.id, ["eve", "bob"])
    _, sessions = shelf_of(settings)
    return CaseShelf(settings, sessions, PageUsers(settings, access))


def acted(shelf: CaseShelf, who: gr.Request, action: str, id: str, value: str = "") -> str:
    """The list after a button was pressed by someone."""
    return shelf.act(
        "", True, "", who, cast(Any, SimpleNamespace(action=action, id=id, value=value))
    )


def test_each_user_is_offered_what_they_may_do(shelf: CaseShelf, case: Case) -> None:
    """Buttons by maker, share and role; a stranger sees nothing."""
    offered = {
        who: re.findall(r'data-do="(\w+)"', shelf.html("", True, "", sent_by(who, role)))
        for who, role in cast(dict[str, Role], {
            "ada": "investigator", "bob": "investigator", "eve": "viewer", "mel": "investigator",
            "root": "admin",
        }).items()
    }  # fmt: skip
    keeps = ["open", "rename", "share", "archive", "duplicate", "delete"]
    assert offered == {
        "ada": keeps, "bob": ["open", "duplicate"], "eve": ["open"], "mel": [], "root": keeps,
    }  # fmt: skip
    assert "by ada · shared with bob, eve" in shelf.html("", True, "", sent_by("eve", "viewer"))


@pytest.mark.parametrize(
    "action", ["rename", "archive", "share", "delete", "unlock", "duplicate", "open"]
)
def test_what_is_not_offered_is_refused(
    shelf: CaseShelf, case: Case, action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the event comes without its button: nothing changes, and a line says why."""
    warnings: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text, **_: warnings.append(text))
    before, home = case.entries(), case.folder.parent
    acted(shelf, sent_by("eve", "viewer"), action, case.id, "mel")
    acted(shelf, sent_by("mel"), action, case.id, "mel")
    assert len(warnings) == 2
    assert case.entries() == before
    assert list(home.iterdir()) == [case.folder]
    assert not shelf.open(case.id, new_token(), Identity("mel", frozenset()))
    assert shelf.users.owner_and_shares(case.id) == ("ada", ["bob", "eve"])


def test_a_withdrawn_case_leaves_the_browser(shelf: CaseShelf, case: Case) -> None:
    """Who had it open does not see it any more; a duplicate belongs to who made it."""
    eve = Identity("eve", frozenset(), "viewer")
    assert shelf.users.sees(eve, case.id) and shelf.open(case.id, new_token(), eve)
    acted(shelf, sent_by("ada"), "share", case.id, "")
    assert not shelf.users.sees(eve, case.id)
    acted(shelf, sent_by("root", "admin"), "duplicate", case.id)
    (made,) = {it.name for it in case.folder.parent.iterdir()} - {case.id}
    assert shelf.users.owner_and_shares(made) == ("root", [])


def test_events_of_a_viewer_do_not_run(shelf: CaseShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain and streaming ones, whatever they would have returned."""
    warnings: list[str] = []
    monkeypatch.setattr("gradio.Warning", lambda text, **_: warnings.append(text))
    ran: list[str] = []

    def press(token: str, request: gr.Request) -> Iterator[str]:
        ran.append(token)
        yield "pressed"

    def choose(token: str, request: gr.Request) -> str:
        return "chosen"

    viewer, other = sent_by("eve", "viewer"), sent_by("ada")
    pressed = shelf.users.guarded(press, outputs=1)
    assert list(pressed("t", viewer)) == [gr.skip()] and ran == []
    assert "unmask accounts role eve investigator" in warnings[0]
    assert list(pressed("t", other)) == ["pressed"]
    assert shelf.users.guarded(choose, outputs=1)("t", viewer) == "chosen"

    def ask_again(token: str, request: gr.Request) -> Iterator[str]:
        yield from ()

    nothing = shelf.users.guarded(ask_again, outputs=2)
    assert list(nothing("t", other)) == [(gr.skip(), gr.skip())], "Gradio would empty the page"
    with pytest.raises(ValueError, match="request"):
        shelf.users.guarded(lambda token: token, outputs=1)
