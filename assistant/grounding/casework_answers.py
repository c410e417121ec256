"""The application's words for the results of casework tools; no model text is needed for them.

A list, a decision and a project text are known exactly, so a model has nothing to add.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from assistant.conversation.steps import CheckedSentence, ToolCall, ToolResult
from prompts import phrases
from tools.agent_tools.hit_filter import HitFilter
from tools.agent_tools.review import ReviewEntry
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.search.results import Hit
from tools.verdict.clauses import format_hit_ranges, join_with_and

WORDED_TOOLS = (
    "list_hits", "more_hits", "mark_hit", "note_hit", "undo", "export_report", "explain_term",
    "about_unmask",
)  # fmt: skip
"""Tools whose results the application always words."""


def describe_casework(
    workspace: Workspace, call: ToolCall | None, result: ToolResult
) -> tuple[CheckedSentence, ...]:
    """Sentences about one result of a casework tool; for a refusal, its reason."""
    data = result.data
    if not result.ok:
        error = str(data["error"])
        return _plain(f"{error[:1].upper()}{error[1:]}.")
    match result.name:
        case "list_hits":
            wanted = _filter(call)
            listed = _listed(data, wanted, _unlisted(workspace, wanted))
            return (*_plain(listed), *_plain(_remarks(workspace, data)))
        case "mark_hit":
            return _marked(workspace, data)
        case "note_hit":
            return _noted(workspace, data)
        case "undo":
            return _undone(workspace, data)
        case "export_report":
            return _plain(
                f"The report of this case is written as {str(data['written']).upper()}: "
                f"{data['file']}, in the folder of the case."
            )
        case "explain_term":
            return _plain(f"{data['term']}: {data['meaning']}")
        case "about_unmask":
            return _plain(str(data["text"]))
    return ()


def _plain(text: str, *cites: str) -> tuple[CheckedSentence, ...]:
    return (CheckedSentence(text, cites, "plain"),) if text else ()


# -- lists --------------------------------------------------------------------------------------


def _filter(call: ToolCall | None) -> HitFilter:
    """The filter that a call asked for; the result holds no words of the user or the model."""
    try:
        return HitFilter.parse(**dict(call.arguments)) if call else HitFilter()
    except (ToolError, TypeError):
        return HitFilter()


def _unlisted(workspace: Workspace, wanted: HitFilter) -> int:
    """How many pictures of the latest search have the wanted verdict, but are no listed hits."""
    if workspace.last_search is None or wanted.verdict is None:
        return 0
    findings = workspace.last_search[0]
    listed = sum(hit.verdict == wanted.verdict for hit in findings.hits)
    return findings.counts[wanted.verdict] - listed


def _listed(data: dict[str, object], wanted: HitFilter, unlisted: int = 0) -> str:
    handles = [str(each) for each in data["listed"]]  # type: ignore[attr-defined]
    why = wanted.describe()
    if not handles:
        return _without_match(data, wanted, unlisted)
    by_rank = data["sorted by"] == "rank"
    named = _ranges(handles) if by_rank else join_with_and(handles)
    every = "all hits, " if data["count"] == "all" else ""
    return f"Listed: {every}{named} ({why})." if why else f"Listed: {every}{named}."


def _ranges(handles: Sequence[str]) -> str:
    return format_hit_ranges(sorted(int(each[1:]) for each in handles))


def _without_match(data: dict[str, object], wanted: HitFilter, unlisted: int) -> str:
    """That no hit fits, in words that nobody can take for an all-clear."""
    kept = [str(each) for each in data.get("still listed", ())]  # type: ignore[attr-defined]
    why = replace(wanted, sort="rank").describe()
    if not why:
        return "No hit is listed."
    alone = wanted.criteria == ("verdict",)
    verdict = f'No listed hit has the verdict "{wanted.verdict}"'
    said = verdict if alone else f"No listed hit fits ({why})"
    if kept:
        said += f"; the list still shows {_ranges(kept)}"
    if alone and unlisted:
        have = (
            "1 other has it, but is" if unlisted == 1 else f"{unlisted:,} others have it, but are"
        )
        said += f". {have} not listed: ask for more hits"
    accuses = wanted.verdict == "impersonation" or wanted.forged is not None
    return f"{said}. {phrases.NO_ALL_CLEAR}" if accuses else f"{said}."


def _remarks(workspace: Workspace, data: dict[str, object]) -> str:
    said = []
    if data.get("hidden"):
        review = workspace.review
        said += [
            f"Hidden by {who} and left out: {join_with_and(handles)}."
            for who, handles in review.hidden_by(review.signed).items()
        ]
    if data.get("limits"):
        said.append(f"Dates: {data['limits']}.")
    return " ".join(said)


# -- decisions ----------------------------------------------------------------------------------


def _marked(workspace: Workspace, data: dict[str, object]) -> tuple[CheckedSentence, ...]:
    handle, decision, review = str(data["hit"]), str(data["decision"]), workspace.review
    made = _in_force(workspace, handle, review.decision)
    if decision == "none":
        said = f"{handle} has no decision" + (" of yours" if review.alone else "")
    else:
        said = f"{handle} is marked as {decision}" + (f" by {review.signed(made)}" if made else "")
    if decision == "hidden":
        said += " and left out of the list"
    try:
        verdict = workspace.fact(f"{handle}.verdict").reads
    except ToolError:  # another search has begun since
        verdict = ""
    if not verdict.startswith(str(data["verdict"])):
        return _plain(f"{said}; no verdict changes.")
    return _plain(f"{said}; the verdict stays: {verdict}.", f"{handle}.verdict")


def _noted(workspace: Workspace, data: dict[str, object]) -> tuple[CheckedSentence, ...]:
    handle, review = str(data["hit"]), workspace.review
    made = _in_force(workspace, handle, review.note)
    who = review.signed(made) if made else "you" if review.alone else ""
    note = "Your note" if who == "you" else f"The note by {who}" if who else "The note"
    return _plain(f"{note} on {handle} is {data['note']}. {phrases.VERDICTS_STAY}")


def _in_force(
    workspace: Workspace, handle: str, of: Callable[[Hit], ReviewEntry | None]
) -> ReviewEntry | None:
    """The decision or note about a hit; None if another search has begun since."""
    try:
        return of(workspace.hit(handle))
    except ToolError:
        return None


def _undone(workspace: Workspace, data: dict[str, object]) -> tuple[CheckedSentence, ...]:
    if data["undone"] == "filter":
        present = workspace.review.filter
        wanted = present if list(present.criteria) == data["filtered by"] else HitFilter()
        return (
            *_plain(f"Undone: the last filter. {_listed(data, wanted)}"),
            *_plain(_remarks(workspace, data)),
        )
    handle = str(data["hit"])
    if data["undone"] == "note":
        on = "a picture that is not listed now" if handle == "not listed" else handle
        note = "your note" if workspace.review.alone else "the note"
        return _plain(f"Undone: {note} on {on} is {data['note']}.")
    whom = "a picture that is not listed now" if handle == "not listed" else handle
    was, now = str(data["was"]), str(data["now"])
    if now == "none":
        said = f"{whom} is no longer marked as {was}"
    else:
        said = f"{whom} is marked as {now} again" + ("" if was == "none" else f", not as {was}")
    return _plain(f"Undone: {said}. {phrases.VERDICTS_STAY}")
