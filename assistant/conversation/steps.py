"""Typed steps: everything that happens in a conversation, in order.

One list of steps is the conversation; the screen, the replay, the case record and the next
prompt are views of it. Steps are frozen and survive a trip through JSON unchanged.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tools.verdict.handles import SUBJECT_PATTERN

ToolContent = str | list[dict[str, Any]]
"""What a tool tells the model: text, or content blocks (text and pictures)."""


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence that was held against the facts.

    `cites` are fact ids as in "H3.E2"; `source` says whose words these are: the model's, checked;
    the plain writer's; or the model's own, unchecked, about what no tool measures. Where the
    model's first sentence was refused, `finding` says what was wrong with it and `refused` what
    it was; it was regenerated, replaced or, with an empty `text`, dropped.
    """

    text: str
    cites: tuple[str, ...] = ()
    source: Literal["model", "plain", "unchecked"] = "model"
    finding: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class UserTurn:
    """What the person said, and the handles of the photos that came with it."""

    text: str
    photos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelText:
    """What the model said, checked; `tokens` is None where the model does not count them."""

    sentences: tuple[CheckedSentence, ...]
    tokens: int | None
    duration_s: float


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool is asked for, by the model or by a button; `id` is the model's, or made here."""

    name: str
    arguments: Mapping[str, Any]
    id: str = ""

    @property
    def handles(self) -> tuple[str, ...]:
        """The photos, hits and comparisons that it is about."""
        values = self.arguments.values()
        named = [each for it in values for each in (it if isinstance(it, list) else [it])]
        return tuple(it for it in named if isinstance(it, str) and SUBJECT_PATTERN.fullmatch(it))


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What the tool answered; not `ok` when it refused. `count` of what it found, if it counts."""

    call_id: str
    name: str
    content: ToolContent
    ok: bool
    duration_s: float
    count: int | None = None

    @property
    def data(self) -> dict[str, Any]:
        """What the tool told in words, pictures aside; of a refusal its `error`."""
        text = self.content if isinstance(self.content, str) else self.content[0]["text"]
        return dict(json.loads(text))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a hit got its verdict, checked."""

    hit: str
    sentences: tuple[CheckedSentence, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """The person stopped the turn; `unchecked` is what had been said until then."""

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
    """A JSON-able dict; `kind` says which step it is."""
    return {"kind": _NAMES[type(step)], **asdict(step)}


def from_json(data: Mapping[str, Any]) -> Step:
    """The step that `to_json` wrote. Raises KeyError for an unknown kind."""
    fields = {name: value for name, value in data.items() if name != "kind"}
    if "sentences" in fields:
        fields["sentences"] = tuple(_sentence(each) for each in fields["sentences"])
    if "photos" in fields:
        fields["photos"] = tuple(fields["photos"])
    return _KINDS[data["kind"]](**fields)


def join_sentences(sentences: tuple[CheckedSentence, ...]) -> str:
    """The sentences as one text; items of a list begin a line of their own."""
    text = ""
    for sentence in sentences:
        if sentence.text:
            text += "\n" if sentence.text.startswith("- ") else " "
            text += sentence.text
    return text.strip()


def _sentence(data: Mapping[str, Any]) -> CheckedSentence:
    return CheckedSentence(**{**data, "cites": tuple(data["cites"])})
