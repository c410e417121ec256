"""Concurrency on the chat page: simultaneous searches, galleries, questions and indexing."""

import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import numpy as np
import pytest
from langchain_core.messages import BaseMessage
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.agent.directed_turns import PlannedTurn
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.chat.button_actions import plan_hit_action
from assistant.chat.events.handlers import EventHandlers
from assistant.chat.session_state import BUSY_MESSAGE, ChatSession, TurnStatus
from assistant.chat.sessions import SessionStore, new_token
from assistant.chat.users.permissions import PageUsers
from assistant.conversation.steps import ToolCall
from assistant.server.work.index_jobs import GalleryIndexer
from assistant.settings import Settings
from tests.support.cases import GALLERY, astronaut_pixels
from tests.support.scripted_model import ScriptedModel
from tools.agent_tools.state.examinations import Examinations
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.localisers.grad_cam import last_convolutional

REQUEST = cast(gr.Request, SimpleNamespace(username=None))


@pytest.fixture
def model() -> ScriptedModel:
    """A model that has little to say."""
    return ScriptedModel(replies=["That is all."] * 50)


@pytest.fixture
def investigation(case: Unmask, model: ScriptedModel, tmp_path: Path) -> ChatSession:
    """An investigation without a search, whose closer look measures nothing further."""
    record = Case.create(tmp_path, gallery=GALLERY)
    workspace = Workspace(case.models, home=case.settings.home, gallery=GALLERY, measurements=())
    return ChatSession(Agent(model, workspace, record))


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """The portrait as an upload."""
    path = tmp_path / "ada.png"
    Image.fromarray(astronaut_pixels()).save(path)
    return path


def search(investigation: ChatSession, *photos: Path, top: int = 3) -> None:
    """Search for the person in new photos, or in all of them."""

    def given(handles: tuple[str, ...]) -> PlannedTurn:
        named = list(handles or investigation.workspace.photos)
        return PlannedTurn((ToolCall("find_person", {"photos": named, "top": top}),))

    list(investigation.ask("Find fakes.", photos, plan=given))


def test_a_gallery_chosen_while_a_turn_runs_is_the_next_turns(
    investigation: ChatSession, portrait: Path
) -> None:
    """The running turn ends on its own gallery; the choice is not lost, and nothing is mixed."""
    search(investigation, portrait)
    running = investigation.ask("Hello")
    next(running)
    chooser = threading.Thread(target=investigation.switch_gallery, args=("elsewhere",))
    chooser.start()
    chooser.join(5)
    assert not chooser.is_alive()
    assert investigation.workspace.gallery == GALLERY
    assert investigation.gallery == "elsewhere"
    list(running)
    assert investigation.workspace.gallery == investigation.case.gallery == "elsewhere"
    assert investigation.findings is None


@pytest.mark.parametrize("ends", ["answered", "stopped", "closed"])
def test_the_old_list_rests_while_another_search_runs(
    investigation: ChatSession, portrait: Path, ends: str
) -> None:
    """A press on an old hit shows nothing of it, and what comes after can be used again."""
    search(investigation, portrait)
    assert investigation.findings is not None
    before = investigation.findings.hits[0].handle
    assert " inert" not in investigation.detail_html()
    find = PlannedTurn((ToolCall("find_person", {"photos": ["Q1"], "top": 2}),))
    running = investigation.ask("Find fakes.", plan=lambda _: find)
    shown = [(next(running), investigation.findings_html(), investigation.detail_html())[1:]
             for _ in range(2)]  # fmt: skip
    assert all(" inert" in html for html in shown[-1])
    assert "Searching again" in (shown[-1][0] or "")
    version = investigation.version
    investigation.choose("H2")
    assert investigation.version == version
    assert f">{before}</h2>" in investigation.detail_html()
    if ends == "stopped":
        investigation.stop()
    if ends == "closed":
        cast("Generator[None]", running).close()
    list(running)
    assert " inert" not in (investigation.findings_html() or "") + investigation.detail_html()


def test_a_question_is_about_the_gallery_that_is_seen(
    investigation: ChatSession, portrait: Path
) -> None:
    """What the page shows chosen is asked, whatever was asked before."""
    search(investigation, portrait)
    list(investigation.ask("Hello", gallery="elsewhere"))
    assert investigation.workspace.gallery == "elsewhere"


def test_a_map_that_comes_after_a_new_search_stays_with_its_face(
    investigation: ChatSession, portrait: Path, case: Unmask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a hit's map is made, another search finds another face of its picture: no map there."""
    search(investigation, portrait)
    assert investigation.findings is not None
    first = next(hit for hit in investigation.findings.hits if hit.path.name == "group.png")
    made, resume = threading.Event(), threading.Event()
    localise_forgery = Examinations.localise_forgery

    def slow(examinations: Examinations, look: Any) -> Any:
        located = localise_forgery(examinations, look)
        made.set()
        resume.wait(20)
        return located

    monkeypatch.setattr(Examinations, "localise_forgery", slow)
    mapping = threading.Thread(target=investigation.locate, args=(first.face_id,))
    mapping.start()
    assert made.wait(20)
    monkeypatch.setattr(Examinations, "localise_forgery", localise_forgery)
    group = case.settings.home / "SECRET_GROUP.png"
    handle = investigation.workspace.add_photo(group)
    investigation.workspace.choose_face(handle, 2)
    find = PlannedTurn((ToolCall("find_person", {"photos": [handle], "top": 3}),))
    list(investigation.ask("Find fakes of the other one.", plan=lambda _: find))
    resume.set()
    mapping.join(20)
    now = next(hit for hit in investigation.findings.hits if hit.path == first.path)
    assert now.face_id != first.face_id
    for hit in investigation.findings.hits:
        investigation.choose(hit.handle)
        assert "Heat map over" not in investigation.detail_html()


def test_a_button_of_an_earlier_search_acts_on_its_face_or_not_at_all(
    investigation: ChatSession, portrait: Path
) -> None:
    """The face counts: found again under another handle it is that one, gone it is none."""
    search(investigation, portrait)
    assert investigation.findings is not None
    hits = investigation.findings.hits
    for hit in hits:
        press = investigation.run_action("why", face_id=hit.face_id)
        assert press == plan_hit_action("why", hit, query="Q1")
    search(investigation, top=1)
    last = investigation.run_action("where", face_id=hits[-1].face_id)
    assert last is None
    assert investigation.run_action("why", face_id="") is None
    with pytest.raises(ToolError, match="earlier search"):
        investigation.locate(hits[-1].face_id)


def test_a_question_beside_another_is_refused_alone(
    investigation: ChatSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second attempt is turned away and may be sent again; the first ends as it would have."""
    monkeypatch.setattr("assistant.chat.session_state._WAIT_FOR_TURN_S", 0.1)
    one, other = TurnStatus(), TurnStatus()
    running = investigation.ask("Hello", turn=one)
    next(running)

    def ask_too() -> None:
        list(investigation.ask("And you?", turn=other))

    asking = threading.Thread(target=ask_too)
    asking.start()
    asking.join(10)
    list(running)
    assert (one.refused, other.refused) == (False, True)
    assert sum(BUSY_MESSAGE[:20] in str(told["content"]) for told in investigation.messages) == 1
    assert investigation.case.verify() == ()


def test_a_question_during_a_retry_waits_for_it(investigation: ChatSession) -> None:
    """Both are answered, one after the other, and each step is on record once."""
    list(investigation.ask("Hello"))
    again = investigation.retry(turn=TurnStatus())
    next(again)
    turn = TurnStatus()
    asking = threading.Thread(target=lambda: list(investigation.ask("And you?", turn=turn)))
    asking.start()
    list(again)
    asking.join(20)
    assert not turn.refused
    asked = [step.text for step in investigation.case.steps() if hasattr(step, "photos")]
    assert asked == ["Hello", "Hello", "And you?"]


def test_a_retry_brings_its_photos(investigation: ChatSession, portrait: Path) -> None:
    """What is asked again is asked with the photos that came with it."""
    list(investigation.ask("What is on this photo?", [portrait]))
    list(investigation.retry(turn=TurnStatus()))
    asked = [step.photos for step in investigation.case.steps() if hasattr(step, "photos")]
    assert asked == [("Q1",), ("Q1",)]


@pytest.fixture
def handlers(
    case: Unmask, model: ScriptedModel, tmp_path: Path
) -> Iterator[tuple[EventHandlers, SessionStore]]:
    """Callbacks of a page over the small gallery."""

    def begin(gallery: str) -> ChatSession:
        record = Case.create(tmp_path / "home", gallery=gallery)
        workspace = Workspace(
            case.models, home=case.settings.home, gallery=gallery, measurements=()
        )
        return ChatSession(Agent(model, workspace, record))

    def resume(record: Case, _: str) -> ChatSession:
        restored = restore_case(record, case.models, home=case.settings.home)
        return ChatSession(Agent(model, restored.workspace, record, notes=restored.notes))

    sessions = SessionStore(tmp_path / "home", begin=begin, resume=resume)
    settings = Settings(home=tmp_path / "home", threads=1)
    galleries = GalleryIndexer(settings, case.models)
    yield EventHandlers(sessions, galleries, PageUsers(settings)), sessions


def test_a_photo_of_a_refused_turn_is_not_lost(
    handlers: tuple[EventHandlers, SessionStore], portrait: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent beside a running turn, text and photo are in the message box again, ready to be sent."""
    monkeypatch.setattr("assistant.chat.session_state._WAIT_FOR_TURN_S", 0.1)
    monkeypatch.setattr("assistant.chat.events.handlers.DOUBLE_CLICK_S", 60.0)
    page, sessions = handlers
    token = new_token()
    investigation = sessions.start(token, None, gallery=GALLERY)
    running = investigation.ask("Hello")
    next(running)
    message = {"text": "Who is this?", "files": [str(portrait)]}
    updates = list(page.ask(token, GALLERY, message, REQUEST))
    assert updates[-1][3]["value"] == message
    assert portrait.exists()
    list(running)
    updates = list(page.ask(token, GALLERY, message, REQUEST))
    assert "value" not in updates[-1][3]
    assert not portrait.exists()
    assert list(investigation.workspace.photos) == ["Q1"]


def test_two_sessions_do_not_wait_for_each_other(
    handlers: tuple[EventHandlers, SessionStore],
) -> None:
    """Another browser is answered while a turn of the first one runs."""
    page, sessions = handlers
    first = sessions.start(new_token(), None, gallery=GALLERY)
    running = first.ask("Hello")
    next(running)
    message: dict[str, Any] = {"text": "And I?", "files": []}
    updates = list(page.ask(new_token(), GALLERY, message, REQUEST))
    assert "And I?" in str(updates[-1][0])
    list(running)
    assert "And I?" not in str(first.messages)


@pytest.mark.parametrize("first", ["stays", "closes"])
def test_a_second_tab_shows_the_turn_of_the_first(
    handlers: tuple[EventHandlers, SessionStore],
    model: ScriptedModel,
    portrait: Path,
    first: str,
) -> None:
    """Its progress and its end, which comes even if the first tab is closed, at once."""
    page, sessions = handlers
    token, asked, reply = new_token(), threading.Event(), threading.Event()

    def slow(_: list[BaseMessage]) -> str:
        asked.set()
        assert reply.wait(20)
        return "That is all."

    model.replies.insert(0, slow)
    message = {"text": "What is on this photo?", "files": [str(portrait)]}
    asking = cast("Generator[Any]", page.ask(token, GALLERY, message, REQUEST))
    for _ in range(3):  # the box is emptied, then busy; then the question is shown
        next(asking)
    assert asked.wait(20)
    following = page.load(token, REQUEST)
    loaded, session = next(following), sessions.find(token, None)
    assert session is not None
    assert session.busy and loaded[-1]["stop_btn"]
    assert "What is on this photo?" in str(loaded[3])
    if first == "closes":
        before = time.monotonic()
        asking.close()
        assert time.monotonic() - before < 10  # not the 20 s of the turn
    threading.Timer(0.3, reply.set).start()
    *_, shown, last = following
    assert shown[3] == session.messages and "Stopped" not in str(shown[3])
    assert 'class="answer"' in shown[3][-1]["content"]
    assert not last[-1]["stop_btn"]
    assert not session.busy and not portrait.exists()
    (opened,) = page.load(token, REQUEST)
    assert not opened[-1]["stop_btn"]
    if first == "stays":
        *_, shown, last = asking
        assert 'class="answer"' in shown[0][-1]["content"] and not last[3]["stop_btn"]


def test_a_case_whose_photo_is_gone_opens(
    handlers: tuple[EventHandlers, SessionStore], portrait: Path, tmp_path: Path
) -> None:
    """The browser is not locked out: conversation and hits stay, and questions are answered."""
    page, sessions = handlers
    token = new_token()
    message = {"text": "", "files": [str(portrait)]}
    list(page.ask(token, GALLERY, message, REQUEST))
    for copy in (tmp_path / "home" / "cases").glob("*/photos/*"):
        copy.unlink()
    sessions._open.clear()  # as after a restart of the server
    opening, loaded = page.load(token, REQUEST)
    assert opening[0] == token and "opening your latest case" in str(opening[3])
    assert "Find fakes of this person" in str(loaded[3])
    updates = list(page.ask(token, GALLERY, {"text": "Hello?", "files": []}, REQUEST))
    assert "Hello?" in str(updates[-1][0])
    assert updates[-1][0][-1]["role"] == "assistant"
    assert "gone" in str(loaded[3])


def test_a_case_that_is_left_while_it_opens_is_not_shown(
    handlers: tuple[EventHandlers, SessionStore], portrait: Path
) -> None:
    """*New case* takes effect at once, and stays."""
    page, sessions = handlers
    token = new_token()
    list(page.ask(token, GALLERY, {"text": "Hello?", "files": []}, REQUEST))
    sessions._open.clear()  # as after a restart of the server
    opening = page.load(token, REQUEST)
    next(opening)
    fresh, _, messages, *_ = page.new_case(token, "", False, REQUEST)
    assert fresh != token and messages == []
    (last,) = opening
    assert all(it == gr.skip() for it in last)
    assert "Hello?" in str([*page.load(token, REQUEST)][-1][3])  # it can be opened again


def test_a_broken_case_does_not_lock_its_browser_out(
    handlers: tuple[EventHandlers, SessionStore], tmp_path: Path
) -> None:
    """A record that cannot be read is left where it is; the browser begins a new case."""
    page, sessions = handlers
    token = new_token()
    list(page.ask(token, GALLERY, {"text": "Hello?", "files": []}, REQUEST))
    (record,) = (tmp_path / "home" / "cases").glob("*/case.sqlite3")
    for wal in record.parent.glob("case.sqlite3-*"):
        wal.unlink()
    record.write_bytes(b"no database at all " * 400)
    sessions._open.clear()
    list(page.load(token, REQUEST))
    updates = list(page.ask(token, GALLERY, {"text": "Hello again", "files": []}, REQUEST))
    assert "Hello again" in str(updates[-1][0])
    assert record.read_bytes().startswith(b"no database")


def test_grad_cam_beside_an_index_finds_the_same_layer(case: Unmask) -> None:
    """While the encoder indexes in another thread, the layer and the map are those found alone."""
    from tools.localisers.grad_cam import grad_cam
    from tools.localisers.gradients import forgery_score_function

    encoder = case.models.encoder
    head = next(it for it in case.models.detectors if it.name == "unifd_linear")
    crop = np.asarray(Image.fromarray(astronaut_pixels()).resize((encoder.image_size,) * 2))
    score, tower = forgery_score_function(encoder, head, crop), encoder.model.visual
    assert score is not None
    alone, layer = grad_cam(crop, encoder=encoder, head=head), last_convolutional(tower, score)
    assert alone is not None
    assert layer is not None
    done = threading.Event()

    def index() -> None:
        pictures = [crop, crop[::-1], crop[:, ::-1]]
        while not done.is_set():
            encoder.encode_images(pictures)

    indexing = threading.Thread(target=index)
    indexing.start()
    try:
        for _ in range(12):
            found = last_convolutional(tower, score)
            assert found is not None
            assert found.module is layer.module
            beside = grad_cam(crop, encoder=encoder, head=head)
            assert beside is not None
            assert np.allclose(alone, beside, atol=1e-4)
    finally:
        done.set()
        indexing.join()
