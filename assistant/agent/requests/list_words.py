"""Questions about the list that words name without a reading: which is most forged, how many …

Each has one pattern of what it asks for, and all need words that ask or order a list. A text that
orders a mark, or that names two hits, is none of them.
"""

import re

from assistant.agent.photo_questions import AUTHENTIC_WORDS, FAKE_WORDS
from assistant.agent.requests.conditions import (
    adds_nothing,
    decision_named,
    is_a_condition,
    limits_named,
    without_decisions,
)
from assistant.agent.requests.file_names import name_named
from assistant.agent.requests.groups import (
    TO,
    counts_from_an_end,
    ordered_act,
    restriction,
    spares,
    verdicts_named,
    without_verdicts,
)
from assistant.agent.requests.instructions import only_asks, orders
from assistant.agent.requests.slots import date_named
from tools.agent_tools.handle_parsing import find_handles
from tools.verdict.rule import Verdict

NAMED_FILES, NAMED_HITS, ALIKE, UNASSESSED = "named_files", "named_hits", "alike", "unassessed"
FORGED_OTHERS, MOST_FORGED = "forged_others", "most_forged"
PERCENTAGE, NOT_FORGED = "percentage", "not_forged"

FORGED_WORDS = (
    rf"(?:{FAKE_WORDS}|gefälscht\w*|fälschung\w*|manipuliert\w*|verändert\w*|truqu\w+|falsifi\w+|"
    r"fau(?:x|sse?s?)|fals[oaie]s?\b|swaps\b|vervalst\w*|sfałsz\w+|forgeries|fishy|dubious|worse|"
    r"worst)"
)
GENUINE_WORDS = (
    rf"(?:{AUTHENTIC_WORDS}|originals|clean|safe|echte?[nrs]?|vraie?s?|authenti[cqs]\w+|"
    r"auténtic\w+|autentic\w+|verdader\w+|unverfälscht\w*)"
)
_ASKS = re.compile(
    r"^\W*(?:(?:and|so|but|ok(?:ay)?|now|then|please|pls|also|und|bitte)\W+)*"
    r"(?:which|what|who|whose|how many|are|is|do|does|any|show|list|name|tell|give|pick|find|"
    r"point out|only|just|number|count|welche\w*|was|wer|wie viele|gibt|zeige?|liste|nenne?|"
    r"quel\w*|combien|cuánt\w+|quant\w+|hoeveel|qué|cuál\w*|quale|quali|qual|quais|welk\w*)\b",
    re.IGNORECASE,
)
_MOST = re.compile(
    r"\b(?:most|likeliest|worst|clearest|strongest|surest|am (?:ehesten|stärksten|meisten)|"
    r"wahrscheinlichste\w*|verdächtigste\w*|le plus|la plus|más|più|meest)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:top|first|last|best|worst|strongest|clearest|likeliest)\s+\d|\b(?:sort|order|rank)\w*\b"
    r"|\bmost of (?:them|the|these|those)\b|\b(?:fakes|forgeries|deepfakes|impersonations)\b",
    re.IGNORECASE,
)
_SINGLE = re.compile(r"\b(?:worst|most suspicious) (?:one|of (?:them|all|these))\b", re.IGNORECASE)
_OPEN = re.compile(
    r"(?:\bnot|n[’']t|\bnever|\bun-?|\bnicht|\bpas)\s*(?:(?:be|been|get|got|have been|yet|you|we|"
    r"they|i)\s+)*"
    r"(?:assess|measur|judg|check|examin|analy[sz]|evaluat|rat|bewert|gemessen|beurteil|geprüft|"
    r"untersuch|évalu|mesur)\w*|\btoo (?:small|blurr\w+|tiny)\b",
    re.IGNORECASE,
)
_STRANGERS = re.compile(
    r"\b(?:the|those) others\b|\bothers\b|\bother (?:people|persons?|faces?)\b|\bstrangers?\b|"
    r"\b(?:some|any)(?:one|body) else\b|\bwho else\b|\banother person\b|\bbystanders?\b|"
    r"\banderen? (?:person\w*|leute\w*|gesichter\w*)|\bfremde\w*",
    re.IGNORECASE,
)
_TWICE = re.compile(
    r"\b(?:near(?:ly)?|almost|practically|virtually|basically|exact(?:ly)?|fast|beinahe)[ -]"
    r"(?:the )?(?:same|identical|duplicat\w+|copies|dupes|alike|gleich\w*|identisch\w*|dasselbe)\b"
    r"|\b(?:twice|doubled|identical|doppelt\w*|identisch\w*)\b"
    r"|\b(?:two|pair|ones|hits|pictures|images|photos|bilder|treffer)\b.{0,30}\b(?:most|am)\s+"
    r"(?:alike|similar|ähnlichsten)\b",
    re.IGNORECASE,
)
_THE_PHOTO = re.compile(
    r"\b(?:as|to|with|of|like|mit|zu|wie)\s+(?:the|my|our|this|that|mine|de[mnr]|mein\w*)\b|\bmy\b",
    re.IGNORECASE,
)
"""Alike to what is named, such as the query photo, and not to each other."""

_MIT = re.compile(r"\bmit (?:de[mr]|mein\w*)\b", re.IGNORECASE)
"""The same in German, where the verb stands last."""

_COUNTS = re.compile(
    r"^\W*(?:and |und )?(?:how many|number of|count|wie ?viele?|combien|cu[aá]nt[ao]s|quant[eio]|"
    r"quantos|hoeveel|ile)\b",
    re.IGNORECASE,
)
_FACELESS = re.compile(r"\b(?:no|without|lack\w*)(?: any| a)? (?:visible )?faces?\b", re.IGNORECASE)
_WHY = re.compile(r"\W*(?:and |und )?(?:why|warum|wieso|how come)\s", re.IGNORECASE)
_IT = re.compile(r"\b(?:it|this|that|es|das|dies\w*)\b", re.IGNORECASE)
_HIDES = re.compile(r"\b(?:hide (?:all|every\w*|any\w*)|mark)\b", re.IGNORECASE)


def list_question(text: str) -> str:
    """Which of these questions a text asks; empty if none."""
    if name_named(text):
        return NAMED_FILES
    if _THESE_HITS.fullmatch(text):
        return NAMED_HITS
    if _WHY.match(text) and _OPEN.search(text) and not (find_handles(text) or _IT.search(text)):
        return UNASSESSED
    if _MEANS.match(text):
        return PERCENTAGE
    if _SHARE.match(text) and verdict_counted(text):
        return "counts"
    if not _ASKS.match(text) or ordered_act(text) or len(find_handles(text)) > 1:
        return ""
    forged = re.search(rf"\b{FORGED_WORDS}", text, re.IGNORECASE) is not None
    if forged and _CLAIMS_NOT.search(text) and not find_handles(text):
        return NOT_FORGED
    if _OPEN.search(text) and not forged:
        return "counts" if _COUNTS.search(text) else UNASSESSED
    if _COUNTS.match(text) and verdict_counted(text) and adds_nothing(_without_verdicts(text)):
        return "counts"
    if _FACELESS.search(text) and not find_handles(text):
        return "gallery"
    alike = _TWICE.search(text)
    # "Of the hits" may stand before; "as my photo" follows.
    other = alike and (_THE_PHOTO.search(text[alike.start() :]) or _MIT.search(text))
    if alike and not other and not find_handles(text):
        return ALIKE
    if forged and _STRANGERS.search(text):
        return FORGED_OTHERS
    single = _MOST.search(text) and forged and not _SEVERAL.search(text)
    return MOST_FORGED if single or _SINGLE.search(text) else ""


_THESE_HITS = re.compile(
    r"\W*(?:(?:please|now|and|ok(?:ay)?|(?:can|could) (?:you|i)|let me)\W+)*(?:(?:show|list|"
    r"see|display|give|"
    r"view|zeige?|only|just|nur)(?: (?:me|mir|us|only|just|nur))*(?P<hit>(?:[ ,]+(?:(?:hits?|"
    r"numbers?|nos?\.?|"
    rf"the|and|&|und|with|h)\s?)*#?\d{{1,4}}(?:\s?{TO}\s?h?\d{{1,4}}\b)?(?![\w%]| (?:%|more|"
    r"hits|results|"
    rf"fakes|best)\b)){{2,}}|(?<=only) (?:hit |h)\d+| h?\d+\s?{TO}\s?h?\d+\b))"
    r"(?:[ ,]+(?:only|alone|please|pls|again|now|together|side by side))*\W*",
    re.IGNORECASE,
)
"""Wants to see hits that it names by their numbers."""

_MEANS = re.compile(
    r"\W*(?:(?:and|so|but|ok(?:ay)?)\W+)*(?:what (?:does|do|is|are)|what's|was (?:bedeute[nt]|"
    r"heiß[et]n?)|que (?:veu\w*|signifi\w*)|qué significan?|explain)"
    r"(?:\s+(?:the|this|that|those|of|by|its|your|number|figure|score|value|with|h\d+'?s?|over|die|"
    r"der|les?|el))*\s+[<>]?\s?\d{1,3}\s?(?:%|percent|prozent)"
    r"(?:\s+(?:mean\w*|say\w*|stand\w*|tell\w*|refer\w*|about|for|here|there|of|at|on|in|to|it|the|me|"
    r"exactly|then|hits?|h\s?\d+|dire))*\W*$",
    re.IGNORECASE,
)
"""What a percentage means that is shown."""

_SHARE = re.compile(
    r"\W*(?:(?:and|so|but)\W+)*(?:what|which|how (?:big|large|high) (?:is|a)(?: the)?)"
    r"\s(?:is the )?(?:percent(?:age)?|share|proportion|fraction|part)\s(?:of|in)\s"
    r"(?:(?:the|this|my|our|all|these|those|listed)\s)*"
    r"(?:collection|gallery|archive|folder|hits|pictures|photos|images|results|them|these|those)\s"
    r"(?:is|are|was|were)\b",
    re.IGNORECASE,
)
"""How many of all have a verdict, asked for as a share: counts answer that."""


def asks_for_marks(text: str) -> bool:
    """Whether a question is about the reviewer's own decisions, and nothing else about the hits."""
    if not decision_named(text) or find_handles(text) or limits_named(text).arguments:
        return False
    own = _OWN.search(text) is not None
    asks = _ASKS_MARKS.match(text) is not None or (only_asks(text) and is_a_condition(text))
    return asks and verdict_counted(text) is None and (own or adds_nothing(without_decisions(text)))


_OWN = re.compile(r"\b(?:i|we|you|my|our|ich|wir|j'ai|ai-je|he|ho)\b", re.IGNORECASE)
_ASKS_MARKS = re.compile(
    r"^\W*(?:(?:and|so|but|ok(?:ay)?|now|then|please|und)\W+)*"
    r"(?:how many|how much|which|what|number of|count|list of|did (?:i|we)|have (?:i|we)|any|"
    r"anything|do (?:i|we) have|combien|lesquel\w*|cuánt\w+|quant[io]|welche\w*|wie ?viele?|"
    r"was habe|habe ich)\b",
    re.IGNORECASE,
)


def group_order(text: str) -> str:
    """The mark that a text orders for all hits with a verdict, or for those that it describes.

    Empty if it orders none.
    "Leave out the real ones" may want a list instead: only "hide all …" plainly hides.
    """
    act = ordered_act(text)
    plainly = act != "hide" or re.match(r"\W*(?:please\W+)?hide\b", text, re.IGNORECASE)
    if act and plainly and restriction(text) and orders(text, act) and not date_named(text):
        return act  # of a date, a filter may be meant
    if act and plainly and counts_from_an_end(text) and orders(text, act):
        return act
    if not act or len(verdicts_named(text)) != 1 or (find_handles(text) and not spares(text)):
        return ""
    if act == "hide" and not _HIDES.search(text):
        return ""
    return act if orders(text, act) else ""


def verdict_counted(text: str) -> Verdict | None:
    """The verdict whose hits a question counts; None if it counts all, or several verdicts."""
    if _OPEN.search(text):
        return "not assessed"
    if found := verdicts_named(text):
        denied = found[0] not in ("other", "not assessed") and _NOT.search(text)
        return found[0] if len(found) == 1 and not denied else None
    if _STRANGERS.search(text):
        return "other"
    forged = re.search(rf"\b{FORGED_WORDS}", text, re.IGNORECASE) is not None
    genuine = re.search(rf"\b{GENUINE_WORDS}\b", text, re.IGNORECASE) is not None
    if forged == genuine:
        return None
    return "impersonation" if forged != (_DENIED.search(text) is not None) else "no forgery found"


_NOT = re.compile(r"\b(?:not|nicht|pas)\b|n['’]t\b", re.IGNORECASE)
_DENIED = re.compile(
    r"(?:\bnot|n['’]t|\bun|\bnicht|\bpas)[ -]?(?:(?:an?|really|actually) )?"
    rf"(?:{FORGED_WORDS}|{GENUINE_WORDS})",
    re.IGNORECASE,
)
_CLAIMS_NOT = re.compile(
    r"(?:(?<!did i )\bnot|\bnever|\bavoid|(?<!did)n['’]t)\b.{0,20}\b(?:publish|call|accus|report|"
    rf"mark\b|present|print).{{0,25}}\b{FORGED_WORDS}|\bnicht als {FORGED_WORDS}",
    re.IGNORECASE,
)
_VERDICT_WORDS = re.compile(
    rf"{_DENIED.pattern}\w*|\b(?:{FORGED_WORDS}|{GENUINE_WORDS})\w*|{_STRANGERS.pattern}",
    re.IGNORECASE,
)


def _without_verdicts(text: str) -> str:
    return _VERDICT_WORDS.sub(" ", without_verdicts(text))


def asks_which_is_more_forged(text: str) -> bool:
    """Whether a text asks which of several hits is the more likely forgery."""
    compares = re.search(
        r"\b(?:more|most|less|worse|likelier|rather|mehr|stärker|eher|plus|más|più|mais|meer|"
        r"bardziej)\b",
        text,
        re.IGNORECASE,
    )
    return compares is not None and re.search(rf"\b{FORGED_WORDS}", text, re.IGNORECASE) is not None
