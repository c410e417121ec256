"""A request as it was read, and the plan that answers it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assistant.agent.requests.state import CaseState, ListedHit
from assistant.conversation.steps import ToolCall


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls to run in order, and a text of citations and set sentences before their answers.

    `opening` is shown as it stands before both, `note` after them; `offers` are requests that the
    user may press.
    """

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    note: str = ""
    offers: tuple[str, ...] = ()
    opening: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its class, its words, the state of the case, and the listed hits.

    `text` holds handles in place of file names (`file_names`); `notes` say which, and `lost` is
    true if a named file is none of the hits. `folders` are those of the listed hits, `shown` the
    handles that the filter in force leaves, without hidden ones, `counts` the pictures compared by
    verdict.
    """

    name: str
    text: str
    state: CaseState
    folders: Sequence[str] = ()
    listed: Sequence[ListedHit] = ()
    notes: tuple[str, ...] = ()
    lost: bool = False
    shown: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


GROUP_CLASSES = (
    "which_fake", "which_genuine", "which_inconclusive", "which_other", "which_copy",
    "clear_filter", "confirm", "reject", "hide", "unmark",
)  # fmt: skip
"""Classes as which an order about a group of hits may be read."""


def verdicts_of(hits: Iterable[str]) -> str:
    """Citations of the verdicts of hits, each beside its probability of a forgery."""
    return " ".join(f"[{it}.verdict], and [{it}.P2]." for it in hits)


def call(tool: str, /, **arguments: object) -> Plan:
    """The plan of one call."""
    return Plan((ToolCall(tool, arguments),))
