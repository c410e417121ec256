"""From the class of a request to what answers it: tool calls, or a text of the application.

The class says what is asked for; `slots` says about what; the state of the case says what is
missing. Pure: the same request in the same state gives the same plan.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.conditions import decision_named
from assistant.agent.requests.counts import parse_further, parse_top
from assistant.agent.requests.file_names import name_words
from assistant.agent.requests.groups import group_named, verdicts_named
from assistant.agent.requests.instructions import ACTS, doubts, only_asks, orders
from assistant.agent.requests.list_words import MOST_FORGED, PERCENTAGE
from assistant.agent.requests.plain_requests import NOTE
from assistant.agent.requests.plans import (
    claims,
    decisions,
    deletions,
    forgeries,
    how_to,
    lists,
    originals,
    references,
)
from assistant.agent.requests.plans.claims import CLAIM
from assistant.agent.requests.plans.deletions import DELETION
from assistant.agent.requests.plans.originals import ORIGINAL
from assistant.agent.requests.plans.proposals import proposal
from assistant.agent.requests.plans.references import REFERENCE, SEARCHED_WITH
from assistant.agent.requests.plans.request import Plan, Request, call
from assistant.agent.requests.state import CaseState
from assistant.conversation.steps import ToolCall
from prompts import phrases
from tools.verdict.handles import quote_untrusted


def plan_request(request: Request) -> Plan:
    """What answers a request; KeyError for an unknown class."""
    plan = _plan(request)
    return replace(plan, note=" ".join(filter(None, (*request.notes, plan.note))))


def _plan(request: Request) -> Plan:
    planner = _BY_WORDS.get(request.name) or _PLANNERS[request.name]
    if request.state.new and slots.asks_what_is_seen(request.text):
        request, planner = replace(request, name="describe"), _PLANNERS["describe"]
    named = slots.hits_named(request.text, replace(request.state, last=""))
    if not named and slots.speaks_of_a_tab(request.text):
        return Plan(text=phrases.NOT_SEEN)
    if request.lost and request.name in _ABOUT_A_HIT:
        return Plan(text="[hits.all].")
    if deletions.meant(request):
        request, planner = replace(request, name=DELETION), deletions.deletion
    else:
        special = decisions.order_of_a_group(request) or forgeries.ranking(request)
        if special is not None:
            return special
    one = slots.one_described(request.text)
    if one and not named and request.listed and request.name in _ABOUT_A_HIT:
        none = phrases.NO_SUCH_NAME.format(word=quote_untrusted(one))
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}", note=none)
    if request.name == "file_facts" and slots.asks_for_the_oldest(request.text):
        request, planner = replace(request, name="sort_date"), _PLANNERS["sort_date"]
    if (told := references.not_searched_with(request)) is not None:
        return told
    if request.name in _ABOUT_A_HIT:
        request = forgeries.meant_by_its_percentage(request)
    missing = _missing(request)
    if missing is not None:
        return missing
    if request.name in ACTS and not orders(request.text, request.name):
        return _asked_back(request)
    plan = planner(request)
    return lists.of_a_question(plan) if only_asks(request.text) else plan


def known_classes() -> tuple[str, ...]:
    """All classes that can be planned."""
    return tuple(_PLANNERS)


# -- what is missing --------------------------------------------------------------------------

_SEARCHES = (*references.SEARCHES, "two_find_why")
_OWN = ("own_photo",)
_ABOUT_THE_LIST = (
    "more", "fewer", "counts", "clear_filter", "filter_folder", "filter_after", "filter_before",
    "which_fake", "which_genuine", "which_inconclusive", "which_other", "which_copy", "export",
    "sort_date", "sort_forgery", "sort_identity", "sort_name", "sort_rank", "reviews",
    MOST_FORGED, PERCENTAGE, CLAIM, DELETION, SEARCHED_WITH, *lists.BY_WORDS, how_to.COMPLETE,
    how_to.LEADING, how_to.RANKED,
)  # fmt: skip
_ABOUT_A_HIT = (
    "why", "where", "compare", "compare_hits", "describe", "sure", "same_person", "confirm",
    "reject", "hide", "unmark", "two_why_where", "two_compare_where", "file_facts", NOTE, ORIGINAL,
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


def _asked_back(request: Request) -> Plan:
    """Whether the action is wanted that the words do not order; a doubt is answered as one."""
    act = request.name
    if act in ("confirm", "reject") and doubts(request.text):
        return call("score_fake", image=_hit(request))
    named = slots.hits_named(request.text, request.state)
    decided = {it.handle for it in request.listed if it.decision != "none"}
    if act == "unmark" and request.listed and not decided & {*named}:
        return decisions.reviews(request)  # there is nothing to take back
    return proposal(act, named)


# -- calls ------------------------------------------------------------------------------------


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
    top = parse_top(request.text)
    if top is not None and lists.only_shortens(request, top):
        return lists.first_ones(request, top)
    photos, state = references.photos_to_search(request), request.state
    ordered = state.new or top is not None or lists.orders_a_search(request.text)
    if state.hits is not None and not ordered:
        return lists.counts(request)  # a question keeps the list
    return call("find_person", photos=photos, **({} if top is None else {"top": top}))


def _fewer(request: Request) -> Plan:
    count = slots.count_named(request.text) or 1
    if lists.only_shortens(request, count):
        return lists.first_ones(request, count)
    return call("find_person", photos=[*request.state.person], top=count)


def _more(request: Request) -> Plan:
    if re.match(r"\W*(?:and )?(?:are|is) there\b", request.text, re.IGNORECASE):
        return how_to.PLANNERS[how_to.COMPLETE](request)
    count = parse_further(request.text)
    return call("more_hits", **({} if count is None else {"count": count}))


def _search_again(request: Request) -> Plan:
    return call("find_person", photos=references.photos_to_search(request))


def _on_hit(tool: str) -> Callable[[Request], Plan]:
    return lambda it: call(tool, image=_hit(it))


def _why(request: Request) -> Plan:
    """The reasons of a verdict; first what speaks against it, if that is asked."""
    hit = _hit(request)
    against = hit.startswith("H") and slots.asks_what_speaks_against(request.text)
    return replace(call("score_fake", image=hit), text=f"[{hit}.against]." if against else "")


def _compare(request: Request) -> Plan:
    state = request.state
    photo = slots.photo_named(request.text, state) or (state.person or ("Q1",))[0]
    named = slots.hits_named(slots.without_photo(request.text, state), state)
    if len(named) > 1:
        return call("compare_faces", first=named[0], second=named[1])
    return call("compare_faces", first=photo, second=named[0] if named else "")


def _compare_hits(request: Request) -> Plan:
    if slots.photo_named(request.text, request.state):
        return _compare(request)
    named = [*slots.hits_named(request.text, request.state)]
    if len(named) == 1 and request.state.last and request.state.last not in named:
        named.append(request.state.last)
    if len(named) == 1:
        return _compare(request)
    others = named[1 : 1 + MOST_COMPARED]
    return Plan(
        tuple(ToolCall("compare_faces", {"first": named[0], "second": it}) for it in others)
    )


MOST_COMPARED = 3
"""Hits that are compared with the first one that is named."""


def _same_person(request: Request) -> Plan:
    """Of one hit or a group its identity; hits that are named are compared with each other."""
    if slots.speaks_of_my_photo(request.text) or not slots.hits_named(
        request.text, replace(request.state, last="")
    ):
        group = group_named(request.text, request.listed, request.state, request.shown)
        named = group or slots.hits_named(request.text, request.state)
        return Plan(text=" ".join(f"[{it}.P1]." for it in named[: lists.MOST_WORDED]))
    two = len(slots.hits_named(request.text, request.state)) > 1
    return _compare_hits(request) if two else Plan(text=f"[{_hit(request)}.P1].")


def _sure(request: Request) -> Plan:
    """Both probabilities of a hit; of two versions of one photograph also what is proven."""
    handle = _hit(request)
    hit = next((it for it in request.listed if it.handle == handle), None)
    versions = f" [{handle}.E34]. [{handle}.E37]." if hit is not None and hit.versions else ""
    return Plan(text=f"[{handle}.P1], and [{handle}.P2].{versions} {phrases.NO_PROOF}")


def _own_photo(request: Request) -> Plan:
    state = request.state
    newest = state.new or state.person
    return call("score_fake", image=slots.photo_named(request.text, state) or newest[0])


def _file_facts(request: Request) -> Plan:
    photo = _photo(request)
    named = (photo,) if photo else slots.hits_named(request.text, request.state)
    return Plan(tuple(ToolCall("file_facts", {"image": each}) for each in named))


def _export(request: Request) -> Plan:
    """Reports in the formats named; they hold all hits, which is said to who wants some."""
    some = verdicts_named(request.text) or decision_named(request.text)
    formats = slots.formats_named(request.text)
    return Plan(
        tuple(ToolCall("export_report", {"format": each}) for each in formats),
        note=phrases.WHOLE_REPORT if some else "",
    )


def _named_person(request: Request) -> Plan:
    """Before the first search, the person of that name is taken for the one in the photo."""
    state = request.state
    if not state.photos:
        return Plan(text=phrases.ASK_PHOTO)
    hit = slots.hits_named(request.text, replace(state, last=""))
    if state.new or (state.hits is None and not hit):
        return _find(request)
    said = {it.casefold() for it in re.findall(r"[^\W\d_]{4,}", request.text)}
    word = next(
        (it for it in name_words(n for h in request.listed for n in h.names) if it in said), ""
    )
    found = call("list_hits", name=word, stays=True) if word else None
    found = found or originals.version_called(said, request.listed) or Plan()
    return replace(found, text=f"{phrases.BY_PHOTO} {found.text}".strip())


def _measure(request: Request) -> Plan:
    fact = slots.fact_named(request.text)
    return Plan(text=f"[about.{fact}].") if fact else _term(request)


def _term(request: Request) -> Plan:
    fact = slots.fact_named(request.text)
    if fact:
        return Plan(text=f"[about.{fact}].")
    return call("explain_term", term=slots.term_named(request.text))


def _correction(request: Request) -> Plan:
    """The previous turn's calls, for the hit that was meant; what it marked is taken back."""
    meant = re.sub(r"\bnot (?:hit |number |h ?)?\d+", " ", request.text, flags=re.IGNORECASE)
    named = slots.hits_named(meant, request.state)
    again = [call for call in request.state.before if call.handles]
    if not named or not again:
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    now = {(it.handle, it.decision) for it in request.listed}
    marked = any((it.handles[0], it.arguments.get("decision")) in now for it in again)
    taken_back = (ToolCall("undo", {}),) if marked else ()
    meant_calls = {str(it): it for it in (_about(call, named[0]) for call in again)}
    return Plan((*taken_back, *meant_calls.values()))


def _about(call: ToolCall, hit: str) -> ToolCall:
    arguments = {
        key: hit if isinstance(value, str) and value.startswith("H") else value
        for key, value in call.arguments.items()
    }
    return ToolCall(call.name, arguments)


def _then(*planners: Callable[[Request], Plan]) -> Callable[[Request], Plan]:
    return lambda it: Plan(tuple(call for plan in planners for call in plan(it).calls))


def _text(text: str) -> Callable[[Request], Plan]:
    return lambda _: Plan(text=text)


def _about_unmask(topic: str) -> Callable[[Request], Plan]:
    return lambda _: call("about_unmask", topic=topic)


_BY_WORDS: Mapping[str, Callable[[Request], Plan]] = {
    NOTE: decisions.note,
    MOST_FORGED: forgeries.most_forged,
    PERCENTAGE: forgeries.percentage,
    CLAIM: claims.answer,
    DELETION: deletions.deletion,
    ORIGINAL: originals.original,
    REFERENCE: _search_again,
    SEARCHED_WITH: references.searched_with,
    **lists.BY_WORDS,
    **how_to.PLANNERS,
}
"""Of classes that no reading names."""

_PLANNERS: Mapping[str, Callable[[Request], Plan]] = {
    "find": _find,
    "again": _search_again,
    "more": _more,
    "fewer": _fewer,
    "more_photos": _search_again,
    "why": _why,
    "own_photo": _own_photo,
    "where": _on_hit("locate_artifacts"),
    "compare": _compare,
    "compare_hits": _compare_hits,
    "describe": _on_hit("describe_image"),
    "sure": _sure,
    "same_person": _same_person,
    "which_fake": lists.listing(verdict="impersonation"),
    "which_genuine": lists.listing(verdict="no forgery found"),
    "which_inconclusive": lists.listing(verdict="inconclusive"),
    "which_other": lists.listing(verdict="other"),
    "which_copy": lists.listing(verdict="copy"),
    "counts": lists.counts,
    "sort_date": lists.listing(sort="date"),
    "sort_forgery": lists.listing(sort="forgery"),
    "sort_identity": lists.listing(sort="identity"),
    "sort_name": lists.listing(sort="name"),
    "sort_rank": lists.listing(sort="rank"),
    "filter_folder": lists.of_folder,
    "filter_after": lists.dated("after"),
    "filter_before": lists.dated("before"),
    "clear_filter": lists.listing(),
    "confirm": decisions.decided("confirm"),
    "reject": decisions.decided("reject"),
    "hide": decisions.decided("hide"),
    "unmark": decisions.decided("unmark"),
    "undo": decisions.undo,
    "export": _export,
    "term": _term,
    "measure": _measure,
    "file_facts": _file_facts,
    "reviews": decisions.reviews,
    "named_person": _named_person,
    "gallery": lambda _: call("gallery_summary"),
    "greeting": _text(phrases.GREETING),
    "thanks": _text(phrases.THANKS),
    "outside": _text(phrases.OUTSIDE),
    "unanswerable": _text(phrases.UNANSWERABLE),
    "injection": _text(phrases.OBEDIENCE),
    "correction": _correction,
    "two_find_why": _then(_find, lambda _: call("score_fake", image="H1")),
    "two_why_where": _then(_on_hit("score_fake"), _on_hit("locate_artifacts")),
    "two_compare_where": _then(_compare, _on_hit("locate_artifacts")),
    **{
        f"about_{topic}": _about_unmask(topic)
        for topic in (
            "abilities", "accuracy", "method", "privacy", "law", "indexing", "limits",
        )
    },
}  # fmt: skip
