"""Questions after the original of a hit: the photograph that a forgery was made from."""

import re
from collections.abc import Sequence

from assistant.agent.requests import slots
from assistant.agent.requests.plans.request import Plan, Request, call
from assistant.agent.requests.state import ListedHit
from prompts import phrases
from tools.verdict.clauses import join_with_and
from tools.verdict.handles import quote_untrusted
from tools.verdict.interpretation import describe_question
from tools.verdict.template_writer import FIRST_PUBLISHED

ORIGINAL = "original"

_OF_A_QUERY_PHOTO = describe_question("same_photo")

_PICTURE = r"(?:photo(?:graph)?|picture|image|file|one|hit|version|bild|foto)"
_THE_ORIGINAL = (
    rf"(?:the |an? |its |any )?(?:original|unaltered|unedited|source|template)(?: {_PICTURE})?"
)
_OF_IT = (
    r"(?: (?:of|for|behind|to) (?:(?:hit |h ?)\d+|it|this|that|(?:this|that|the) (?:one|hit|fake|"
    r"forgery|picture|photo|image)))"
)
_HIT = r"(?:(?:hit |h ?)\d+|it|this|this one)"
_MADE = r"(?:made|created|forged|built|generated|swapped|taken|altered|copied|derived)"
_ORIGINAL = re.compile(
    rf"\W*(?:(?:and|so|please|ok(?:ay)?)\W+)*(?:"
    rf"(?:which|what|where)(?: {_PICTURE})?(?: of (?:them|these|the hits|the two))?(?:'s| is| was| "
    rf"might be| could be) {_THE_ORIGINAL}{_OF_IT}?"
    rf"|(?:is|are) (?:there )?{_THE_ORIGINAL}{_OF_IT}(?: (?:here|there|(?:in|among) .{{1,30}}))?"
    rf"|(?:do you (?:have|know|see)|have you (?:got|found)|can you (?:find|show(?: me)?)|find|"
    rf"show(?: me)?) {_THE_ORIGINAL}{_OF_IT}"
    rf"|(?:which|what)(?: {_PICTURE})? (?:is|was) {_HIT} {_MADE} (?:from|of|out of)"
    rf"|(?:from|out of) (?:which|what)(?: {_PICTURE})? (?:is|was) {_HIT} {_MADE}"
    rf"|(?:where|which|what)(?:'s| is) {_HIT}'s original(?: {_PICTURE})?"
    rf"|(?:show(?: me)?|put|compare) {_HIT} (?:next to|beside|with|to|alongside|and|against) "
    rf"its (?:original|source|unaltered|unedited)(?: {_PICTURE})?"
    rf"|where (?:does|did) {_THE_ORIGINAL}{_OF_IT} come from"
    r"|(?:welches|was|wo) ist das original(?: (?:von|zu) (?:h ?\d+|diesem(?: bild)?))?"
    r")(?: then| please)?\W*",
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
