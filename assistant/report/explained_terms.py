"""Glossary tooltips: HTML text whose technical terms show their meaning on hovering."""

from html import escape

from markupsafe import Markup

from tools.verdict.term_lookup import explain_term, split_terms


def explained_html(text: str) -> Markup:
    """Escape a text and add each technical term's meaning as a tooltip."""
    pieces = (
        f'<span class="term" title="{escape(meaning)}">{escape(words)}</span>'
        if meaning
        else escape(words)
        for words, meaning in split_terms(text)
    )
    return Markup("".join(pieces))  # noqa: S704 - every piece was escaped


def term_meaning(term: str) -> str:
    """The meaning of a term; empty if it is not in the glossary."""
    entry = explain_term(term)
    return "" if entry is None else entry.meaning
