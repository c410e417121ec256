"""The state of a case that a request depends on: photos, hits, what was spoken of last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.conversation.steps import (
    CheckedSentence,
    ModelText,
    Step,
    ToolCall,
    ToolResult,
    UserTurn,
)
from tools.agent_tools.handle_parsing import find_handles
from tools.verdict.handles import parse_handle

SEARCHES = ("find_person", "more_hits")
"""Tools that list hits anew."""


@dataclass(frozen=True, slots=True)
class ListedHit:
    """What a request may name a hit by: its handle, its verdict, and file names.

    `names` are those of its own files, `versions` those of the proven other version of its
    photograph. `question` says, in words, what its forgery probability (0..1) answers; empty and
    None if it was not measured. `person` is the probability (0..1) of the same person. `decision`
    is the reviewer's.
    """

    handle: str
    verdict: str
    question: str = ""
    forged: float | None = None
    names: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    decision: str = "none"
    person: float | None = None


@dataclass(frozen=True, slots=True)
class CaseState:
    """What exists when the user writes.

    `photos` are all query photos, `new` those that came with the request, `searched` those of the
    latest search, `hits` the number of its hits (None: nothing was searched for), `last` the hit
    that was spoken of last, `before` the calls of the previous turn, and `offered` what its answer
    offered.
    """

    photos: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    searched: tuple[str, ...] = ()
    hits: int | None = None
    last: str = ""
    before: tuple[ToolCall, ...] = ()
    offered: tuple[str, ...] = ()

    @property
    def person(self) -> tuple[str, ...]:
        """The photos of the person searched for last, or all."""
        return self.searched or self.photos


def state_of(steps: Sequence[Step]) -> CaseState:
    """The state at the end of `steps`, whose last turn is the request."""
    state, calls, offers = CaseState(), list[ToolCall](), tuple[str, ...]()
    for step in steps:
        match step:
            case UserTurn():
                photos = tuple(dict.fromkeys((*state.photos, *step.photos)))
                state = replace(
                    state, photos=photos, new=step.photos, before=tuple(calls), offered=offers
                )
                calls, offers = [], ()
            case ToolCall():
                calls.append(step)
                state = replace(state, last=_last_hit(step.handles) or state.last)
            case ToolResult() if step.ok and step.name in SEARCHES:
                asked = next((it for it in calls if it.id == step.call_id), None)
                state = _searched(state, asked, step)
            case ModelText():
                offers = step.offers
                cited = [parse_handle(id_).subject for it in step.sentences for id_ in it.cites]
                last = _only_hit(step.sentences) or _last_hit(cited) or state.last
                state = replace(state, last=last)
    return state


def _searched(state: CaseState, call: ToolCall | None, result: ToolResult) -> CaseState:
    given = call.arguments.get("photos") if call else None
    searched = tuple(map(str, given)) if isinstance(given, list) else state.searched
    return replace(state, searched=searched, hits=len(result.data.get("hits", ())), last="")


def _only_hit(said: Sequence[CheckedSentence]) -> str:
    """The hit that an answer names, if it names one alone, as in a list of one."""
    named = {it for one in said for it in find_handles(one.text) if it.startswith("H")}
    return named.pop() if len(named) == 1 else ""


def _last_hit(handles: Sequence[str]) -> str:
    # A list of many hits is no hit spoken of.
    hits = dict.fromkeys(it for it in handles if it.startswith("H"))
    return next(reversed(hits), "") if len(hits) <= 2 else ""
