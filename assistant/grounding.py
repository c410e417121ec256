"""The checker: every sentence of a text held against the facts that it cites.

Six rules: (1) digits only inside handles; (2) every citation exists, is measured and belongs to
what the text may speak of; (3) a claim, and every sentence of an explanation, cites a fact; (4) a
part of the face is spoken of only where it was located; (5) verdict words are the rule's verdict;
(6) words agree with how the cited facts read. Pure: the same text and facts give the same
findings.

Does not show: that a sentence is well chosen or complete, nor that free words around the claims
(`assistant.claims` lists what counts as one) are true.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from assistant import claim_rules, claims
from assistant.claim_rules import Ground
from assistant.sentences import Part, parts_of, sentences
from assistant.steps import CheckedSentence
from tools.handles import CITATION, SUBJECT, Fact, cited, parse

__all__ = ["Ground", "check", "finding", "subjects_of"]


def check(text: str, ground: Ground) -> tuple[CheckedSentence, ...]:
    """The sentences of a model's text, each with what is wrong with it, or None."""
    return tuple(
        CheckedSentence(sentence, cited(sentence), "model", finding(sentence, ground))
        for sentence in sentences(text)
    )


def finding(sentence: str, ground: Ground) -> str | None:
    """What is wrong with a sentence, in words for the model and the person; None when nothing is.

    The first rule that it breaks decides.
    """
    facts: dict[str, Fact] = {}
    for id_ in cited(sentence):
        fact = ground.fact(id_)
        if fact is not None:
            facts[id_] = fact
    parts = parts_of(sentence, facts)
    rules: tuple[Iterator[str], ...] = (
        _form(sentence),
        _citations(sentence, facts, ground),
        _uncited(sentence, parts, facts, ground.about),
        claim_rules.regions(parts, facts),
        claim_rules.verdicts(sentence, parts, ground),
        claim_rules.readings(sentence, parts, ground),
    )
    return next((wrong for rule in rules for wrong in rule), None)


# -- rule 1: form ------------------------------------------------------------------------------

_BARE_HANDLE = re.compile(r"\b(?:[QHC][1-9]\d*(?:\.[EP][1-9]\d*)?|[EPSG][1-9]\d*)\b")
_NUMBER_WORDS = re.compile(
    r"%|\b(?:per ?cent|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|dozens?)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"\w+://|\bwww\.|!\[|\]\(|<[/!|a-z]", re.IGNORECASE)


def _form(sentence: str) -> Iterator[str]:
    # A picture or a link in an answer would make a browser ask another machine for it; "<|" opens
    # a control token, which a server might obey when it reads the answer again.
    if _MARKUP.search(sentence):
        yield "it contains a link or markup"
    rest = _BARE_HANDLE.sub("", sentence)
    if any(character.isnumeric() for character in rest) or _NUMBER_WORDS.search(rest):
        yield "it types a number instead of citing it"


# -- rule 2: citations -------------------------------------------------------------------------

_BRACKETS = re.compile(r"\[[^\]]*\]?")


def _citations(sentence: str, facts: Mapping[str, Fact], ground: Ground) -> Iterator[str]:
    for bracket in _BRACKETS.findall(sentence):
        if not CITATION.fullmatch(bracket):
            yield f"{bracket} is no fact; facts look like [H1.E2]"
    mentioned = _mentioned(sentence)
    for id_ in cited(sentence):
        subject = parse(id_).subject
        if ground.about is not None and subject not in ground.about:
            yield f"it cites {id_}, which is not about {' or '.join(sorted(ground.about))}"
        if id_ not in facts:
            yield f"it cites {id_}, which does not exist"
        elif facts[id_].value is None:
            yield f"it cites {id_}, which was not measured"
        if subject[:1] == "H" and mentioned and subject not in mentioned:
            yield f"it speaks of {', '.join(sorted(mentioned))} but cites {subject}"
    for handle in sorted(_mentioned(sentence, "QH")):
        if handle not in ground.subjects:
            yield f"there is no {handle}"
        if ground.about is not None and handle[0] == "H" and handle not in ground.about:
            yield f"it speaks of {handle}"


def subjects_of(sentence: str) -> set[str]:
    """Every hit, photo and comparison that a sentence names or cites."""
    named = _mentioned(sentence, "QHC")
    return named | {parse(id_).subject for id_ in cited(sentence)} - {""}


def _mentioned(sentence: str, kinds: str = "H") -> set[str]:
    """Hits (or photos) that a sentence names outside its citations."""
    rest = CITATION.sub(" ", sentence)
    found = {match[0] for match in re.finditer(rf"\b{SUBJECT.pattern}\b", rest)}
    return {handle for handle in found if handle[0] in kinds}


# -- rule 3: claims need a citation ------------------------------------------------------------

# What a text may say without any fact: what Unmask does, needs and cannot do, and how to go on.
_FREE = re.compile(
    r"^\W*(?:please|sorry|i am unmask|i am (?:only )?(?:here|made)|i(?:'ll| will| shall| need)|"
    r"i (?:find|search for|look for) (?:forged|fakes?|deep-?fakes?|images)|"
    r"i can (?:only |also )?(?:find|search|look|compare|help|show|locate|describe|explain|check|"
    r"answer|measure|start|index)|"
    r"i (?:cannot|can't|could not|did not|do not) (?:search|help|answer|do|compare|open|start|"
    r"judge|decide|have|know)|"
    r"to (?:find|search|start|begin|add|index|compare|see|go|get|ask)|if you|"
    r"you (?:can|may|could) (?:also |now )?(?:add|drop|ask|give|use|index|try|compare|search|"
    r"upload|send)|"
    r"(?:add|drop|give|ask|use|try|send|upload|choose|click|run|tell me|let me|without a photo|"
    r"that is outside|this is outside|my job))\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"^\W*(?:shall|should|may) (?:i|we)\b|^\W*(?:would you like|do you (?:want|mean)|which|what)\b",
    re.IGNORECASE,
)
_DEFINES = re.compile(
    r"^\W*(?:(?:the |an? )?(?:‹\w+›|\W?(?!it\b|this\b|that\b|which\b|s?he\b)[\w ]{1,20}\W?"
    r"(?: verdict)?)|[EPSG]\d+)\W+(?:only )?(?:means?|measures?|stands for|compares?|counts?|"
    r"says (?:how|whether|whom|what)|tells (?:how|whether|whom|what)|is (?:the |an? )?‹\w+›)",
    re.IGNORECASE,
)


def _uncited(
    sentence: str, parts: Sequence[Part], facts: Mapping[str, Fact], about: frozenset[str] | None
) -> Iterator[str]:
    # Of what was not measured there is no fact to cite.
    if about is not None and not facts and not re.search(r"\bmeasured\b", sentence):
        yield "it cites no fact"
    if not any(_claims(part.text) for part in parts):
        return
    mentioned = _mentioned(sentence)
    if not facts:
        asks = sentence.rstrip().endswith("?")
        general = asks or _FREE.match(sentence) or _DEFINES.match(claims.without_names(sentence))
        if not (general and not mentioned) and not (asks and _OFFER.match(sentence)):
            yield "it makes a claim and cites no fact"
    subjects = {parse(id_).subject for id_ in facts}
    missing = mentioned - subjects
    if facts and missing and not any(subject.startswith("C") for subject in subjects):
        yield f"it makes a claim about {', '.join(sorted(missing))} and cites no fact of it"


def _claims(text: str) -> bool:
    patterns = (
        *(phrase.pattern for phrase in claims.PHRASES),
        *claims.VERDICT_WORDS.values(),
        *(pattern for pattern, _ in claims.REGIONS),
        claims.UNMEASURED,
    )
    return any(pattern.search(text) for pattern in patterns)
