"""Questions and orders about the application that no measurement answers.

What it cannot do is said with the way to get it done; what a decision does is said before one is
made; and how the list is made up, with what it may lack. Nothing is changed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.instructions import only_asks
from assistant.agent.requests.list_words import verdict_counted
from assistant.agent.requests.plans.proposals import proposal
from assistant.agent.requests.plans.request import Plan, Request, verdicts_of
from prompts import how_to, phrases

ADVICE, AS_WHAT, COMPLETE, LEADING, RANKED = (
    "advice", "as_what", "complete", "leading", "ranked",
)  # fmt: skip

_WORDS = tuple((name, re.compile(it, re.IGNORECASE)) for name, it in how_to.WORDS.items())


def kind_of(text: str) -> str:
    """Which of these a text is; empty if none."""
    name = next((name for name, it in _WORDS if it.search(text)), "")
    return "" if name == ADVICE and not only_asks(text) else name


def _named(request: Request) -> tuple[str, ...]:
    there = {hit.handle for hit in request.listed}
    return tuple(it for it in slots.hits_named(request.text, request.state) if it in there)


def _advice(request: Request) -> Plan:
    """What was measured of the hit, and what a decision would do."""
    if re.search(r"\b(?:delete|erase)\b", request.text, re.IGNORECASE):
        return Plan(note=phrases.NOT_DELETED)
    return Plan(
        text=verdicts_of(_named(request)[:5]),
        note=f"{phrases.NOTHING_CHANGED} {phrases.A_DECISION}",
    )


def _as_what(request: Request) -> Plan:
    """Ask as what a hit is to be marked; words that call it a fake say so."""
    if not (named := _named(request)):
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    if verdict_counted(request.text) == "impersonation":
        return proposal("confirm", named)
    both = [proposal(act, named).offers[0] for act in ("confirm", "reject", "hide")]
    return Plan(note=f"{phrases.NOTHING_CHANGED} {phrases.AS_WHAT}", offers=tuple(both))


def _ranked(request: Request) -> Plan:
    """What hits are ordered by; of those that are named, or of the first one."""
    hits = slots.hits_named(request.text, replace(request.state, last=""))
    leads = "" if hits else " [hits.impersonation]."
    placed = " ".join(f"[{it}.P3]." for it in hits or request.shown[:1])
    return Plan(text=f"{placed}{leads}".strip(), note=phrases.ORDER_OF_HITS)


def _answer(text: str) -> Callable[[Request], Plan]:
    return lambda _: Plan(note=text)


PLANNERS: Mapping[str, Callable[[Request], Plan]] = {
    ADVICE: _advice,
    AS_WHAT: _as_what,
    COMPLETE: lambda _: Plan(text="[S8]. [hits.all].", note=phrases.MAY_LACK),
    LEADING: _ranked,
    RANKED: _ranked,
    **{name: _answer(it) for name, it in how_to.ANSWERS.items()},
}
"""What answers them."""
