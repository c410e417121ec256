"""Changes that the application asks about: nothing happens before the user presses or says yes."""

from collections.abc import Sequence

from assistant.agent.requests.plans.request import Plan
from prompts import phrases
from tools.verdict.clauses import join_with_and

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
    "undo": "Do you want me to undo what was changed last?",
    "export": "Do you want me to write a report of this case?",
}


def proposal(act: str, handles: Sequence[str]) -> Plan:
    """Ask whether an action on these hits is wanted."""
    hits = join_with_and(handles)
    note = f"{phrases.NOTHING_CHANGED} {_QUESTIONS[act].format(hits=hits)}"
    return Plan(note=note, offers=(_OFFERS[act].format(hits=hits),))
