"""Plans that change something: marks, notes, undo; what no words order is asked back."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.conditions import decision_named
from assistant.agent.requests.groups import (
    group_named,
    leaves_out_unknown,
    names_verdicts,
    numbered_order,
    ordered_act,
    restriction,
    verdicts_named,
)
from assistant.agent.requests.instructions import ACTS, only_asks, orders
from assistant.agent.requests.list_words import asks_for_marks, verdict_counted
from assistant.agent.requests.plain_requests import dictated_note, order_with_reason
from assistant.agent.requests.plans.proposals import proposal
from assistant.agent.requests.plans.request import GROUP_CLASSES, Plan, Request, call
from assistant.conversation.steps import ToolCall
from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import VERDICT_KEYS, quote_untrusted
from tools.verdict.rule import VERDICTS

_DECISIONS = {"confirm": "confirmed", "reject": "rejected", "hide": "hidden", "unmark": "none"}
_UNHIDES = re.compile(r"\bun-?hide\b|\bshow\b.{0,20}\bhidden\b", re.IGNORECASE)


def order_of_a_group(request: Request) -> Plan | None:
    """Mark the listed hits with the verdict that an order names; None if it names no group.

    Only numbers and a verdict say without doubt which hits are meant: of "the rest" or "the first
    three", those that would be marked are named, and asked back; and so are those to hide, because
    "without the copies" may want another list. Hidden hits stay hidden.
    """
    act = ordered_act(request.text) or (request.name if request.name in ACTS else "")
    if request.name not in GROUP_CLASSES or act not in _DECISIONS or not request.listed:
        return None
    if not orders(request.text, act):
        return None
    if reasoned := order_with_reason(request.text):
        request = replace(request, text=reasoned[1])
    if words := restriction(request.text):
        which = phrases.WHICH_OF_THEM.format(words=quote_untrusted(words))
        return Plan(text="[hits.all].", note=f"{phrases.NOTHING_CHANGED} {which}")
    if leaves_out_unknown(request.text, request.state):
        return Plan(text="[hits.all].", note=f"{phrases.NOTHING_CHANGED} {phrases.LEAVE_OUT}")
    hidden = {hit.handle for hit in request.listed if hit.decision == "hidden"}
    handles = group_named(request.text, request.listed, request.state, request.shown)
    if act == "unmark" and _UNHIDES.search(request.text):
        named = slots.hits_named(request.text, replace(request.state, last=""))
        handles = None if named else [it.handle for it in request.listed if it.handle in hidden]
    if handles is None:
        return None
    left = [it for it in handles if it in hidden] if act != "unmark" else []
    handles = [it for it in handles if it not in left]
    verdicts = verdicts_named(request.text)
    if not handles and not left and len(verdicts) == 1:
        key = VERDICT_KEYS[VERDICTS.index(verdicts[0])]
        return Plan(text=f"[hits.{key}].", note=phrases.NOTHING_CHANGED)
    if not handles:
        return Plan(text="[hits.all].", note=f"None of them is meant. {phrases.NOTHING_CHANGED}")
    if numbered_order(request.text) or (act != "hide" and names_verdicts(request.text)):
        stay = f"Hidden before and left so: {join_with_and(left)}." if left else ""
        return replace(_marks(handles, _DECISIONS[act]), note=stay)
    asked = proposal(act, handles)
    return replace(asked, note=f"{phrases.ONE_BY_ONE} {asked.note}")


def _marks(handles: Sequence[str], decision: str) -> Plan:
    return Plan(tuple(ToolCall("mark_hit", {"hit": it, "decision": decision}) for it in handles))


def decided(act: str) -> Callable[[Request], Plan]:
    """The planner of an action on hits that are named one by one; its reason names none."""

    def plan(request: Request) -> Plan:
        _, order = order_with_reason(request.text) or (act, request.text)
        return _marks(slots.hits_named(order, request.state), _DECISIONS[act])

    return plan


def undo(request: Request) -> Plan:
    """The latest change; of a hit that is named as one, its decision. "The last 2" names none."""
    if re.match(r"\W*(?:please\W+)?undo (?:everything|all)\b", request.text, re.IGNORECASE):
        return proposal("undo", ())  # the changes of one message are undone, not those of all
    named = re.search(r"\b(?:h|hits?)\s?#?\d", request.text, re.IGNORECASE)
    return decided("unmark")(request) if named else call("undo")


def note(request: Request) -> Plan:
    """The user's own words beside a hit; nothing in them is a request."""
    whose, text = dictated_note(request.text) or ("", "")
    named = slots.hits_named(whose, request.state)
    if len(named) != 1:
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    return call("note_hit", hit=named[0], text=text)


def reviews(request: Request) -> Plan:
    """What was decided and noted so far, on the hits that are named or on all.

    A question about one decision is answered with how many hits have it, and which.
    """
    decision, verdict = decision_named(request.text), verdict_counted(request.text)
    if asks_for_marks(request.text):
        return call("reviewed", decision=decision)
    if decision and verdict and only_asks(request.text):
        return call("list_hits", verdict=verdict, decision=decision)
    last = request.state.last if slots.points_at_one(request.text) else ""
    named = slots.hits_named(request.text, replace(request.state, last=last))
    calls = tuple(ToolCall("reviewed", {"hit": each}) for each in named)
    return Plan(calls or (ToolCall("reviewed", {}),))
