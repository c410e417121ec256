"""Event handlers of the chat page: requests in, component updates out.

Each function takes values of components and returns updates for components; `page` connects them.
Only the token determines the session of a request. A case's id is taken from a browser only where
`assistant.chat.cases` allows it: on a page for this machine alone.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from assistant.agent.directed_turns import TurnPlanner
from assistant.agent.explicit_requests import DEFAULT_QUESTION
from assistant.chat.button_actions import ActionTurn, plan_example, plan_search
from assistant.chat.cases import CaseShelf
from assistant.chat.citations import escape_html
from assistant.chat.hits import placeholder_html
from assistant.chat.jobs import job_message, job_progress_html
from assistant.chat.messages import Message
from assistant.chat.session_state import STALE_HIT_MESSAGE, ChatSession, TurnStatus
from assistant.chat.sessions import SessionStore, is_token, new_token
from assistant.demo import DEMO_GALLERY
from assistant.report.checks_page import (
    asks_for_face,
    chosen_faces,
    comparison_html,
    problem_text,
    report_html,
)
from assistant.server.work.handoffs import MARK, Handoffs
from assistant.server.work.index_jobs import GalleryIndexer, IndexingJob
from tools.agent_tools.review import MAX_NOTE_LENGTH
from tools.errors import SetupError, ToolError

logger = logging.getLogger(__name__)

DEFAULT_GALLERY = "default"
CHECK_TAB = "check"
"""Id of the tab on which photos are checked."""

_UPDATE_EVERY_S = 0.08
_POLL_S = 0.3
_FAULT = "An internal error ended this turn without a result; the server's log says more: "

Updates = tuple[Any, ...]
"""Updates of chatbot, findings, detail and composer, in this order."""


class EventHandlers:
    """The page's callbacks; all pages share the server's `sessions`, `galleries` and `cases`."""

    def __init__(
        self,
        sessions: SessionStore,
        galleries: GalleryIndexer,
        cases: CaseShelf | None = None,
        handoffs: Handoffs | None = None,
    ) -> None:
        self._sessions, self._galleries, self.cases = sessions, galleries, cases
        self._handoffs = handoffs

    # -- sessions -----------------------------------------------------------------------------

    def load(self, stored: object, request: gr.Request) -> Updates:
        """Handle an opened page: resume the browser's case, or show an empty one."""
        token = str(stored) if is_token(stored) else new_token()
        found = self._sessions.find(token, _login(request))
        if found is not None:
            found.stop()
        gallery = found.gallery if found else self._first_gallery()
        return (token, token, self._gallery_choice(gallery), *self._whole(found))

    def new_case(self, token: str, request: gr.Request) -> Updates:
        """Leave the current case unchanged and begin an empty one."""
        found = self._sessions.find(token, _login(request))
        if found is not None:
            found.stop()
        fresh = new_token()
        return (fresh, fresh, *self._whole(None))

    def open_case(self, token: str, request: gr.Request, event: gr.EventData) -> Updates:
        """Leave the current case and go on with a listed one, under a new token."""
        fresh, login = new_token(), _login(request)
        if self.cases is None or not self.cases.open(str(getattr(event, "id", "")), fresh, login):
            return (gr.skip(),) * 7
        before, found = self._sessions.find(token, login), self._sessions.find(fresh, login)
        if before is not None:
            before.stop()
        gallery = found.gallery if found else self._first_gallery()
        return (fresh, fresh, self._gallery_choice(gallery), *self._whole(found))

    # -- turns --------------------------------------------------------------------------------

    def ask(
        self, token: str, gallery: str, message: dict[str, Any], request: gr.Request
    ) -> Iterator[Updates]:
        """Send a message, with or without photos."""
        photos = [Path(file) for file in message.get("files") or ()]
        typed = (message.get("text") or "").strip()
        text = typed or (DEFAULT_QUESTION if photos else "")
        if not text:
            yield (gr.skip(),) * 4
            return
        yield (gr.skip(), gr.skip(), gr.skip(), gr.update(value=_message("")))
        turn = TurnStatus()
        try:
            plan = None if typed else plan_search
            yield from self._answer(
                token, gallery, text, photos, request, turn=turn, plan=plan
            )  # fmt: skip
        finally:
            # Uploads lie where every user of the page could read them; the case has its copies. A
            # refused turn has no copies: its photos stay in the message box, to be sent again.
            for photo in photos:
                if not turn.refused or photo == turn.unreadable_photo:
                    photo.unlink(missing_ok=True)

    def ask_again(self, token: str, gallery: str, request: gr.Request) -> Iterator[Updates]:
        """Repeat the last question with its photos, or the last button press."""
        found = self._sessions.find(token, _login(request))
        if found is not None:
            turn = TurnStatus()
            yield from self._turn(found, turn, found.retry(turn=turn, gallery=gallery), "", ())

    def ask_from_page(
        self, token: str, gallery: str, request: gr.Request, event: gr.EventData
    ) -> Iterator[Updates]:
        """Handle a button that sends text: an option or a numbered face."""
        question = str(getattr(event, "question", ""))[:500]
        if question:
            yield from self._answer(token, gallery, question, (), request)

    def choose_option(
        self, token: str, gallery: str, request: gr.Request, event: gr.SelectData
    ) -> Iterator[Updates]:
        """Handle a pressed option of the application's question."""
        question = str(event.value)[:500]
        yield from self._answer(token, gallery, question, (), request)

    def press(self, token: str, request: gr.Request, event: gr.EventData) -> Iterator[Updates]:
        """Handle a button about a hit or the search: make its tool call unchanged."""
        found = self._sessions.find(token, _login(request))
        if found is None:
            return
        action, face = (str(getattr(event, name, "")) for name in ("action", "face"))
        top = str(getattr(event, "top", ""))
        text = str(getattr(event, "text", ""))[:MAX_NOTE_LENGTH]
        press = found.run_action(
            action, face_id=face, top=int(top) if top.isdecimal() else 0, text=text
        )
        if press is None:
            gr.Warning(STALE_HIT_MESSAGE, title="An earlier search's button")
            yield (*_everything(found), gr.skip())
            return
        yield from self._pressed(found, press)

    def run_example(
        self, token: str, gallery: str, request: gr.Request, event: gr.SelectData
    ) -> Iterator[Updates]:
        """Handle a pressed example of the empty chat."""
        press = plan_example(str(event.value["text"]))
        if press is not None:
            investigation = self._start(token, gallery, request)
            yield from self._pressed(investigation, press)

    def stop(self, token: str, request: gr.Request) -> None:
        """Stop the running answer."""
        found = self._sessions.find(token, _login(request))
        if found is not None:
            found.stop()

    def _answer(
        self,
        token: str,
        gallery: str,
        text: str,
        photos: Sequence[Path],
        request: gr.Request,
        *,
        turn: TurnStatus | None = None,
        plan: TurnPlanner | None = None,
    ) -> Iterator[Updates]:
        investigation, turn = self._start(token, gallery, request), turn or TurnStatus()
        steps = investigation.ask(
            text, photos, turn=turn, plan=plan, gallery=gallery or DEFAULT_GALLERY
        )
        yield from self._turn(investigation, turn, steps, text, photos)

    def _pressed(self, found: ChatSession, press: ActionTurn) -> Iterator[Updates]:
        turn = TurnStatus()
        steps = found.ask(press.question, turn=turn, plan=lambda _: press.directed)
        yield from self._turn(found, turn, steps, "", ())

    def _turn(
        self,
        found: ChatSession,
        turn: TurnStatus,
        steps: Iterator[None],
        text: str,
        photos: Sequence[Path],
    ) -> Iterator[Updates]:
        """Yield updates of a turn; a refused message returns to the message box."""
        yield (gr.skip(), gr.skip(), gr.skip(), busy_composer())
        yield from _following(found, turn, steps)
        left = [photo for photo in photos if photo != turn.unreadable_photo and photo.is_file()]
        kept = idle_composer(text=text, photos=left) if turn.refused else idle_composer()
        yield (found.messages, gr.skip(), gr.skip(), kept)

    def _start(self, token: str, gallery: str, request: gr.Request) -> ChatSession:
        return self._sessions.start(token, _login(request), gallery=gallery or DEFAULT_GALLERY)

    # -- findings -----------------------------------------------------------------------------

    def choose(self, token: str, request: gr.Request, event: gr.EventData) -> str:
        """Show the pressed hit."""
        found = self._sessions.find(token, _login(request))
        if found is None:
            return ""
        found.choose(str(getattr(event, "handle", "")))
        return found.detail_html()

    def locate(self, token: str, request: gr.Request, event: gr.EventData) -> str:
        """Show where the forgery score of a hit comes from."""
        found = self._sessions.find(token, _login(request))
        if found is None:
            return ""
        try:
            with self._galleries.turn():
                found.locate(str(getattr(event, "face", "")))
        except (ToolError, SetupError) as error:
            gr.Warning(str(error), title="No heat map")
        return found.detail_html()

    def explain(self, token: str, request: gr.Request, event: gr.EventData) -> Iterator[Updates]:
        """Explain a hit with the model."""
        found = self._sessions.find(token, _login(request))
        if found is not None:
            turn = TurnStatus()
            steps = found.explain(str(getattr(event, "handle", "")), turn=turn)
            yield from self._turn(found, turn, steps, "", ())

    # -- photos without a gallery -------------------------------------------------------------

    def check(
        self, photos: Sequence[str] | None, references: Sequence[str] | None, face: str = ""
    ) -> Iterator[Updates]:
        """Check dropped photos, against references if there are any; nothing is kept.

        `face` names the face of photos that show several, as in `group.jpg=2`.
        """
        given, of = _paths(photos), _paths(references)
        unmask = self._galleries.without_gallery()

        def look() -> tuple[str, bool]:
            report = unmask.check(given, of=of, face=chosen_faces(face))
            return report_html(report), asks_for_face([it.error for it in report.problems])

        yield from _looked_at(
            lambda: self._in_turn(look),
            [*given, *of],
            missing="" if given else "Choose a photo to check first.",
        )

    def compare(
        self, first: str | None, second: str | None, face: str = ""
    ) -> Iterator[Updates]:  # fmt: skip
        """Compare two dropped photos; nothing is kept. `face` is as in `check`."""
        given = _paths([it for it in (first, second) if it])
        unmask = self._galleries.without_gallery()

        def look() -> tuple[str, bool]:
            chosen = chosen_faces(face)
            if isinstance(chosen, int):
                raise SetupError("name the photo whose face is meant, as in group.jpg=2")
            found = unmask.compare(*given, face=chosen)
            return comparison_html(found), asks_for_face(found.problems)

        yield from _looked_at(
            lambda: self._in_turn(look),
            given,
            missing="" if len(given) == 2 else "Choose two photos to compare first.",
        )

    def check_handed(self, mark: str) -> Iterator[Updates]:
        """Check photos that a browser's extension handed over, on the tab for that.

        `mark` is what follows the page's address.
        """
        id = mark.removeprefix(MARK) if mark.startswith(MARK) else ""
        handed = self._handoffs.take(id) if self._handoffs is not None and id else None
        if handed is None or self._handoffs is None:
            if id:
                gr.Warning(
                    "Press “Open it in Unmask” again: this link was used, or is too old.",
                    title="No picture",
                )
            yield (gr.skip(),) * 6
            return
        tab = gr.update(selected=CHECK_TAB)
        with handed.written(self._handoffs.folder) as (photos, references):
            yield (tab, gr.skip(), gr.skip(), photos, references or None, handed.face)
            for updates in self.check(photos, references, handed.face):
                yield (gr.skip(), *updates)

    def _in_turn(self, work: Callable[[], tuple[str, bool]]) -> tuple[str, bool]:
        with self._galleries.turn():
            return work()

    # -- galleries ----------------------------------------------------------------------------

    def switch(self, token: str, gallery: str, request: gr.Request) -> Updates:
        """Switch to another gallery; a running turn ends on its own gallery."""
        found = self._sessions.find(token, _login(request))
        name = gallery or DEFAULT_GALLERY
        if problem := self._galleries.problem(name):
            gr.Warning(problem, title="This gallery cannot be searched")
        if found is not None:
            found.switch_gallery(name)
        return self._findings(found)

    def add_files(
        self, token: str, gallery: str, files: Sequence[str] | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Add dropped files to a gallery."""
        paths = [Path(file) for file in files or ()]
        name = (gallery or DEFAULT_GALLERY).strip()
        try:
            job = self._galleries.add_files(name, paths)
        except SetupError as error:
            yield (job_progress_html(None, str(error)), gr.skip(), gr.skip())
            return
        yield from self._watching(job, token, request, clear_files=True)

    def add_folder(
        self, token: str, gallery: str, folder: str | None, request: gr.Request
    ) -> Iterator[Updates]:
        """Add a folder of the server to a gallery."""
        name = (gallery or DEFAULT_GALLERY).strip()
        try:
            job = self._galleries.add_folder(name, folder or "")
        except SetupError as error:
            yield (job_progress_html(None, str(error)), gr.skip(), gr.skip())
            return
        yield from self._watching(job, token, request)

    def current_job(self, stored: object, request: gr.Request) -> Iterator[Any]:
        """Show the job of the page's gallery again after a reload of the page."""
        found = self._sessions.find(str(stored), _login(request)) if is_token(stored) else None
        job = self._galleries.job(found.gallery if found else self._first_gallery())
        if job is None or (job.done.is_set() and not job.interrupted):
            return
        while job.wait(_POLL_S):
            yield job_progress_html(job)
        yield job_progress_html(job)

    def stop_adding(self, gallery: str) -> None:
        """Stop filling a gallery; added images stay."""
        self._galleries.stop((gallery or DEFAULT_GALLERY).strip())

    def demo(self, token: str, request: gr.Request) -> Iterator[Updates]:
        """Create the demo gallery if it is missing, and ask about it."""
        job = self._galleries.add_demo()
        found = self._sessions.start(token, _login(request), gallery=DEMO_GALLERY)
        while job.wait(_POLL_S):
            told = [*found.messages, job_message(job)]
            yield (gr.skip(), told, gr.skip(), gr.skip(), busy_composer())
        found.switch_gallery(DEMO_GALLERY)
        choice = self._gallery_choice(DEMO_GALLERY)
        yield (choice, found.messages, *self._findings(found), gr.skip())
        if job.problem:
            found.transcript.notice(job.problem)
            yield (gr.skip(), found.messages, gr.skip(), gr.skip(), idle_composer())
            return
        turn, photos = TurnStatus(), (self._galleries.demo_photo,)
        steps = found.ask(
            DEFAULT_QUESTION, photos, turn=turn, plan=plan_search, gallery=DEMO_GALLERY
        )
        for update in self._turn(found, turn, steps, "", ()):
            yield (gr.skip(), *update)

    def _watching(
        self, job: IndexingJob, token: str, request: gr.Request, *, clear_files: bool = False
    ) -> Iterator[Updates]:
        cleared = None if clear_files else gr.skip()
        while job.wait(_POLL_S):
            yield (job_progress_html(job), gr.skip(), cleared)
        found = self._sessions.find(token, _login(request))
        chosen = found.gallery if found else job.gallery
        yield (job_progress_html(job), self._gallery_choice(chosen), cleared)

    # -- updates of the page ------------------------------------------------------------------

    def _whole(self, found: ChatSession | None) -> Updates:
        messages: list[Message] = found.messages if found else []
        return (messages, *self._findings(found), idle_composer())

    def _findings(self, found: ChatSession | None) -> Updates:
        if found is None:
            return (placeholder_html(), "")
        return (
            found.findings_html() or placeholder_html(),
            found.detail_html(),
        )

    def _gallery_choice(self, chosen: str) -> Any:
        names = self._galleries.names()
        return gr.update(choices=sorted({*names, chosen}), value=chosen)

    def _first_gallery(self) -> str:
        names = self._galleries.names()
        return names[0] if names and DEFAULT_GALLERY not in names else DEFAULT_GALLERY


def _paths(files: Sequence[str] | None) -> list[Path]:
    return [Path(file) for file in files or ()]


def _looked_at(
    look: Callable[[], tuple[str, bool]], uploads: Sequence[Path], *, missing: str
) -> Iterator[Updates]:
    """Updates of findings, detail, the two file boxes and the face; then uploads are deleted.

    `look` returns the page's part, and whether a face must be chosen: then the files stay in their
    boxes for the next press.
    """
    if missing:
        gr.Warning(missing, title="No photo")
        yield (gr.skip(),) * 5
        return
    again = False
    busy = _said_html("Looking closely: this takes seconds for each face.", role="status")
    try:
        yield (busy, "", gr.skip(), gr.skip(), gr.skip())
        shown, again = look()
    except (ToolError, SetupError) as error:
        shown = _said_html(problem_text(error, *uploads), role="alert")
    except Exception as bug:
        logger.exception("a check ended with a fault")
        shown = _said_html(_FAULT + type(bug).__name__, role="alert")
    finally:
        # Uploads lie where every user of the page could read them.
        for upload in () if again else uploads:
            upload.unlink(missing_ok=True)
    kept = (gr.skip(),) * 3 if again else (None, None, "")
    yield (shown, "", *kept)


def _said_html(text: str, *, role: str) -> str:
    return f'<div class="unmask job" role="{role}">{escape_html(text)}</div>'


def busy_composer() -> Any:
    """The message box during an answer: typing and stopping are possible."""
    return gr.update(submit_btn=False, stop_btn=True)


def idle_composer(*, text: str = "", photos: Sequence[Path] = ()) -> Any:
    """The message box when idle; text typed during the answer stays."""
    idle: dict[str, Any] = {"interactive": True, "submit_btn": True, "stop_btn": False}
    return gr.update(**idle, value=_message(text, photos)) if text else gr.update(**idle)


def _message(text: str, photos: Sequence[Path] = ()) -> dict[str, Any]:
    return {"text": text, "files": [str(photo) for photo in photos]}


def _following(
    investigation: ChatSession, turn: TurnStatus, steps: Iterator[None]
) -> Iterator[Updates]:
    """Yield updates during a turn and at its end; a fault is logged and shown."""
    try:
        yield from _as_it_goes_on(investigation, steps)
        yield (*_everything(investigation), gr.skip())
    except Exception as bug:
        logger.exception("a turn ended with a fault")
        investigation.say(_FAULT + type(bug).__name__, turn)
        yield (investigation.messages, gr.skip(), gr.skip(), gr.skip())


def _as_it_goes_on(investigation: ChatSession, turn: Iterator[None]) -> Iterator[Updates]:
    """Yield at most a dozen updates per second; findings only when they change."""
    shown, version = 0.0, investigation.version
    for _ in turn:
        now = time.monotonic()
        if investigation.version != version:
            version, shown = investigation.version, now
            yield (*_everything(investigation), gr.skip())
        elif now - shown >= _UPDATE_EVERY_S:
            shown = now
            yield (investigation.messages, gr.skip(), gr.skip(), gr.skip())


def _everything(investigation: ChatSession) -> Updates:
    findings = investigation.findings_html()
    return (
        investigation.messages,
        gr.skip() if findings is None else findings,
        investigation.detail_html(),
    )


def _login(request: gr.Request) -> str | None:
    return request.username
