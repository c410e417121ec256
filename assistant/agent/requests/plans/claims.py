"""Questions with a premise: "so 17 are fakes, right?", "are all inconclusive ones real?".

The answer begins with whether that is so, and then says what was found. That a picture is genuine
is never confirmed: finding no forgery does not show it.
"""

import re
from dataclasses import dataclass

from assistant.agent.requests import slots
from assistant.agent.requests.counts import NUMBERS, in_digits
from assistant.agent.requests.groups import verdicts_named
from assistant.agent.requests.list_words import FORGED_WORDS, GENUINE_WORDS, verdict_counted
from assistant.agent.requests.plans.request import Plan, Request, call, verdicts_of
from prompts import phrases
from tools.verdict.handles import VERDICT_KEYS
from tools.verdict.rule import VERDICTS, Verdict

CLAIM = "claim"

_SOFTLY = (
    r"(?:(?:all|both|probably|likely|most likely|definitely|certainly|surely|really|actually|"
    r"clearly|truly|just|only|therefore|then|indeed|also|still|for sure|for certain|100 ?%|proven|"
    r"an?|the|alle|wirklich|sicher|bestimmt|definitiv|eindeutig|tous|toutes|vraiment|todos|"
    r"todas) )*"
)
_SURELY = (
    r"\b(?:definitely|definitiv|certain(?:ly)?|sure(?:ly)?|sicher|eindeutig|really|wirklich|proven|"
    r"clearly|100 ?%)"
)
_CLAIMED = (
    rf"(?P<claimed>(?:(?:not|nicht|pas) (?:an? )?)?(?:{FORGED_WORDS}\w*|{GENUINE_WORDS}|"
    r"cop(?:y|ies)|duplicates?|inconclusive|undecided|strangers|"
    r"(?:some(?:one|body) else|(?:an)?other (?:person|people)))"
    r"(?: (?:ones?|photos?|pictures?|images?|hits?))?)"
)
_TAIL = (
    r"(?P<tail>(?:[, ]+(?:right|correct|yes or no|ja oder nein|yes|no|then|true|"
    r"or not|why|how come|says who|isn't it|aren't they|(?:is|are)n't there|is it|"
    r"are they|for sure|for certain|definitely|after all|i guess|i suppose|oder(?: nicht)?|"
    r"nicht wahr|stimmt's|n'est-ce pas|non|verdad|vero))*)"
)
_LEAD = (
    r"(?P<lead>(?:(?:so|then|and|but|ok(?:ay)?|well|wait|hm+|i see|does (?:that|this|it) mean|"
    r"(?:do )?you mean|(?:can|could|may) (?:i|we) (?:say|conclude|assume)|am i right|is it "
    r"(?:right|true|correct|certain|sure|proven)|also|und|dann|alors|donc|et|"
    r"entonces|that means|which means|(?:are )?you(?:'re| are)? (?:say(?:ing)?|sure|certain)|"
    r"i take it|you say|only|just|exactly)[ ,]+(?:that )?)*)"
)
_HITS = (
    r"(?P<hits>(?:hit |number |h ?)\d+(?:(?:, ?| and | ?& ?|, and )(?:hit )?h? ?\d+)*|it|"
    r"this(?: one| hit)?|that one)"
)
_OF_THEM = r"(?: of (?:them|these|those|the hits))?(?: (?:hits|ones|pictures|photos|images))?"
_COUNT = rf"(?:all )?(?P<count>\d+|{'|'.join(NUMBERS)}|no|none|nothing|zero){_OF_THEM}"
_MOST, _NONE = r"most|die meisten|la plupart", r"none|nothing|keine?r?|nichts|aucune?|ninguno"
_SOME = (
    rf"(?:all|both|each|everything|every one|alle|alles|tous|toutes|todos|todas|{_MOST}|{_NONE})"
    r"(?: of)?"
)
_THE = r"(?:they|these|those|them|the|my)"
_ANY = r"(?: (?:ones|hits|photos|pictures|images|results))?"
_ANY_GROUP = rf"(?:{_SOME}(?: {_THE})?{_ANY}|{_THE}{_ANY})"
_KINDS = (
    r"(?:\w+ ){0,2}(?:ones|hits|photos|pictures|images|copies|fakes|forgeries|impersonations|"
    r"strangers|duplicates)"
)
_EVERY = r"(?:every|each) (?:copy|duplicate|fake|forgery|impersonation|stranger)"
_GROUP = rf"(?P<group>{_EVERY}|(?:{_SOME} )?(?:{_THE} )?{_KINDS}|{_ANY_GROUP})"
_IS = r"(?:is|are|was|were|ist|sind|war|est|sont|es|son)"
_FORMS = tuple(
    re.compile(rf"\W*{form}{_TAIL}\W*", re.IGNORECASE)
    for form in (
        rf"{_LEAD}{_HITS} {_IS} {_SOFTLY}{_CLAIMED}",
        rf"{_LEAD}(?P<verb>{_IS}) {_HITS} {_SOFTLY}{_CLAIMED}",
        rf"{_LEAD}(?:{_COUNT}|{_GROUP}) {_IS} {_SOFTLY}{_CLAIMED}",
        rf"{_LEAD}(?P<verb>{_IS}) (?:(?P<count>\d+){_OF_THEM}|{_GROUP}) {_SOFTLY}{_CLAIMED}",
        rf"(?P<lead>so|then)[ ,]+{_COUNT} {_CLAIMED}",
        rf"{_LEAD}(?:there {_IS}|there's|you(?:'ve| have)? (?:found|got|have|see)|we have|i have|"
        rf"it(?:'s| is)|that(?:'s| is| makes)) {_SOFTLY}{_COUNT} (?:hits? )?{_CLAIMED}",
        rf"{_LEAD}(?P<verb>{_IS}) (?:there|the (?:list|gallery|collection)|everything|it all) "
        rf"(?P<count>no|free of|without) {_CLAIMED}",
    )
)


_GIVEN = re.compile(
    r"^\W*(?:(?:and|so|but)\W+)*(?:since|because|given that|seeing that|"
    r"now that)\s+(?P<premise>[^,;]+?)"
    r"(?:[,;]| (?=(?:i|we|you|then|there|it)\b)).+$",
    re.IGNORECASE,
)
"""A premise of what follows it: "since none of these is a copy, I can leave that out"."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a question takes for granted: of hits, of a count, or of a group, a verdict.

    `group` is the verdict of the hits that are spoken of; None: all pictures compared. `most` and
    `none` say how many of them; without either, all. `surely` is true if it is to be certain.
    """

    verdict: Verdict
    hits: str = ""
    count: int | None = None
    group: Verdict | None = None
    most: bool = False
    none: bool = False
    surely: bool = False


def claim_of(text: str) -> Claim | None:
    """What a question takes for granted; None if it is no such question.

    "Is H3 fake?" asks openly; "is H3 definitely fake?" and "H3 is fake, right?" do not.
    """
    plain = in_digits(" ".join(text.replace("’", "'").split()))
    plain = _GIVEN.sub(r"\g<premise>?", plain)
    for form in _FORMS:
        if (match := form.fullmatch(plain)) is not None:
            return _claim(match, plain)
    return None


def _claim(match: re.Match[str], plain: str) -> Claim | None:
    part = {name: it.strip() for name, it in match.groupdict().items() if it}
    verdict = _verdict(part["claimed"])
    asks = "?" in plain or part.get("tail") or part.get("verb") or re.match(r"so\b", plain, re.I)
    if verdict is None or not asks:
        return None
    if hits := part.get("hits"):
        sure = re.search(_SURELY, plain, re.IGNORECASE) is not None
        several = re.search(r"\d\D+\d", hits) is not None
        open_ = part.get("verb") and not (several or sure or part.get("lead") or part.get("tail"))
        return None if open_ else Claim(verdict, hits=hits, surely=sure)
    if said := part.get("count"):
        nothing = said.lower() in ("no", "none", "nothing", "zero", "0", "free of", "without")
        number = 0 if nothing else NUMBERS.get(said.lower()) or int(said)
        return Claim(verdict, count=number, none=nothing)
    group = part.get("group", "").lower()
    among = verdicts_named(group)
    if len(among) == 1:
        return Claim(verdict, group=among[0])
    if among or re.fullmatch(_ANY_GROUP, group) is None:
        return None
    most, none = (re.match(rf"(?:{it})\b", group) is not None for it in (_MOST, _NONE))
    return Claim(verdict, most=most, none=none)


def _verdict(claimed: str) -> Verdict | None:
    if re.search(r"\bcop(?:y|ies)\b|\bduplicates?\b", claimed, re.IGNORECASE):
        return None if re.match("not|nicht|pas", claimed) else "copy"
    if re.search(r"\b(?:inconclusive|undecided)\b", claimed, re.IGNORECASE):
        return None if re.match("not|nicht|pas", claimed) else "inconclusive"
    return verdict_counted(claimed)


def asks_a_claim(text: str) -> bool:
    """Whether a text is a question with a premise about verdicts."""
    return claim_of(text) is not None


def answer(request: Request) -> Plan:
    """Yes or no, what is true instead, and what that does not show."""
    claim = claim_of(request.text)
    if claim is None:
        return Plan(text="[S8].")
    if claim.hits:
        return _of_hits(request, claim)
    key = VERDICT_KEYS[VERDICTS.index(claim.group or claim.verdict)]
    if claim.group is not None and not request.counts.get(claim.group):
        return Plan(text=f"[hits.{key}].")
    if claim.group is not None:
        opening, note = _so(claim.verdict, claim.group), _limits(claim.verdict, claim.group)
        forged = claim.group == "other" and claim.verdict == "impersonation"
        beside = " [hits.forged_others]." if forged else ""
        return Plan(opening=opening, text=f"[hits.{key}].{beside}", note=note)
    count, every = request.counts.get(claim.verdict, 0), sum(request.counts.values())
    beside = f" [hits.{key}]." if count else ""
    clears = claim.verdict == "impersonation" and not count
    return Plan(
        opening=_counted(claim, count, every),
        text=f"[count.{key}].{beside} [S8].",
        note=phrases.NO_ALL_CLEAR if clears else _limits(claim.verdict, claim.verdict),
    )


def _of_hits(request: Request, claim: Claim) -> Plan:
    named = slots.hits_named(claim.hits, request.state)
    known = {hit.handle: hit.verdict for hit in request.listed}
    found = [it for it in named if it in known]
    if not found:
        return Plan(text=f"[hits.all]. {phrases.WHICH_HIT}")
    said = {_so(claim.verdict, known[it]): _limits(claim.verdict, known[it]) for it in found}
    opening = next(iter(said)) if len(said) == 1 else "No, not of all of them."
    if claim.surely and opening == _YES:
        opening = "By the verdict, yes, but not for certain."
    why = opening.startswith(_YES) and re.search(r"\b(?:why|how come)\b", request.text, re.I)
    reasons = call("score_fake", image=found[0]).calls if why else ()
    note = " ".join(dict.fromkeys(filter(None, said.values())))
    return Plan(reasons, opening=opening, text=verdicts_of(found), note=note)


_YES = "Yes, by the verdict."
_CLEARED = ("no forgery found", "copy")
_OPEN = ("inconclusive", "not assessed")


def _so(claimed: str, verdict: str) -> str:
    """Whether hits with a verdict are what is claimed, in a sentence."""
    if claimed == verdict != "no forgery found":
        return _YES
    if claimed == "no forgery found" and verdict in (*_CLEARED, "other"):
        return "No, that is not shown."
    if verdict in _OPEN and claimed not in _OPEN:
        return "No, that stays open."
    return "No, not by the verdict."


def _limits(claimed: str, verdict: str) -> str:
    """What a verdict does not show of what is claimed."""
    if verdict == "inconclusive" and claimed != "copy":
        return phrases.DECIDES_NEITHER
    if claimed == "no forgery found" and verdict != "impersonation":
        return phrases.NOT_GENUINE
    if claimed == "impersonation" and verdict in _CLEARED:
        return phrases.NOT_GENUINE
    return phrases.NO_PROOF if "impersonation" in (claimed, verdict) else ""


def _counted(claim: Claim, count: int, every: int) -> str:
    """Whether a count is what is claimed, in a sentence."""
    if claim.none:
        return "No." if count else "By the verdicts, none."
    said, right = "not all of them", count == every > 0
    if claim.count is not None:
        said, right = f"not {claim.count:,}", count == claim.count
    elif claim.most:
        said, right = "not most of them", 2 * count > every
    if not right:
        return f"No, {said}."
    found = claim.verdict == "no forgery found"
    return "Yes, no forgery was found in so many." if found else "Yes, by the verdicts."
