"""The checker: which sentences of a model may be shown, and as what.

A sentence is shown as checked when it is one of three kinds: citations, joined by words that
cannot change what they say (`prompts.phrases`), where the application writes what was measured;
a sentence of the project's own; a request, offer or refusal in words that cannot decide
(`assistant.vocabulary`). So no verdict, count, likeness, place or "nothing found" is ever in a
model's own words. English that speaks of nothing on the desk is shown as unchecked; everything
else is a finding. Pure: the same text and facts give the same findings.

Does not show: that the citations are well chosen, or complete.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Self

from assistant.sentences import sentences
from assistant.steps import CheckedSentence
from assistant.vocabulary import beside_the_desk, cannot_decide, deciding, readable
from prompts.phrases import JOINTS, LEADS, PHRASES
from tools.desk import Desk
from tools.errors import SetupError, ToolError
from tools.handles import CITATION, SUBJECT, Fact, cited, parse


@dataclass(frozen=True, slots=True)
class Ground:
    """What a text is held against.

    `fact` gives a fact by its id, measured or not, None when there is none; `about` limits whom
    the text may speak of (None: everything on the desk).
    """

    fact: Callable[[str], Fact | None]
    about: frozenset[str] | None = None

    @classmethod
    def of(cls, desk: Desk, *, about: str | None = None) -> Self:
        """The facts of a desk, or those of one hit only."""
        # Facts of a photo are measured, those of the gallery read from disk: once a text.
        facts = cache(lambda group: _facts(desk, group))
        return cls(
            fact=lambda id_: facts(parse(id_).group).get(id_),
            about=None if about is None else frozenset([about]),
        )


def _facts(desk: Desk, group: str) -> dict[str, Fact]:
    try:
        return {fact.id: fact for fact in desk.facts(group)}
    except (ToolError, SetupError):  # no such hit, no face in the photo, no gallery: no facts
        return {}


def check(text: str, ground: Ground) -> tuple[CheckedSentence, ...]:
    """The sentences of a model's text, each with what is wrong with it, or None."""
    return tuple(_checked(sentence, ground) for sentence in sentences(text))


def _checked(sentence: str, ground: Ground) -> CheckedSentence:
    wrong = finding(sentence, ground)
    if wrong is not None and ground.about is None and _unchecked(sentence):
        return CheckedSentence(sentence, (), "unchecked", UNCHECKED)
    return CheckedSentence(sentence, cited(sentence), "model", wrong)


UNCHECKED = "no tool measures what it says"
"""Why a sentence is shown as the model's own, unchecked words."""


def finding(sentence: str, ground: Ground) -> str | None:
    """What is wrong with a sentence, in words for model and person; None when nothing is."""
    if _MARKUP.search(sentence):
        return "it contains a link or markup"
    plain = sentence.removeprefix("- ").strip()
    if "[" in plain or "]" in plain:
        return _wrong_citation(plain, ground) or _wrong_words(plain)
    if _ours(plain) or cannot_decide(plain):
        return None
    return _wrong_free_words(plain)


_MARKUP = re.compile(r"\w+://|\bwww\.|!\[|\]\(|<[/!|a-z]", re.IGNORECASE)
"""A picture or a link would make a browser ask another machine for it; "<|" opens a control token,
which a server might obey when it reads the answer again."""


def _ours(sentence: str) -> bool:
    """Whether it is a sentence of the project's own."""
    return _folded(sentence) in _PHRASES


def _folded(text: str) -> str:
    return " ".join(text.replace("’", "'").lower().split()).rstrip(".!?")


_PHRASES = frozenset(_folded(one) for text in PHRASES for one in sentences(text))


# -- citations ---------------------------------------------------------------------------------

_BRACKETS = re.compile(r"\[[^\]]*\]?|\]")


def _wrong_citation(sentence: str, ground: Ground) -> str | None:
    for bracket in _BRACKETS.findall(sentence):
        if CITATION.fullmatch(bracket) is None:
            return f"{bracket} is no fact; facts look like [H1.verdict], [H1.E2] or [hits.copy]"
    for id_ in cited(sentence):
        subject = parse(id_).subject
        if ground.about is not None and subject not in ground.about:
            return f"it cites {id_}, which is not about {' or '.join(sorted(ground.about))}"
        if ground.fact(id_) is None:
            return f"it cites {id_}, which does not exist"
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
    """What is wrong with the words around citations; they may join and nothing else."""
    if "¤" in sentence:
        return "it contains a strange character"
    found = _STATEMENT.fullmatch(CITATION.sub("¤", sentence))
    if found is not None and _same_subject(found["whom"], sentence):
        return None
    rest = CITATION.sub(" ", sentence)
    if (word := deciding(rest)) is not None:
        return f'it types "{word}" instead of citing it'
    return "beside citations only words that join them may stand, such as and, but, while"


def _same_subject(whom: str | None, sentence: str) -> bool:
    return whom is None or {parse(id_).subject for id_ in cited(sentence)} == {whom}


# -- free words --------------------------------------------------------------------------------

_NUMBER_WORDS = re.compile(
    r"%|\b(?:per ?cent|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|dozens?)\b",
    re.IGNORECASE,
)


def _wrong_free_words(sentence: str) -> str:
    if SUBJECT.search(sentence):
        return "it speaks of a hit or photo and cites no fact"
    if (word := deciding(sentence)) is not None:
        return f'it types "{word}" instead of citing it'
    if _numbers(sentence):
        return "it types a number instead of citing it"
    if not readable(sentence):
        return "it cannot be read: only plain English letters can"
    return "it cites no fact, and it is no sentence of ours"


def _numbers(sentence: str) -> bool:
    typed = any(character.isnumeric() for character in sentence)
    return typed or _NUMBER_WORDS.search(sentence) is not None


def _unchecked(sentence: str) -> bool:
    """Whether a refused sentence may be shown as the model's own words: it speaks of else."""
    bare = not re.search(r"[\[\]<>]", sentence) and not _MARKUP.search(sentence)
    return (
        bare
        and deciding(sentence) is None
        and not _numbers(sentence)
        and beside_the_desk(sentence.removeprefix("- "))
    )
