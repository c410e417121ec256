"""Typed steps: all events of a conversation, in order.

One list of steps is the conversation; the screen, the replay, the case record and the next prompt
are views of it. Steps are frozen and survive a JSON round trip unchanged.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tools.verdict.handles import SUBJECT_PATTERN

ToolContent = str | list[dict[str, Any]]
"""A tool's output for the model: text, or content blocks (text and pictures)."""


_HITS, _FACTS = ("hit", "hits"), ("fact", "facts")
_COUNTED = {
    "find_person": _HITS,
    "score_fake": _FACTS,
    "compare_faces": _FACTS,
    "locate_artifacts": ("part of the face", "parts of the face"),
    "list_hits": _HITS,
    "more_hits": _HITS,
}
"""What a tool's results are, one and several."""


DIRECT_CALL = "direct_"
"""Begins the id of a call by a program (API, MCP): its result is the answer, no text follows."""


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence that was checked against the facts.

    `cites` are fact ids such as "H3.E2". `source` is the writer: the model, checked; the plain
    writer; or the model, unchecked, about something that no tool measures. If the model's first
    sentence was refused, `finding` gives the reason and `refused` the sentence; it was regenerated,
    replaced or, with an empty `text`, dropped.
    """

    text: str
    cites: tuple[str, ...] = ()
    source: Literal["model", "plain", "unchecked"] = "model"
    finding: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class UserTurn:
    """A user's message, and the handles of the attached photos."""

    text: str
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelText:
    """The model's checked text; `tokens` is None if the model does not count them.

    `offers` are questions that the user may ask next, each with one press.
    """

    sentences: tuple[CheckedSentence, ...]
    tokens: int | None
    duration_s: float
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call, requested by the model or a button; `id` is the model's, or made here."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""

    @property
    def handles(self) -> tuple[str, ...]:
        """The photos, hits and comparisons in its arguments."""
        values = self.arguments.values()
        named = [each for it in values for each in (it if isinstance(it, list) else [it])]
        return tuple(it for it in named if isinstance(it, str) and SUBJECT_PATTERN.fullmatch(it))


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's output; `ok` is false for a refusal. `count` is the number of items, if counted."""

    call_id: str
    name: str
    content: ToolContent
    ok: bool
    duration_s: float
    count: int | None = None

    @property
    def found(self) -> str:
        """What it found, in a word or two: "10 hits", "refused"; empty if nothing was counted."""
        if not self.ok or self.count is None:
            return "" if self.ok else "refused"
        one, many = _COUNTED.get(self.name, ("result", "results"))
        return f"{self.count} {one if self.count == 1 else many}"

    @property
    def data(self) -> dict[str, Any]:
        """The data in the tool's text, without pictures; for a refusal its `error`."""
        text = self.content if isinstance(self.content, str) else self.content[0]["text"]
        return dict(json.loads(text))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The checked explanation of a hit's verdict."""

    hit: str
    sentences: tuple[CheckedSentence, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The user stopped the turn; `unchecked` is the text streamed until then."""

    unchecked: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ended with an error; nothing was concluded."""

    message: str


Step = UserTurn | ModelText | ToolCall | ToolResult | Explanation | Stopped | Failed

_KINDS: dict[str, type[Step]] = {
    "user_turn": UserTurn,
    "model_text": ModelText,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
    "explanation": Explanation,
    "stopped": Stopped,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_json(step: Step) -> dict[str, Any]:
    """A dict that can be written as JSON; `kind` names the step's type."""
    return {"kind": _NAMES[type(step)], **asdict(step)}


def from_json(data: Mapping[str, Any]) -> Step:
    """Rebuild the step from the output of `to_json`. Raises KeyError for an unknown kind."""
    fields = {name: value for name, value in data.items() if name != "kind"}
    if "sentences" in fields:
        fields["sentences"] = tuple(_sentence(each) for each in fields["sentences"])
    for name in ("photos", "offers"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return _KINDS[data["kind"]](**fields)


def latest_turn(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps since the user's latest message, with it; all of them if there is none."""
    begins = [place for place, step in enumerate(steps) if isinstance(step, UserTurn)]
    return steps[begins[-1] :] if begins else steps


def join_sentences(sentences: tuple[CheckedSentence, ...]) -> str:
    """The sentences as one text; list items begin on a new line."""
    text = ""
    for sentence in sentences:
        if sentence.text:
            text += "\n" if sentence.text.startswith("- ") else " "
            text += sentence.text
    return text.strip()


def _sentence(data: Mapping[str, Any]) -> CheckedSentence:
    return CheckedSentence(**{**data, "cites": tuple(data["cites"])})
