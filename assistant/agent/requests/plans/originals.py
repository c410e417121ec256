"""Questions after the original of a hit: the photograph that a forgery was made from."""

import re
from collections.abc import Collection, Sequence

from assistant.agent.requests import slots
from assistant.agent.requests.file_names import name_words
from assistant.agent.requests.plans.request import Plan, Request, call
from assistant.agent.requests.state import ListedHit
from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted
from tools.verdict.interpretation import describe_question
from tools.verdict.template_writer import FIRST_PUBLISHED

ORIGINAL = "original"

_OF_A_QUERY_PHOTO = describe_question("same_photo")

_THE_ORIGINAL = (
    r"(?:\b(?:the|its|any|which|what|an|das)|'s) (?:original|unaltered|unedited|source|template)\b"
)
_HIT = r"(?:(?:hit |h ?)\d+|it|this|this one)"
_MADE = r"(?:made|created|forged|built|generated|swapped|taken|altered|copied|derived)"
_ORIGINAL = re.compile(
    r"(?!.*\b(?:in|with|restore) the original\b|.*\boriginal (?:file|name|size|date|title))"
    rf"(?=.*(?:{_THE_ORIGINAL}|\b{_HIT} {_MADE} (?:from|of|out of)|\b(?:from|out of) (?:which|"
    rf"what)\b.*"
    rf"\b{_MADE}))\W*(?:(?:and|so|please|ok(?:ay)?)\W+)*"
    r"(?:which\b|what\b|where\b|how (?:do|can) (?:i|we|you) (?:know|tell)\b|from\b|out of|"
    r"welches\b|was\b|"
    rf"wo\b|(?:is|are) (?={_HIT}|there (?:an?|any) |the original (?:of|here|there|in|among))|"
    rf"do you (?=have|"
    r"know|see)|have you|can you (?=find|show)|find|(?:show(?: me)?|put|compare) (?=.*\bits\b|"
    r".*\d's|the "
    r"original of))[^;!]{0,110}",
    re.IGNORECASE,
)


_OF_WHICH = re.compile(
    r"\W*(?:(?:and|so|please|ok(?:ay)?)\W+)*(?:(?:for|of) )?(?:which|what|how many|any|"
    r"show|list|do any)(?: me)?(?: of)?(?: (?:the|these|those|them|all|only))* ?(?:hits|ones|fakes|"
    r"pictures|photos|images|impersonations|forgeries)?(?: that| which| also)*(?: do(?: you)?)?"
    r"(?: have| has| with)(?: (?:their|its|an?|the|any|also))* originals?"
    r"(?: (?:photos?|pictures?|images?|versions?))?"
    r"(?: (?:also|here|there|too|(?:in|among|inside) .{1,30}))?\W*",
    re.IGNORECASE,
)


def asks_for_an_original(text: str) -> bool:
    """Whether a text asks which picture a hit was made from, or of which hits there is one."""
    plain = " ".join(text.replace("’", "'").split())
    return (_ORIGINAL.fullmatch(plain) or _OF_WHICH.fullmatch(plain)) is not None


def original(request: Request) -> Plan:
    """What is proven to be the same photograph as a hit; which of two was altered is measured."""
    if _OF_WHICH.fullmatch(" ".join(request.text.split())):
        return _all_versions(request.listed)
    named = slots.hits_named(request.text, request.state)
    if len(named) > 1:
        return call("compare_faces", first=named[0], second=named[1])
    hit = next((it for it in request.listed if it.handle in named), None)
    if hit is None:
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    if (pair := _versions(hit, request.listed)) is not None:
        return pair
    handle = hit.handle
    if hit.verdict == "copy" or hit.question == _OF_A_QUERY_PHOTO:
        return Plan(text=f"[{handle}.E8]. [{handle}.verdict].")
    none = phrases.NO_ORIGINAL.format(hit=handle)
    return Plan(opening=none, text=f"[{handle}.E34]. [{handle}.E8].")


def _all_versions(listed: Sequence[ListedHit]) -> Plan:
    """The listed hits that are proven to be one of two versions of a photograph."""
    if not (proven := [it for it in listed if it.versions]):
        return Plan(text="[hits.all].", note=phrases.NO_VERSIONS)
    told = [
        f"{it.handle} and {quote_untrusted(it.versions[0])} are one photograph with two different "
        "faces."
        for it in proven
    ]
    text = " ".join(f"[{it.handle}.E37]." for it in proven)
    return Plan(opening=" ".join(told), text=text, note=FIRST_PUBLISHED)


def version_called(words: Collection[str], listed: Sequence[ListedHit]) -> Plan | None:
    """The two versions of a photograph of which one's file is called by a word; None if none is."""
    hit = next((it for it in listed if {*words} & {*name_words(it.versions)}), None)
    return _versions(hit, listed) if hit else None


def _versions(hit: ListedHit, listed: Sequence[ListedHit]) -> Plan | None:
    """The two versions of a photograph, if the hit is proven to be one of them."""
    proven = next((it for it in (hit, *listed) if it.versions and _is_of(hit, it)), None)
    if proven is None:
        return None
    also = [it.handle for it in listed if {*it.names} & {*proven.versions}]
    name = quote_untrusted(proven.versions[0])
    other = f"{name} ({join_with_and(also)})" if also else name
    opening = f"{proven.handle} and {other} are one photograph with two different faces."
    return Plan(opening=opening, text=f"[{proven.handle}.E37].", note=FIRST_PUBLISHED)


def _is_of(hit: ListedHit, proven: ListedHit) -> bool:
    return proven is hit or bool({*hit.names} & {*proven.versions})
