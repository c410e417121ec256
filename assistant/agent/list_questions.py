"""Questions that the list of hits answers: which are fake, which are real, is there an H99.

A small model that reads "which are fake?" may list the hits without a finding. Patterns recognise
such questions here; less plain ones are left to the model. Pure.
"""

import re
from collections.abc import Sequence

from assistant.agent.directed_turns import PlannedTurn
from assistant.agent.photo_questions import AUTHENTIC_WORDS, FAKE_WORDS
from assistant.agent.requests.counts import parse_top
from prompts.phrases import NO_PROOF
from tools.agent_tools.handle_parsing import find_handles
from tools.search.results import Hit

_THEM = (
    r"(?:of )?(?:the |these |those |all )?"
    r"(?:them|these|those|ones?|hits?|images?|pictures?|photos?|faces?|results?)"
)
_SOFTLY = r"(?:the |a |all |only |just |really |actually |probably |(?:most )?likely )*"
_ASKS = (
    rf"which(?: {_THEM})* (?:are|is|were|was|looks?|seems?|do you think (?:are|is))",
    rf"what(?: {_THEM})? are the",
    r"(?:please )?(?:list|show|name|tell|give)(?: me)?(?: which(?: ones?)? are)?",
)
_WORDS = (
    (
        rf"{FAKE_WORDS}|fakes|forgeries|impersonations",
        f"[hits.impersonation]. [hits.inconclusive]. {NO_PROOF}",
    ),
    (
        rf"{AUTHENTIC_WORDS}|originals|not (?:fake|forged)",
        f"[hits.no_forgery_found]. [hits.copy]. {NO_PROOF}",
    ),
    (r"inconclusive|uncertain|unclear|undecided|unsure|open", "[hits.inconclusive]."),
    (r"copy|copies|duplicates?", "[hits.copy]."),
    (r"(?:someone|somebody) else|(?:another|other) (?:person|people|persons)", "[hits.other]."),
)
_PATTERNS = tuple(
    (
        re.compile(
            rf"\W*(?:(?:and|so|then|ok|okay|now)\W+)*(?:{'|'.join(_ASKS)}) {_SOFTLY}(?:{words})"
            rf"(?: {_THEM})?\W*",
            re.IGNORECASE,
        ),
        cites,
    )
    for words, cites in _WORDS
)


def plan_hit_list_turn(text: str, hits: Sequence[Hit]) -> PlannedTurn | None:
    """Plan the turn for a question that the list of hits answers; None leaves it to the model.

    The answer says that an unknown hit does not exist: a model would take the nearest handle that
    it may cite.
    """
    there = {hit.handle for hit in hits}
    named = [it for it in find_handles(text) if it.startswith("H")] if not parse_top(text) else []
    missing = [handle for handle in named if handle not in there]
    if missing:
        return PlannedTurn(
            cites="[hits.all].", extra_text=f"There is no {' and no '.join(missing)}."
        )
    cites = requested_lists(text)
    return None if cites is None else PlannedTurn(cites=cites)


def requested_lists(text: str) -> str | None:
    """The lists of hits that a question is about, as citations; None if it is about no list."""
    plain = " ".join(text.split())
    return next((cites for pattern, cites in _PATTERNS if pattern.fullmatch(plain)), None)
