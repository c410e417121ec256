"""`unmask explain`: the meaning of a term on the screens (glossary)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from assistant.cli.options import JsonOption
from assistant.console.output import print_json, print_table, stdout_console
from tools.errors import SetupError

if TYPE_CHECKING:
    from tools.verdict.term_lookup import GlossaryEntry


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="Explain a word of the screens.")(explain)


def explain(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TERM]", help="The word; without one, all words are listed."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Explain a word of the screens: a verdict, a measurement, a number such as E2.

    \b
    unmask explain
    unmask explain logit
    unmask explain no forgery found
    unmask explain H3.E2

    The exit status is 1 for an unknown word; the closest ones are named.
    """
    from tools.verdict.term_lookup import closest_terms, explain_term, glossary

    if not words:
        if json:
            print_json({"terms": [_described(it, section) for section, it in _listed()]})
        else:
            _print_all()
        return
    term = " ".join(words)
    entry = explain_term(term)
    if entry is None:
        near = closest_terms(term)
        closest = f"the closest: {', '.join(near)}" if near else "nothing is spelt like it"
        raise SetupError(f"{term!r} is not explained here; {closest}; all: unmask explain")
    section = next(name for name, entries in glossary().items() if entry in entries)
    if json:
        print_json(_described(entry, section))
        return
    names = f" (also: {', '.join(entry.names)})" if entry.names else ""
    stdout_console().print(
        Text.assemble((entry.term, "bold"), f"{names}\n{entry.meaning}"), soft_wrap=True
    )


def _listed() -> Iterator[tuple[str, "GlossaryEntry"]]:
    from tools.verdict.term_lookup import glossary

    for section, entries in glossary().items():
        for entry in entries:
            yield section, entry


def _described(entry: "GlossaryEntry", section: str) -> dict[str, object]:
    return {
        "term": entry.term,
        "also": list(entry.names),
        "section": section,
        "meaning": entry.meaning,
    }


def _print_all() -> None:
    from tools.verdict.term_lookup import glossary

    for section, entries in glossary().items():
        print_table((section, ""), [(it.term, it.meaning) for it in entries])
        stdout_console().print()
    stdout_console().print("One word: unmask explain TERM")
