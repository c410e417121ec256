"""State of one chat session: the conversation, the findings and the detail view.

A session owns its case, its workspace and its agent. The page requests HTML and chat messages and
knows nothing more about it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assistant.agent.agent import Agent
from assistant.agent.directed_turns import TurnPlanner, last_planned_turn
from assistant.agent.model_stream import TextDelta, Waiting
from assistant.chat.button_actions import (
    ActionTurn,
    plan_hit_action,
    plan_list_action,
    plan_longer_list,
)
from assistant.chat.hits import FaceThumbnails, detail_html, hits_html
from assistant.chat.messages import ChatTranscript, Message
from assistant.chat.questions import clarification_message
from assistant.conversation.steps import (
    CheckedSentence,
    Explanation,
    Failed,
    Step,
    Stopped,
    ToolCall,
    ToolResult,
    UserTurn,
)
from assistant.conversation.stepwise import stepwise
from assistant.grounding.casework_answers import WORDED_TOOLS
from assistant.grounding.citations import FactLookup
from assistant.report.pictures.blurring import people_beside
from assistant.report.pictures.data_uris import data_uri, thumbnail
from assistant.report.pictures.face_maps import DrawnMaps, FaceKey, compute_face_maps, face_key
from tools.agent_tools.casework_tools import EXPORT_FILES
from tools.agent_tools.state.pictures import FaceSnapshot
from tools.errors import SetupError, ToolError
from tools.media.skip_reasons import UnreadableImage
from tools.search.bystanders import Box
from tools.search.checking.impression import impression_text
from tools.search.results import Findings, Hit
from tools.verdict.handles import Fact

_PHOTO_PX = 160
_WAIT_FOR_TURN_S = 10.0
STOPPING = "stopping…"
BUSY_MESSAGE = "The previous answer is still being written: wait for it, or stop it."


STALE_HIT_MESSAGE = (
    "This button belongs to an earlier search: that hit is no longer listed. Nothing was done; "
    "use the buttons of the current list."
)


@dataclass
class TurnStatus:
    """The outcome of one attempt at a turn; each attempt has its own, and two may overlap.

    `refused`: it could not start or ended with an error, and may be sent again unchanged. `failed`:
    the case has recorded its error, which the conversation shows. `unreadable_photo` is the photo
    that caused the refusal.
    """

    refused: bool = True
    failed: bool = False
    unreadable_photo: Path | None = None


class ChatSession:
    """An agent with its case and workspace, and their views; `version` grows as findings change.

    Turns run one at a time, from any thread; actions in the meantime are bound to faces.
    """

    def __init__(self, agent: Agent) -> None:
        self.agent, self.case, self.workspace = agent, agent.case, agent.workspace
        self.version = 0
        self.transcript = ChatTranscript(self._photo_uri)
        self._faces = FaceThumbnails(self.workspace.pictures)
        self._chosen: str | None = None
        self._maps: dict[FaceKey, DrawnMaps] = {}
        self._explained: dict[str, tuple[CheckedSentence, ...]] = {}
        self._calls: dict[str, ToolCall] = {}
        self._turn = threading.Lock()
        self._wanted: str | None = None
        self._resting = False
        self._export: Path | None = None
        self._doing = ""
        self.workspace.on_progress = self._tell_progress
        for step, facts in self.case.steps_with_facts():
            self._show(step, facts.get, live=False)
        for note in agent.notes:
            # The hits may differ from those in the old explanations.
            self._explained.clear()
            self.transcript.notice(f"{note[:1].upper()}{note[1:]}.")

    @property
    def user(self) -> str:
        """The login whose accesses are logged; empty without logins."""
        return self.workspace.user

    @user.setter
    def user(self, login: str) -> None:
        self.workspace.user = login

    # -- turns --------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a turn is running."""
        return self._turn.locked()

    @property
    def messages(self) -> list[Message]:
        """The conversation as chat messages; a question from the application comes last."""
        asking = None if self.busy else self.agent.pending_question
        asked = None if asking is None else clarification_message(asking, self._everybody)
        return [*self.transcript.messages, *([] if asked is None else [asked])]

    def ask(
        self,
        text: str,
        photos: Sequence[Path] = (),
        *,
        turn: TurnStatus | None = None,
        plan: TurnPlanner | None = None,
        gallery: str | None = None,
    ) -> Iterator[None]:
        """Run one turn; yields whenever there is something new to show.

        `gallery` is the one that the user sees selected: the turn is about it.
        """
        turn = turn or TurnStatus()
        try:
            yield from self._taking_turns(turn, self._asked(turn, text, photos, plan), gallery)
        except UnreadableImage as error:
            turn.unreadable_photo = next((it for it in photos if repr(str(it)) in str(error)), None)
            self.transcript.notice(_unreadable(error, turn.unreadable_photo))
            yield

    def run_action(
        self, action: str, *, face_id: str, top: int = 0, text: str = ""
    ) -> ActionTurn | None:
        """The turn of a button about a listed face or the search; None if there is none.

        The face determines the hit, at whatever rank it is now.
        """
        if action == "search":
            listed = len(self.findings.hits) if self.findings else 0
            return plan_longer_list(top, listed=listed) if 0 < listed < top else None
        if not face_id:
            return plan_list_action(action) if self.findings is not None else None
        hit = self._of_face(face_id)
        if hit is None:
            return None
        return plan_hit_action(action, hit, query=self._query_handle(), text=text)

    def explain(self, handle: str, *, turn: TurnStatus | None = None) -> Iterator[None]:
        """Explain the verdict of a hit, or of every hit with "all", in the model's words."""
        hits = self.findings.hits if self.findings else ()
        handles = [hit.handle for hit in hits if handle in ("all", hit.handle, hit.face_id)]
        yield from self._taking_turns(turn or TurnStatus(), self._explaining(handles), None)

    def retry(self, *, turn: TurnStatus, gallery: str | None = None) -> Iterator[None]:
        """Ask the last question once more, with its photos.

        A turn planned by a button is planned again.
        """
        steps = self.case.steps()
        asked = [step for step in steps if isinstance(step, UserTurn)]
        if not asked:
            return
        files = self.workspace.photos
        photos = [files[it] for it in asked[-1].photos if it in files and files[it].is_file()]
        again = last_planned_turn(steps)
        plan = None if again is None else lambda _: again
        yield from self.ask(
            asked[-1].text, photos, turn=turn, plan=plan, gallery=None if again else gallery
        )

    def stop(self) -> None:
        """End the running turn, if there is one, at its next token or picture; the page says so."""
        if self.busy:
            self.agent.stop()
            self._doing = STOPPING

    def say(self, text: str, turn: TurnStatus | None = None) -> None:
        """Show a sentence of the application, unless the turn ended with its own error message."""
        if turn is None or not turn.failed:
            self.transcript.notice(text)

    def _taking_turns(
        self, turn: TurnStatus, steps: Iterator[None], gallery: str | None
    ) -> Iterator[None]:
        if not self._turn.acquire(timeout=_WAIT_FOR_TURN_S):
            self.transcript.notice(BUSY_MESSAGE)
            yield
            return
        try:
            if gallery is not None:
                self._wanted = None
                self._switch(gallery)
            yield from steps
            turn.refused = False
        except UnreadableImage:
            raise
        except (ToolError, SetupError) as error:
            self.say(str(error), turn)
            yield
        finally:
            self._rest(False)
            self._turn.release()
            self._switch_as_wanted()

    def _asked(
        self, turn: TurnStatus, text: str, photos: Sequence[Path], plan: TurnPlanner | None
    ) -> Iterator[None]:
        self._export = None
        told = ""
        for event in stepwise(self.agent.ask(text, photos, plan=plan)):
            if event is None:
                if self._doing == told:
                    continue
                told = self._doing
                self.transcript.progress(told)
            elif isinstance(event, TextDelta):
                self.transcript.token(event.text)
            elif isinstance(event, Waiting):
                self.transcript.waiting(event.server, event.seconds)
            else:
                turn.failed = isinstance(event, Failed)
                told = self._doing = ""
                self._show(event, self._fact, live=True)
            yield

    def _tell_progress(self, what: str, done: int, total: int) -> None:
        """How far the running tool is, by the thread that runs it; ends the tool once stopped."""
        self.agent.refuse_if_stopped()
        self._doing = f"{what}: picture {min(done + 1, total)} of {total}" if total else what

    def _explaining(self, handles: Sequence[str]) -> Iterator[None]:
        for explanation in self.agent.explain(handles):
            self._explained[explanation.hit] = explanation.sentences
            self.version += 1
            yield

    def _show(self, step: Step, fact: FactLookup, *, live: bool) -> None:
        self.transcript.add(step, fact)
        match step:
            case ToolCall():
                self._calls[step.id] = step
                if step.name == "find_person" and live:
                    self._rest(self.findings is not None)
            case ToolResult():
                self._rest(False)
                if step.ok:
                    self._found_out(step, live=live)
            case Stopped() | Failed():
                self._rest(False)
            case Explanation():
                self._explained[step.hit] = step.sentences
                self.version += 1

    def _rest(self, resting: bool) -> None:
        """Put the present findings to rest while another search runs: they are about to go."""
        if resting != self._resting:
            self._resting = resting
            self.version += 1

    def _found_out(self, result: ToolResult, *, live: bool) -> None:
        """Update the views after a tool result; maps of a reloaded case are not computed again."""
        if result.name in ("find_person", "more_hits"):
            self._look_at_findings(keep=result.name == "more_hits")
            return
        if result.name in WORDED_TOOLS:
            self.version += 1
        if result.name == "export_report" and live:
            self._export = self.case.folder / str(result.data["file"])
        call = self._calls.get(result.call_id)
        hit = next(filter(None, map(self._hit, call.handles if call else ())), None)
        if hit is None:
            return
        if result.name == "locate_artifacts" and live:
            self._make_maps(self.workspace.take_snapshot(hit.handle))
        self.choose(hit.handle)

    # -- views --------------------------------------------------------------------------------

    @property
    def findings(self) -> Findings | None:
        """The findings of the latest search."""
        return None if self.workspace.last_search is None else self.workspace.last_search[0]

    def switch_gallery(self, name: str) -> None:
        """Investigate another gallery; the present findings leave the screen.

        A running turn continues with its own gallery, and the switch follows.
        """
        self._wanted = name
        self._switch_as_wanted()

    def _switch_as_wanted(self) -> None:
        if self._wanted is None or not self._turn.acquire(blocking=False):
            return  # the thread that holds the turn checks again when it releases it
        try:
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                self._switch(wanted)
        finally:
            self._turn.release()

    def _switch(self, name: str) -> None:
        if name != self.workspace.gallery:
            self.workspace.gallery = name
            self.case.switch_gallery(name)
            self._look_at_findings()

    @property
    def gallery(self) -> str:
        """The gallery being investigated, or the next one after the running turn."""
        return self._wanted or self.workspace.gallery

    def choose(self, handle: str) -> None:
        """Show a hit, by its handle or face; unknown ones (from an old page) are ignored."""
        hit = self._hit(handle) or self._of_face(handle)
        if hit is not None and not self._resting:
            self._chosen = hit.handle
            self.agent.point_at(hit.handle)
            self.version += 1

    def locate(self, face_id: str) -> None:
        """Compute the maps of a listed face. Raises ToolError.

        They are shown with that face, whatever its handle is by then, and not at all if it is no
        longer listed.
        """
        hit = self._of_face(face_id) or self._hit(face_id)
        if hit is None:
            raise ToolError(STALE_HIT_MESSAGE)
        look = self.workspace.take_snapshot(hit.handle)
        if look.face_id != hit.face_id:  # another search ended between the two lines
            raise ToolError(STALE_HIT_MESSAGE)
        self.choose(hit.handle)  # now: a later choice of the user stays
        self._make_maps(look)

    def offer_report(self) -> None:
        """Offer the newest written report of the case with the findings."""
        files = [self.case.folder / name for name in EXPORT_FILES.values()]
        written = [it for it in files if it.is_file()]
        self._export = max(written, key=lambda it: it.stat().st_mtime, default=None)

    def findings_html(self) -> str | None:
        """The ranked hits; None before the first search."""
        return self._of_one_search(self._findings_html)

    def detail_html(self) -> str:
        """The chosen hit with all its measurements; empty if there is none."""
        return self._of_one_search(self._detail_html) or ""

    def _of_one_search(self, draw: Callable[[], str | None]) -> str | None:
        """Render one search; once more if another search has ended in the meantime."""
        while True:
            before = self.findings
            try:
                drawn = draw()
            except ToolError:
                if self.findings is before:
                    raise
                continue
            if self.findings is before:
                return drawn

    def _findings_html(self) -> str | None:
        findings = self.findings
        if findings is None:
            return None
        rule = self.workspace.instruments.rule
        offers = any(hit.handle not in self._explained for hit in findings.hits)
        review = self.workspace.review
        return hits_html(
            findings, self._faces, rule=rule, chosen=self._chosen, offers_model=offers,
            listed=review.listed(), review=review, export=self._export, resting=self._resting,
        )  # fmt: skip

    def _detail_html(self) -> str:
        hit, search = self._hit(self._chosen or ""), self.workspace.last_search
        if hit is None or search is None:
            return ""
        maps = self._maps.get(face_key(hit.face_id, search[1]), DrawnMaps())
        image = self._image(hit.handle)
        others = [] if image is None else self._people_beside(hit.handle)
        return detail_html(
            hit,
            self._faces,
            query=self._query_handle(),
            image=image,
            people=others,
            rule=self.workspace.instruments.rule,
            facts=self.workspace.facts(hit.handle),
            sentences=self._explained.get(hit.handle, _plain(hit)),
            located=maps.located,
            reference_distance_map=maps.reference_distance_map,
            picture=maps.picture,
            further=maps.further,
            others=[other.handle for other in search[0].hits],
            review=self.workspace.review,
            impression=(
                ""
                if image is None
                else impression_text(self.workspace.examinations.impression(hit.handle))
            ),
            resting=self._resting,
        )

    def _make_maps(self, look: FaceSnapshot) -> None:
        self._maps[face_key(look.face_id, look.query)] = compute_face_maps(look, self.workspace)
        self.version += 1

    def _look_at_findings(self, *, keep: bool = False) -> None:
        """Begin anew with the present findings; with `keep`, the chosen hit stays chosen."""
        self._faces = FaceThumbnails(self.workspace.pictures)
        self._explained.clear()
        hits = self.findings.hits if self.findings else ()
        if not (keep and self._hit(self._chosen or "")):  # further hits change no handle
            self._chosen = hits[0].handle if hits else None
        self.version += 1

    def _hit(self, handle: str) -> Hit | None:
        hits = self.findings.hits if self.findings else ()
        return next((hit for hit in hits if hit.handle == handle), None)

    def _of_face(self, face_id: str) -> Hit | None:
        hits = self.findings.hits if self.findings else ()
        return next((hit for hit in hits if hit.face_id == face_id), None)

    def _query_handle(self) -> str:
        """The query photo shown beside hits: the first one of the search."""
        searched = self.findings.query_paths[0] if self.findings else None
        photos = self.workspace.photos
        return next((it for it, path in photos.items() if path == searched), next(iter(photos)))

    def _image(self, handle: str) -> np.ndarray | None:
        try:
            return self.workspace.pictures.pixels(handle)
        except ToolError:
            return None

    def _people_beside(self, handle: str) -> list[Box]:
        """The other people in a hit's picture, who are blurred."""
        return people_beside(self.workspace, self.workspace.take_snapshot(handle))

    def _everybody(self, handle: str) -> np.ndarray | None:
        """The picture that numbers the faces of a query photo or video."""
        try:
            return self.workspace.pictures.everybody(handle)
        except ToolError:
            return None

    def _photo_uri(self, handle: str) -> str | None:
        try:
            image = self.workspace.pictures.cover(handle)
        except ToolError:
            return None
        return data_uri(thumbnail(image, longest_px=_PHOTO_PX))

    def _fact(self, handle: str) -> Fact | None:
        try:
            return self.workspace.fact(handle)
        except ToolError:
            return None


def _unreadable(error: UnreadableImage, photo: Path | None) -> str:
    """An error message with the unreadable photo's name as the user knows it."""
    broken = "The photo" if photo is None else photo.name
    return f"{broken}: {error.reason_text}. Nothing was sent; send another photo."


def _plain(hit: Hit) -> tuple[CheckedSentence, ...]:
    return (CheckedSentence(hit.explanation, source="plain"),)
