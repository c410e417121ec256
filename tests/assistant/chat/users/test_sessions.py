"""Chat sessions: cases stay separate, survive a reload, and are not lost when idle."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from assistant.case.record import Case
from assistant.chat.session_state import ChatSession
from assistant.chat.sessions import SessionStore, new_token

pytestmark = pytest.mark.fast


@dataclass
class Opened:
    """Stands for an investigation: sessions look at nothing but these."""

    case: Case
    busy: bool = False
    resumed: bool = False
    user: str = ""

    def stop(self) -> None:
        """Nothing runs."""


Make = Callable[..., SessionStore]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes sessions over one data folder, as a server does each time it starts."""

    def made(**options: float) -> SessionStore:
        return SessionStore(
            tmp_path,
            begin=lambda gallery: cast(ChatSession, Opened(Case.create(tmp_path, gallery=gallery))),
            resume=lambda case, _: cast(ChatSession, Opened(case, resumed=True)),
            **options,  # type: ignore[arg-type]
        )

    yield made


def test_two_browsers_never_share_a_case(make: Make) -> None:
    """Another token, another case; the same one goes on."""
    sessions = make()
    ada, bob = new_token(), new_token()
    first = sessions.start(ada, None, gallery="default")
    assert sessions.start(bob, None, gallery="default").case.id != first.case.id
    assert sessions.find(ada, None) is first


def test_a_token_is_worth_nothing_under_another_login(make: Make) -> None:
    """Whoever copies a token still has to be the same person."""
    sessions, token = make(), new_token()
    sessions.start(token, "ada", gallery="default")
    assert sessions.find(token, "bob") is None
    assert sessions.find(token, None) is None


def test_a_visit_alone_makes_no_case(make: Make, tmp_path: Path) -> None:
    """Cases begin with a question, not with opening the page."""
    assert make().find(new_token(), None) is None
    assert not (tmp_path / "cases").exists()


def test_a_restart_keeps_the_case(make: Make) -> None:
    """A new server opens the recorded case for the same browser."""
    token = new_token()
    begun = make().start(token, "ada", gallery="family")
    again = make().find(token, "ada")
    assert again is not None
    assert again.case.id == begun.case.id
    assert cast(Opened, again).resumed
    assert (begun.user, again.user) == ("ada", "ada")  # the access log names the login


def test_a_case_deleted_elsewhere_is_left(make: Make) -> None:
    """`unmask cases delete` while its page is open: nothing of it stays to be shown or asked."""
    sessions, token = make(), new_token()
    deleted = sessions.start(token, None, gallery="default")
    shutil.rmtree(deleted.case.folder)
    assert sessions.find(token, None) is None
    assert sessions.start(token, None, gallery="default").case.id != deleted.case.id


def test_the_token_is_nowhere_on_the_disk(make: Make, tmp_path: Path) -> None:
    """Who reads the data folder cannot take over a session."""
    token = new_token()
    make().start(token, None, gallery="default")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert all(token.encode() not in path.read_bytes() for path in files)
    assert not [path for path in files if token in path.name]


def test_memory_is_bounded_and_nothing_is_lost(make: Make) -> None:
    """The session used longest ago leaves memory, never one that is answering; cases stay."""
    sessions = make(capacity=2)
    tokens = [new_token() for _ in range(4)]
    answering = cast(Opened, sessions.start(tokens[0], None, gallery="default"))
    answering.busy = True
    for token in tokens[1:]:
        sessions.start(token, None, gallery="default")
    assert sessions.find(tokens[0], None) is cast(ChatSession, answering)
    evicted = sessions.find(tokens[1], None)
    assert evicted is not None and cast(Opened, evicted).resumed


def test_an_idle_session_is_opened_again_from_its_case(make: Make) -> None:
    """Idle sessions leave memory when somebody else comes."""
    sessions = make(idle_s=-1.0)
    token = new_token()
    begun = sessions.start(token, None, gallery="default")
    sessions.start(new_token(), None, gallery="default")
    again = sessions.find(token, None)
    assert again is not None and again is not begun and again.case.id == begun.case.id
