"""The page's Gradio callbacks: what they return, and their side effects."""

import asyncio
import html
import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from PIL import Image

from assistant import Unmask
from assistant.agent.agent import Agent
from assistant.case.record import Case
from assistant.case.restoring import restore_case
from assistant.chat.events.handlers import EventHandlers
from assistant.chat.events.jobs import job_progress_html
from assistant.chat.page import build_page
from assistant.chat.serving import launch_options
from assistant.chat.session_state import ChatSession
from assistant.chat.sessions import SessionStore, new_token
from assistant.chat.users.permissions import LEAST, PageUsers
from assistant.conversation.steps import ToolResult
from assistant.report.case_export import attach_exporter
from assistant.server.work import index_jobs as galleries_module
from assistant.server.work.handoffs import MARK, Handoff, Handoffs
from assistant.server.work.index_jobs import GalleryIndexer
from assistant.settings import Settings
from tests.support.cases import GALLERY
from tests.support.chat_server import reply
from tests.support.scripted_model import ScriptedModel
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError
from tools.gallery.closer_looks import FILE as CLOSER_LOOKS

REQUEST = cast(gr.Request, SimpleNamespace(username=None))


def pressed(**data: Any) -> Any:
    """What Gradio says about a press of a button."""
    return SimpleNamespace(**data)


@pytest.fixture
def galleries(case: Unmask, tmp_path: Path) -> GalleryIndexer:
    """No galleries yet, and one folder that may be added."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    settings = Settings(home=tmp_path / "home", threads=1, folders=(allowed,))
    return GalleryIndexer(settings, case.models)


@pytest.fixture
def handlers(case: Unmask, galleries: GalleryIndexer, tmp_path: Path) -> EventHandlers:
    """Callbacks over a small real gallery, with a model whose replies are written down."""
    home = case.settings.home

    def begin(gallery: str) -> ChatSession:
        record = Case.create(tmp_path, gallery=gallery)
        workspace = Workspace(case.models, home=home, gallery=gallery)
        model = ScriptedModel(replies=[reply] * 50)
        attach_exporter(workspace, record)
        return ChatSession(Agent(model, workspace, record))

    def resume(record: Case, user: str) -> ChatSession:
        workspace = restore_case(record, case.models, home=home, user=user).workspace
        return ChatSession(Agent(ScriptedModel(), workspace, record))

    sessions = SessionStore(tmp_path, begin=begin, resume=resume)
    users, handoffs = PageUsers(galleries._settings), Handoffs(tmp_path / "uploads")
    return EventHandlers(sessions, galleries, users, handoffs=handoffs)


def upload(case: Unmask, folder: Path, name: str) -> Path:
    """A photo where Gradio puts uploads."""
    path = folder / f"uploaded-{name}"
    path.write_bytes((case.settings.home / name).read_bytes())
    return path


def find(handlers: EventHandlers, token: str, photo: Path) -> list[tuple[Any, ...]]:
    """Send a photo without a word; every update that the page would get."""
    message = {"text": "", "files": [str(photo)]}
    return list(handlers.ask(token, GALLERY, message, REQUEST))


def test_a_photo_alone_is_a_question(handlers: EventHandlers, case: Unmask, tmp_path: Path) -> None:
    """Findings and the first hit's detail arrive; the upload is deleted, the case keeps a copy."""
    for known in case.settings.home.rglob(CLOSER_LOOKS):
        known.unlink()  # by another test: what is known needs no progress
    photo, token = upload(case, tmp_path, "SECRET_NAME.png"), new_token()
    updates = find(handlers, token, photo)
    messages, findings, detail, _ = updates[-2]
    assert "H1" in detail and "hits shown from" in findings
    assert messages[0]["role"] == "user" and "data:image/jpeg" in messages[0]["content"]
    assert updates[1][3]["stop_btn"] and not updates[-1][3]["stop_btn"]
    assert "value" not in updates[-1][3]  # what was typed meanwhile is not wiped away
    assert not photo.exists()
    assert list(tmp_path.glob("cases/*/photos/*"))
    shown = html.unescape(str([it[0] for it in updates]))
    assert "looking closer: picture 1 of" in shown, "no progress was shown"


def test_a_search_can_be_stopped(handlers: EventHandlers, case: Unmask, tmp_path: Path) -> None:
    """It ends at the next picture, says so at once, and leaves no findings."""
    photo, token = upload(case, tmp_path, "SECRET_NAME.png"), new_token()
    found, said = handlers._start(token, GALLERY, REQUEST), list[str]()
    tell = found.workspace.on_progress
    assert tell is not None

    def stopped(what: str, done: int, total: int) -> None:
        handlers.stop(token, REQUEST)
        said.append(found._doing)
        tell(what, done, total)

    found.workspace.on_progress = stopped
    updates = find(handlers, token, photo)
    assert said == ["stopping…"]
    assert "Stopped." in updates[-1][0][-1]["content"]
    assert found.findings is None
    found.workspace.on_progress = tell
    assert "hits shown from" in str(list(handlers.ask_again(token, GALLERY, REQUEST)))


def test_a_double_click_sends_once(
    handlers: EventHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box is emptied only after the first click has arrived; later the same words are new."""
    token, message = new_token(), {"text": "hello", "files": []}
    seconds = iter((10.0, 10.4, 12.0))
    monkeypatch.setattr("assistant.chat.events.handlers.monotonic", lambda: next(seconds))
    sent = [list(handlers.ask(token, GALLERY, message, REQUEST)) for _ in range(3)]
    assert [len(updates) > 1 for updates in sent] == [True, False, True]


def test_a_broken_photo_leaves_the_question(
    handlers: EventHandlers, case: Unmask, tmp_path: Path
) -> None:
    """What cannot be read is named, and what was typed is there to be sent again."""
    photo = upload(case, tmp_path, "SECRET_TEXT.jpg")
    message = {"text": "find fakes", "files": [str(photo)]}
    updates = list(handlers.ask(new_token(), GALLERY, message, REQUEST))
    said = updates[-1][0][-1]["content"].replace("&#95;", "_")
    assert "SECRET_TEXT.jpg" in said and "not an image" in said.replace("&#58;", ":")
    assert "export it as JPEG" in said, "the same way on as from the command line"
    assert str(tmp_path) not in said
    assert updates[-1][3]["value"]["text"] == "find fakes"
    assert not photo.exists()


def test_reload_and_hits(handlers: EventHandlers, case: Unmask, tmp_path: Path) -> None:
    """A page that is opened again shows the same; hits can be chosen, located and asked about."""
    token = new_token()
    told = find(handlers, token, upload(case, tmp_path, "SECRET_NAME.png"))[-2]
    state, stored, _, *whole, _ = next(handlers.load(token, REQUEST))
    assert (state, stored) == (token, token)
    assert whole[0] == told[0]
    assert "H2</h2>" in handlers.choose(token, REQUEST, pressed(handle="H2"))
    assert "H2</h2>" in handlers.choose(token, REQUEST, pressed(handle="H99"))
    located = handlers.locate(token, REQUEST, pressed(face="H1"))
    assert "Heat map over the face of H1" in located
    assert "Artefact boxes of sbi_caddm over the face of H1" in located
    asked = list(
        handlers.ask_from_page(
            token, GALLERY, REQUEST, pressed(question="Why is H1 an impersonation?")
        )
    )
    assert "Read the evidence" in str(asked[-1][0])
    explained = list(handlers.explain(token, REQUEST, pressed(handle="all")))
    assert "Let the model explain" not in str(explained[-2])
    again = list(handlers.ask_again(token, GALLERY, REQUEST))
    assert str(again[-1][0]).count("Why is H1 an impersonation") == 2


def test_more_hits_leave_the_chosen_one(
    handlers: EventHandlers, case: Unmask, tmp_path: Path
) -> None:
    """A longer list changes no handle, and takes nobody away from a hit; a new search does."""
    token = new_token()
    find(handlers, token, upload(case, tmp_path, "SECRET_NAME.png"))
    found = handlers._sessions.find(token, None)
    assert found is not None
    found.choose("H2")
    for tool, shown in (("more_hits", "H2</h2>"), ("find_person", "H1</h2>")):
        found._found_out(ToolResult("1", tool, "{}", True, 0.0), live=True)
        assert shown in found.detail_html()


def test_a_strange_token_gets_a_case_of_its_own(handlers: EventHandlers) -> None:
    """Only what looks like a token is taken for one; nobody shares the empty one."""
    for stored in ("", "default", None, 7, "../../etc"):
        state, _, *_ = next(handlers.load(stored, REQUEST))
        assert state != stored and len(state) == 43
    with pytest.raises(SetupError, match="still opening"):
        list(handlers.ask("", GALLERY, {"text": "hello"}, REQUEST))


def test_a_fault_is_shown_and_does_not_wedge_the_page(
    handlers: EventHandlers, case: Unmask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug ends the turn visibly, and the message box works again."""
    token = new_token()
    next(handlers.load(token, REQUEST))

    def bug(*_: object, **__: object) -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("assistant.chat.session_state.detail_html", bug)
    *_, told, last = find(handlers, token, upload(case, tmp_path, "SECRET_NAME.png"))
    assert "ZeroDivisionError" in told[0][-1]["content"]
    assert last[3]["submit_btn"] is True


def test_an_allowed_folder_is_indexed(
    handlers: EventHandlers, galleries: GalleryIndexer, tmp_path: Path
) -> None:
    """Adding a folder reports what came of it; the new gallery can be chosen."""
    Image.new("RGB", (64, 64), "teal").save(tmp_path / "allowed" / "teal.png")
    (tmp_path / "allowed" / "broken.jpg").write_text("no picture")
    updates = list(handlers.add_folder(new_token(), "fresh", str(tmp_path / "allowed"), REQUEST))
    said, choice, _ = updates[-1]
    assert "1 image added" in said
    assert "Skipped: broken.jpg (not an image)." in said
    assert "fresh" in choice["choices"]
    assert galleries.names() == ["fresh"]


@pytest.mark.parametrize("folder", ["/", "", "allowed/..", None])
def test_no_other_folder_is_read(
    handlers: EventHandlers, galleries: GalleryIndexer, folder: str
) -> None:
    """What the operator did not list is refused, whatever the browser sends."""
    ((said, _, _),) = handlers.add_folder(new_token(), "fresh", folder, REQUEST)
    assert "not allowed" in said
    assert galleries.names() == []


def test_dropped_files_move_to_a_private_folder(
    handlers: EventHandlers, galleries: GalleryIndexer, tmp_path: Path
) -> None:
    """Uploads leave the folder that the server could show; twins in name do not collide."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        colour = (40, 80, 120) if folder == "one" else (120, 80, 40)
        Image.new("RGB", (64, 64), colour).save(tmp_path / folder / "same.png")
    files = [str(tmp_path / folder / "same.png") for folder in ("one", "two")]
    *_, (said, _, cleared) = handlers.add_files(new_token(), "drops", files, REQUEST)
    assert "2 images added" in said and cleared is None
    kept = tmp_path / "home" / "dropped" / "drops"
    assert sorted(path.name for path in kept.iterdir()) == ["same-2.png", "same.png"]
    assert kept.stat().st_mode & 0o077 == 0
    assert not any(Path(file).exists() for file in files)


def test_a_bad_gallery_name_is_refused(handlers: EventHandlers, tmp_path: Path) -> None:
    """A name that could lead elsewhere gets a sentence, and the files stay where they are."""
    photo = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(photo)
    ((said, _, _),) = handlers.add_files(new_token(), "../up", [str(photo)], REQUEST)
    assert "no name for a gallery" in said
    assert photo.exists()


def test_a_name_that_no_gallery_can_have_promises_nothing(
    handlers: EventHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chosen, it is refused at once; asked about, it is not called empty."""
    told = list[str]()
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    monkeypatch.setattr(gr, "Info", lambda text, **_: told.append(text))
    handlers.switch(new_token(), "forum leak", REQUEST)
    (said,) = told
    assert "'forum leak' is no name for a gallery" in said and "no spaces" in said
    example = pressed(value={"text": "What is in the gallery?"})
    answers = handlers.run_example(new_token(), "forum leak", REQUEST, example)
    answer = html.unescape(str([it[0] for it in answers]))
    assert "no name for a gallery" in answer and "is empty" not in answer


def test_a_job_says_how_far_it_is_and_can_be_stopped(
    galleries: GalleryIndexer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it goes on there is a bar; stopping keeps what was added and says so."""
    for number in range(40):
        colour = (number * 6, 90, 30)
        Image.new("RGB", (64, 64), colour).save(tmp_path / "allowed" / f"{number}.png")
    monkeypatch.setattr("tools.gallery.indexing.progress._REPORT_EVERY_S", 0.0)
    job = galleries.add_folder("long", str(tmp_path / "allowed"))
    assert "<progress" in job_progress_html(job)
    later = galleries.add_folder("long", str(tmp_path / "allowed"))
    assert galleries.job("long") is job
    galleries.stop("long")
    while job.wait(0.2) or later.wait(0.2):
        pass
    assert "Stopped" in job_progress_html(job)
    assert "Stopped before anything was added" in job_progress_html(later)


def test_files_dropped_while_a_job_runs_are_added_too(
    galleries: GalleryIndexer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for their turn, in whatever thread they arrive, and none vanishes."""
    monkeypatch.setattr("tools.gallery.indexing.progress._REPORT_EVERY_S", 0.0)
    jobs, threads = [], []

    def drop(number: int) -> None:
        folder = tmp_path / f"upload {number}"
        folder.mkdir()
        files = []
        for at in range(4):
            colour = (number * 40, at * 60, 90)
            Image.new("RGB", (64, 64), colour).save(folder / f"{at}.png")
            files.append(folder / f"{at}.png")
        jobs.append(galleries.add_files("drops", files))

    for number in range(4):
        threads.append(threading.Thread(target=drop, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    for job in jobs:
        while job.wait(0.2):
            pass
    assert [job.problem for job in jobs] == [""] * 4
    assert sum(job.summary.images_added for job in jobs if job.summary) == 16


def test_files_of_one_name_dropped_at_once_are_all_kept(
    galleries: GalleryIndexer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two drops that look for a free name at the same moment do not overwrite one another."""
    found = galleries_module._free_name

    def slowly(folder: Path, name: str) -> Path:
        path = found(folder, name)
        time.sleep(0.05)  # long enough for every other drop to find the same name
        return path

    monkeypatch.setattr(galleries_module, "_free_name", slowly)
    threads = []
    for number in range(4):
        file = tmp_path / f"upload {number}" / "same.png"
        file.parent.mkdir()
        Image.new("RGB", (64, 64), (number * 40, 60, 90)).save(file)
        threads.append(threading.Thread(target=galleries.add_files, args=("names", [file])))
        threads[-1].start()
    for thread in threads:
        thread.join()
    (folder,) = (galleries._settings.home / "dropped").iterdir()
    assert len([*folder.glob("same*.png")]) == 4
    while (job := galleries.job("names")) is not None and job.wait(0.2):
        pass


def test_the_page_opens_nothing_but_itself(handlers: EventHandlers, tmp_path: Path) -> None:
    """No public endpoint, no event without a check of the role, no sharing, history or files."""

    async def built() -> gr.Blocks:  # in a loop, or Gradio would make one and leave it open
        return build_page(handlers, folders=[])

    page = asyncio.run(built())
    assert {fn.api_visibility for fn in page.fns.values()} == {"private"}
    served = [fn.fn for fn in page.fns.values() if fn.fn is not None]  # others run in the browser
    checked = {it.__wrapped__.__name__ for it in served}  # type: ignore[attr-defined]
    assert LEAST.keys() - checked == {"html", "act", "open_case"}  # this page lists no cases
    settings = Settings(home=tmp_path, auth="ada:secret,bob:word")  # type: ignore[arg-type]
    options = launch_options(settings)
    assert options["auth"] == [("ada", "secret"), ("bob", "word")]
    assert options["allowed_paths"] == [] and options["server_name"] == "127.0.0.1"
    closed = ("share", "run_history", "enable_monitoring", "mcp_server", "show_error")
    assert not any(options[name] for name in closed)
    assert launch_options(Settings(home=tmp_path))["auth"] is None


def test_nothing_on_the_page_comes_from_elsewhere(handlers: EventHandlers) -> None:
    """No stylesheet, script or font has an address outside of this server."""
    options = launch_options(Settings())
    written = options["head"] + options["js"] + str(options["theme"]._get_theme_css())
    assert "http" not in written.replace("http://www.w3.org", "")
    assert "@import" not in written


def test_filters_decisions_and_reports_are_buttons(
    handlers: EventHandlers, case: Unmask, tmp_path: Path
) -> None:
    """Each press is a tool call; list, detail and conversation show its outcome at once."""
    token = new_token()
    shown = find(handlers, token, upload(case, tmp_path, "SECRET_NAME.png"))[-2][1]
    face = re.findall(r'data-face="([^"]+)"', handlers.choose(token, REQUEST, pressed(handle="H1")))
    verdict = re.findall(r'data-press="list:([^"]+)"', shown)[0]

    def press(action: str, of: str = "") -> tuple[str, str, str]:
        told = list(handlers.press(token, REQUEST, pressed(action=action, face=of, top="")))
        messages, findings, detail, _ = told[-2]
        return findings, detail, messages[-1]["content"]

    findings, detail, said = press("mark:rejected", face[0])
    assert findings.count("reviewer&#39;s decision: rejected") == 1
    assert "reviewer&#39;s decision: rejected" in detail
    assert "H1 is marked as rejected" in said
    assert 'data-press="mark:none"' in detail
    findings, _, said = press(f"list:{verdict}")
    assert f"Filtered: {verdict}." in findings
    assert 'data-press="list:forged:80"' in findings  # another filter is one press away
    assert findings.count('class="hit"') < 3
    assert "Listed" in said
    assert "Filtered" not in press("list:")[0]
    findings, _, _ = press("mark:hidden", face[0])
    assert findings.count('class="hit"') == 2
    assert "Hidden by the reviewer: " in findings
    assert "reviewer&#39;s decision: rejected" in press("undo")[0]
    findings, _, said = press("export:csv")
    assert 'data-download="report.csv"' in findings
    assert "data-download" not in press("undo")[0]
    assert str(tmp_path) not in findings + said
    for action in ("mark:genuine", "export:exe", "list:fake", "burn"):
        count = len(next(handlers.load(token, REQUEST))[3])
        list(handlers.press(token, REQUEST, pressed(action=action, face="", top="")))
        assert len(next(handlers.load(token, REQUEST))[3]) == count


def test_a_decision_is_yours_only_on_your_own_screen(
    handlers: EventHandlers, case: Unmask, tmp_path: Path
) -> None:
    """Of two accounts in one case, one made it, and the other one reads the name."""
    ada, bob = (cast(gr.Request, SimpleNamespace(username=it)) for it in ("ada", "bob"))
    photo = upload(case, tmp_path, "SECRET_NAME.png")
    token, other = new_token(), new_token()
    list(handlers.ask(token, GALLERY, {"text": "", "files": [str(photo)]}, ada))
    detail = handlers.choose(token, ada, pressed(handle="H1"))
    face = re.findall(r'data-face="([^"]+)"', detail)[0]

    def press(action: str, text: str = "") -> tuple[str, str, str]:
        event = pressed(action=action, face=face, top="", text=text)
        messages, findings, detail, _ = list(handlers.press(token, ada, event))[-2]
        return messages[-1]["content"], findings, detail

    press("note", "seen in May")
    said, findings, detail = press("mark:hidden")
    assert "H1 is marked as hidden by ada" in said  # bob reads the same conversation
    assert "Hidden by you: " in findings and "your decision: hidden" in detail
    assert "Your note, ada" in detail
    _, findings, _ = press("mark:rejected")
    assert "your decision: rejected" in findings and ">your note<" in findings
    record = Case.open(tmp_path, handlers._sessions.case_of(token, "ada") or "")
    assert handlers._sessions.adopt(other, "bob", record)
    detail = handlers.choose(other, bob, pressed(handle="H1"))
    shared = handlers._sessions.find(other, "bob")
    findings = shared.findings_html() or "" if shared else ""
    for shown in (detail, findings):
        assert "decision by ada: rejected" in shown
        assert "your decision" not in shown and "your note" not in shown
    assert "note by ada" in findings and "· decision: " in findings
    assert "Decision by ada: rejected, ada" in detail and "Note by ada, ada" in detail


def test_a_gallery_that_is_none_yet_is_named(
    handlers: EventHandlers, galleries: GalleryIndexer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped name would look like an empty gallery; a known one needs no remark."""
    told: list[str] = []
    monkeypatch.setattr(gr, "Info", told.append)
    monkeypatch.setattr(galleries, "names", lambda: ["known"])
    monkeypatch.setattr(galleries, "problem", lambda _: "")
    for name in ("known", "<i>mistyped"):
        handlers.switch(new_token(), name, REQUEST)
    assert told == ["There is no gallery “&lt;i&gt;mistyped” yet: adding pictures makes it."]


def test_handed_pictures_are_checked_on_their_tab(
    handlers: EventHandlers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, with the chosen face, and without a file left behind; a used link says so."""
    handoffs = handlers.checks.handoffs
    assert handoffs is not None
    handoffs.has_page = True
    id = handoffs.put(Handoff((("notes.jpg", b"no picture"),), (), "notes.jpg=1"))
    first, *_, last = handlers.checks.check_handed(f"{MARK}{id}", REQUEST)
    assert first[0]["selected"] == "check" and first[4] == "notes.jpg=1"
    assert [Path(it).name for it in first[2]] == ["notes.jpg"] and first[3] is None
    assert "notes.jpg" in last[1] and str(tmp_path) not in last[1]
    assert not any(it.is_file() for it in handoffs.folder.rglob("*"))
    told: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, **_: told.append(text))
    for mark in (f"{MARK}{id}", "#somewhere", ""):
        assert len(list(handlers.checks.check_handed(mark, REQUEST))) == 1
    assert len(told) == 1 and "used" in told[0]
