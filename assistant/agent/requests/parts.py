"""A question of several parts: "why is H1 in the list, and where does it look forged?".

The words are cut where one request ends and another begins: at the end of a sentence, or at a word
that joins two requests and is followed by one that begins a request. The reader says what each part
asks for; parts that it is not sure of are not answered.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assistant.agent.requests.instructions import ACTS
from assistant.agent.requests.list_words import MOST_FORGED, UNASSESSED, verdict_counted
from assistant.agent.requests.plain_requests import NOTE, QUOTED, note_and_more, plain_request
from assistant.agent.requests.plans.request import GROUP_CLASSES
from assistant.agent.requests.slots import term_named
from tools.verdict.term_lookup import explain_term

if TYPE_CHECKING:
    from assistant.agent.requests.reader import ReadsRequests

MAX_PARTS = 4
"""Texts with more parts, of which one is unclear, are stories, and read as a whole."""

_BEGINS = (
    "why|where|how|what|which|who|whose|whom|when|is|are|were|does|do|did|can|could|"
    "would|will|has|have|find|search|look|show|list|compare|export|save|mark|confirm|reject|hide|"
    "explain|define|tell|describe|filter|sort|undo|give|check|write|print|make|open|please|also|then|"
    "download|add|keep|remove|drop|delete|erase|unhide|unmark|put|go|run|measure|locate|name|rank|order|let|"
    "warum|wieso|weshalb|wo|wie|welche[rns]?|wer|ist|sind|kannst|finde|suche?|such|zeige?|"
    "vergleiche?|exportiere?|erkläre?|markiere?|beschreibe?|sortiere?|filtere?|gib|mach|mache|"
    "bitte|liste|speichere?|sag|was (?:ist|sind|bedeutet|heißt)"
)
"""Words that a request begins with, in English and German."""

_JOIN = r"(?:and|&|plus|und)"
_AFTER = r"(?:then|also|afterwards|after that|next|finally|dann|danach|anschließend|auch|außerdem)"
_CUT = re.compile(
    rf"(?<=[?!;.])\s+(?:{_JOIN}\s+)?(?:{_AFTER}\s*,?\s+)?(?=\w)"
    rf"|\s*,\s*(?:{_JOIN}\s+)?{_AFTER}\s*,?\s+"
    rf"|\s+{_JOIN}\s+{_AFTER}\s*,?\s+"
    rf"|\s*,\s*(?:{_JOIN}\s+)?(?=(?:{_BEGINS})\b)"
    rf"|\s+{_JOIN}\s+(?=(?:{_BEGINS})\b)"
    rf"|\s+then\s+(?=(?:{_BEGINS})\b)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    rf"(?:(?:{_JOIN}|so|now|ok(?:ay)?|kindly|please)\W+)*(?:{_BEGINS})\b", re.IGNORECASE
)
_ALONE = re.compile(r"(?:why|where|undo|export|warum|wieso|wo)\W*", re.IGNORECASE)
_ABBREVIATED = re.compile(r"\b(?:no|nr|mr|mrs|ms|dr|vs|e\.g|i\.e|z\.b|bzw|[a-z])\.$", re.IGNORECASE)

_URGES = re.compile(
    r"(?:please\s+|just\s+|and\s+)*(?:look|search|go|check|scan|read|be)\s+"
    r"(?:very\s+|really\s+)?(?:carefully?|closely|hard|thoroughly?|"
    r"(?:through|at|over)\s+(?:(?:it|them)\s+)?(?:all|everything|every\s+\w+|the\s+whole\s+\w+|"
    r"all\s+of\s+(?:it|them)))(?:\s+please)?|(?:please\s+)?take\s+your\s+time|(?:please\s+)?go\s+ahead",
    re.IGNORECASE,
)
"""Parts that urge and ask for nothing: "please look through everything"."""

_WHY = re.compile(r"(?:and )?(?:why|warum|wieso|pourquoi)\W*", re.IGNORECASE)


def split_request(text: str) -> tuple[str, ...]:
    """The parts of a request in order; one part if nothing joins two requests."""
    plain, parts, begun = " ".join(text.split()), list[str](), 0
    quoted = [it.span() for it in re.finditer(QUOTED, plain)]
    for cut in _CUT.finditer(plain):
        if any(first < cut.start() < end for first, end in quoted):
            continue
        before = plain[begun : cut.start()]
        if not _long_enough(before) or _ABBREVIATED.search(before):
            continue
        parts.append(before)
        begun = cut.end()
    found = _asking([part.strip(" ,;") for part in (*parts, plain[begun:])])
    return tuple(found) if len(found) > 1 else (plain,)


def _long_enough(part: str) -> bool:
    return len(part.split()) > 1 or _ALONE.fullmatch(part) is not None


def _asking(parts: list[str]) -> list[str]:
    """The parts that ask; what only tells stands with the part that it leads to.

    "Number 3, please. Why is it a fake?" asks once, and about number 3.
    """
    found, told = list[str](), ""
    for part in parts:
        told = f"{told} {part}".strip()
        if _long_enough(part) and (part.endswith("?") or _ASKS.match(part)):
            found.append(told)
            told = ""
    if told and found:
        found[-1] = f"{found[-1]} {told}"
    return found


# -- what is asked in each part ---------------------------------------------------------------

SURE_TO_ANSWER, SURE_TO_ACT = 0.25, 0.5
"""Probabilities of a request's class below which the application asks again."""

SURE_OF_AN_ATTACK = 0.5
"""Below it, a text that seems to order the application about is asked about, not answered so."""

SURE_OF_A_PART, SURE_TO_ACT_IN_PART = 0.6, 0.75
"""Probabilities from which a part of a text is answered by itself."""

_SEVERAL = ("two_find_why", "two_why_where", "two_compare_where")
"""Classes of two requests: they name no third one."""


def sure_from(name: str) -> float:
    """The probability (0..1) of a class from which a text is answered as one of it."""
    if name == "injection":
        return SURE_OF_AN_ATTACK
    return SURE_TO_ACT if name in ACTS else SURE_TO_ANSWER


@dataclass(frozen=True, slots=True)
class Part:
    """A request, or one of several in a text: the class of what it asks for, 0..1 how likely."""

    text: str
    name: str
    probability: float

    @property
    def sure(self) -> bool:
        """Whether it may be answered, or must be asked again."""
        listed = self.name in GROUP_CLASSES and self.name not in ACTS
        if listed and self.name != "clear_filter" and verdict_counted(self.text) is None:
            return self.probability >= SURE_TO_ACT  # no word names the verdict
        return self.probability >= sure_from(self.name)

    @property
    def stands_alone(self) -> bool:
        """Whether a part of a text is a request by itself."""
        acts = self.name in ACTS and self.name != "export"
        known = self.name != "term" or explain_term(term_named(self.text)) is not None
        return known and self.probability >= (SURE_TO_ACT_IN_PART if acts else SURE_OF_A_PART)


def read_parts(
    reader: "ReadsRequests", text: str, *, with_photo: bool
) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The requests of a text in order, and the parts that were not understood.

    A text of one request is one part. What seems to order the application about is never cut, so
    that no part of it is obeyed. `with_photo` if photos came with it: the first part is about them.
    """
    if not with_photo and (noted := note_and_more(text)):
        more, left = read_parts(reader, noted[1], with_photo=False)
        return (Part(noted[0], NOTE, 1.0), *more), left
    whole, texts = _read(reader, text, with_photo=with_photo), split_request(text)
    note = whole.name == NOTE and "down" not in text.casefold().split()[:3]
    if len(texts) == 1 or note or whole.name == "injection":
        return (whole,), ()
    if whole.name in (MOST_FORGED, UNASSESSED) and all(map(_WHY.fullmatch, texts[1:])):
        return (whole,), ()  # their answers give reasons
    parts = [
        _read(reader, each, with_photo=with_photo and at == 0) for at, each in enumerate(texts)
    ]
    understood = [it for it in parts if it.stands_alone]
    unclear = [it for it in parts if not it.stands_alone]
    story = not understood or (unclear and len(parts) > MAX_PARTS)
    if story or any(it.name == "injection" and it.sure for it in parts):
        return (whole,), ()
    kinds = (understood[0].name, *(() if understood[0].name in ACTS else _SEVERAL))
    if len(understood) == 1 and whole.sure and whole.name in kinds:
        both = whole.name in _SEVERAL and len(parts) == 2
        return (whole,), () if both else _texts(it for it in unclear if it.name != whole.name)
    return tuple(understood), _texts(unclear)


def _read(reader: "ReadsRequests", text: str, *, with_photo: bool) -> Part:
    known = plain_request(text)
    if known is not None and not with_photo:
        return Part(text, known, 1.0)
    reading = reader.read(text, with_photo=with_photo)
    return Part(text, reading.name, reading.probability)


def _texts(parts: Iterable[Part]) -> tuple[str, ...]:
    return tuple(it.text for it in parts if not _URGES.fullmatch(it.text.strip(" .!,")))
