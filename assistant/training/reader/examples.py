"""Examples of requests and what answers them: a tool call, or one of the set sentences.

The texts in `wordings/` were written one by one; slots such as `<hit>` are filled here, and the
state of the workspace is drawn around them. What a request means is defined by `_ANSWERS` alone.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage

import prompts
from assistant.conversation.brief import WorkspaceState, previous_messages, request_message
from assistant.conversation.steps import ToolCall
from assistant.training.reader import references as refer
from prompts import phrases
from tools.verdict.glossary import MEANINGS

WORDINGS = Path(__file__).parent / "wordings"
_LENGTHS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 12, 15, 20, 20, 26, 40, 50, 75, 120, 200)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model writes: calls, or a text."""

    calls: tuple[ToolCall, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with everything that its answer depends on."""

    state: WorkspaceState
    hit: str = ""
    other: str = ""
    photo: str = ""
    count: int | None = None
    term: str = ""
    folder: str = ""
    date: str = ""
    row: Mapping[str, Any] | None = None

    @property
    def person(self) -> list[str]:
        """The photos of the person searched for last, or all."""
        return [*(self.state.searched or self.state.photos)]


def _call(name: str, **arguments: Any) -> Answer:
    return Answer((ToolCall(name, arguments),))


def _text(text: str) -> Callable[[Asked], Answer]:
    return lambda _: Answer(text=text)


def _listing(**arguments: Any) -> Callable[[Asked], Answer]:
    return lambda _: _call("list_hits", **arguments)


def _about(topic: str) -> Callable[[Asked], Answer]:
    return lambda _: _call("about_unmask", topic=topic)


def _decided(decision: str) -> Callable[[Asked], Answer]:
    return lambda it: _call("mark_hit", hit=it.hit, decision=decision)


def _on_hit(tool: str) -> Callable[[Asked], Answer]:
    return lambda it: _call(tool, image=it.hit)


def _find(asked: Asked) -> Answer:
    photos = [*asked.state.new] or asked.person
    top = {} if asked.count is None else {"top": asked.count}
    return _call("find_person", photos=photos, **top)


def _both(first: Answer, second: Answer) -> Answer:
    return Answer((*first.calls, *second.calls))


def _compare(asked: Asked) -> Answer:
    return _call("compare_faces", first=asked.photo or asked.person[0], second=asked.hit)


_ANSWERS: Mapping[str, Callable[[Asked], Answer]] = {
    "find": _find,
    "find_top": _find,
    "no_photo": _text(phrases.ASK_PHOTO),
    "again": lambda it: _call("find_person", photos=it.person),
    "more": lambda it: _call("more_hits", **({} if it.count is None else {"count": it.count})),
    "fewer": lambda it: _call("find_person", photos=it.person, top=it.count),
    "next_person": _find,
    "more_photos": lambda it: _call("find_person", photos=[*it.person, *it.state.new]),
    "why": _on_hit("score_fake"),
    "own_photo": lambda it: _call("score_fake", image=it.photo or it.person[0]),
    "where": _on_hit("locate_artifacts"),
    "compare": _compare,
    "compare_hits": lambda it: _call("compare_faces", first=it.hit, second=it.other),
    "describe": _on_hit("describe_image"),
    "sure": lambda it: Answer(text=f"[{it.hit}.P1], and [{it.hit}.P2]."),
    "same_person": lambda it: Answer(text=f"[{it.hit}.P1]."),
    "which_fake": _listing(verdict="impersonation"),
    "which_genuine": _listing(verdict="no forgery found"),
    "which_inconclusive": _listing(verdict="inconclusive"),
    "which_other": _listing(verdict="other"),
    "which_copy": _listing(verdict="copy"),
    "counts": _text("[S8]."),
    "sort": lambda it: _call("list_hits", sort=(it.row or {})["by"]),
    "filter_folder": lambda it: _call("list_hits", folder=it.folder),
    "filter_date": lambda it: _call("list_hits", **{(it.row or {})["when"]: it.date}),
    "clear_filter": _listing(),
    "confirm": _decided("confirmed"),
    "reject": _decided("rejected"),
    "hide": _decided("hidden"),
    "unmark": _decided("none"),
    "undo": lambda _: _call("undo"),
    "export": lambda it: _call("export_report", format=(it.row or {}).get("format", "html")),
    "term": lambda it: _call("explain_term", term=it.term),
    "measure": lambda it: Answer(text=f"[about.{it.term}]."),
    "gallery": lambda _: _call("gallery_summary"),
    "greeting": _text(phrases.GREETING),
    "thanks": _text(phrases.THANKS),
    "outside": _text(phrases.OUTSIDE),
    "unanswerable": _text(phrases.UNANSWERABLE),
    "injection": _text(phrases.OBEDIENCE),
    "which_hit": _text(phrases.WHICH_HIT),
    "two_find_why": lambda it: _both(_find(it), _call("score_fake", image="H1")),
    "two_why_where": lambda it: _both(
        _call("score_fake", image=it.hit), _call("locate_artifacts", image=it.hit)
    ),
    "two_compare_where": lambda it: _both(_compare(it), _call("locate_artifacts", image=it.hit)),
    **{
        f"about_{topic}": _about(topic)
        for topic in (
            "abilities", "accuracy", "method", "privacy", "law", "indexing", "limits"
        )
    },
}  # fmt: skip


def meant(intent: str, asked: Asked) -> Answer:
    """What answers a request of this intent; KeyError for an unknown one."""
    return _ANSWERS[intent](asked)


ATTACHED = ("find", "find_top", "next_person", "more_photos", "two_find_why")
_ANYWHERE = (
    "about_abilities", "about_accuracy", "about_method", "about_privacy", "about_law",
    "about_indexing", "about_limits", "gallery", "greeting", "thanks", "outside", "injection",
    "term", "measure", "undo",
)  # fmt: skip
_NEEDS_PHOTO = ("own_photo",)
_LONE = ("no_photo",)
_CORRECTED = ("why", "where", "describe", "compare", "confirm", "reject", "hide", "sure")


class RequestExamples:
    """Draws examples from the files of wordings; `held_out` texts are never drawn."""

    def __init__(self, folder: Path = WORDINGS) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for file in sorted(folder.glob("*.jsonl")):
            for line in file.read_text(encoding="utf-8").splitlines():
                row = json.loads(line)
                self.rows[row["intent"]].append(row)

    @property
    def opening(self) -> BaseMessage:
        """The message that begins every prompt."""
        return _opening()[0]

    def epoch(self, rng: random.Random) -> Iterator[list[BaseMessage]]:
        """Every wording once, in random order, each in a situation drawn anew."""
        rows = [row for rows in self.rows.values() for row in rows]
        rng.shuffle(rows)
        for row in rows:
            yield self.messages(row, rng)

    def messages(self, row: Mapping[str, Any], rng: random.Random) -> list[BaseMessage]:
        """The prompt and the answer for one wording."""
        if row["intent"] == "correction":
            return self._correction(row, rng)
        text, asked = _filled(row, rng)
        before = self._before(asked, rng) if asked.state.hits else []
        return [
            *_opening(),
            *before,
            request_message(asked.state, text),
            _spoken(_answer(row, asked)),
        ]

    def _before(self, asked: Asked, rng: random.Random) -> list[BaseMessage]:
        """Sometimes a previous turn, which does not matter for the answer."""
        if rng.random() > 0.15 or not asked.state.last:
            return []
        row = rng.choice(self.rows[rng.choice(("why", "where", "describe"))])
        if "<hit>" not in row["text"]:
            return []
        name = refer.hit_name(rng, int(asked.state.last[1:]), asked.state.hits or 0)
        earlier = replace(asked, hit=asked.state.last)
        calls = _ANSWERS[row["intent"]](earlier).calls
        return previous_messages(str(row["text"]).replace("<hit>", name), calls)

    def _correction(self, row: Mapping[str, Any], rng: random.Random) -> list[BaseMessage]:
        """The last question again, for the hit that was meant."""
        text, asked = _filled(row, rng)
        others = [it for it in range(1, (asked.state.hits or 0) + 1) if f"H{it}" != asked.hit]
        intent = rng.choice([it for it in _CORRECTED if _ANSWERS[it](asked).calls])
        earlier = rng.choice([it for it in self.rows[intent] if "<hit>" in it["text"]])
        wrong = f"H{rng.choice(others or [1])}"
        said = str(earlier["text"]).replace("<hit>", wrong).replace("<photo>", asked.person[0])
        calls = _ANSWERS[intent](replace(asked, hit=wrong, photo="")).calls
        state = replace(asked.state, last=wrong)
        return [
            *_opening(),
            *previous_messages(said, calls),
            request_message(state, text),
            _spoken(_ANSWERS[intent](replace(asked, photo=""))),
        ]


def _opening() -> list[BaseMessage]:
    return [SystemMessage(prompts.text("reader"))]


def _spoken(answer: Answer) -> AIMessage:
    calls = [
        {"name": it.name, "args": dict(it.arguments), "id": str(at), "type": "tool_call"}
        for at, it in enumerate(answer.calls)
    ]
    return AIMessage(answer.text, tool_calls=calls)


def _answer(row: Mapping[str, Any], asked: Asked) -> Answer:
    intent, state = row["intent"], asked.state
    if intent in _ANYWHERE or intent in _LONE or intent in ATTACHED or intent in _NEEDS_PHOTO:
        return _ANSWERS[intent](asked)
    if state.hits is None:  # about hits, before any search
        first = phrases.SEARCH_FIRST if state.photos else phrases.PHOTO_FIRST
        return Answer(text=f"[hits.all]. {first}")
    return _ANSWERS[intent](asked)


def _filled(row: Mapping[str, Any], rng: random.Random) -> tuple[str, Asked]:
    """A wording with its slots filled, and the situation in which it is said."""
    intent, text = row["intent"], str(row["text"])
    asked = Asked(_state(row, rng), row=row)
    keep: list[str] = []

    def fill(slot: str, said: str) -> None:
        nonlocal text
        text = text.replace(slot, said)
        keep.append(said)

    hits = asked.state.hits or rng.choice(_LENGTHS)
    if "hit" in row:
        asked = replace(asked, hit=f"H{row['hit']}")
    if "<hit>" in text:
        last = asked.state.last
        if last and rng.random() < 0.3 and intent not in ("correction", "compare_hits"):
            asked = replace(asked, hit=last)
            fill("<hit>", rng.choice(refer.LAST))
        else:
            number = refer.hit_number(rng, hits)
            asked = replace(asked, hit=f"H{number}")
            fill("<hit>", refer.hit_name(rng, number, hits))
    if "<hit2>" in text:
        other = rng.choice([it for it in range(1, max(hits, 2) + 1) if f"H{it}" != asked.hit])
        asked = replace(asked, other=f"H{other}")
        fill("<hit2>", refer.hit_name(rng, other, 0))
    if "<photo>" in text:
        photo = rng.choice(asked.state.photos or ("Q1",))
        asked = replace(asked, photo=photo)
        fill("<photo>", photo if rng.random() < 0.8 else photo.lower())
    if "<n>" in text:
        wanted = refer.count(rng)
        asked = replace(asked, count=int(wanted.value))
        fill("<n>", wanted.said)
    elif "n" in row:
        asked = replace(asked, count=int(row["n"]))
    if "<term>" in text:
        term = rng.choice(refer.TERMS)
        asked = replace(asked, term=term)
        fill("<term>", rng.choice((term, term, f'"{term}"', term.lower())))
    if "<fact>" in text:
        fact = rng.choice([*MEANINGS])
        asked = replace(asked, term=fact)
        shown = fact if rng.random() < 0.7 else f"H{rng.randint(1, 20)}.{fact}"
        fill("<fact>", rng.choice((shown, shown, shown.lower(), f"[{shown}]")))
    if "<folder>" in text:
        name = refer.folder(rng)
        asked = replace(asked, folder=name)
        fill("<folder>", rng.choice((name, name, f'"{name}"')))
    if "<date>" in text:
        when = refer.date(rng)
        asked = replace(asked, date=when.value)
        fill("<date>", when.said)
    if intent == "fewer" and asked.count is None:
        asked = replace(asked, count=1)
    return refer.spoilt(text, rng, keep=keep), asked


def _state(row: Mapping[str, Any], rng: random.Random) -> WorkspaceState:
    """A situation in which the wording makes sense, or in which something is missing."""
    intent = row["intent"]
    luck = rng.random()
    if intent in _LONE or (intent in _ANYWHERE and luck < 0.3):
        return WorkspaceState()
    before = rng.choices((0, 1, 2, 3), (0.55, 0.3, 0.1, 0.05))[0]
    if intent in ATTACHED:
        known = before if intent not in ("next_person", "more_photos") else max(1, before)
        new = rng.choices((1, 2, 3), (0.8, 0.14, 0.06))[0]
        photos = tuple(f"Q{number}" for number in range(1, known + new + 1))
        state = WorkspaceState(photos, photos[known:])
        return _after_search(state, photos[:known], row, rng) if known else state
    photos = tuple(f"Q{number}" for number in range(1, max(1, before) + 1))
    if intent in _NEEDS_PHOTO and luck < 0.4:
        return WorkspaceState(photos, photos[-1:] if luck < 0.25 else ())
    if intent not in (*_ANYWHERE, "correction", "which_hit") and luck < 0.06:
        return WorkspaceState(photos if luck < 0.03 else ())
    return _after_search(WorkspaceState(photos), photos, row, rng)


def _after_search(
    state: WorkspaceState, photos: Sequence[str], row: Mapping[str, Any], rng: random.Random
) -> WorkspaceState:
    searched = tuple(photos) if rng.random() < 0.6 else (photos[-1],)
    hits = max(rng.choice(_LENGTHS), int(row.get("hit", 1)), 2)
    spoken = rng.random() < 0.5 and row["intent"] != "which_hit"
    last = f"H{refer.hit_number(rng, hits)}" if spoken else ""
    return replace(state, searched=searched, hits=hits, last=last)
