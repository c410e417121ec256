"""Brief prompts: the state of the workspace in one line, the previous turn, and the request.

A small model needs no tool results to choose the next tool: it reads which photos and hits exist,
which was spoken of last, and what the user writes now. The application words the results. So a
prompt holds about a hundred tokens besides the tools, however long the conversation and the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

import prompts
from assistant.conversation.quotations import strip_quotations
from assistant.conversation.steps import ModelText, Step, ToolCall, ToolResult, UserTurn
from tools.verdict.glossary import MEANINGS
from tools.verdict.handles import parse_handle

_SEARCHES = ("find_person", "more_hits")
_AXES = ("P1", "P2")


@dataclass(frozen=True, slots=True)
class WorkspaceState:
    """What exists when the user writes: photos, those just attached, hits, and the latest subject.

    `searched` are the photos of the latest search, `hits` the number of its hits (None: nothing was
    searched for), `last` the hit that was spoken of last.
    """

    photos: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    hits: int | None = None
    last: str = ""

    @property
    def line(self) -> str:
        """The state in one line, as the model reads it."""
        earlier = [photo for photo in self.photos if photo not in self.new]
        photos = [*earlier, *(f"new {photo}" for photo in self.new)]
        said = [f"Photos: {', '.join(photos) or 'none'}."]
        if self.searched and set(self.searched) != set(earlier):
            said.append(f"Searched: {', '.join(self.searched)}.")
        if self.hits is not None:
            said.append(f"Hits: H1-H{self.hits}." if self.hits else "Hits: none.")
        if self.last:
            said.append(f"Last: {self.last}.")
        return " ".join(said)


def brief_messages(steps: Sequence[Step]) -> list[BaseMessage]:
    """The prompt for the model's next message; `steps` end with or after the user's turn."""
    begun = [at for at, step in enumerate(steps) if isinstance(step, UserTurn)]
    before = _previous_turn(steps[begun[-2] : begun[-1]]) if len(begun) > 1 else []
    asked = steps[begun[-1]]
    assert isinstance(asked, UserTurn)  # noqa: S101 - found by its type
    return [
        SystemMessage(prompts.text("reader")),
        *before,
        request_message(state_of(steps[: begun[-1] + 1]), asked.text),
    ]


def brief_citations(state: WorkspaceState) -> list[str]:
    """The facts that an answer without a tool may cite: probabilities, counts, meanings."""
    hits = [f"H{number}.{axis}" for number in range(1, (state.hits or 0) + 1) for axis in _AXES]
    return [*hits, "S8", "hits.all", *(f"about.{name}" for name in MEANINGS)]


def request_message(state: WorkspaceState, text: str) -> HumanMessage:
    """The user's words below the state; quoted words of other people are left out."""
    words = strip_quotations(text) or "(no words)"
    return HumanMessage(f"{state.line}\n{words}")


def previous_messages(text: str, calls: Sequence[ToolCall]) -> list[BaseMessage]:
    """The previous turn: its words and calls, without results."""
    asked = [
        {"name": call.name, "args": dict(call.arguments), "id": call.id, "type": "tool_call"}
        for call in calls
    ]
    return [HumanMessage(strip_quotations(text)), AIMessage("", tool_calls=asked)]


def _previous_turn(turn: Sequence[Step]) -> list[BaseMessage]:
    calls = [step for step in turn if isinstance(step, ToolCall)]
    asked = turn[0]
    # Without a call there is nothing that "the other one" could correct.
    return previous_messages(asked.text, calls) if calls and isinstance(asked, UserTurn) else []


def state_of(steps: Sequence[Step]) -> WorkspaceState:
    """The state after `steps`, as far as they tell it."""
    state = WorkspaceState()
    calls: dict[str, ToolCall] = {}
    for step in steps:
        match step:
            case UserTurn():
                photos = tuple(dict.fromkeys((*state.photos, *step.photos)))
                state = replace(state, photos=photos, new=step.photos)
            case ToolCall():
                calls[step.id] = step
                state = replace(state, last=_last_hit(step.handles) or state.last)
            case ToolResult() if step.ok and step.name in _SEARCHES:
                state = _searched(state, calls.get(step.call_id), step)
            case ModelText():
                cited = (parse_handle(id_).subject for it in step.sentences for id_ in it.cites)
                state = replace(state, last=_last_hit((*cited,)) or state.last)
    return state


def _searched(state: WorkspaceState, call: ToolCall | None, result: ToolResult) -> WorkspaceState:
    given = call.arguments.get("photos") if call else None
    searched = tuple(map(str, given)) if isinstance(given, list) else state.searched
    return replace(state, searched=searched, hits=len(result.data.get("hits", ())), last="")


def _last_hit(handles: Sequence[str]) -> str:
    return next((it for it in reversed(handles) if it.startswith("H")), "")
