"""Text with citations as HTML: where `[H3.E2]` stands, the measured value, and behind it the fact.

Text of a model, of a case and of files is untrusted: every character of it is escaped, so it can
add neither markup nor a picture that would be fetched from somewhere.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Protocol

from tools.handles import NOT_MEASURED, Fact, percent

FactOf = Callable[[str], Fact | None]
"""The fact behind a handle such as `H3.E2`; None where there is none."""

_CITATION = re.compile(r"\[((?:[QHC][1-9]\d*\.)?[EP][1-9]\d*|[SG][1-9])\]")
"""Citations as models write them, and bare `[E2]` as the plain writer does for one hit."""

WRITERS = {
    "model": ("model", "Written by the language model; each sentence was checked."),
    "plain": ("plain writer", "Filled from the measurements by fixed rules, without a model."),
}


class Checked(Protocol):
    """A sentence that was held against the facts."""

    @property
    def text(self) -> str:
        """What it says, with citations in square brackets."""

    @property
    def source(self) -> str:
        """Who wrote it: "model" or "plain"."""

    @property
    def finding(self) -> str | None:
        """What the checker found wrong with the model's sentence that this one replaces."""


def sentences_html(sentences: Sequence[Checked], fact: FactOf, *, subject: str = "") -> str:
    """Sentences as runs of one writer each, marked with whose they are.

    `subject` ("H3") is what bare citations such as `[E2]` are about. One line without blank
    lines, so that a Markdown renderer passes it through untouched.
    """
    runs = groupby(sentences, key=lambda sentence: sentence.source)
    return "".join(_run(source, tuple(said), fact, subject) for source, said in runs)


def _run(source: str, sentences: Iterable[Checked], fact: FactOf, subject: str) -> str:
    name, meaning = WRITERS[source]
    said = " ".join(_sentence(sentence, fact, subject) for sentence in sentences)
    mark = f'<span class="who" title="{escape(meaning)}">{escape(name)}</span>'
    return f'<div class="said by-{escape(source)}">{said} {mark}</div>'


def _sentence(sentence: Checked, fact: FactOf, subject: str) -> str:
    item = sentence.text.startswith("- ")
    # The plain writer has typed the values itself, from the same measurements.
    valued = sentence.source != "plain"
    said = sentence.text.removeprefix("- ")
    text = cited_html(said, fact, subject=subject, valued=valued)
    if item:
        text = f"<br>• {text}"
    if not sentence.finding:
        return f"<span>{text}</span>"
    reason = escape(sentence.finding)
    return (
        f'<span class="replaced" title="Replaces a sentence of the model: {reason}">{text}</span>'
    )


def cited_html(text: str, fact: FactOf, *, subject: str = "", valued: bool = True) -> str:
    """One text, escaped, its citations replaced by what they stand for.

    That is the value, or with `valued` False only the handle; either opens to the whole fact.
    """
    parts: list[str] = []
    end = 0
    for match in _CITATION.finditer(text):
        parts.append(plain_html(text[end : match.start()]))
        handle = match[1] if "." in match[1] or match[1][0] in "SG" else f"{subject}.{match[1]}"
        parts.append(_chip(handle, fact(handle), valued=valued))
        end = match.end()
    parts.append(plain_html(text[end:]))
    return "".join(parts)


def plain_html(text: str) -> str:
    """Text from outside as HTML on one line, nothing in it taken for markup."""
    # A Markdown renderer may see this first: what it would act on becomes a character reference.
    escaped = escape(text).replace("\n", "<br>")
    return re.sub(r"[\\`*_\[\]!$~|:]", lambda match: f"&#{ord(match[0])};", escaped)


def _chip(handle: str, fact: Fact | None, *, valued: bool) -> str:
    if fact is None:
        return f'<span class="cite unknown">{escape(handle)}: unknown</span>'
    return (
        f'<details class="cite"><summary>{_face(handle, fact, valued=valued)}</summary>'
        f"{_card(fact)}</details>"
    )


def _face(handle: str, fact: Fact, *, valued: bool) -> str:
    """What stands in the sentence: for a count the number that the sentence goes on from."""
    if handle[0] in "SG" and fact.value is not None:
        return f"{fact.value:,.0f}"
    name = f'<span class="of">{escape(fact.id)}</span>'
    return f"{name} {escape(fact.shown)}" if valued else name


def _card(fact: Fact) -> str:
    lines = [
        f"<b>{escape(fact.name)}</b>",
        f"{escape(fact.shown)}{_reading(fact)}",
        _place(fact),
        f"<i>How:</i> {escape(fact.method)}" if fact.method else "",
        f"<i>Limits:</i> {escape(fact.limits)}" if fact.limits else "",
    ]
    rows = "".join(f"<span>{line}</span>" for line in lines if line)
    return f'<span class="card">{rows}</span>'


def _reading(fact: Fact) -> str:
    if not fact.reads or fact.reads == NOT_MEASURED:
        return ""
    return f", read as <b>{escape(fact.reads)}</b>"


def _place(fact: Fact) -> str:
    if fact.share_of_authentic_below is None:
        return ""
    return f"higher than {percent(fact.share_of_authentic_below)} of authentic photos"
