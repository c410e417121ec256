"""Requests in other languages than English: they are answered, in English, which is said once."""

import re
from collections.abc import Sequence

from assistant.conversation.steps import ModelText, Step, join_sentences
from prompts.languages import COMMON_WORDS, IN_ENGLISH

_SURE = 2
"""Common words of a language that a text must hold, and more than of any other."""


def language_of(text: str) -> str:
    """The language of a text, if it is one of `IN_ENGLISH`; empty if it is another or unclear."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    found = {name: sum(word in known for word in words) for name, known in COMMON_WORDS.items()}
    first, second = sorted(found, key=lambda name: -found[name])[:2]
    sure = found[first] >= _SURE and found[first] > found[second]
    return first if sure and first in IN_ENGLISH else ""


def remark_on_language(text: str, steps: Sequence[Step]) -> str:
    """That answers are in English, in the language of a text; empty for English, and once said."""
    remark = IN_ENGLISH.get(language_of(text), "")
    said = (join_sentences(step.sentences) for step in steps if isinstance(step, ModelText))
    return "" if any(remark in it for it in said) else remark
