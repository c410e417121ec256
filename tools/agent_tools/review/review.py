"""The reviewer's work on a search: the filter of the hit list, decisions, notes, and undo.

Decisions and notes belong to a picture, not to a handle: after another search the same file keeps
them. They never change a verdict or an order. A filter ends with the next search.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tools.agent_tools.copies import CopyGroup, group_copies
from tools.agent_tools.file_facts import FileDate, describe_sources, file_date
from tools.agent_tools.hit_filter import DecisionWord, HitFilter
from tools.agent_tools.review.authors import Authors
from tools.agent_tools.review.entries import (
    MAX_NOTE_LENGTH,
    Decision,
    HitNote,
    ReviewEntry,
    known_decision,
)
from tools.agent_tools.review.listing import (
    HitList,
    ReviewedBefore,
    ReviewedHit,
    ReviewState,
    Undone,
)
from tools.errors import ToolError
from tools.search.results import Findings, Hit
from tools.verdict.handles import quote_untrusted

_NOTHING = "there is nothing to undo"
_Findings = Callable[[], Findings | None]
OnDecision = Callable[[ReviewEntry], None]


@dataclass(frozen=True, slots=True, eq=False)
class _FilterChange:
    findings: Findings
    before: HitFilter
    message: int


@dataclass(frozen=True, slots=True, eq=False)
class _EntryChange:
    made: ReviewEntry
    before: ReviewEntry | None

    @property
    def message(self) -> int:
        return self.made.message


class Review:
    """Filter, decisions, notes and their history over the findings of the latest search.

    `on_decision`, if set, records a decision or a note before it takes effect; if it raises,
    nothing changes. `login` gives the name that entries are signed with; empty: the user of this
    process. `authors` knows whose entries they are.
    """

    def __init__(self, findings: _Findings, login: Callable[[], str] = str) -> None:
        self._findings, self.authors = findings, Authors(login)
        self.on_decision: OnDecision | None = None
        self._filter = HitFilter()
        self._filtered: Findings | None = None
        self._decisions: dict[str, Decision] = {}
        self._notes: dict[str, HitNote] = {}
        self._history: list[_FilterChange | _EntryChange] = []
        self._dates: dict[str, FileDate | None] = {}
        self._message, self._messages = 0, 0

    def begin_message(self) -> None:
        """A message of the user begins: what it changes is undone together."""
        self._messages += 1
        self._message = self._messages

    # -- the list -----------------------------------------------------------------------------

    @property
    def filter(self) -> HitFilter:
        """The filter in force; that of an earlier search is not."""
        return self._filter if self._filtered is self._findings() else HitFilter()

    def list_hits(self, wanted: HitFilter, *, stays: bool = False) -> HitList:
        """Filter and sort the hits of the latest search; ToolError without one.

        A filter that no hit fits does not come into force: an empty list reads as an all-clear; nor
        does any that `stays` says is only asked about.
        """
        findings, before = self._searched(), self.filter
        found = replace(self._listed_by(wanted), stays=stays)
        if stays:
            return found
        if not found.hits and wanted.criteria:
            return replace(found, kept=self.listed().hits)
        self._filter, self._filtered = wanted, findings
        if wanted != before:
            self._history.append(_FilterChange(findings, before, self._message))
        return found

    def listed(self) -> HitList:
        """The hits that the filter in force lists; ToolError before a search."""
        return self._listed_by(self.filter)

    def _listed_by(self, wanted: HitFilter) -> HitList:
        hits = self._searched().hits
        hidden = () if wanted.decision == "hidden" else tuple(
            hit.handle for hit in hits if self.decision_word(hit) == "hidden"
        )  # fmt: skip
        shown = [hit for hit in hits if hit.handle not in hidden]
        limits = ""
        if wanted.needs_dates:
            limits = describe_sources([(hit.handle, self._date(hit)) for hit in shown])
        fitting = tuple(hit.handle for hit in wanted.apply(shown, self._date, self.decision_word))
        return HitList(fitting, wanted, len(hits), hidden, limits)

    def listed_groups(self) -> list[CopyGroup]:
        """The groups of near-identical hits among the listed ones."""
        by_handle = {hit.handle: hit for hit in self._searched().hits}
        return group_copies([by_handle[handle] for handle in self.listed().hits])

    def _searched(self) -> Findings:
        findings = self._findings()
        if findings is None:
            raise ToolError("nothing was searched for yet; search for the person in a photo first")
        return findings

    def _date(self, hit: Hit) -> FileDate | None:
        if hit.image_id not in self._dates:
            self._dates[hit.image_id] = file_date(hit)
        return self._dates[hit.image_id]

    def hidden_by(self, who: Callable[[ReviewEntry], str]) -> dict[str, list[str]]:
        """The handles of hidden hits by who hid them, in the words of `by` or `signed`."""
        found: dict[str, list[str]] = {}
        for hit in self._searched().hits:
            made = self.decision(hit)
            if made is not None and made.decision == "hidden":
                found.setdefault(who(made), []).append(hit.handle)
        return found

    # -- decisions ----------------------------------------------------------------------------

    def decision(self, hit: Hit) -> Decision | None:
        """The decision in force about a hit's picture."""
        return self._decisions.get(hit.image_id)

    def decision_word(self, hit: Hit) -> DecisionWord:
        """The same as a word; "none" without a decision."""
        found = self.decision(hit)
        return "none" if found is None else found.decision

    def decisions_for(self, findings: Findings) -> dict[str, Decision]:
        """The decisions in force about the hits of a search, by handle."""
        found = {hit.handle: self.decision(hit) for hit in findings.hits}
        return {handle: each for handle, each in found.items() if each is not None}

    def mark(self, hit: Hit, decision: str) -> Decision:
        """Record a decision about a hit; one that is in force already changes nothing.

        Raises ToolError for an unknown decision.
        """
        word = known_decision(decision)
        made = Decision(**self._signed(hit), decision=word)
        if word == self.decision_word(hit):
            return self.decision(hit) or made
        self._make(made)
        return made

    def note(self, hit: Hit) -> HitNote | None:
        """The note in force on a hit's picture."""
        return self._notes.get(hit.image_id)

    def notes_for(self, findings: Findings) -> dict[str, HitNote]:
        """The notes in force on the hits of a search, by handle."""
        found = {hit.handle: self.note(hit) for hit in findings.hits}
        return {handle: each for handle, each in found.items() if each is not None}

    def state(self, handle: str | None = None, decision: str | None = None) -> ReviewState:
        """Decisions and notes on the hits of the latest search, or on one of them.

        With a `decision`, only what has it; "none" leaves those that are open. A handle of an
        earlier search stands for the picture that it was then. ToolError before a search, for an
        unknown decision, and for a handle that is no hit's and under which nothing was reviewed.
        """
        word = known_decision(decision) if decision else None
        hits = self._searched().hits
        asked = [hit for hit in hits if handle in (None, hit.handle)]
        before = self.before(handle)
        if not asked and not before and handle is not None:
            raise ToolError(f"{quote_untrusted(handle)} is no hit of the latest search")
        found = [ReviewedHit(hit, self.decision(hit), self.note(hit)) for hit in asked]
        open_ = tuple(it.hit.handle for it in found if it.decision is None)
        return ReviewState(
            tuple(it for it in found if (it.decision or it.note) and _has(it.decision, word)),
            open_ if word in (None, "none") else (),
            tuple(it for it in before if _has(it.decision, word)),
        )

    def before(self, handle: str | None = None) -> tuple[ReviewedBefore, ...]:
        """Reviewed pictures that had `handle` and have another now; None: all not listed now."""
        pictures = dict.fromkeys((*self._decisions, *self._notes))
        found = []
        for image_id in pictures:
            made, noted = self._decisions.get(image_id), self._notes.get(image_id)
            now = self._handle(image_id)
            was = [it.hit for it in (made, noted) if it is not None]
            if (handle in was and handle != now) or (handle is None and not now):
                found.append(ReviewedBefore(image_id, handle or was[0], now, made, noted))
        return tuple(found)

    def write_note(self, hit: Hit, text: str) -> HitNote:
        """Record a note on a hit in place of any before; an empty one removes it.

        The same text again changes nothing. Raises ToolError for a text that is too long.
        """
        plain = "".join(it if it.isprintable() or it == "\n" else " " for it in text).strip()
        if len(plain) > MAX_NOTE_LENGTH:
            raise ToolError(f"a note has at most {MAX_NOTE_LENGTH:,} characters")
        before = self.note(hit)
        made = HitNote(**self._signed(hit), text=plain)
        if plain == (before.text if before else ""):
            return before or made
        self._make(made)
        return made

    def _signed(self, hit: Hit) -> dict[str, Any]:
        """What every entry holds about a hit made now."""
        return {
            "image_id": hit.image_id, "at": _now(), "user": self.authors.reader,
            "hit": hit.handle, "message": self._message,
        }  # fmt: skip

    def restore(self, recorded: Iterable[ReviewEntry]) -> None:
        """Bring back the entries of a record, in their order; they can be undone again."""
        for made in recorded:
            self._messages = max(self._messages, made.message)
            before = self._in_force(made)
            if not made.undoes:
                self._history.append(_EntryChange(made, before))
            elif (change := self._latest(made)) is not None:
                self._history.remove(change)
                before = change.before
            self._set(made, before if made.undoes else made)

    def _latest(self, like: ReviewEntry) -> _EntryChange | None:
        """The latest change of the kind and picture of `like`."""
        about = (type(like), like.image_id)
        return next(
            (
                it
                for it in reversed(self._history)
                if isinstance(it, _EntryChange) and (type(it.made), it.made.image_id) == about
            ),
            None,
        )

    def undo(self) -> tuple[Undone, ...]:
        """Take back what the reviewer's latest message changed, the latest change first.

        A change outside of a conversation is taken back by itself. What another account has
        changed since about the same picture stays as that account left it. Raises ToolError if
        there is nothing.
        """
        change = self._undoable()
        if change is None:
            raise ToolError("there is nothing of yours to undo" if self._history else _NOTHING)
        message, undone = change.message, []
        while change is not None:
            undone.append(self._take_back(change))
            change = self._undoable(message) if message else None
        return tuple(undone)

    def _undoable(self, message: int | None = None) -> _FilterChange | _EntryChange | None:
        """The reviewer's latest change (of a message) that is still in force."""
        findings = self._findings()
        for change in reversed(self._history[:]):
            if message not in (None, change.message):
                continue
            if isinstance(change, _EntryChange):
                if self.authors.made(change.made) and self._latest(change.made) is change:
                    return change
            elif change.findings is findings:
                return change
            else:
                self._history.remove(change)  # the filter of an earlier search has ended with it
        return None

    def _take_back(self, change: _FilterChange | _EntryChange) -> Undone:
        if isinstance(change, _EntryChange):
            return self._undo_entry(change)
        self._history.remove(change)
        undone = Undone(self._filter, change.before)
        self._filter = change.before
        return undone

    def _undo_entry(self, change: _EntryChange) -> Undone:
        made, before = change.made, change.before
        back = replace(
            before or made.emptied(), at=_now(), user=self.authors.reader,
            hit=self._handle(made.image_id), undoes=True, message=made.message,
        )  # fmt: skip
        self._write(back)
        self._history.remove(change)
        self._set(made, before)
        return Undone(made, back)

    def _make(self, made: ReviewEntry) -> None:
        self._write(made)
        self._history.append(_EntryChange(made, self._in_force(made)))
        self._set(made, made)

    def _write(self, made: ReviewEntry) -> None:
        if self.on_decision is not None:
            self.on_decision(made)

    def _in_force(self, like: ReviewEntry) -> ReviewEntry | None:
        """The entry of the same kind about the same picture."""
        held: Mapping[str, ReviewEntry] = self._of_kind(like)
        return held.get(like.image_id)

    def _of_kind(self, like: ReviewEntry) -> dict[str, Any]:
        return self._decisions if isinstance(like, Decision) else self._notes

    def _set(self, like: ReviewEntry, entry: ReviewEntry | None) -> None:
        """Put an entry in force in place of the one of the kind and picture of `like`."""
        held = self._of_kind(like)
        held.pop(like.image_id, None)
        if entry is not None and not entry.is_empty:
            held[like.image_id] = entry

    def _handle(self, image_id: str) -> str:
        findings = self._findings()
        hits = () if findings is None else findings.hits
        return next((hit.handle for hit in hits if hit.image_id == image_id), "")


def _has(made: Decision | None, word: DecisionWord | None) -> bool:
    """Whether a decision is the one asked for; None: any, and none at all."""
    return word is None or (made is not None and made.decision == word)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
