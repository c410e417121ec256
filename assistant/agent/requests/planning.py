"""From the class of a request to what answers it: tool calls, or a text of the application.

The class says what is asked for; `slots` says about what; the state of the case says what is
missing. Pure: the same request in the same state gives the same plan.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.agent.requests import slots
from assistant.agent.requests.conditions import decision_named, limits_named, numbers_left
from assistant.agent.requests.counts import parse_further, parse_top
from assistant.agent.requests.groups import group_named, ordered_act
from assistant.agent.requests.instructions import ACTS, doubts, orders
from assistant.agent.requests.plain_requests import NOTE, asks_which_is_more_forged, dictated_note
from assistant.agent.requests.state import CaseState, ListedHit
from assistant.conversation.steps import ToolCall
from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted
from tools.verdict.units import format_percent


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls to run in order, or, without calls, a text of citations and set sentences.

    `note` is shown as it stands after either, and `offers` are requests that the user may press.
    """

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    note: str = ""
    offers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A request: its class, its words, the state of the case, and the listed hits.

    `text` holds handles in place of file names (`file_names`); `notes` say which, and `lost` is
    true if a named file is none of the hits. `folders` are those of the listed hits.
    """

    name: str
    text: str
    state: CaseState
    folders: Sequence[str] = ()
    listed: Sequence[ListedHit] = ()
    notes: tuple[str, ...] = ()
    lost: bool = False


def plan_request(request: Request) -> Plan:
    """What answers a request; KeyError for an unknown class."""
    plan = _plan(request)
    return replace(plan, note=" ".join(filter(None, (*request.notes, plan.note))))


def _plan(request: Request) -> Plan:
    planner = _note if request.name == NOTE else _PLANNERS[request.name]
    if request.state.new and slots.asks_what_is_seen(request.text):
        request, planner = replace(request, name="describe"), _PLANNERS["describe"]
    if request.lost and request.name in _ABOUT_A_HIT:
        return Plan(text="[hits.all].")
    if (special := _order_of_a_group(request) or _ranking(request)) is not None:
        return special
    if request.name == "why":
        request = _meant_by_its_percentage(request)
    missing = _missing(request)
    if missing is not None:
        return missing
    if request.name in ACTS and not orders(request.text, request.name):
        return _asked_back(request)
    return planner(request)


def known_classes() -> tuple[str, ...]:
    """All classes that can be planned."""
    return tuple(_PLANNERS)


# -- what is missing --------------------------------------------------------------------------

_SEARCHES = ("find", "again", "more_photos", "two_find_why")
_OWN = ("own_photo",)
_ABOUT_THE_LIST = (
    "more", "fewer", "counts", "clear_filter", "filter_folder", "filter_after", "filter_before",
    "which_fake", "which_genuine", "which_inconclusive", "which_other", "which_copy", "export",
    "sort_date", "sort_forgery", "sort_identity", "sort_name", "sort_rank",
)  # fmt: skip
_ABOUT_A_HIT = (
    "why", "where", "compare", "compare_hits", "describe", "sure", "same_person", "confirm",
    "reject", "hide", "unmark", "two_why_where", "two_compare_where", NOTE,
)  # fmt: skip


def _missing(request: Request) -> Plan | None:
    state, name = request.state, request.name
    fact = slots.fact_named(request.text)
    if (
        name == "describe"
        and fact
        and not slots.hits_named(request.text, CaseState(hits=state.hits))
    ):
        return Plan(text=f"[about.{fact}].")
    if name in (*_SEARCHES, *_OWN) and not state.photos:
        return Plan(text=phrases.ASK_PHOTO)
    if name in _ABOUT_A_HIT and _photo(request) and name != "compare":
        return None  # about a query photo, which needs no search
    if name in (*_ABOUT_THE_LIST, *_ABOUT_A_HIT) and state.hits is None:
        first = phrases.SEARCH_FIRST if state.photos else phrases.PHOTO_FIRST
        return Plan(text=f"[hits.all]. {first}")
    if name in _ABOUT_A_HIT and not slots.hits_named(request.text, state):
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    return None


# -- orders -----------------------------------------------------------------------------------

_OFFERS = {
    "confirm": "Mark {hits} as confirmed",
    "reject": "Mark {hits} as rejected",
    "hide": "Hide {hits}",
    "unmark": "Take back my decision on {hits}",
    "undo": "Undo",
    "export": "Export the report",
}
"""What a user may press instead of writing; `plain_requests` reads it."""

_QUESTIONS = {
    "confirm": "Do you want me to mark {hits} as confirmed?",
    "reject": "Do you want me to mark {hits} as rejected?",
    "hide": "Do you want me to hide {hits}?",
    "unmark": "Do you want me to take back the decision on {hits}?",
    "undo": "Do you want me to undo the latest decision, note or filter?",
    "export": "Do you want me to write a report of this case?",
}


def _asked_back(request: Request) -> Plan:
    """Whether the action is wanted that the words do not order; a doubt is answered as one."""
    act = request.name
    if act in ("confirm", "reject") and doubts(request.text):
        return _call("score_fake", image=_hit(request))
    return _proposal(act, slots.hits_named(request.text, request.state))


def _proposal(act: str, handles: Sequence[str]) -> Plan:
    hits = join_with_and(handles)
    note = f"{phrases.NOTHING_CHANGED} {_QUESTIONS[act].format(hits=hits)}"
    return Plan(note=note, offers=(_OFFERS[act].format(hits=hits),))


_GROUPS = ("which_fake", "which_genuine", "which_inconclusive", "which_other", "which_copy",
           "clear_filter", "confirm", "reject", "hide", "unmark")  # fmt: skip
"""Classes as which an order about a group of hits may be read."""


def _order_of_a_group(request: Request) -> Plan | None:
    """Hits are marked one by one: which ones an order means is named, and asked back."""
    act = ordered_act(request.text) or (request.name if request.name in ACTS else "")
    if request.name not in _GROUPS or act not in _OFFERS or not request.listed:
        return None
    if not orders(request.text, act):
        return None
    handles = group_named(request.text, request.listed, request.state)
    if handles is None:
        return None
    if not handles:
        return Plan(text="[hits.all].", note=f"None of them is meant. {phrases.NOTHING_CHANGED}")
    asked = _proposal(act, handles)
    return replace(asked, note=f"{phrases.ONE_BY_ONE} {asked.note}")


# -- questions about probabilities ------------------------------------------------------------


def _ranking(request: Request) -> Plan | None:
    """Of two or more hits, which is the more likely forgery: only within one question."""
    if request.state.hits is None or not asks_which_is_more_forged(request.text):
        return None
    named = slots.hits_named(request.text, replace(request.state, last=""))
    known = {hit.handle: hit for hit in request.listed if hit.handle in named}
    if len(named) < 2 or len(known) < len(named):
        return None
    text = " ".join(f"[{handle}.verdict], and [{handle}.P2]." for handle in named)
    asked = {hit.question for hit in known.values()}
    if len(asked) == 1 and "" not in asked:
        return Plan(text=text, note=f"{phrases.SAME_QUESTION} {asked.pop()}.")
    judged = [f"{it} was {_judged(known[it].question)}" for it in named]
    return Plan(text=text, note=f"{phrases.NOT_RANKED} {join_with_and(judged)}.")


def _judged(question: str) -> str:
    if not question:
        return "not measured"
    return question if question.startswith("judged") else f"judged {question}"


def _meant_by_its_percentage(request: Request) -> Request:
    """ "Why not, if it says 91 %?" is about the hit that says so, if no hit is named."""
    said = re.search(r"(\d{1,3})\s?(?:%|percent|prozent)", request.text, re.IGNORECASE)
    if said is None or slots.hits_named(request.text, replace(request.state, last="")):
        return request
    shown = [it.handle for it in request.listed if format_percent(it.forged) == f"{said[1]} %"]
    if len(shown) != 1:
        return request
    return replace(request, state=replace(request.state, last=shown[0]))


# -- calls ------------------------------------------------------------------------------------


def _call(name: str, **arguments: object) -> Plan:
    return Plan((ToolCall(name, arguments),))


def _hit(request: Request) -> str:
    """The hit that the request is about, or the query photo that it names instead."""
    photo = _photo(request)
    if photo and request.name != "compare":
        return photo
    named = slots.hits_named(request.text, request.state)
    return named[0] if named else ""


def _photo(request: Request) -> str:
    """The query photo that a request names, or "the picture" that came with it or stands alone."""
    state, text = request.state, request.text
    named = slots.photo_named(text, state)
    if named or request.name != "describe" or slots.hits_named(text, replace(state, last="")):
        return named
    if state.new:
        return state.new[0]
    return state.photos[-1] if state.photos and state.hits is None else ""


def _find(request: Request) -> Plan:
    state = request.state
    photos = [*state.new] or [*state.person]
    top = parse_top(request.text)
    return _call("find_person", photos=photos, **({} if top is None else {"top": top}))


def _fewer(request: Request) -> Plan:
    count = slots.count_named(request.text) or 1
    return _call("find_person", photos=[*request.state.person], top=count)


def _more(request: Request) -> Plan:
    count = parse_further(request.text)
    return _call("more_hits", **({} if count is None else {"count": count}))


def _more_photos(request: Request) -> Plan:
    state = request.state
    return _call("find_person", photos=[*dict.fromkeys((*state.person, *state.new))])


def _on_hit(tool: str) -> Callable[[Request], Plan]:
    return lambda it: _call(tool, image=_hit(it))


def _compare(request: Request) -> Plan:
    state = request.state
    photo = slots.photo_named(request.text, state) or (state.person or ("Q1",))[0]
    named = slots.hits_named(request.text, state)
    if len(named) > 1:
        return _call("compare_faces", first=named[0], second=named[1])
    return _call("compare_faces", first=photo, second=_hit(request))


def _compare_hits(request: Request) -> Plan:
    named = [*slots.hits_named(request.text, request.state)]
    if len(named) == 1 and request.state.last and request.state.last not in named:
        named.append(request.state.last)
    if len(named) == 1:
        return _compare(request)
    return _call("compare_faces", first=named[0], second=named[1])


def _same_person(request: Request) -> Plan:
    """Of one hit its identity; two hits are compared with each other."""
    two = len(slots.hits_named(request.text, request.state)) > 1
    return _compare_hits(request) if two else Plan(text=f"[{_hit(request)}.P1].")


def _own_photo(request: Request) -> Plan:
    state = request.state
    newest = state.new or state.person
    return _call("score_fake", image=slots.photo_named(request.text, state) or newest[0])


def _listing(**arguments: object) -> Callable[[Request], Plan]:
    def plan(request: Request) -> Plan:
        limits = limits_named(request.text)
        date, used = slots.date_named(request.text), limits.words
        side = slots.date_side_named(request.text) if date else ""
        dated = {side: date} if side else {}
        decision = decision_named(request.text)
        decided = {"decision": decision} if decision else {}
        if side:
            used = (*used, *re.findall(r"[\d./-]*(?:19|20)\d\d[\d./-]*|\b\d{1,2}\b", request.text))
        # "the best three": lists are not shortened, and handles are no numbers.
        left = numbers_left(request.text, used)
        note = (
            f"I did not apply {join_with_and([quote_untrusted(it) for it in left])}."
            if left
            else ""
        )
        found = _call("list_hits", **arguments, **limits.arguments, **dated, **decided)
        return replace(found, note=note)

    return plan


def _of_folder(request: Request) -> Plan:
    folder = slots.folder_named(request.text, request.folders)
    return _call("list_hits", folder=folder) if folder else Plan(text=phrases.WHICH_FOLDER)


def _dated(side: str) -> Callable[[Request], Plan]:
    def plan(request: Request) -> Plan:
        date = slots.date_named(request.text)
        if not date:
            return Plan(text=phrases.WHICH_DATE)
        if slots.is_within_its_date(request.text):
            return _call("list_hits", after=date, before=slots.date_after(date))
        return _call("list_hits", **{slots.date_side_named(request.text) or side: date})

    return plan


def _decided(decision: str) -> Callable[[Request], Plan]:
    def plan(request: Request) -> Plan:
        named = slots.hits_named(request.text, request.state)
        return Plan(
            tuple(ToolCall("mark_hit", {"hit": hit, "decision": decision}) for hit in named)
        )

    return plan


def _note(request: Request) -> Plan:
    """The user's own words beside a hit; nothing in them is a request."""
    whose, note = dictated_note(request.text) or ("", "")
    named = slots.hits_named(whose, request.state)
    if len(named) != 1:
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    return _call("note_hit", hit=named[0], text=note)


def _measure(request: Request) -> Plan:
    fact = slots.fact_named(request.text)
    return Plan(text=f"[about.{fact}].") if fact else _term(request)


def _term(request: Request) -> Plan:
    fact = slots.fact_named(request.text)
    if fact:
        return Plan(text=f"[about.{fact}].")
    return _call("explain_term", term=slots.term_named(request.text))


def _correction(request: Request) -> Plan:
    """The previous turn's calls, for the hit that was meant."""
    named = slots.hits_named(request.text, request.state)
    again = [call for call in request.state.before if call.handles]
    if not named or not again:
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    return Plan(tuple(_about(call, named[0]) for call in again))


def _about(call: ToolCall, hit: str) -> ToolCall:
    arguments = {
        key: hit if isinstance(value, str) and value.startswith("H") else value
        for key, value in call.arguments.items()
    }
    return ToolCall(call.name, arguments)


def _outside(request: Request) -> Plan:
    renames = slots.asks_for_a_case_name(request.text)
    return Plan(text=phrases.RENAME_CASE if renames else phrases.OUTSIDE)


def _then(*planners: Callable[[Request], Plan]) -> Callable[[Request], Plan]:
    return lambda it: Plan(tuple(call for plan in planners for call in plan(it).calls))


def _text(text: str) -> Callable[[Request], Plan]:
    return lambda _: Plan(text=text)


def _about_unmask(topic: str) -> Callable[[Request], Plan]:
    return lambda _: _call("about_unmask", topic=topic)


_PLANNERS: Mapping[str, Callable[[Request], Plan]] = {
    "find": _find,
    "again": lambda it: _call("find_person", photos=[*it.state.person]),
    "more": _more,
    "fewer": _fewer,
    "more_photos": _more_photos,
    "why": _on_hit("score_fake"),
    "own_photo": _own_photo,
    "where": _on_hit("locate_artifacts"),
    "compare": _compare,
    "compare_hits": _compare_hits,
    "describe": _on_hit("describe_image"),
    "sure": lambda it: Plan(text=f"[{_hit(it)}.P1], and [{_hit(it)}.P2]. {phrases.NO_PROOF}"),
    "same_person": _same_person,
    "which_fake": _listing(verdict="impersonation"),
    "which_genuine": _listing(verdict="no forgery found"),
    "which_inconclusive": _listing(verdict="inconclusive"),
    "which_other": _listing(verdict="other"),
    "which_copy": _listing(verdict="copy"),
    "counts": _text("[S8]."),
    "sort_date": _listing(sort="date"),
    "sort_forgery": _listing(sort="forgery"),
    "sort_identity": _listing(sort="identity"),
    "sort_name": _listing(sort="name"),
    "sort_rank": _listing(sort="rank"),
    "filter_folder": _of_folder,
    "filter_after": _dated("after"),
    "filter_before": _dated("before"),
    "clear_filter": _listing(),
    "confirm": _decided("confirmed"),
    "reject": _decided("rejected"),
    "hide": _decided("hidden"),
    "unmark": _decided("none"),
    "undo": lambda _: _call("undo"),
    "export": lambda it: _call("export_report", format=slots.format_named(it.text)),
    "term": _term,
    "measure": _measure,
    "gallery": lambda _: _call("gallery_summary"),
    "greeting": _text(phrases.GREETING),
    "thanks": _text(phrases.THANKS),
    "outside": _outside,
    "unanswerable": _text(phrases.UNANSWERABLE),
    "injection": _text(phrases.OBEDIENCE),
    "correction": _correction,
    "two_find_why": _then(_find, lambda _: _call("score_fake", image="H1")),
    "two_why_where": _then(_on_hit("score_fake"), _on_hit("locate_artifacts")),
    "two_compare_where": _then(_compare, _on_hit("locate_artifacts")),
    **{
        f"about_{topic}": _about_unmask(topic)
        for topic in (
            "abilities", "accuracy", "method", "privacy", "law", "indexing", "limits",
        )
    },
}  # fmt: skip
