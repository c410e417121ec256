"""Check whether the training grammar could have produced a text: which wordings are new to a model.

Every pattern of the training grammar becomes a regular expression with all slot fillers of the
training. Case, whitespace and the typos added in training are ignored.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType

from assistant.training.dialogues import about_hits, generator, small_talk, wordings
from assistant.training.dialogues.grammar import NUMBER_WORDS, ORDINALS
from evals.suites.agent.wordings import FRESH

MODULES = (wordings, small_talk, about_hits, generator)
# Building blocks of patterns, not complete utterances.
_BLOCKS = ("PLEASE", "END", "_FAKES", "_PERSON", "_FIND")

_NUMBER = rf"(?:\d+|{'|'.join(NUMBER_WORDS)})"
_ORDINAL = rf"(?:{'|'.join(filter(None, ORDINALS))}|last|worst|top|strongest|\d+(?:st|nd|rd|th))"
_THING = "(?:hit|image|photo|picture|match|result|one)"
_HIT = (
    rf"(?:\(?(?:the )?(?:{_THING} )?(?:with )?(?:number |no\.? |#)?h?{_NUMBER}\)?|"
    rf"the {_ORDINAL}(?: {_THING})?|it|th(?:at|is)(?: {_THING})?)"
)
_SLOTS: Mapping[str, str] = {
    "hit": _HIT,
    "other": rf"(?:{_HIT}|q\d+)",
    "photo": r"q\d+",
    "top": _NUMBER,
    "fact": r"\[?(?:[hqc]\d+\.)?[epsg]\d+\]?",
    "face": rf"(?:left|leftmost|one on the left,|{_ORDINAL}(?: from the left,)?)",
    "facenumber": _NUMBER,
    "called": "(?:an impersonation|no forgery found|a copy|other|inconclusive|not assessed)",
}


# Separators between two requests in one message, as in training.
_JOINTS = (" and ", ", then ", ". ", "; ")


def matches_training_grammar(text: str) -> bool:
    """Whether a training pattern, or two joined ones, can produce this text."""
    said = re.sub(r"\s+", " ", text).strip().lower()
    halves = (said.partition(joint) for joint in _JOINTS)
    return _one(said) or any(joint and _one(one) and _one(other) for one, joint, other in halves)


def is_fresh(text: str) -> bool:
    """Whether the text is a wording of FRESH with any name of a hit."""
    said = re.sub(r"\s+", " ", text).strip().lower()
    return any(pattern.fullmatch(said) for pattern in _fresh())


@cache
def _fresh() -> tuple[re.Pattern[str], ...]:
    texts = (re.escape(text.lower()) for each in FRESH.values() for text in each)
    return tuple(re.compile(text.replace("<hit>", ".{1,40}")) for text in texts)


def _one(said: str) -> bool:
    return any(pattern.fullmatch(said) for _, pattern in _compiled())


def patterns() -> Iterator[tuple[str, str]]:
    """Every pattern of the training grammar, with its constant's name."""
    for module in MODULES:
        for name, value in vars(module).items():
            if name.lstrip("_").isupper() and name not in _BLOCKS:
                yield from ((f"{module.__name__}.{name}", one) for one in _texts(value, module))


def _texts(value: object, module: ModuleType) -> Iterator[str]:
    """The patterns in a constant: a tuple of texts, or a mapping to such tuples."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each, module)
    elif isinstance(value, tuple):
        yield from (one for one in value if isinstance(one, str))


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, pattern_regex(pattern)) for name, pattern in patterns())


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """A grammar pattern as a regular expression over lower case, with flexible whitespace."""
    made, depth = "", 0
    for piece in re.findall(r"<\w+>|[()|]|[^()|<]+|<", pattern):
        slot = _SLOTS.get(piece[1:-1]) if piece[0] == "<" else None
        if slot is not None:
            made += slot
        elif piece == "(":
            made, depth = made + "(?:", depth + 1
        elif piece == ")" and depth:
            made, depth = made + ")", depth - 1
        elif piece == "|" and depth:
            made += "|"
        else:
            made += re.sub(r"(?:\\ )+", r"\\s*", re.escape(piece.lower()))
    return re.compile(made + r"\s*")
