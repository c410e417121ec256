"""Citations as plain text: the measured value, with its unit, where a handle stands."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from assistant.steps import CheckedSentence, shown
from tools.handles import CITATION, NOT_MEASURED, Fact

FactOf = Callable[[str], Fact | None]


def filled(sentences: Sequence[CheckedSentence], fact: FactOf, *, mark: bool = True) -> str:
    """Sentences as one text with values for citations; `mark` says which are the plain writer's."""
    return shown(tuple(replace(one, text=_text(one, fact, mark=mark)) for one in sentences))


def value_of(id_: str, fact: Fact | None) -> str:
    """What stands for one citation: a bare number for a count, else "[97 %: H1.P2]"."""
    if fact is None:
        return f"[{NOT_MEASURED}: {id_}]"
    if id_[0] in "SG" and fact.value is not None:
        return f"{fact.value:.0f}"
    return f"[{fact.shown}: {id_}]"


def _text(sentence: CheckedSentence, fact: FactOf, *, mark: bool) -> str:
    text = sentence.text
    if sentence.source == "plain":
        # The plain writer has typed the values itself, from the same measurements.
        keep = CITATION.sub(lambda match: _count_or_handle(match[1], fact), text)
        return f"{keep} (plain)" if mark and keep else keep
    return CITATION.sub(lambda match: value_of(match[1], fact(match[1])), text)


def _count_or_handle(id_: str, fact: FactOf) -> str:
    return value_of(id_, fact(id_)) if id_[0] in "SG" else f"[{id_}]"
