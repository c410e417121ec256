"""The reviewer's work on a search: the filter of the hit list, decisions, notes, and undo.

Decisions and notes belong to a picture, not to a handle: after another search the same file keeps
them. They never change a verdict or an order. A filter ends with the next search.
"""

import getpass
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from tools.agent_tools.copies import CopyGroup, group_copies
from tools.agent_tools.file_dates import FileDate, describe_sources, file_date
from tools.agent_tools.hit_filter import DECISIONS, DecisionWord, HitFilter
from tools.errors import ToolError
from tools.gallery.access_log import OWNER
from tools.search.results import Findings, Hit
from tools.verdict.handles import quote_untrusted, sanitise_text


@dataclass(frozen=True, slots=True)
class Decision:
    """A reviewer's decision about a picture (`image_id`), `at` a time (ISO 8601, UTC).

    `hit` is the picture's handle at that time, "" if it was not listed; `user` is the login's name,
    or "unknown". `undoes` is true if it restores what was before the latest decision.
    """

    image_id: str
    decision: DecisionWord
    at: str
    user: str
    hit: str = ""
    undoes: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild it from `to_json`."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class HitNote:
    """A reviewer's note on a picture, in their own words; an empty `text` removes the one before.

    The other fields are those of a `Decision`.
    """

    image_id: str
    text: str
    at: str
    user: str
    hit: str = ""
    undoes: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild it from `to_json`."""
        return cls(**data)


ReviewEntry = Decision | HitNote
"""What a reviewer recorded about a picture."""

MAX_NOTE_LENGTH = 2000
"""Characters of a note."""


@dataclass(frozen=True, slots=True)
class HitList:
    """The listed `hits` by handle, in order, out of `total`; `hidden` ones are left out.

    `limits` says where dates come from, if they decided anything. If no hit fits a new filter,
    `hits` is empty, and the list stays as it was, with the hits in `kept`.
    """

    hits: tuple[str, ...]
    filter: HitFilter
    total: int
    hidden: tuple[str, ...] = ()
    limits: str = ""
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back: a decision, a note or a filter; `now` is in force in place of `was`."""

    was: ReviewEntry | HitFilter
    now: ReviewEntry | HitFilter


_Findings = Callable[[], Findings | None]
OnDecision = Callable[[ReviewEntry], None]


@dataclass(frozen=True, slots=True)
class _FilterChange:
    findings: Findings
    before: HitFilter


@dataclass(frozen=True, slots=True)
class _EntryChange:
    made: ReviewEntry
    before: ReviewEntry | None


class Review:
    """Filter, decisions, notes and their history over the findings of the latest search.

    `on_decision`, if set, records a decision or a note before it takes effect; if it raises,
    nothing changes. `login` gives the name that entries are signed with; empty: the user of this
    process.
    """

    def __init__(self, findings: _Findings, login: Callable[[], str] = str) -> None:
        self._findings, self._login = findings, login
        self.on_decision: OnDecision | None = None
        self._filter = HitFilter()
        self._filtered: Findings | None = None
        self._decisions: dict[str, Decision] = {}
        self._notes: dict[str, HitNote] = {}
        self._history: list[_FilterChange | _EntryChange] = []
        self._dates: dict[str, FileDate | None] = {}

    # -- the list -----------------------------------------------------------------------------

    @property
    def filter(self) -> HitFilter:
        """The filter in force; that of an earlier search is not."""
        return self._filter if self._filtered is self._findings() else HitFilter()

    def list_hits(self, wanted: HitFilter) -> HitList:
        """Filter and sort the hits of the latest search; ToolError without one.

        A filter that no hit fits does not come into force: an empty list reads as an all-clear.
        """
        findings, before = self._searched(), self.filter
        found = self._listed_by(wanted)
        if not found.hits and wanted.criteria:
            return replace(found, kept=self.listed().hits)
        self._filter, self._filtered = wanted, findings
        if wanted != before:
            self._history.append(_FilterChange(findings, before))
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

    # -- whose entries they are ---------------------------------------------------------------

    @property
    def alone(self) -> bool:
        """Whether the reviewer is the user of this machine: without a login, or its owner's."""
        return self._user() in _machine_names()

    def by(self, entry: ReviewEntry) -> str:
        """Who made an entry, as its reader sees it: "you", or the name."""
        return "you" if self._made(entry) else _name(entry)

    def signed(self, entry: ReviewEntry) -> str:
        """Who made an entry, for a text that other accounts may read later: their own is named."""
        return self.by(entry) if self.alone else _name(entry)

    def whose(self, entry: ReviewEntry) -> str:
        """What it is and whose: "your decision", "note by bob"."""
        what = "decision" if isinstance(entry, Decision) else "note"
        return f"your {what}" if self._made(entry) else f"{what} by {_name(entry)}"

    def column(self, what: str, entries: Sequence[ReviewEntry | None]) -> tuple[str, list[str]]:
        """Heading and cells of a table's column; if some entry is another's, each names its maker.

        `what` is "decision" or "note".
        """
        mine = all(self._made(it) for it in entries if it is not None)
        words = [
            "" if it is None else _words(it) + ("" if mine else f" (by {self.by(it)})")
            for it in entries
        ]
        return f"your {what}" if mine else what, words

    def hidden_by(self, who: Callable[[ReviewEntry], str]) -> dict[str, list[str]]:
        """The handles of hidden hits by who hid them, in the words of `by` or `signed`."""
        found: dict[str, list[str]] = {}
        for hit in self._searched().hits:
            made = self.decision(hit)
            if made is not None and made.decision == "hidden":
                found.setdefault(who(made), []).append(hit.handle)
        return found

    def _made(self, entry: ReviewEntry) -> bool:
        """Whether the reviewer made an entry."""
        return entry.user == self._user() or (self.alone and entry.user in _machine_names())

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
        word = next((it for it in DECISIONS if it == decision.strip().casefold()), None)
        if word is None:
            raise ToolError(
                f"there is no decision {quote_untrusted(decision)}; decisions are "
                f"{', '.join(DECISIONS)}"
            )
        made = Decision(hit.image_id, word, _now(), self._user(), hit.handle)
        if word == self.decision_word(hit):
            return self.decision(hit) or made
        self._make(made, self.decision(hit))
        return made

    def note(self, hit: Hit) -> HitNote | None:
        """The note in force on a hit's picture."""
        return self._notes.get(hit.image_id)

    def notes_for(self, findings: Findings) -> dict[str, HitNote]:
        """The notes in force on the hits of a search, by handle."""
        found = {hit.handle: self.note(hit) for hit in findings.hits}
        return {handle: each for handle, each in found.items() if each is not None}

    def write_note(self, hit: Hit, text: str) -> HitNote:
        """Record a note on a hit in place of any before; an empty one removes it.

        The same text again changes nothing. Raises ToolError for a text that is too long.
        """
        plain = "".join(it if it.isprintable() or it == "\n" else " " for it in text).strip()
        if len(plain) > MAX_NOTE_LENGTH:
            raise ToolError(f"a note has at most {MAX_NOTE_LENGTH:,} characters")
        before = self.note(hit)
        made = HitNote(hit.image_id, plain, _now(), self._user(), hit.handle)
        if plain == (before.text if before else ""):
            return before or made
        self._make(made, before)
        return made

    def restore(self, recorded: Iterable[ReviewEntry]) -> None:
        """Bring back the entries of a record, in their order; they can be undone again."""
        for made in recorded:
            before = self._in_force(made)
            if not made.undoes:
                self._history.append(_EntryChange(made, before))
            elif self._history:  # a record holds no filter, so the latest entry is the undone one
                change = self._history.pop()
                before = change.before if isinstance(change, _EntryChange) else None
            self._set(made, before if made.undoes else made)

    def undo(self) -> Undone:
        """Take back the latest decision, note or filter; ToolError if there is none."""
        findings = self._findings()
        while self._history:
            change = self._history[-1]
            if isinstance(change, _EntryChange):
                return self._undo_entry(change)
            self._history.pop()
            if change.findings is findings:  # the filter of an earlier search has ended with it
                undone = Undone(self._filter, change.before)
                self._filter = change.before
                return undone
        raise ToolError("there is nothing to undo")

    def _undo_entry(self, change: _EntryChange) -> Undone:
        made, before = change.made, change.before
        back: ReviewEntry
        if isinstance(made, Decision):
            word = before.decision if isinstance(before, Decision) else "none"
            back = replace(made, decision=word)
        else:
            back = replace(made, text=before.text if isinstance(before, HitNote) else "")
        back = replace(
            back, at=_now(), user=self._user(), hit=self._handle(made.image_id), undoes=True
        )
        self._write(back)
        self._history.pop()
        self._set(made, before)
        return Undone(made, back)

    def _make(self, made: ReviewEntry, before: ReviewEntry | None) -> None:
        self._write(made)
        self._history.append(_EntryChange(made, before))
        self._set(made, made)

    def _user(self) -> str:
        return self._login() or _user()

    def _write(self, made: ReviewEntry) -> None:
        if self.on_decision is not None:
            self.on_decision(made)

    def _in_force(self, like: ReviewEntry) -> ReviewEntry | None:
        """The entry of the same kind about the same picture."""
        held: Mapping[str, ReviewEntry]
        held = self._decisions if isinstance(like, Decision) else self._notes
        return held.get(like.image_id)

    def _set(self, like: ReviewEntry, entry: ReviewEntry | None) -> None:
        """Put an entry in force in place of the one of the kind and picture of `like`."""
        image_id = like.image_id
        if isinstance(like, Decision):
            self._decisions.pop(image_id, None)
        else:
            self._notes.pop(image_id, None)
        if isinstance(entry, Decision) and entry.decision != "none":
            self._decisions[image_id] = entry
        elif isinstance(entry, HitNote) and entry.text:
            self._notes[image_id] = entry

    def _handle(self, image_id: str) -> str:
        findings = self._findings()
        hits = () if findings is None else findings.hits
        return next((hit.handle for hit in hits if hit.image_id == image_id), "")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _name(entry: ReviewEntry) -> str:
    return sanitise_text(entry.user, longest=64)


def _words(entry: ReviewEntry) -> str:
    """A decision or a note on one line."""
    return entry.decision if isinstance(entry, Decision) else " ".join(entry.text.split())


def _machine_names() -> tuple[str, str]:
    """The names under which the user of this machine makes entries."""
    return OWNER, _user()


def _user() -> str:
    """The login's name; "unknown" where the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"
