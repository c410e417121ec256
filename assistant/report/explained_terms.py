"""Words of the glossary where they stand in HTML: with their meaning, shown on hovering."""

from html import escape

from markupsafe import Markup

from tools.verdict.term_lookup import explain_term, split_terms


def explained_html(text: str) -> Markup:
    """A text, escaped, each of its technical terms with its meaning as a tooltip."""
    pieces = (
        f'<span class="term" title="{escape(meaning)}">{escape(words)}</span>'
        if meaning
        else escape(words)
        for words, meaning in split_terms(text)
    )
    return Markup("".join(pieces))  # noqa: S704 - every piece was escaped


def term_meaning(term: str) -> str:
    """What a term means; empty where the glossary does not have it."""
    entry = explain_term(term)
    return "" if entry is None else entry.meaning
