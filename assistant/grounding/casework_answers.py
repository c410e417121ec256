"""The application's words for the results of casework tools; no model text is needed for them.

A list, a decision and a project text are known exactly, so a model has nothing to add.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from assistant.conversation.steps import CheckedSentence, ToolCall, ToolResult
from prompts import phrases
from tools.agent_tools.file_facts import read_file_facts
from tools.agent_tools.hit_filter import HitFilter
from tools.agent_tools.list_facts import ask_for_more
from tools.agent_tools.review.entries import ReviewEntry
from tools.agent_tools.review.listing import ReviewedBefore
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.search.results import Hit
from tools.verdict.clauses import format_hit_ranges, join_with_and
from tools.verdict.handles import quote_untrusted

WORDED_TOOLS = (
    "list_hits", "more_hits", "mark_hit", "note_hit", "reviewed", "file_facts", "undo",
    "export_report", "explain_term", "about_unmask",
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
            wanted = _filter(workspace, call, data)
            listed = _listed(data, wanted, workspace)
            beside = _beside(workspace, wanted)
            return (*_plain(listed), *_plain(beside), *_plain(_remarks(workspace, data)))
        case "mark_hit":
            return _marked(workspace, data)
        case "note_hit":
            return _noted(workspace, data)
        case "reviewed":
            return _reviewed(workspace, call)
        case "file_facts":
            said = read_file_facts(workspace.pictures, str(data["image"])).sentences()
            return tuple(sentence for text in said for sentence in _plain(text))
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


def _filter(workspace: Workspace, call: ToolCall | None, data: dict[str, object]) -> HitFilter:
    """The filter in force, or the one asked for that no hit fitted, or that changes no list.

    The result holds no words of the user or the model.
    """
    present = workspace.review.filter
    kinds = [*present.criteria], present.sort
    changed = data["listed"] and not data.get("list")
    if changed and kinds == (data["filtered by"], data["sorted by"]):
        return present
    given = {} if call is None else {**call.arguments}
    given.pop("stays", None)
    try:
        return HitFilter.parse(**given)
    except (ToolError, TypeError):
        return HitFilter()


def _beside(workspace: Workspace, wanted: HitFilter) -> str:
    """What is like the hits with a verdict and has another: forged strangers, near copies."""
    name = {"impersonation": "forged_others", "copy": "alike"}.get(wanted.verdict or "")
    if name is None or wanted.criteria != ("verdict",):
        return ""
    said = workspace.fact(f"hits.{name}").reads
    return f"{said}." if said.startswith("H") else ""


def _unlisted(workspace: Workspace, wanted: HitFilter) -> int:
    """How many pictures of the latest search have the wanted verdict, but are no listed hits."""
    if workspace.last_search is None or wanted.verdict is None:
        return 0
    findings = workspace.last_search[0]
    listed = sum(hit.verdict == wanted.verdict for hit in findings.hits)
    return findings.counts[wanted.verdict] - listed


def _beyond_the_list(workspace: Workspace) -> int:
    """How many pictures of the latest search are no listed hits."""
    if workspace.last_search is None:
        return 0
    findings = workspace.last_search[0]
    return sum(findings.counts.values()) - len(findings.hits)


def _listed(data: dict[str, object], wanted: HitFilter, workspace: Workspace) -> str:
    unlisted, rest, more = _unlisted(workspace, wanted), _beyond_the_list(workspace), ""
    if workspace.last_search is not None:
        more = ask_for_more(workspace.last_search[0])
    handles = [str(each) for each in data["listed"]]  # type: ignore[attr-defined]
    why = wanted.describe()
    if not handles:
        return _without_match(data, wanted, unlisted, rest=rest, more=more)
    by_rank = data["sorted by"] == "rank"
    named = _ranges(handles) if by_rank else join_with_and(handles)
    every = data["count"] == "all" and not rest
    count = "all hits" if every else _hits(len(handles))
    said = f"{'Found' if data.get('list') else 'Listed'}: {count}, {named}"
    said += f" ({why})" if why else ""
    if wanted.criteria == ("verdict",) and unlisted:
        return f"{said}. {_unlisted_in_words(unlisted, more)}."
    if not wanted.criteria and rest:
        are = "is" if rest == 1 else "are"
        return f"{said}. {rest:,} more {are} not listed: {more}."
    return f"{said}."


def _ranges(handles: Sequence[str]) -> str:
    return format_hit_ranges(sorted(int(each[1:]) for each in handles))


def _without_match(
    data: dict[str, object], wanted: HitFilter, unlisted: int, *, rest: int, more: str
) -> str:
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
        said += f". {_unlisted_in_words(unlisted, more)}"
    if wanted.name and rest:
        said += f". {rest:,} compared {'picture is' if rest == 1 else 'pictures are'} not listed"
    accuses = wanted.verdict == "impersonation" or wanted.forged is not None
    return f"{said}. {phrases.NO_ALL_CLEAR}" if accuses else f"{said}."


def _unlisted_in_words(count: int, more: str) -> str:
    have = "1 other has it, but is" if count == 1 else f"{count:,} others have it, but are"
    return f"{have} not listed: {more}"


def _remarks(workspace: Workspace, data: dict[str, object]) -> str:
    said = []
    if data.get("list") and (present := workspace.review.filter.describe()):
        said.append(f"The list stays as it was ({present}).")
    if data.get("hidden"):
        review = workspace.review
        said += [
            f"Hidden by {who} and left out: {join_with_and(handles)}."
            for who, handles in review.hidden_by(review.authors.signed).items()
        ]
    if data.get("limits"):
        said.append(f"Dates: {data['limits']}.")
    return " ".join(said)


# -- decisions ----------------------------------------------------------------------------------


MANY = 3
"""From so many hits on, marks of one message are worded together."""


def describe_marks(
    workspace: Workspace, results: Sequence[ToolResult]
) -> tuple[CheckedSentence, ...]:
    """One answer to many marks with one decision: how many hits, which, and how to undo them."""
    handles = [str(it.data["hit"]) for it in results]
    decision, verdicts = str(results[0].data["decision"]), {it.data["verdict"] for it in results}
    review = workspace.review
    made = _in_force(workspace, handles[0], review.decision)
    who = _signature(workspace, made)
    done = "have no decision now" if decision == "none" else f"are marked as {decision}{who}"
    left = " and left out of the list" if decision == "hidden" else ""
    said = f"{len(handles):,} hits {done}{left}: {_ranges(handles)}. {phrases.VERDICTS_STAY}"
    new = sum("as before" not in it.data for it in results)
    if new < len(handles):
        said += f" {new or 'None'} of these marks {'is' if new < 2 else 'are'} new."
    said += " One undo takes all that was changed back." if new else ""
    if len(verdicts) == 1 and (unlisted := _left_unmarked(workspace, handles, *verdicts)):
        are = "is" if unlisted == 1 else "are"
        said += f" {unlisted:,} more with this verdict {are} not listed and not marked."
    return _plain(said)


def _signature(workspace: Workspace, made: ReviewEntry | None) -> str:
    """Who just made a decision, for those who read it later; alone, there is nobody else."""
    authors = workspace.review.authors
    return f" by {authors.signed(made)}" if made and not authors.alone else ""


def _left_unmarked(workspace: Workspace, handles: Sequence[str], verdict: str) -> int:
    """Pictures with a verdict beyond the list, if all listed hits with it were marked."""
    if workspace.last_search is None:
        return 0
    findings, review = workspace.last_search[0], workspace.review
    with_it = [hit for hit in findings.hits if hit.verdict == verdict]
    left = [it for it in with_it if it.handle not in handles and not review.decision(it)]
    return 0 if left else findings.counts.get(verdict, 0) - len(with_it)


def _marked(workspace: Workspace, data: dict[str, object]) -> tuple[CheckedSentence, ...]:
    handle, decision, review = str(data["hit"]), str(data["decision"]), workspace.review
    made = _in_force(workspace, handle, review.decision)
    if decision == "none":
        said = f"{handle} has no decision"
    else:
        said = f"{handle} is marked as {decision}{_signature(workspace, made)}"
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
    if data["note"] == "absent":
        return _plain(f"There is no note on {handle}, so none was removed.")
    by = "" if made is None or review.authors.alone else f" by {review.authors.signed(made)}"
    return _plain(f"The note{by} on {handle} is {data['note']}. {phrases.VERDICTS_STAY}")


def _reviewed(workspace: Workspace, call: ToolCall | None) -> tuple[CheckedSentence, ...]:
    """The decisions and notes so far; a note is its writer's words, quoted."""
    review, given = workspace.review, (call.arguments if call else {})
    hit, wanted = given.get("hit"), given.get("decision")
    found = review.state(hit, wanted)
    said = []
    by_decision: dict[tuple[str, str], list[str]] = {}
    for it in found.entries:
        if it.decision is not None:
            key = it.decision.decision, review.authors.signed(it.decision)
            by_decision.setdefault(key, []).append(it.hit.handle)
    for (word, who), handles in by_decision.items():
        marked = f"{'is' if len(handles) == 1 else 'are'} marked as {word} by {who}"
        named = _ranges(handles)
        said.append(f"{_hits(len(handles))} {marked}: {named}." if wanted else f"{named} {marked}.")
    if wanted:
        said = said or [_none_so_far(wanted, found.open)]
        said += describe_before(workspace, found.before)
        return tuple(sentence for text in said for sentence in _plain(text))
    for it in found.entries:
        if it.note is not None:
            # The words of a note must not read as a citation.
            note = quote_untrusted(it.note.text, longest=_NOTE).translate(_ROUND)
            said.append(f"Note by {review.authors.signed(it.note)} on {it.hit.handle}: {note}.")
    listed = hit is None or any(it.handle == hit for it in workspace.hits)
    if not said:
        none = f"{hit} has no decision and no note." if hit else "No hit has a decision or a note."
        said = [none if listed else f"No hit is listed as {hit} now."]
    elif hit is None and found.open:
        said.append(f"Without a decision: {_ranges(found.open)}.")
    said += describe_before(workspace, found.before)
    return tuple(sentence for text in said for sentence in _plain(text))


def _none_so_far(wanted: str, open_: Sequence[str]) -> str:
    """That no hit has the decision asked for; or which have none, if those are."""
    if wanted != "none":
        return f"No hit is marked as {wanted} so far."
    if not open_:
        return "Every hit has a decision."
    have = "has" if len(open_) == 1 else "have"
    return f"{_hits(len(open_))} {have} no decision: {_ranges(open_)}."


def _hits(count: int) -> str:
    return "1 hit" if count == 1 else f"{count:,} hits"


def describe_before(workspace: Workspace, found: Sequence[ReviewedBefore]) -> list[str]:
    """What was decided and noted on pictures that had other handles then, with their files."""
    said = []
    for it in found[:_BEFORE]:
        words, review = list[str](), workspace.review
        if it.decision is not None:
            words.append(
                f"was marked as {it.decision.decision} by {review.authors.signed(it.decision)}"
            )
        if it.note is not None:
            note = quote_untrusted(it.note.text, longest=_NOTE).translate(_ROUND)
            words.append(f"has the note {note} by {review.authors.signed(it.note)}")
        name = workspace.file_name(it.image_id)
        file = f" ({quote_untrusted(name).translate(_ROUND)})" if name else ""
        place = f"is {it.now} now" if it.now else "is not listed now"
        was = f"{it.was} of an earlier search" if it.was else "A picture"
        said.append(f"{was}{file} {join_with_and(words)}; it {place}.")
    if len(found) > _BEFORE:
        said.append(f"So were {len(found) - _BEFORE:,} more that are not listed now.")
    return said


def describe_handle(workspace: Workspace, handle: str) -> str:
    """The picture that had a handle in an earlier search, and what was decided on it; or empty."""
    if reviewed := workspace.review.before(handle):
        return " ".join(describe_before(workspace, reviewed))
    hit = workspace.earlier_hit(handle)
    if hit is None:
        return ""
    now = next((it.handle for it in workspace.hits if it.image_id == hit.image_id), "")
    place = f"is {now} now" if now else "is not listed now: ask for more hits"
    name = quote_untrusted(hit.path.name).translate(_ROUND)
    return f"{handle} of an earlier search ({name}) {place}."


_BEFORE = 10
"""Pictures of earlier searches that are named."""


_ROUND = str.maketrans("[]", "()")
_NOTE = 300
"""Characters of a note that an answer repeats."""


def _in_force(
    workspace: Workspace, handle: str, of: Callable[[Hit], ReviewEntry | None]
) -> ReviewEntry | None:
    """The decision or note about a hit; None if another search has begun since."""
    try:
        return of(workspace.hit(handle))
    except ToolError:
        return None


def _undone(workspace: Workspace, data: dict[str, object]) -> tuple[CheckedSentence, ...]:
    if data["undone"] == "several":
        return _all_undone(workspace, data["changes"])  # type: ignore[arg-type]
    if data["undone"] == "filter":
        present = workspace.review.filter
        wanted = present if list(present.criteria) == data["filtered by"] else HitFilter()
        return (
            *_plain(f"Undone: the last filter. {_listed(data, wanted, workspace)}"),
            *_plain(_remarks(workspace, data)),
        )
    if data["undone"] == "note":
        on = _named(data)
        return _plain(f"Undone: the note on {on} is {data['note']}.")
    said = _no_longer([_named(data)], str(data["was"]), str(data["now"]))
    return _plain(f"Undone: {said}. {phrases.VERDICTS_STAY}")


def _named(data: dict[str, object]) -> str:
    """The hit of an undone change; one that is not listed now, by its handle of then."""
    if data["hit"] != "not listed":
        return str(data["hit"])
    return f"{data['before']}{_EARLIER}" if data.get("before") else _NOT_LISTED


_EARLIER, _NOT_LISTED = " of an earlier search", "a picture that is not listed now"


def _no_longer(handles: Sequence[str], was: str, now: str) -> str:
    """`H1 and H2 are no longer marked as confirmed`, in the order of their numbers."""
    listed = [it for it in handles if it[1:].isdecimal()]
    earlier = [it.removesuffix(_EARLIER) for it in handles if it.endswith(_EARLIER)]
    names = [it for it in handles if it == _NOT_LISTED]
    names += [f"{_ranges(earlier)}{_EARLIER}"] if earlier else []
    names = [*([_ranges(listed)] if listed else []), *names]
    are = "is" if len(handles) == 1 else "are"
    if now == "none":
        return f"{join_with_and(names)} {are} no longer marked as {was}"
    return f"{join_with_and(names)} {are} marked as {now} again" + (
        "" if was == "none" else f", not as {was}"
    )


def _all_undone(
    workspace: Workspace, changes: Sequence[dict[str, object]]
) -> tuple[CheckedSentence, ...]:
    """What one message changed and is undone: marks of one kind in one clause."""
    marks: dict[tuple[str, str], list[str]] = {}
    for it in changes:
        if it["undone"] == "decision":
            marks.setdefault((str(it["was"]), str(it["now"])), []).append(_named(it))
    decided = [_no_longer(handles, was, now) for (was, now), handles in marks.items()]
    count = sum(map(len, marks.values()))
    many = f" ({count:,} marks)" if count >= MANY else ""
    said = list[CheckedSentence]()
    if decided:
        said += _plain(
            f"Undone, all of one message{many}: {'; '.join(decided)}. {phrases.VERDICTS_STAY}"
        )
    for it in changes:
        if it["undone"] != "decision":
            said += _undone(workspace, it)
    return tuple(said)
