"""Render citations as HTML: `[H3.E2]` becomes the measured value, which opens to the whole fact.

Text from a model, a case or a file is untrusted: every character is escaped, so it can add neither
markup nor a picture that would be fetched from another machine.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

from assistant.conversation.steps import CheckedSentence
from assistant.grounding.citations import (
    FactLookup,
    displayed_source,
    format_fact_value,
    split_citations,
)
from assistant.report.explained_terms import explained_html, term_meaning
from tools.verdict.handles import CITATION_PATTERN, IN_WORDS, Fact
from tools.verdict.units import NOT_MEASURED, describe_usual

_REFERENCE = re.compile(rf"\[((?:[QHC][1-9]\d*\.)?[EP][1-9]\d*)\]|{CITATION_PATTERN.pattern}")
"""References of fixed wording: `[H3.E2]`, `[H3.verdict]`, or `[E2]` where the text is about one
hit."""

SOURCE_LABELS = {
    "model": (
        "model",
        "Composed by the language model from measured facts, which the application inserted.",
    ),
    "unchecked": (
        "unchecked, the model's own words",
        "No measurement supports this: it is the language model's own statement.",
    ),
    "plain": (
        "fixed wording",
        "Written from the measurements by fixed templates, without a language model.",
    ),
}


def sentences_html(
    sentences: Sequence[CheckedSentence], fact: FactLookup, *, subject: str = ""
) -> str:
    """Sentences as HTML, grouped by writer and marked with the writer.

    Fixed wording is marked only beside a language model's: by itself, the mark would say nothing.
    `subject` ("H3") is the subject of bare citations such as `[E2]`. The result is one line without
    blank lines, so that a Markdown renderer leaves it unchanged.
    """
    runs = groupby(sentences, key=displayed_source)
    mixed = any(displayed_source(it) != "plain" for it in sentences)
    return "".join(_run(source, tuple(said), fact, subject, marked=mixed) for source, said in runs)


def _run(
    source: str,
    sentences: Iterable[CheckedSentence],
    fact: FactLookup,
    subject: str,
    *,
    marked: bool,
) -> str:
    name, meaning = SOURCE_LABELS[source]
    said = " ".join(_sentence(sentence, fact, subject) for sentence in sentences)
    mark = f' <span class="who" title="{escape(meaning)}">{escape(name)}</span>' if marked else ""
    return f'<div class="said by-{escape(source)}">{said}{mark}</div>'


def _sentence(sentence: CheckedSentence, fact: FactLookup, subject: str) -> str:
    item = sentence.text.startswith("- ")
    said = sentence.text.removeprefix("- ")
    writer = displayed_source(sentence)
    match writer:
        case "model":
            text = citations_html(said, fact)
        case "unchecked":
            text = escape_html(said)
        case _:
            text = references_html(said, fact, subject=subject)
    if item:
        text = f"<br>• {text}"
    if not sentence.finding or writer == "unchecked":
        return f"<span>{text}</span>"
    reason = escape(sentence.finding)
    return (
        f'<span class="replaced" title="Replaces a sentence of the model: {reason}">{text}</span>'
    )


def citations_html(text: str, fact: FactLookup) -> str:
    """A text, escaped, with its citations filled in; each value opens to the whole fact."""
    parts: list[str] = []
    for piece in split_citations(text, fact):
        if not piece.id:
            parts.append(escape_html(piece.text))
        elif piece.fact is None:
            parts.append(_chip(piece.id, None))
        else:
            said = f'<span class="filled">{escape_html(piece.text)}</span>'
            parts.append(f"{said} {_chip(piece.id, piece.fact)}")
    return "".join(parts)


def references_html(text: str, fact: FactLookup, *, subject: str = "") -> str:
    """The plain writer's text, escaped; values are already typed, references open the facts."""
    parts: list[str] = []
    end = 0
    for match in _REFERENCE.finditer(text):
        parts.append(escape_html(text[end : match.start()]))
        named = match[1] or match[2]
        handle = f"{subject}.{named}" if re.fullmatch(r"[EP]\d+", named) else named
        parts.append(_chip(handle, fact(handle), valued=False))
        end = match.end()
    parts.append(escape_html(text[end:]))
    return "".join(parts)


def escape_html(text: str) -> str:
    """Escape untrusted text as HTML on one line; no part of it is read as markup.

    A command of Unmask in backticks is marked by its type.
    """
    # A Markdown renderer may see this first: its special characters become character references.
    escaped = escape(text).replace("\n", "<br>")
    plain = re.sub(r"[\\`*_\[\]!$~|:]", lambda match: f"&#{ord(match[0])};", escaped)
    return _COMMAND.sub(r"<code>\1</code>", plain)


_COMMAND = re.compile(r"&#96;((?:unmask |--)(?:&#(?!96;)\d+;|[^&<>])+)&#96;")


def _chip(handle: str, fact: Fact | None, *, valued: bool = True) -> str:
    if fact is None:
        return f'<span class="cite unknown">{escape(handle)}: unknown</span>'
    return (
        f'<details class="cite"><summary>{_face(fact, valued=valued)}</summary>'
        f"{_card(fact)}</details>"
    )


def _face(fact: Fact, *, valued: bool) -> str:
    """The visible text of a citation: the fact's name, with its value if it has one."""
    meaning = term_meaning(fact.id)
    title = f' title="{escape(meaning)}"' if meaning else ""
    name = f'<span class="of"{title}>{escape(fact.id)}</span>'
    value = format_fact_value(fact) if valued else ""
    return f"{name} {escape(value)}" if value else name


def _card(fact: Fact) -> str:
    lines = [
        f"<b>{explained_html(fact.name)}</b>",
        f"{explained_html(_shown(fact))}{_reading(fact)}",
        _place(fact),
        f"<i>How:</i> {explained_html(fact.method)}" if fact.method else "",
        f"<i>Limits:</i> {explained_html(fact.limits)}" if fact.limits else "",
    ]
    rows = "".join(f"<span>{line}</span>" for line in lines if line)
    return f'<span class="card">{rows}</span>'


def _shown(fact: Fact) -> str:
    return fact.shown.replace("{its}", "its").replace("{it}", "it")


def _reading(fact: Fact) -> str:
    if not fact.reads or fact.reads == NOT_MEASURED or fact.unit == IN_WORDS:
        return ""
    return f", read as <b>{escape(fact.reads)}</b>"


def _place(fact: Fact) -> str:
    return describe_usual(fact.share_of_authentic_below)
