"""Plans for questions which hit is the likelier forgery: only within one question they compare."""

import re
from collections.abc import Sequence
from dataclasses import replace

from assistant.agent.requests import slots
from assistant.agent.requests.list_words import asks_which_is_more_forged
from assistant.agent.requests.plans.request import Plan, Request, call, verdicts_of
from assistant.agent.requests.state import ListedHit
from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.units import format_percent


def ranking(request: Request) -> Plan | None:
    """Of two or more hits, which is the more likely forgery; None if that is not asked."""
    if request.state.hits is None or not asks_which_is_more_forged(request.text):
        return None
    named = slots.hits_named(request.text, replace(request.state, last=""))
    known = {hit.handle: hit for hit in request.listed if hit.handle in named}
    if len(named) < 2 or len(known) < len(named):
        return None
    text = verdicts_of(named)
    asked = {hit.question for hit in known.values()}
    if len(asked) == 1 and "" not in asked:
        return Plan(text=text, note=f"{phrases.SAME_QUESTION} {asked.pop()}.")
    judged = [f"{it} was {_judged(known[it].question)}" for it in named]
    return Plan(text=text, note=f"{phrases.NOT_RANKED} {join_with_and(judged)}.")


def most_forged(request: Request) -> Plan:
    """The hit that reads most forged, with its reasons, among those judged by one question.

    Only hits that are shown count, as "which of these" means them. The leaders of other questions
    stand beside it if their probability is higher. Other people only count if nobody else was
    measured.
    """
    shown = [hit for hit in request.listed if hit.handle in request.shown]
    measured = [hit for hit in shown or request.listed if hit.forged is not None]
    theirs = [hit for hit in measured if hit.verdict != "other"] or measured
    if not theirs:
        return Plan(text="[hits.all]. [hits.unassessed].")
    asked = dict.fromkeys(hit.question for hit in theirs)
    leaders = [_most([hit for hit in theirs if hit.question == it]) for it in asked]
    # A verdict outweighs a probability, and probabilities of different questions do not compare.
    first = next((it for it in leaders if it.verdict == "impersonation"), leaders[0])
    opening = f"{first.handle} reads most forged: {_share(first)}, {_judged(first.question)}."
    beside = [it for it in leaders if it is not first and _above(it, first)]
    strangers = [hit for hit in measured if hit.verdict == "other" and hit not in theirs]
    note = [
        f"{_of_another_question(it)}; that is another question, and the two do not compare."
        for it in beside
    ]
    if strangers and (other := _most(strangers)) and _above(other, first):
        note.append(f"{_of_another_question(other)}, and shows another person.")
    visible = [hit for hit in request.listed if hit.decision != "hidden"]
    if shown and len(shown) < len(visible):
        note.append(f"Only the hits that the filter lists count: {len(shown)} of {len(visible)}.")
    plan = call("score_fake", image=first.handle)
    return replace(plan, opening=opening, note=" ".join(note))


def _most(hits: Sequence[ListedHit]) -> ListedHit:
    return max(hits, key=lambda it: it.forged or 0.0)


def _above(one: ListedHit, other: ListedHit) -> bool:
    return (one.forged or 0.0) > (other.forged or 0.0)


def _share(hit: ListedHit) -> str:
    return f"the probability of a forgery is {format_percent(hit.forged)}"


def _of_another_question(hit: ListedHit) -> str:
    said, share = _judged(hit.question), format_percent(hit.forged)
    return f"{said[:1].upper()}{said[1:]}, {hit.handle} reads most forged ({share})"


def _judged(question: str) -> str:
    if not question:
        return "not measured"
    return question if question.startswith("judged") else f"judged {question}"


_PERCENTAGE = re.compile(
    r"(?P<over>(?:>|over)\s?)?(?P<under>(?:<|under)\s?)?(?P<number>\d{1,3})\s?(?:%|percent|prozent)",
    re.IGNORECASE,
)


def _percentage(text: str) -> str:
    """The percentage that a text names, as it is shown; empty if it names none."""
    said = _PERCENTAGE.search(text)
    if said is None:
        return ""
    return f"{'over ' if said['over'] else 'under ' if said['under'] else ''}{said['number']} %"


def meant_by_its_percentage(request: Request) -> Request:
    """ "Why not, if it says 91 %?" is about the hit that says so, if no hit is named."""
    said = _percentage(request.text)
    if not said or slots.hits_named(request.text, replace(request.state, last="")):
        return request
    shown = [it.handle for it in request.listed if format_percent(it.forged) == said]
    if len(shown) != 1:
        return request
    return replace(request, state=replace(request.state, last=shown[0]))


def percentage(request: Request) -> Plan:
    """What a percentage on the screen says, and of which hits; "what does 87 % mean?"."""
    said, state = _percentage(request.text), request.state
    named = slots.hits_named(request.text, replace(state, last=""))
    among = [it for it in request.listed if it.handle in named] or request.listed
    shown = (said, f"over {said}", f"under {said}")
    forged = [it for it in among if format_percent(it.forged) in shown]
    person = [it.handle for it in among if format_percent(it.person) in shown]
    told = [
        f"{said} is the probability of a forgery of {it.handle}, {_judged(it.question)}."
        for it in forged[:MOST_TOLD]
    ]
    if person:
        shows = "shows" if len(person) == 1 else "each show"
        handles = join_with_and(person[:MOST_TOLD])
        told.append(f"{said} is the probability that {handles} {shows} the query person.")
    told = told or [f"No listed hit shows {said}."]
    return replace(call("explain_term", term="probability"), opening=" ".join(told))


MOST_TOLD = 5
"""Hits with one percentage that are named."""
