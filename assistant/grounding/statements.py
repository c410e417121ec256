"""Allowed sentence forms: what can be shown as checked, whatever was measured.

Three forms are allowed: citations joined by words that cannot change their meaning, the project's
own sentences (both in `prompts.phrases`), and requests, offers and refusals in words that carry no
verdict (`assistant.grounding.vocabulary`). Every other sentence is a finding.
"""

import re

from assistant.grounding.sentences import split_sentences
from assistant.grounding.vocabulary import (
    find_verdict_word,
    is_non_assertive,
    is_off_topic,
    is_plain_text,
)
from prompts.phrases import JOINTS, LEADS, PHRASES
from tools.verdict.handles import CITATION_PATTERN, SUBJECT_PATTERN, cited_handles, parse_handle


def form_error(sentence: str) -> str | None:
    """The error in a sentence's form, worded for the model and the user; None if it is allowed."""
    if _MARKUP.search(sentence):
        return "it contains a link or markup"
    plain = sentence.removeprefix("- ").strip()
    if "[" in plain or "]" in plain:
        return _wrong_bracket(plain) or _wrong_words(plain)
    if _ours(plain) or is_non_assertive(plain):
        return None
    return _wrong_free_words(plain)


_MARKUP = re.compile(r"\w+://|\bwww\.|!\[|\]\(|<[/!|a-z]", re.IGNORECASE)
"""A picture or a link would make a browser contact another machine; "<|" opens a control token,
which a server might obey when it reads the answer again."""


def _ours(sentence: str) -> bool:
    """Whether it is one of the project's own sentences."""
    return _folded(sentence) in _PHRASES


def _folded(text: str) -> str:
    return " ".join(text.replace("’", "'").lower().split()).rstrip(".!?")


_PHRASES = frozenset(_folded(one) for text in PHRASES for one in split_sentences(text))


# -- citations ---------------------------------------------------------------------------------

_BRACKETS = re.compile(r"\[[^\]]*\]?|\]")


def _wrong_bracket(sentence: str) -> str | None:
    for bracket in _BRACKETS.findall(sentence):
        if CITATION_PATTERN.fullmatch(bracket) is None:
            return f"{bracket} is no fact; facts look like [H1.verdict], [H1.E2] or [hits.copy]"
    return None


def _words(several: tuple[str, ...]) -> str:
    return "|".join(map(re.escape, sorted(several, key=len, reverse=True)))


_JOINT = rf"\s*[,;:(–—-]?\s*(?:(?:{_words(JOINTS)})\s+)?[),]?\s*"
_STATEMENT = re.compile(
    rf"(?:(?P<lead>{_words(LEADS)})\s*[,:]?\s+|(?P<whom>[QHC][1-9]\d*)(?:\s*[:,]|\s+[–—-])\s+)?"
    rf"¤(?:{_JOINT}¤)*\s*\)?[.!]?",
    re.IGNORECASE,
)


def _wrong_words(sentence: str) -> str | None:
    """The error in the words around citations, which may only join them; None if there is none."""
    if "¤" in sentence:
        return "it contains a strange character"
    found = _STATEMENT.fullmatch(CITATION_PATTERN.sub("¤", sentence))
    if found is not None and _same_subject(found["whom"], sentence):
        return None
    rest = CITATION_PATTERN.sub(" ", sentence)
    if (word := find_verdict_word(rest)) is not None:
        return f'it types "{word}" instead of citing it'
    return "beside citations only words that join them may stand, such as and, but, while"


def _same_subject(whom: str | None, sentence: str) -> bool:
    return whom is None or {parse_handle(id_).subject for id_ in cited_handles(sentence)} == {whom}


# -- free words --------------------------------------------------------------------------------

_NUMBER_WORDS = re.compile(
    r"%|\b(?:per ?cent|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|dozens?)\b",
    re.IGNORECASE,
)


def _wrong_free_words(sentence: str) -> str:
    if SUBJECT_PATTERN.search(sentence):
        return "it speaks of a hit or photo and cites no fact"
    if (word := find_verdict_word(sentence)) is not None:
        return f'it types "{word}" instead of citing it'
    if _numbers(sentence):
        return "it types a number instead of citing it"
    if not is_plain_text(sentence):
        return "it cannot be read: only plain English letters can"
    return "it cites no fact, and it is no sentence of ours"


def _numbers(sentence: str) -> bool:
    typed = any(character.isnumeric() for character in sentence)
    return typed or _NUMBER_WORDS.search(sentence) is not None


def is_allowed_unchecked(sentence: str) -> bool:
    """Whether a refused sentence is off-topic and may be shown as the model's unchecked words."""
    bare = not re.search(r"[\[\]<>]", sentence) and not _MARKUP.search(sentence)
    return (
        bare
        and find_verdict_word(sentence) is None
        and not _numbers(sentence)
        and is_off_topic(sentence.removeprefix("- "))
    )
