"""One person's investigation as the page shows it: the conversation, the findings, the detail.

Everything of a session lives here: its case, its desk, its agent. The page asks for HTML and for
chat messages and knows nothing else of it.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from assistant.agent import Event, Token
from assistant.case import Case
from assistant.chat.hits import Faces, detail_html, hits_html
from assistant.chat.turns import Message, Transcript
from assistant.citing import FactOf
from assistant.further_maps import further_views
from assistant.maps import MapView, picture_view
from assistant.pictures import data_uri, shrunk
from assistant.steps import (
    CheckedSentence,
    Explanation,
    Failed,
    Step,
    ToolCall,
    ToolResult,
    UserTurn,
)
from tools.desk import Desk
from tools.errors import SetupError, ToolError
from tools.findings import Findings, Hit
from tools.handles import Fact, parse
from tools.images import UnreadableImage
from tools.leading_hits import readable_photos
from tools.localisers import Located
from tools.references import ReferenceMap, reference_map

_PHOTO_PX = 160
_WAIT_FOR_TURN_S = 10.0
BUSY = "The answer before this one is still being written: wait for it, or stop it."


class Loop(Protocol):
    """What answers: the agent of this case."""

    def ask(self, text: str, photos: Sequence[Path] = ()) -> Iterator[Event]:
        """One turn: tokens as they come, and every finished step."""

    def explain(self, handles: Sequence[str]) -> Iterator[Explanation]:
        """Why hits got their verdicts."""

    def stop(self) -> None:
        """End the running turn at the next token."""


class Investigation:
    """A case, its desk and its agent, and how they look; `version` grows as findings change.

    `refused` says that the last question could not be asked, a photo of it being broken for one.
    `told` are the steps of a case that is opened again, each with its facts as they were then.
    """

    def __init__(self, case: Case, desk: Desk, loop: Loop, *, notes: Sequence[str] = ()) -> None:
        self.case, self.desk = case, desk
        self.version = 0
        self.refused = False
        self.transcript = Transcript(self._photo_uri)
        self._loop = loop
        self._faces = Faces(desk)
        self._chosen: str | None = None
        self._heats: dict[str, Located] = {}
        self._departures: dict[str, ReferenceMap | None] = {}
        self._pictures: dict[str, MapView | None] = {}
        self._further: dict[str, list[MapView]] = {}
        self._explained: dict[str, tuple[CheckedSentence, ...]] = {}
        self._calls: dict[str, ToolCall] = {}
        self._failed = False
        self._turn = threading.Lock()
        for step, facts in case.told():
            self._show(step, facts.get, live=False)
        for note in notes:
            # The hits may be others than those that the old explanations are about.
            self._explained.clear()
            self.transcript.notice(f"{note[:1].upper()}{note[1:]}.")

    # -- talking ------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a turn is going on."""
        return self._turn.locked()

    @property
    def messages(self) -> list[Message]:
        """The conversation as chat messages."""
        return self.transcript.messages

    def ask(self, text: str, photos: Sequence[Path] = ()) -> Iterator[None]:
        """One turn; yields whenever there is something new to show."""
        try:
            yield from self._taking_turns(self._asked(text, photos))
        except UnreadableImage as error:
            self.say(_unreadable(error, photos))
            yield

    def explain(self, handle: str) -> Iterator[None]:
        """Let the model say why a hit, or with "all" every hit, got its verdict."""
        hits = self.findings.hits if self.findings else ()
        handles = [hit.handle for hit in hits if handle in ("all", hit.handle)]
        yield from self._taking_turns(self._explaining(handles))

    @property
    def last_question(self) -> str | None:
        """What the person asked last."""
        asked = [step.text for step in self.case.steps() if isinstance(step, UserTurn)]
        return asked[-1] if asked else None

    def stop(self) -> None:
        """End the running turn, if there is one, at its next token."""
        if self.busy:
            self._loop.stop()

    def say(self, text: str) -> None:
        """A sentence of the application, unless the turn has ended with its own about an error."""
        if not self._failed:
            self.transcript.notice(text)

    def _taking_turns(self, turn: Iterator[None]) -> Iterator[None]:
        self.refused, self._failed = True, False
        if not self._turn.acquire(timeout=_WAIT_FOR_TURN_S):
            self.transcript.notice(BUSY)
            yield
            return
        try:
            yield from turn
            self.refused = False
        except UnreadableImage:
            raise
        except (ToolError, SetupError) as error:
            self.say(str(error))
            yield
        finally:
            self._turn.release()

    def _asked(self, text: str, photos: Sequence[Path]) -> Iterator[None]:
        for event in self._loop.ask(text, photos):
            if isinstance(event, Token):
                self.transcript.token(event.text)
            else:
                self._show(event, self._fact, live=True)
            yield

    def _explaining(self, handles: Sequence[str]) -> Iterator[None]:
        for explanation in self._loop.explain(handles):
            self._explained[explanation.hit] = explanation.sentences
            self.version += 1
            yield

    def _show(self, step: Step, fact: FactOf, *, live: bool) -> None:
        self.transcript.add(step, fact)
        self._failed = isinstance(step, Failed)
        match step:
            case ToolCall():
                self._calls[step.id] = step
            case ToolResult() if step.ok:
                self._found_out(step, live=live)
            case Explanation():
                self._explained[step.hit] = step.sentences
                self.version += 1

    def _found_out(self, result: ToolResult, *, live: bool) -> None:
        """A tool has changed what there is to show; maps of earlier days are not made again."""
        if result.name == "find_person":
            self._look_at_findings()
            return
        call = self._calls.get(result.call_id)
        handle = _a_hit(list(call.arguments.values()) if call else [])
        if handle is None or self._hit(handle) is None:
            return
        if result.name == "locate_artifacts" and live:
            self._make_maps(handle)
        self.choose(handle)

    # -- what there is to see -----------------------------------------------------------------

    @property
    def findings(self) -> Findings | None:
        """The latest search's."""
        return None if self.desk.search is None else self.desk.search[0]

    def switch_gallery(self, name: str) -> None:
        """Investigate another gallery; the findings of the present one leave the screen."""
        if name != self.desk.gallery:
            self.desk.gallery = name
            self.case.switch_gallery(name)
            self._look_at_findings()

    def choose(self, handle: str) -> None:
        """Show a hit in detail; anything else is ignored, for it may come from an old page."""
        if self._hit(handle) is not None:
            self._chosen = handle
            self.version += 1

    def locate(self, handle: str) -> None:
        """Measure where the forgery score of a hit comes from. Raises ToolError."""
        self.desk.hit(handle)
        self._make_maps(handle)
        self.choose(handle)

    def findings_html(self) -> str | None:
        """The ranked hits; None before the first search."""
        findings = self.findings
        if findings is None:
            return None
        rule = self.desk.instruments.rule
        offers = any(hit.handle not in self._explained for hit in findings.hits)
        return hits_html(findings, self._faces, rule=rule, chosen=self._chosen, offers_model=offers)

    def detail_html(self) -> str:
        """The chosen hit with everything that was measured on it; empty when there is none."""
        hit = self._hit(self._chosen or "")
        if hit is None or self.findings is None:
            return ""
        return detail_html(
            hit,
            self._faces,
            query=self._query_handle(),
            image=self._image(hit.handle),
            rule=self.desk.instruments.rule,
            facts=self.desk.facts(hit.handle),
            sentences=self._explained.get(hit.handle, _plain(hit)),
            located=self._heats.get(hit.handle),
            departs=self._departures.get(hit.handle),
            picture=self._pictures.get(hit.handle),
            further=self._further.get(hit.handle, ()),
            others=[other.handle for other in self.findings.hits],
        )

    def _make_maps(self, handle: str) -> None:
        """Where a hit looks forged, the picture around it, how the query photos differ; more."""
        self._heats[handle] = self.desk.locate(handle)
        pixels, face = self.desk.pixels(handle), self.desk.face(handle).face
        kit = self.desk.instruments
        self._pictures[handle] = picture_view(pixels, kit)
        self._further[handle] = further_views(pixels, face, instruments=kit)
        if self.desk.search is not None:
            photos = list(readable_photos(self.desk.search[1]))
            self._departures[handle] = reference_map((pixels, face), photos, encoder=kit.encoder)

    def _look_at_findings(self) -> None:
        self._faces = Faces(self.desk)
        self._heats.clear()
        self._departures.clear()
        self._pictures.clear()
        self._further.clear()
        self._explained.clear()
        hits = self.findings.hits if self.findings else ()
        self._chosen = hits[0].handle if hits else None
        self.version += 1

    def _hit(self, handle: str) -> Hit | None:
        hits = self.findings.hits if self.findings else ()
        return next((hit for hit in hits if hit.handle == handle), None)

    def _query_handle(self) -> str:
        """The query photo to lay beside hits: the first that was searched with."""
        searched = self.findings.query_paths[0] if self.findings else None
        photos = self.desk.photos
        return next((it for it, path in photos.items() if path == searched), next(iter(photos)))

    def _image(self, handle: str) -> np.ndarray | None:
        try:
            return self.desk.pixels(handle)
        except ToolError:
            return None

    def _photo_uri(self, handle: str) -> str | None:
        image = self._image(handle)
        return None if image is None else data_uri(shrunk(image, longest_px=_PHOTO_PX))

    def _fact(self, handle: str) -> Fact | None:
        try:
            return self.desk.fact(handle)
        except ToolError:
            return None


def _unreadable(error: UnreadableImage, photos: Sequence[Path]) -> str:
    """Which photo gives no picture, by the name that the person knows."""
    broken = next((photo.name for photo in photos if repr(str(photo)) in str(error)), "The photo")
    return f"{broken}: {error.reason}. Nothing was asked yet; choose another photo and send again."


def _plain(hit: Hit) -> tuple[CheckedSentence, ...]:
    return (CheckedSentence(hit.explanation, source="plain"),)


def _a_hit(arguments: Sequence[object]) -> str | None:
    """The hit that a call was about, if it was about one."""
    for argument in arguments:
        try:
            handle = parse(str(argument))
        except ToolError:
            continue
        if handle.subject.startswith("H") and not handle.kind:
            return handle.subject
    return None
