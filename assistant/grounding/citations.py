"""Render citations: replace a fact's handle by its clause and measured value."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from assistant.conversation.steps import CheckedSentence, join_sentences
from assistant.grounding.sentences import split_sentences
from assistant.grounding.statements import form_error
from tools.verdict.clauses import clause
from tools.verdict.handles import CITATION_PATTERN, Fact, parse_handle
from tools.verdict.units import NOT_MEASURED

FactLookup = Callable[[str], Fact | None]


UNCHECKED_MARK = "(unchecked, the model's own words)"


@dataclass(frozen=True, slots=True)
class TextSpan:
    """A part of a sentence: literal words, or the clause of a fact with the fact's id.

    `fact` is None for literal words and for an id without a fact.
    """

    text: str
    id: str = ""
    fact: Fact | None = None


def split_citations(sentence: str, fact: FactLookup) -> Iterator[TextSpan]:
    """Split a sentence at its citations, filled in; each subject is named once, then "it"."""
    whom, begun, end = "", False, 0
    for match in CITATION_PATTERN.finditer(sentence):
        between = sentence[end : match.start()]
        if between:
            yield TextSpan(between if between.strip() or not begun else "; ")
        id_ = str(parse_handle(match[1]))
        found = fact(id_)
        said = f"{id_} is unknown" if found is None else _said(found, named=whom)
        begins = not sentence[: match.start()].removeprefix("- ").strip()
        yield TextSpan(said[:1].upper() + said[1:] if begins else said, id_, found)
        whom, begun, end = _whom(id_, found) or whom, True, match.end()
    if sentence[end:]:
        yield TextSpan(sentence[end:])


def _said(fact: Fact, *, named: str) -> str:
    """The clause of a fact; its subject is a pronoun if the previous clause named it."""
    whom = _whom(fact.id, fact)
    two = " and " in whom
    it, its = ("they", "their") if two else ("it", "its")
    said = clause(fact)
    if whom != named:
        its = "the two faces'" if two else f"{whom}'s"
        # Named at its first place, a pronoun after that.
        first = re.search(r"\{its?\}", said)
        if first is not None:
            name = whom if first[0] == "{it}" else its
            said = said[: first.start()] + name + said[first.end() :]
        its = "their" if two else "its"
    return said.replace("{its}", its).replace("{it}", it)


def _whom(id_: str, fact: Fact | None) -> str:
    return (fact.whom if fact is not None else "") or parse_handle(id_).subject


_YES_OR_NO = ("E8", "E10", "E34")
"""Measures whose clause expresses the value 0 or 1 in words."""


def format_fact_value(fact: Fact) -> str:
    """The measured value of a fact, to follow its clause; empty if it has none."""
    says_all = (
        fact.id[0] in "SG"
        or parse_handle(fact.id).kind + str(parse_handle(fact.id).number) in _YES_OR_NO
    )
    return "" if fact.value is None or says_all else fact.shown


def render_citations(
    said: Sequence[CheckedSentence], fact: FactLookup, *, mark: bool = True
) -> str:
    """Join sentences into one text, with clauses and values in place of citations.

    `mark` marks fixed wording among a model's sentences; unchecked ones are always marked.
    """
    mark = mark and any(one.text and one.source != "plain" for one in said)
    return join_sentences(tuple(replace(one, text=_text(one, fact, mark=mark)) for one in said))


def _text(sentence: CheckedSentence, fact: FactLookup, *, mark: bool) -> str:
    text = sentence.text
    if not text:
        return ""
    if displayed_source(sentence) == "unchecked":
        return f"{text} {UNCHECKED_MARK}"
    if sentence.source == "plain":
        # Fixed wording has typed clauses and values; its references are buttons of the page.
        text = _REFERENCE.sub("", text)
        return f"{text} (fixed wording)" if mark else text
    return "".join(_piece(piece) for piece in split_citations(text, fact))


_REFERENCE = re.compile(rf"\s*(?:{CITATION_PATTERN.pattern})")


def displayed_source(sentence: CheckedSentence) -> str:
    """The source shown for a sentence: the model's counts as checked only in an allowed form.

    Records of older versions and edited records hold sentences that were never checked for that
    form.
    """
    if sentence.source == "model" and any(map(form_error, split_sentences(sentence.text))):
        return "unchecked"
    return sentence.source


def _piece(piece: TextSpan) -> str:
    if not piece.id:
        return piece.text
    if piece.fact is None:
        return f"{NOT_MEASURED}: {piece.id}"
    value = format_fact_value(piece.fact)
    return f"{piece.text} ({value})" if value else piece.text
