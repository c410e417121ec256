"""Event handlers of the chat page: requests in, component updates out.

Each function takes values of components and returns updates for components; `page` connects them,
each behind the check of `assistant.chat.users.permissions`. Only login and token determine the
session of a request. A case's id is taken from a browser only if its user may see that case.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import gradio as gr

from assistant.agent.directed_turns import TurnPlanner
from assistant.agent.explicit_requests import DEFAULT_QUESTION
from assistant.chat.button_actions import ActionTurn, plan_example, plan_search
from assistant.chat.citations import escape_html
from assistant.chat.events.jobs import job_message, job_progress_html
from assistant.chat.events.photo_checks import PhotoChecks
from assistant.chat.events.updates import (
    Updates,
    busy_composer,
    composed,
    everything,
    following,
    idle_composer,
    viewers_composer,
    watching,
)
from assistant.chat.events.uploads import delete_uploads
from assistant.chat.hits import placeholder_html
from assistant.chat.messages import Message, opening_message
from assistant.chat.session_state import STALE_HIT_MESSAGE, ChatSession, TurnStatus
from assistant.chat.sessions import SessionStore, is_token, new_token
from assistant.chat.users.cases import CaseShelf
from assistant.chat.users.permissions import PageUsers
from assistant.demo import DEMO_GALLERY
from assistant.server.work.handoffs import Handoffs
from assistant.server.work.index_jobs import GalleryIndexer, IndexingJob
from tools.agent_tools.review.entries import MAX_NOTE_LENGTH
from tools.errors import SetupError, ToolError

logger = logging.getLogger(__name__)

DEFAULT_GALLERY = "default"
CASES_TAB = "cases"
"""Id of the tab on which cases are listed."""

_UNCHANGED = (gr.skip(),) * 3
"""Three components that stay as they are: token, browser and gallery while a turn is watched."""

_POLL_S = 0.3

DOUBLE_CLICK_S = 1.0
"""Seconds in which the same message of the same browser is one message."""


class EventHandlers:
    """The page's callbacks, beside those of `checks`.

    All pages share the server's `sessions`, `galleries` and `cases`.
    """

    def __init__(
        self,
        sessions: SessionStore,
        galleries: GalleryIndexer,
        users: PageUsers,
        cases: CaseShelf | None = None,
        handoffs: Handoffs | None = None,
    ) -> None:
        self._sessions, self._galleries, self.cases = sessions, galleries, cases
        self.users, self.checks = users, PhotoChecks(galleries, users, handoffs)
        self._sent: dict[str, tuple[float, str]] = {}
        self._left = set[str]()  # tokens of cases that were left while they were being opened

    # -- sessions -----------------------------------------------------------------------------

    def load(self, stored: object, request: gr.Request) -> Iterator[Updates]:
        """Handle an opened page: resume the browser's case, or show an empty one.

        A turn that runs as the page is opened, asked in another tab or before a reload, is shown to
        its end. That a case is opened, which takes a search, is said. All in one event: of two in a
        row, Gradio on a busy machine may drop what the user sends in between.
        """
        token = str(stored) if is_token(stored) else new_token()
        who = self.users.of(request)
        if self._sessions.reopens(token, who.name or None):
            # With its token, so that the page's buttons work meanwhile.
            yield (token, token, gr.skip(), [opening_message()], *_UNCHANGED)
        found = self._found(token, request)
        if token in self._left:
            self._left.remove(token)
            yield (gr.skip(),) * 7
            return
        running = found if found is not None and found.busy else None
        asks = who.may("investigator")
        if asks:
            chosen = self._gallery_choice(found.gallery if found else self._first_gallery())
            yield (token, token, chosen, *self._whole(found, running=running is not None))
        else:
            if found is not None:
                found.offer_report()
            # The names of galleries are for those who search them.
            yield (token, token, gr.skip(), *self._whole(found)[:-1], viewers_composer())
        for updates in () if running is None else watching(running):
            yield (*_UNCHANGED, *updates)
        if running is not None and asks:
            yield (*_UNCHANGED, gr.skip(), gr.skip(), gr.skip(), idle_composer())

    def account(self, request: gr.Request) -> Updates:
        """Who is logged in, and what they may do: the line above, the tabs, the list of cases."""
        who = self.users.of(request)
        if who.may("investigator") or self.cases is None:
            return (self.users.line(who), gr.skip(), gr.skip())
        listed = self.cases.html("", False, "", request)
        return (self.users.line(who), gr.update(selected=CASES_TAB), listed)

    def new_case(self, token: str, text: str, archived: bool, request: gr.Request) -> Updates:
        """Leave the current case unchanged and begin an empty one.

        The list of cases, limited to `text` and `archived`, marks none until its first question.
        """
        self._leave(token, request)
        fresh, cases = new_token(), self.cases
        listed = gr.skip() if cases is None else cases.html(text, archived, fresh, request)
        return (fresh, fresh, *self._whole(None), listed)

    def open_case(
        self, token: str, text: str, archived: bool, request: gr.Request, event: gr.EventData
    ) -> Updates:
        """Leave the current case and go on with a listed one, under a new token.

        `text` and `archived` are what the list is limited to: it is drawn anew, with that case
        marked.
        """
        fresh, who = new_token(), self.users.of(request)
        if self.cases is None or not self.cases.open(str(getattr(event, "id", "")), fresh, who):
            return (gr.skip(),) * 8
        self._leave(token, request)
        listed = self.cases.html(text, archived, fresh, request)
        return (fresh, *next(self.load(fresh, request))[1:], listed)

    def _leave(self, token: str, request: gr.Request) -> None:
        """Stop the turn of a case that is left; one that is being opened is not shown any more."""
        if not is_token(token):
            return
        if self._sessions.reopens(token, self.users.of(request).name or None):
            self._left.add(token)
        elif (found := self._found(token, request)) is not None:
            found.stop()

    # -- turns --------------------------------------------------------------------------------

    def ask(
        self, token: str, gallery: str, message: dict[str, Any], request: gr.Request
    ) -> Iterator[Updates]:
        """Send a message, with or without photos."""
        photos = [Path(file) for file in message.get("files") or ()]
        typed = (message.get("text") or "").strip()
        text = typed or (DEFAULT_QUESTION if photos else "")
        if not text or self._sent_twice(token, f"{text}\n{photos}"):
            yield (gr.skip(),) * 4
            return
        yield (gr.skip(), gr.skip(), gr.skip(), gr.update(value=composed("")))
        turn, plan = TurnStatus(), None if typed else plan_search
        yield from self._answer(token, gallery, text, photos, request, turn=turn, plan=plan)
        if turn.refused:
            self._sent.pop(token, None)  # sent again at once, it is no double click

    def _sent_twice(self, token: str, message: str) -> bool:
        """Whether this is the second click of a double click: the box is emptied only after one."""
        now = monotonic()
        self._sent = {it: at for it, at in self._sent.items() if now - at[0] < DOUBLE_CLICK_S}
        before = self._sent.get(token)
        self._sent[token] = now, message
        return before is not None and before[1] == message

    def ask_again(self, token: str, gallery: str, request: gr.Request) -> Iterator[Updates]:
        """Repeat the last question with its photos, or the last button press."""
        found = self._found(token, request)
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
        found = self._found(token, request)
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
            yield (*everything(found), gr.skip())
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
        found = self._found(token, request)
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
        steps = _without_uploads(steps, turn, photos)
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
        yield from following(found, turn, steps)
        left = [photo for photo in photos if photo != turn.unreadable_photo and photo.is_file()]
        kept = idle_composer(text=text, photos=left) if turn.refused else idle_composer()
        yield (found.messages, gr.skip(), gr.skip(), kept)

    def _start(self, token: str, gallery: str, request: gr.Request) -> ChatSession:
        found = self._found(token, request)
        if found is None:
            who, name = self.users.of(request), gallery or DEFAULT_GALLERY
            found = self._sessions.start(token, who.name or None, gallery=name)
            self.users.own(who, found.case.id)
        return found

    def _found(self, token: str, request: gr.Request) -> ChatSession | None:
        """The browser's session, unless its user may no longer see the case."""
        who = self.users.of(request)
        login = who.name or None
        id = self._sessions.case_of(token, login)
        if id is not None and not self.users.sees(who, id):
            self._sessions.forget(token, login)
            return None
        return self._sessions.find(token, login)

    # -- findings -----------------------------------------------------------------------------

    def choose(self, token: str, request: gr.Request, event: gr.EventData) -> str:
        """Show the pressed hit."""
        found = self._found(token, request)
        if found is None:
            return ""
        found.choose(str(getattr(event, "handle", "")))
        return found.detail_html()

    def locate(self, token: str, request: gr.Request, event: gr.EventData) -> str:
        """Show where the forgery score of a hit comes from."""
        found = self._found(token, request)
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
        found = self._found(token, request)
        if found is not None:
            turn = TurnStatus()
            steps = found.explain(str(getattr(event, "handle", "")), turn=turn)
            yield from self._turn(found, turn, steps, "", ())

    # -- galleries ----------------------------------------------------------------------------

    def switch(self, token: str, gallery: str, request: gr.Request) -> Updates:
        """Switch to another gallery; a running turn ends on its own gallery."""
        found = self._found(token, request)
        name = (gallery or DEFAULT_GALLERY).strip()
        if problem := self._galleries.problem(name):
            gr.Warning(problem, title="This gallery cannot be used")
        elif name not in self._galleries.names():
            gr.Info(f"There is no gallery “{escape_html(name)}” yet: adding pictures makes it.")
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
        found = self._found(str(stored), request) if is_token(stored) else None
        job = self._galleries.job(found.gallery if found else self._first_gallery())
        if job is None or (job.done.is_set() and not job.interrupted):
            return
        while job.wait(_POLL_S):
            yield job_progress_html(job)
        yield job_progress_html(job)

    def stop_adding(self, gallery: str, request: gr.Request) -> None:
        """Stop filling a gallery; added images stay."""
        self._galleries.stop((gallery or DEFAULT_GALLERY).strip())

    def demo(self, token: str, request: gr.Request) -> Iterator[Updates]:
        """Create the demo gallery if it is missing, and ask about it."""
        job = self._galleries.add_demo()
        found = self._start(token, DEMO_GALLERY, request)
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
        found = self._found(token, request)
        chosen = found.gallery if found else job.gallery
        yield (job_progress_html(job), self._gallery_choice(chosen), cleared)

    # -- updates of the page ------------------------------------------------------------------

    def _whole(self, found: ChatSession | None, *, running: bool = False) -> Updates:
        messages: list[Message] = found.messages if found else []
        composer = busy_composer() if running else idle_composer()
        return (messages, *self._findings(found), composer)

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


def _without_uploads(
    steps: Iterator[None], turn: TurnStatus, photos: Sequence[Path]
) -> Iterator[None]:
    """The steps of a turn, after which its uploads are deleted: every user could read them.

    The case has its copies. A refused turn has none: its photos stay, to be sent again.
    """
    try:
        yield from steps
    finally:
        delete_uploads(it for it in photos if not turn.refused or it == turn.unreadable_photo)
