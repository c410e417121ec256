"""Actions of the page's buttons: the label, the question shown, and the planned tool call.

A press identifies its hit by the face, not only by the handle: after another search H3 is a
different face, and an older page must not act on that one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from assistant.agent.directed_turns import PlannedTurn
from assistant.conversation.steps import ToolCall
from tools.agent_tools.casework_tools import EXPORT_FORMATS
from tools.agent_tools.hit_filter import DECISIONS
from tools.search.results import Hit
from tools.verdict.rule import VERDICTS

CAPABILITIES_TEXT = (
    "I search a gallery for images that show a person and look forged. Drop an authentic photo of "
    "the person and ask to find fakes: every hit is listed with a verdict, the measurements behind "
    "it and where it looks forged. I also compare two photos, and describe a picture, its quality "
    "and its metadata. Verdicts come from a fixed rule, never from the language model."
)
ADD_IMAGES_TEXT = (
    "Open “Add images and videos to this gallery” above the conversation: drop files there, or "
    "choose a folder that the operator allows. On the command line, `unmask index FOLDER` does "
    "the same. Images that are already in the gallery cost nothing."
)


@dataclass(frozen=True, slots=True)
class ActionTurn:
    """A pressed button: the `question` that the conversation shows, and the turn."""

    question: str
    directed: PlannedTurn


@dataclass(frozen=True, slots=True)
class HitAction:
    """A button about a hit; `action` is the value that the browser sends."""

    action: str
    label: str


HIT_ACTIONS = (
    HitAction("why", "Why?"),
    HitAction("compare", "Compare with my photo"),
    HitAction("where", "Where does it look forged?"),
    HitAction("sure", "How sure are you?"),
    HitAction("describe", "Describe the picture"),
)

DECISION_ACTIONS = (
    HitAction("mark:confirmed", "Confirm"),
    HitAction("mark:rejected", "Reject"),
    HitAction("mark:hidden", "Hide"),
    HitAction("mark:none", "Take back"),
)

EXAMPLE_TURNS: Mapping[str, PlannedTurn] = {
    "What is in the gallery?": PlannedTurn((ToolCall("gallery_summary", {}),)),
    "What can you do?": PlannedTurn(extra_text=CAPABILITIES_TEXT),
    "How do I add images?": PlannedTurn(extra_text=ADD_IMAGES_TEXT),
}
"""Examples offered in an empty conversation, with their planned turns."""

_CALLED = {"copy": "a copy", "other": "another person"}


def plan_hit_action(
    action: str, hit: Hit, *, query: str, text: str = ""
) -> ActionTurn | None:  # fmt: skip
    """The turn of a button about a hit; `query` is the photo to compare it with, `text` a note."""
    handle = hit.handle
    look = {"image": handle}
    match action:
        case "why":
            directed = replace(_about(handle, ToolCall("score_fake", look)), cites=_versions(hit))
            return ActionTurn(_why(hit), directed)
        case "sure":
            question = f"How sure are you about {handle}?"
            directed = replace(_about(handle, ToolCall("score_fake", look)), cites=_versions(hit))
            return ActionTurn(question, directed)
        case "where":
            question = f"Where does {handle} look forged?"
            return ActionTurn(question, _about(handle, ToolCall("locate_artifacts", look)))
        case "describe":
            return ActionTurn(
                f"Describe {handle}.", _about(handle, ToolCall("describe_image", look))
            )
        case "compare":
            call = ToolCall("compare_faces", {"first": query, "second": handle})
            return ActionTurn(f"Compare {handle} with {query}.", PlannedTurn((call,)))
        case "note":
            call = ToolCall("note_hit", {"hit": handle, "text": text})
            return ActionTurn(f"Keep my note on {handle}.", _about(handle, call))
    kind, _, decision = action.partition(":")
    if kind != "mark" or decision not in DECISIONS:
        return None
    call = ToolCall("mark_hit", {"hit": handle, "decision": decision})
    question = (
        f"Take back my decision about {handle}."
        if decision == "none"
        else f"Mark {handle} as {decision}."
    )
    return ActionTurn(question, _about(handle, call))


def plan_list_action(action: str) -> ActionTurn | None:
    """The turn of a button about the list of hits; None if there is no such button."""
    kind, _, value = action.partition(":")
    match kind:
        case "list" if not value:
            return ActionTurn("Show all hits.", PlannedTurn((ToolCall("list_hits", {}),)))
        case "list" if value in VERDICTS:
            call = ToolCall("list_hits", {"verdict": value})
            return ActionTurn(f"Show only the hits with the verdict {value}.", PlannedTurn((call,)))
        case "list":
            return _plan_filter(value)
        case "undo":
            return ActionTurn("Undo.", PlannedTurn((ToolCall("undo", {}),)))
        case "export" if value in EXPORT_FORMATS:
            call = ToolCall("export_report", {"format": value})
            return ActionTurn(f"Export the report as {value.upper()}.", PlannedTurn((call,)))
    return None


def _plan_filter(value: str) -> ActionTurn | None:
    """The turn of a filter by decision or score, as in "decision:none" or "forged:80"."""
    name, _, wanted = value.partition(":")
    if name == "decision" and wanted in DECISIONS:
        said = "without a decision" if wanted == "none" else f"marked as {wanted}"
    elif name == "forged" and wanted.isdecimal():
        said = f"forged with a probability of at least {wanted} %"
    else:
        return None
    call = ToolCall("list_hits", {name: wanted})
    return ActionTurn(f"Show only the hits {said}.", PlannedTurn((call,)))


def plan_longer_list(top: int, *, listed: int) -> ActionTurn:
    """Plan a list of `top` hits in place of `listed`; these keep their numbers."""
    call = ToolCall("more_hits", {"count": top - listed})
    return ActionTurn(f"List the first {top} hits.", PlannedTurn((call,)))


DEFAULT_TOP = 20
"""Number of hits returned for photos without text."""


def plan_search(photos: tuple[str, ...]) -> PlannedTurn:
    """Plan a search for the person in photos that came without text."""
    return PlannedTurn((ToolCall("find_person", {"photos": list(photos), "top": DEFAULT_TOP}),))


def plan_example(text: str) -> ActionTurn | None:
    """The turn of an example; None for any other text."""
    directed = EXAMPLE_TURNS.get(text)
    return None if directed is None else ActionTurn(text, directed)


def _about(handle: str, call: ToolCall) -> PlannedTurn:
    return PlannedTurn((call,), about=handle)


def _versions(hit: Hit) -> str:
    """What is proven about two versions of a photograph, which no certainty may leave out."""
    return f"[{hit.handle}.E34]. [{hit.handle}.E37]." if hit.version is not None else ""


def _why(hit: Hit) -> str:
    if hit.verdict == "impersonation":
        return f"Why is {hit.handle} an impersonation?"
    if hit.verdict == "not assessed":
        return f"Why was {hit.handle} not assessed?"
    if hit.verdict == "no forgery found":
        return f"Why was no forgery found in {hit.handle}?"
    return f"Why do you think {hit.handle} is {_CALLED.get(hit.verdict, hit.verdict)}?"
