"""What words claim, and which readings bear them out: the vocabulary of the checker.

English only. A phrase on one side ("stands out", "another person"), on the other the readings
(`tools.readings`) with which it agrees, by scale. Does not understand: a claim in words that are
not listed here passes as no claim, and irony as plain speech.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tools.handles import parse
from tools.verdict import Verdict

Scale = Literal[
    "identity", "score", "relative", "appearance", "copy", "detail", "mark", "region",
    "forgery", "impersonation", "steadiness",
]  # fmt: skip

_EVIDENCE_SCALES: Mapping[int, Scale] = {
    1: "identity", 2: "score", 3: "score", 4: "score", 5: "score", 6: "relative",
    7: "appearance", 8: "copy", 9: "detail", 10: "mark", **dict.fromkeys(range(11, 18), "region"),
    18: "steadiness", 19: "score", 20: "identity", **dict.fromkeys(range(21, 26), "score"),
}  # fmt: skip
_PROBABILITY_SCALES: Mapping[int, Scale] = {1: "identity", 2: "forgery", 3: "impersonation"}


def scale_of(fact_id: str) -> Scale | None:
    """On which scale a fact reads; None for counts, which read on none."""
    handle = parse(fact_id)
    if handle.kind == "P":
        return _PROBABILITY_SCALES.get(handle.number)
    return _EVIDENCE_SCALES.get(handle.number) if handle.kind == "E" else None


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words and the readings that they assert, by scale.

    `decided_by` is the probability of the same subject that must agree, whatever is cited: what
    the rule left open is not settled by citing one score. `count` is the count ("S2") that the
    words are about where a sentence speaks of all faces together.
    """

    pattern: re.Pattern[str]
    asserts: Mapping[Scale, frozenset[str]]
    decided_by: str | None = None
    count: str | None = None


def _phrase(
    words: str, *, decided_by: str | None = None, count: str | None = None, **asserts: str
) -> Phrase:
    return Phrase(
        re.compile(rf"\b(?:{words})\b", re.IGNORECASE),
        {scale: frozenset(reads.split("|")) for scale, reads in asserts.items()},  # type: ignore[misc]
        decided_by,
        count,
    )


_THINGS = "photo|photograph|picture|image"

PHRASES: tuple[Phrase, ...] = (
    _phrase(
        r"forge(?:d|ry|ries)|fak(?:e|es|ed)|deep-?fakes?|manipulat(?:ed|ion|ions)|swapped|"
        r"face swaps?|tampered|altered|doctored|synthe(?:tic|sised|sized)|generated",
        decided_by="P2", count="S2", forgery="forged", score="high|raised",
        relative="above the query photos", impersonation="likely", region="strong|weak",
    ),
    _phrase(
        r"authentic|genuine|real|unaltered|untouched|unedited|pristine",
        decided_by="P2", count="S4", forgery="no sign of forgery", score="ordinary",
        relative="like the query photos|below the query photos", impersonation="unlikely",
        region="none", copy="same photograph",
    ),
    _phrase(
        r"same (?:person|face|individual|man|woman)|match(?:es|ed|ing)?|"
        r"(?:shows?|depicts?) (?:them|(?:the|this|that|your) (?:query )?person)",
        decided_by="P1", identity="same person", impersonation="likely",
        appearance="alike", copy="same photograph",
    ),
    _phrase(
        r"(?:another|different|other) (?:person|individual|man|woman|people|persons)|"
        r"some(?:body|one) else|strangers?|look-?alikes?",
        decided_by="P1", count="S6", identity="another person", impersonation="unlikely",
        appearance="unlike|alike",
    ),
    _phrase(
        r"high|highest|stands? out|standing out|unusual(?:ly)?|suspicious(?:ly)?|"
        r"strong(?:ly)?|striking(?:ly)?",
        identity="same person", score="high", relative="above the query photos",
        appearance="alike", forgery="forged", impersonation="likely", region="strong",
        detail="enough detail",
    ),
    _phrase(
        r"raised|elevated|higher|above|exceeds?|increased",
        identity="same person", score="high|raised", relative="above the query photos",
        forgery="forged", impersonation="likely", region="strong|weak",
    ),
    _phrase(
        r"ordinary|normal|usual|typical|unremarkable|inconspicuous|low|"
        r"small(?! (?:\w+ )?(?:images?|photos?|pictures?|files?)\b)",
        identity="another person", score="ordinary",
        relative="like the query photos|below the query photos", appearance="unlike",
        forgery="no sign of forgery", impersonation="unlikely", region="weak|none",
        detail="little detail",
    ),
    _phrase(
        r"below|lower",
        identity="another person", score="ordinary", relative="below the query photos",
        forgery="no sign of forgery", impersonation="unlikely", region="weak|none",
    ),
    _phrase(r"weak(?:ly)?|slight(?:ly)?", region="weak", score="raised|ordinary"),
    _phrase(
        r"(?:like|as|comparable to) (?:(?:that|those) of )?(?:the |your )?query photos?",
        relative="like the query photos", appearance="alike",
    ),
    _phrase(
        r"alike|similar|resembl(?:es?|ing)|looks like",
        appearance="alike", identity="same person", copy="same photograph",
    ),
    _phrase(
        r"unlike|dissimilar|differs?|looks different",
        appearance="unlike", identity="another person", copy="another photograph",
    ),
    _phrase(
        rf"same (?:{_THINGS})|duplicates?|re-?upload(?:s|ed)?|re-?encoded",
        copy="same photograph", count="S5",
    ),
    _phrase(rf"(?:another|different|other) (?:{_THINGS})", copy="another photograph"),
    _phrase(r"enough detail|sharp|detailed", detail="enough detail"),
    _phrase(r"little detail|low resolution|blurr?(?:ed|y)|too small", detail="little detail"),
    _phrase(r"mark|marked", mark="marked"),
    _phrase(
        r"uncertain|unclear|undecided|borderline",
        identity="uncertain", forgery="uncertain", impersonation="uncertain", count="S3",
    ),
    _phrase(r"steady|stable|verdict stays?", steadiness="steady"),
    _phrase(r"unsteady|unstable|verdict (?:would )?changes?", steadiness="changes"),
    _phrase(
        r"unlikely",
        identity="another person", forgery="no sign of forgery", impersonation="unlikely",
    ),
)  # fmt: skip

VERDICT_WORDS: Mapping[Verdict, re.Pattern[str]] = {
    "impersonation": re.compile(r"\bimpersonat\w+", re.IGNORECASE),
    "no forgery found": re.compile(
        r"\bgenuine\b|\bno (?:sign of )?forgery(?: was)? found\b", re.IGNORECASE
    ),
    "copy": re.compile(r"\bcop(?:y|ies)\b", re.IGNORECASE),
    "inconclusive": re.compile(
        r"\binconclusive\b|\b(?:do|does|did) not allow a verdict\b", re.IGNORECASE
    ),
    "other": re.compile(r"\bverdict\b[^.,;]{0,20}?\bother\b(?! [a-z])", re.IGNORECASE),
    "not assessed": re.compile(r"\bnot (?:be )?assessed\b", re.IGNORECASE),
}
"""Words that name a verdict of the rule."""

VERDICT_COUNTS: Mapping[Verdict, str] = {
    "impersonation": "S2", "inconclusive": "S3", "no forgery found": "S4", "copy": "S5", "other": "S6",
    "not assessed": "S7",
}  # fmt: skip
"""The count of each verdict over all faces that the latest search compared."""

REGIONS: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = tuple(
    (re.compile(rf"\b(?:{words})\b", re.IGNORECASE), frozenset(numbers))
    for words, numbers in (
        (r"left eye", (11,)),
        (r"right eye", (12,)),
        (r"(?<!left )(?<!right )eyes?", (11, 12)),
        (r"(?:eye)?brows?", (13,)),
        (r"nose|nostrils?", (14,)),
        (r"mouth|lips?|teeth", (15,)),
        (r"skin|cheeks?|forehead", (16,)),
        (r"boundary|boundaries|contour|outline|jaw(?:line)?|chin|edges?", (17,)),
        (r"regions?|areas?|artefacts?|artifacts?|traces?|parts? of the face", range(11, 18)),
    )
)
"""Parts of a face, with the numbers of the evidence that can say something about each."""

UNMEASURED = re.compile(
    r"\b(?:ears?|hair(?:line)?|neck|background|lighting|shadows?|pupils?|reflections?|seams?|"
    r"blend(?:ed|ing)|smooth(?:ed|ness)?|warp(?:ed|ing)|mismatch(?:ed)?|asymmetr\w+|"
    r"discolou?r\w*|smudg\w+|unnatural(?:ly)?|flicker\w*|wrinkles?|pores?)\b",
    re.IGNORECASE,
)
"""Parts and flaws that no tool measures."""

# Names of measures contain words that would claim something by themselves ("forgery score").
_NAMES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(words, re.IGNORECASE), f" ‹{place}_› ")
    for words, place in (
        (r"\bforgery scores? relative to (?:that of )?the query photos?\b", "relative"),
        (r"\b(?:forgery|fake) (?:scores?|evidence|measure(?:ment)?s?)"
         r"(?: of the (?:face|whole image|image))?\b", "score"),
        (r"\bnearest known (?:faces|images)\b", "score"),
        (r"\bidentity (?:similarity|probability)\b", "identity"),
        (r"\bappearance similarity(?: to the query photos?)?\b", "appearance"),
        (r"\bdifference from the nearest query photo\b", "copy"),
        (r"\bdistance between (?:the|its) eyes\b", "detail"),
        (r"\b(?:probability|likelihood) of (?:a |the )?(?:forgery|fake)\b", "forgery"),
        (r"\bforgery probability\b", "forgery"),
        (r"\b(?:probability|likelihood) (?:of being|that (?:\w+ ){1,3}(?:was|is|has been)) "
         r"(?:forged|faked?|manipulated)\b", "forgery"),
        (r"\b(?:probability|likelihood) that (?:\w+ ){1,3}(?:shows?|depicts?|is) the same person\b",
         "identity"),
        (r"\b(?:probability|likelihood) of (?:the )?same person\b", "identity"),
        (r"\b(?:probability|likelihood) of (?:an? )?impersonation\b", "impersonation"),
        (r"\b(?:of|than|among|like|most|many|other|to|with|from|by) "
         r"(?:the |those of |that of |most )*(?:authentic|genuine|real)(?: validation)? "
         r"(?:photo(?:graph)?s|images|faces|pictures)\b",
         "reference"),
        (r"\b(?:search|look|ask|check)(?:ed|ing)?(?: \w+){0,3} for (?:\w+ )?"
         r"(?:fakes?|forger(?:y|ies)|forged images|deep-?fakes|impersonations?)\b", "task"),
    )
)  # fmt: skip
_NAME_MARK = re.compile(r"‹(\w+)_›")  # "_", or ‹forgery› would claim a forgery


def without_names(text: str) -> str:
    """The text with every name of a measure replaced by its scale, as in ‹score_›."""
    for pattern, place in _NAMES:
        text = pattern.sub(place, text)
    return re.sub(r"\bunmask(?:'s)?(?: forgery)? mark\b", "‹mark_› mark", text, flags=re.IGNORECASE)


def nearest_scale(text: str, start: int) -> str | None:
    """The scale of the measure named nearest to a place in a text of `without_names`."""
    names = [
        (abs(name.start() - start), name[1])
        for name in _NAME_MARK.finditer(text)
        if name[1] not in ("reference", "task")
    ]
    return min(names)[1] if names else None


Polarity = Literal["affirmed", "denied", "hedged"]

_CLAUSE_ENDS = re.compile(r"[,;:]|\b(?:but|while|whereas|however|and)\b", re.IGNORECASE)
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|neither|nor|without|cannot|hardly)\b|n't\b|n’t\b",
    re.IGNORECASE,
)
_HEDGES = re.compile(
    r"\b(?:may|might|could|possibly|perhaps|maybe|whether|unclear|uncertain|undecided|"
    r"not (?:clear|certain|sure|enough|proven)|"
    r"cannot (?:tell|say|decide|be (?:sure|ruled out|excluded|decided|said)))\b",
    re.IGNORECASE,
)


def polarity(text: str, match: re.Match[str], *, anywhere: bool = False) -> Polarity:
    """Whether the words of a match are affirmed, denied or left open in their clause.

    A negation counts before them, or `anywhere` in the clause ("the nose shows no trace").
    """
    bounds = [0, *(end.end() for end in _CLAUSE_ENDS.finditer(text, 0, match.start()))]
    after = _CLAUSE_ENDS.search(text, match.end())
    before = text[bounds[-1] : match.start()]
    clause = before + match[0] + text[match.end() : after.start() if after else len(text)]
    if _HEDGES.search(clause.replace(match[0], " ")):
        return "hedged"
    return "denied" if _NEGATION.search(clause if anywhere else before) else "affirmed"
