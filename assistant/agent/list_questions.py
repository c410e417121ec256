"""Questions that the list of hits answers: which are fake, which are real, is there an H99.

A small model that reads "which are fake?" may list the hits without a finding. Patterns recognise
such questions here; less plain ones are left to the model. Pure.
"""

import re
from collections.abc import Callable, Sequence

from assistant.agent.directed_turns import PlannedTurn, quoted_list
from assistant.agent.photo_questions import AUTHENTIC_WORDS, FAKE_WORDS
from assistant.agent.requests.counts import parse_top
from assistant.agent.requests.parts import split_request
from assistant.agent.requests.state import SEARCHES
from assistant.conversation.steps import ToolCall, ToolResult
from prompts.phrases import NO_PROOF
from tools.agent_tools.handle_parsing import find_handles
from tools.search.query import Query
from tools.search.reranking.reranker import MAX_RERANKED_HITS
from tools.search.results import Findings, Hit
from tools.verdict.rule import Verdict

_THEM = (
    r"(?:of )?(?:the |these |those |all )?"
    r"(?:them|these|those|ones?|hits?|images?|pictures?|photos?|faces?|results?)"
)
_SOFTLY = r"(?:the |a |all |only |just |really |actually |probably |(?:most )?likely )*"
_ASKS = (
    rf"which(?: {_THEM})* (?:are|is|were|was|looks?|seems?|do you think (?:are|is))",
    rf"what(?: {_THEM})? are the",
    r"(?:please )?(?:list|show|name|tell|give|group)(?: me)?(?: which(?: ones?)? are)?",
)
_WORDS: tuple[tuple[str, Verdict, str], ...] = (
    (
        rf"{FAKE_WORDS}|fakes|forgeries|impersonations",
        "impersonation",
        f"[hits.impersonation]. [hits.inconclusive]. [hits.forged_others]. {NO_PROOF}",
    ),
    (
        rf"{AUTHENTIC_WORDS}|originals|not (?:fake|forged)",
        "no forgery found",
        f"[hits.no_forgery_found]. [hits.copy]. {NO_PROOF}",
    ),
    (r"inconclusive|uncertain|unclear|undecided|unsure|open", "inconclusive",
     "[hits.inconclusive]."),
    (r"copy|copies", "copy", "[hits.copy]."),
    (r"duplicates?", "copy", "[hits.alike]. [hits.copy]."),
    (r"(?:someone|somebody) else|(?:another|other) (?:person|people|persons)", "other",
     "[hits.other]."),
)  # fmt: skip
_PATTERNS = tuple(
    (
        re.compile(
            rf"\W*(?:(?:and|so|then|ok|okay|now)\W+)*(?:{'|'.join(_ASKS)}) {_SOFTLY}(?:{words})"
            rf"(?: {_THEM})?\W*",
            re.IGNORECASE,
        ),
        verdict,
        cites,
    )
    for words, verdict, cites in _WORDS
)
_ONE_MOST = re.compile(r"\b(?:is|was|looks|seems)\s+(?:the\s+)?most\b", re.IGNORECASE)
_SHOWS = re.compile(
    r"\W*(?:(?:and|so|then|ok|okay|now|please)\W+)*(?:list|show|give)(?: me)?\b(?! which)",
    re.IGNORECASE,
)
"""Wants the list itself, which a filter shows; a question is answered in words."""


_MORE = re.compile(r"show (?:the other (\d{1,3})|(\d{1,3}) more) hits?\W*", re.IGNORECASE)
_MORE_AT_ONCE = 20


def offer_of_more(findings: Findings) -> str | None:
    """The question that lists further hits, which `plan_hit_list_turn` reads; None without any."""
    listed = len(findings.hits)
    left = min(findings.compared, MAX_RERANKED_HITS) - listed
    if not listed or left <= 0:
        return None
    if left > _MORE_AT_ONCE:
        return f"Show {_MORE_AT_ONCE} more hits"
    every = listed + left == findings.compared
    if left == 1:
        return "Show 1 more hit"
    return f"Show the other {left} hits" if every else f"Show {left} more hits"


def offers_after(
    results: Sequence[ToolResult], searched: tuple[Findings, Query] | None
) -> tuple[str, ...]:
    """The offer to list further hits, after a turn whose search did not list all."""
    if searched is None or not any(it.ok and it.name in SEARCHES for it in results):
        return ()
    offer = offer_of_more(searched[0])
    return (offer,) if offer else ()


def plan_hit_list_turn(
    text: str, hits: Sequence[Hit], earlier: Callable[[str], str] = lambda _: ""
) -> PlannedTurn | None:
    """Plan the turn for a question that the list of hits answers; None leaves it to the model.

    The answer says that an unknown hit does not exist: a model would take the nearest handle that
    it may cite. `earlier` says which picture had a handle in an earlier search.
    """
    if more := _MORE.fullmatch(text.strip()):
        return PlannedTurn((ToolCall("more_hits", {"count": int(more[1] or more[2])}),))
    there = {hit.handle for hit in hits}
    named = [it for it in find_handles(text) if it.startswith("H")] if not parse_top(text) else []
    missing = [handle for handle in named if handle not in there]
    if missing:
        were = [said for handle in missing if (said := earlier(handle))]
        gone = f"There is no {' and no '.join(missing)}."
        left = [it for it in split_request(text) if not {*missing} & {*find_handles(it)}]
        unreached = [f"I have not come to {quoted_list(left)} yet."] if left else []
        return PlannedTurn(cites="[hits.all].", extra_text=" ".join([gone, *were, *unreached]))
    wanted = requested_lists(text)
    if wanted is None:
        return None
    verdict, cites = wanted
    if _SHOWS.match(text):
        return PlannedTurn((ToolCall("list_hits", {"verdict": verdict}),))
    return PlannedTurn(cites=cites)


def requested_lists(text: str) -> tuple[Verdict, str] | None:
    """The verdict that a question asks for, and the lists that answer it, as citations.

    None if it is about no list.
    """
    plain = " ".join(text.split())
    if _ONE_MOST.search(plain):
        return None  # one hit is asked for, not the list
    found = (it for it in _PATTERNS if it[0].fullmatch(plain))
    return next(((verdict, cites) for _, verdict, cites in found), None)
