"""Plans about the list of hits: filters, orders, counts, and what its hits have in common."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.conditions import decision_named, limits_named, numbers_left
from assistant.agent.requests.file_names import name_named
from assistant.agent.requests.groups import group_named
from assistant.agent.requests.instructions import only_asks
from assistant.agent.requests.list_words import (
    ALIKE,
    FORGED_OTHERS,
    NAMED_FILES,
    NAMED_HITS,
    NOT_FORGED,
    UNASSESSED,
    verdict_counted,
)
from assistant.agent.requests.plans.request import Plan, Request, call, verdicts_of
from assistant.conversation.steps import ToolCall
from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted
from tools.verdict.rule import VERDICTS, Verdict

Planner = Callable[[Request], Plan]


def listing(**arguments: object) -> Planner:
    """The planner of a list with these criteria, and with those that the words name beside."""

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
        beside = {**limits.arguments, **dated, **decided, **_order(arguments, request.text)}
        return replace(call("list_hits", **(arguments | beside)), note=note)

    return plan


_TURNED = r"revers|backward"
_LOWEST = (
    rf"{_TURNED}|low(?:est)?\b|(?<!at )least|weakest|ascending|niedrig|aufsteigend|moins|menos"
)
_BACKWARDS = {
    "date": r"old(?:est)?\b|earliest|chronolog|ascending|ältest|aufsteigend|plus ancien|más antigu",
    "name": rf"{_TURNED}|descending|z (?:to|-) ?a\b|absteigend",
    "rank": rf"{_TURNED}|weakest|lowest|bottom",
}


def _order(arguments: Mapping[str, object], text: str) -> dict[str, str]:
    """The order asked for, turned around if the words want its end first: "oldest first"."""
    key = str(arguments.get("sort", ""))
    turned = key and re.search(rf"\b(?:{_BACKWARDS.get(key, _LOWEST)})", text, re.IGNORECASE)
    return {"sort": f"{key} reversed"} if turned else {}


_SEARCH = re.compile(
    r"\b(?:search|find|look for|suche?|finde|cherche|busca|cerca)\b", re.IGNORECASE
)


def orders_a_search(text: str) -> bool:
    """Whether a text orders a search, and does not only ask about the one that was made."""
    return _SEARCH.search(text) is not None and not only_asks(text)


def only_shortens(request: Request, count: int) -> bool:
    """Whether a request for so many hits wants some of those found, and no new search: "top 3"."""
    state = request.state
    fewer = state.hits is not None and 0 < count <= state.hits
    return fewer and not state.new and _SEARCH.search(request.text) is None


def first_ones(request: Request, count: int) -> Plan:
    """The first hits as they are listed now; the list keeps all, as a new search would not."""
    shown = request.shown or [f"H{at + 1}" for at in range(request.state.hits or 0)]
    first = shown[:count]
    said = "hit" if len(first) == 1 else "hits"
    return Plan(
        text=verdicts_of(first[:MOST_WORDED]),
        opening=f"First {said} of {len(shown)} as listed now: {join_with_and(first)}.",
        note=phrases.LIST_KEPT,
    )


MOST_WORDED = 10
"""Hits that are described one by one in an answer."""


def named_ones(request: Request) -> Plan:
    """The hits that are named one by one, in words: no filter lists them alone."""
    named = group_named(request.text, request.listed, request.state, request.shown)
    named = named or [*slots.hits_named(request.text, request.state)]
    return Plan(text=verdicts_of(named[:MOST_WORDED]), note=phrases.LIST_KEPT)


def of_a_question(plan: Plan) -> Plan:
    """A plan for a question, which is answered, and leaves the list as it is."""
    calls = (
        replace(it, arguments={**it.arguments, "stays": True}) if it.name == "list_hits" else it
        for it in plan.calls
    )
    return replace(plan, calls=tuple(calls))


def of_folder(request: Request) -> Plan:
    """The hits in a folder."""
    folders = slots.folders_named(request.text, request.folders)
    if not folders:
        return Plan(text=phrases.WHICH_FOLDER)
    wanted = folders if only_asks(request.text) else folders[:1]
    beside = _verdict_beside(request.text)
    return Plan(tuple(ToolCall("list_hits", {"folder": it, **beside}) for it in wanted))


def _verdict_beside(text: str) -> dict[str, str]:
    """The verdict that hits in a folder or of a date are to have as well: "fakes from 2019"."""
    verdict = verdict_counted(text)
    return {"verdict": verdict} if verdict not in (None, "other", "not assessed") else {}


def dated(side: str) -> Planner:
    """The planner of a list on one side of a date, "after" or "before"; or within it."""

    def plan(request: Request) -> Plan:
        date = slots.date_named(request.text)
        if not date:
            return Plan(text=phrases.WHICH_DATE)
        if slots.is_within_its_date(request.text):
            within = {"after": date, "before": slots.date_after(date)}
        else:
            within = {slots.date_side_named(request.text) or side: date}
        return call("list_hits", **within, **_verdict_beside(request.text))

    return plan


def counts(request: Request) -> Plan:
    """The count that is asked for stands first, then all counts; of a folder or date, its hits."""
    if slots.speaks_of_a_folder(request.text, request.folders) or (
        len(slots.folders_named(request.text, request.folders)) > 1
    ):
        return of_folder(request)
    if slots.date_named(request.text):
        return dated("after")(request)
    verdict = verdict_counted(request.text)
    if re.search(r"\b(?:summar|sum up|overview|recap|tl;?dr)", request.text, re.IGNORECASE):
        found = "[S8]. [hits.impersonation]. [hits.inconclusive]. [hits.copy]."
        return Plan(text=f"{found} {phrases.NO_PROOF}")
    if not verdict:
        return Plan(text="[S8].")
    beside = " [hits.forged_others]." if verdict == "impersonation" else ""
    note = phrases.NOT_GENUINE if verdict == "no forgery found" else ""
    return Plan(text=f"[{_count(verdict)}]. [S8].{beside}", note=note)


def _count(verdict: Verdict) -> str:
    return f"S{2 + VERDICTS.index(verdict)}"


_UNFORGED = "[hits.inconclusive]. [hits.no_forgery_found]."
BY_WORDS: Mapping[str, Planner] = {
    NAMED_FILES: lambda it: call("list_hits", name=name_named(it.text)),
    ALIKE: lambda _: Plan(text="[hits.alike]. [hits.copy]."),
    UNASSESSED: lambda _: Plan(text="[hits.unassessed]."),
    NAMED_HITS: named_ones,
    NOT_FORGED: lambda _: Plan(text=_UNFORGED, note=phrases.NOT_GENUINE),
    FORGED_OTHERS: lambda _: Plan(text="[hits.forged_others]. [hits.impersonation]."),
}
"""Planners of questions that only words name, and no reading."""
