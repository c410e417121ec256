"""A visitor of the page: searches for its own person, asks on, stops, reloads, comes back.

Every question carries a mark of its visitor in quotation marks, which the assistant shows and does
not read. What the page shows is checked after every turn: no other visitor's mark or photo, no
error of ours.
"""

import html
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from evals.suites.resilience.soak.page_client import Tab
from evals.suites.resilience.soak.scene import GALLERY, VisitorPhoto

FIND = "Find fakes of this person."
FOLLOW_UPS = (
    "Which ones are inconclusive?",
    "Why is H1 listed?",
    "How many pictures are in the gallery?",
    "What is Q1 like?",
    "What does impersonation mean?",
)
_MARK = re.compile(r"visit-(\d+)-(\d+)")
_PHOTO = re.compile(r'<img src="(data:[^"]+)" alt="Photo Q\d+"')
_PROBLEM = re.compile(r'<div class="problem"[^>]*>(.*?)</div>', re.DOTALL)
_NOTE = re.compile(r'<p class="note"[^>]*>(.*?)</p>', re.DOTALL)
_NAME = re.compile(r'<span class="name" title="([^"]*)"')
_FACE = re.compile(r'data-press="why" data-face="([^"]+)"')
_BUSY = "still being written"
_OURS = "An internal error"

Ending = Literal["answered", "refused", "stopped", "left", "broken"]


@dataclass(frozen=True, slots=True)
class TurnSample:
    """A turn: `first_s` until it began, `wait_s` to its end, and what the page said.

    `said` is what is new in the conversation, and the notes above the hits, as HTML; `problems`
    are the new notices among it.
    """

    visitor: int
    kind: str
    ending: Ending
    first_s: float
    wait_s: float
    said: str = ""
    problems: tuple[str, ...] = ()


@dataclass
class OwnCase:
    """A case of the visitor: its browser's token, and the marks of what was asked in it.

    `sure` are those that must be on record; a turn that was left or refused may be missing.
    """

    token: str
    asked: list[str] = field(default_factory=list)
    sure: list[str] = field(default_factory=list)


class Visitor:
    """One session; `run` until the time is over, then read `turns`, `faults` and `cases`."""

    def __init__(self, number: int, photo: VisitorPhoto, address: str, *, seed: int) -> None:
        self.number, self.photo = number, photo
        self.turns: list[TurnSample] = []
        self.faults: list[str] = []
        self.warnings: list[str] = []
        self.statuses: list[int] = []
        self._address, self._rng = address, np.random.default_rng((seed, number))
        self._marks = 0
        self.tab = self._opened("")
        self.cases = [OwnCase(str(self.tab.shown["browserstate"]))]

    @property
    def case(self) -> OwnCase:
        """The case that is open now."""
        token = self.tab.shown["browserstate"]
        return next(it for it in self.cases if it.token == token)

    def run(self, until: Callable[[], bool]) -> None:
        """Rounds of searching, asking, stopping, reloading and coming back, until it is time."""
        steps = (
            self.search, self.follow_up, self.press_why, self.follow_up, self.stop_a_search,
            self.reload, self.follow_up, self.leave_a_search, self.another_case, self.search,
            self.follow_up, self.come_back, self.follow_up,
        )  # fmt: skip
        while not until():
            for step in steps:
                if until():
                    break
                self._guarded(step)
        self.close()

    def close(self) -> None:
        """Reload once more, so that what the page shows is what it has on record; then leave."""
        self._guarded(self.reload)
        self._closed(self.tab)

    # -- steps --------------------------------------------------------------------------------

    def search(self) -> None:
        """Drop the photo, once with words and once without."""
        words = FIND if len(self.case.asked) % 2 == 0 else ""
        self.ask("search", words, photo=True)

    def follow_up(self) -> None:
        """One of the questions about what was found."""
        self.ask("follow-up", FOLLOW_UPS[self._rng.integers(len(FOLLOW_UPS))])

    def press_why(self) -> None:
        """Press "Why?" on the hit that is shown."""
        face = _FACE.search(str(self.tab.shown.get("unmask-one", "")))
        if face is not None:
            event = {"action": "why", "face": html.unescape(face[1])}
            self._turn("press", "", self.tab.stream("press", [None], event))

    def stop_a_search(self) -> None:
        """Ask, and press stop as soon as the turn has begun."""
        self.ask("stop", FIND, photo=True, stop=True)

    def leave_a_search(self) -> None:
        """Ask, and reload the page before the answer is there."""
        self.ask("leave", FIND, leave=True)
        self.reload()

    def reload(self) -> None:
        """Open the page anew; what was answered must be there again."""
        case = self.case
        self._closed(self.tab)
        self.tab = self._opened(case.token)
        missing = set(case.sure) - set(self._marks_shown())
        if missing:
            self.faults.append(f"{len(missing)} questions are not there after a reload")
        self._look()

    def another_case(self) -> None:
        """Begin another case."""
        self.cases.append(OwnCase(self.tab.new_case()))
        if self._marks_shown():
            self.faults.append("a new case shows an old conversation")

    def come_back(self) -> None:
        """Open another of its cases, as the browser's history would, if it has another."""
        others = [it for it in self.cases if it is not self.case] or self.cases
        earlier = others[self._rng.integers(len(others))]
        self._closed(self.tab)
        self.tab = self._opened(earlier.token)
        if missing := set(earlier.sure) - set(self._marks_shown()):
            self.faults.append(f"{len(missing)} questions are not there after coming back")
        self._look()

    def ask(
        self, kind: str, text: str, *, photo: bool = False, stop: bool = False, leave: bool = False
    ) -> None:
        """One message; without a text, the photo alone is sent and has no mark."""
        mark = ""
        if text:
            mark = f"visit-{self.number}-{self._marks}"
            self._marks += 1
            self.case.asked.append(mark)
        photos: list[Path] = [self.photo.path] if photo else []
        asked = self.tab.ask(f'{text} "{mark}"' if text else "", photos, gallery=GALLERY)
        self._turn(kind, mark, asked, stop=stop, leave=leave)

    # -- one turn -----------------------------------------------------------------------------

    def _turn(
        self, kind: str, mark: str, updates: Iterator[float], *, stop: bool = False,
        leave: bool = False,
    ) -> None:  # fmt: skip
        before, began = len(self._messages()), time.monotonic()
        first = float("nan")
        ending: Ending = "answered"
        for number, at in enumerate(updates):
            # The first two updates empty the message box and offer to stop.
            if number == 0:
                first = at - began
            if number >= 2 and stop:
                self.tab.stop()
                stop, ending = False, "stopped"
            if number >= 2 and leave:
                ending = "left"
                break
        getattr(updates, "close", lambda: None)()
        waited = time.monotonic() - began
        new = self._messages()[before:] if ending != "left" else []
        notes = _NOTE.findall(str(self.tab.shown.get("unmask-list", "")))
        said = html.unescape("\n".join([*new, *notes]))
        problems = tuple(html.unescape(it) for each in new for it in _PROBLEM.findall(each))
        if any(_BUSY in it for it in problems):
            ending = "refused"
        if mark and ending in ("answered", "stopped"):
            self.case.sure.append(mark)
        self.turns.append(TurnSample(self.number, kind, ending, first, waited, said, problems))
        if ending != "left":
            self._look()

    def _guarded(self, step: Callable[[], None]) -> None:
        """A step that fails is a fault; the visitor goes on with a new tab."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            self.faults.append(f"{step.__name__}: {type(error).__name__}: {error}"[:300])
            token = self.case.token
            self._closed(self.tab)
            try:
                self.tab = self._opened(token)
            except Exception as again:  # noqa: BLE001 - the same
                self.faults.append(f"cannot open the page: {type(again).__name__}"[:300])

    def _opened(self, token: str) -> Tab:
        tab = Tab(self._address)
        tab.load(token)
        return tab

    def _closed(self, tab: Tab) -> None:
        self.warnings += tab.warnings
        self.statuses += tab.statuses
        tab.warnings, tab.statuses = [], []
        tab.__exit__()

    # -- what the page shows --------------------------------------------------------------------

    def hits_shown(self) -> set[str]:
        """The names of the files of the hits that are listed."""
        names = _NAME.findall(str(self.tab.shown.get("unmask-list", "")))
        return {Path(html.unescape(it)).name for it in names}

    def _messages(self) -> list[str]:
        return [_text_of(it) for it in self.tab.shown.get("unmask-chat") or ()]

    def _marks_shown(self) -> list[str]:
        return [it[0] for it in _MARK.finditer("\n".join(self._messages()))]

    def _look(self) -> None:
        detail = str(self.tab.shown.get("unmask-one", ""))
        whole = "\n".join([*self._messages(), detail])
        self.faults += page_faults(whole, asked=self.case.asked, photo=self.photo.shown)


def page_faults(shown: str, *, asked: Sequence[str], photo: str) -> list[str]:
    """What a visitor should not see: marks that are not its own, another photo, errors of ours."""
    faults = []
    if strange := {it[0] for it in _MARK.finditer(shown)} - set(asked):
        faults.append(f"mixed: shows {sorted(strange)[:3]}")
    if set(_PHOTO.findall(shown)) - {photo}:
        faults.append("mixed: shows another photo")
    if _OURS in shown:
        faults.append(f"error: {shown[shown.index(_OURS) :][:160]}")
    return faults


def _text_of(message: object) -> str:
    """A chat message's HTML; Gradio may wrap it into parts."""
    content = message.get("content") if isinstance(message, dict) else message
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(
            str(it.get("text", "")) if isinstance(it, dict) else str(it) for it in content
        )
    return json.dumps(content)
