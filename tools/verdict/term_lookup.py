"""Glossary lookup: the meaning of a term, and the terms that occur in a text."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from tools.verdict.evidence import numbered_measures
from tools.verdict.glossary import GLOSSARY_SECTIONS, MEANINGS


@dataclass(frozen=True, slots=True)
class GlossaryEntry:
    """A term, its meaning in one or two sentences, and its other names."""

    term: str
    meaning: str
    names: tuple[str, ...] = ()


NUMBERED_SECTION = "Numbers"


@cache
def glossary() -> Mapping[str, tuple[GlossaryEntry, ...]]:
    """All entries by section; the last section explains E1, P1, S1 and the like."""
    sections = {name: tuple(map(_entry, rows)) for name, rows in GLOSSARY_SECTIONS.items()}
    return {**sections, NUMBERED_SECTION: tuple(_numbered())}


def _entry(row: tuple[str, str]) -> GlossaryEntry:
    term, *names = row[0].split("|")
    return GlossaryEntry(term, row[1], tuple(names))


def _numbered() -> Iterator[GlossaryEntry]:
    names = {f"E{number}": measure.name for number, measure in numbered_measures()}
    for id_, clause in MEANINGS.items():
        if re.fullmatch(r"[EPSG]\d+", id_):
            name = names.get(id_, "").partition(" (")[0]
            yield GlossaryEntry(id_, f"{clause}.", (name,) if name else ())


@cache
def _by_name() -> Mapping[str, GlossaryEntry]:
    found: dict[str, GlossaryEntry] = {}
    for entries in glossary().values():
        for entry in entries:
            for name in (entry.term, *entry.names):
                found.setdefault(_plain(name), entry)
    return found


def explain_term(text: str) -> GlossaryEntry | None:
    """The entry of a term as typed: "logits", "H3.E2", "[E2]"; None if unknown."""
    plain, known = _plain(text), _by_name()
    handle = re.fullmatch(r"(?:[qhc]\d+\.)?([ep]\d+)|([qhc])\d+", plain)
    if handle is not None:
        plain = handle[1] or f"{handle[2]}1"
    singular = plain.removesuffix("s")
    return known.get(plain) or known.get(singular) or known.get(f"{plain}s")


def closest_terms(text: str, *, count: int = 5) -> tuple[str, ...]:
    """Terms with a similar spelling to an unknown one, or that contain it, closest first."""
    plain, known = _plain(text), _by_name()
    words = {word for word in plain.split() if len(word) > 2}
    near = difflib.get_close_matches(plain, known, n=count, cutoff=0.6)
    near += [name for name in known if words & {*name.split()} or (plain and plain in name)]
    near += difflib.get_close_matches(plain, known, n=count, cutoff=0.3)
    return tuple(dict.fromkeys(known[name].term for name in near))[:count]


def _plain(text: str) -> str:
    """Lower case, without brackets; `no_forgery-found` reads "no forgery found"."""
    bare = text.strip().strip("[]?.\"'")
    return " ".join(re.sub(r"[_\s-]+", " ", bare).casefold().split())


@cache
def _term_pattern() -> re.Pattern[str]:
    """Pattern for every name in `GLOSSARY_SECTIONS`, longest first."""
    rows = (row for section in GLOSSARY_SECTIONS.values() for row in section)
    names = {name for terms, _ in rows for name in terms.split("|")} - _PLAIN_WORDS
    longest_first = sorted(names, key=len, reverse=True)
    either = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in longest_first)
    return re.compile(rf"(?<![\w-])(?:{either})s?(?![\w-])", re.IGNORECASE)


_PLAIN_WORDS = {
    "another person", "authentic", "axes", "axis", "bank", "calibrated", "case", "confidence",
    "copy", "evidence", "fake", "forged", "forgery", "full", "gallery", "genuine", "hatched",
    "high", "hit", "impersonation", "model", "no forgery found", "odds", "ordinary", "original",
    "other", "plain", "pocket", "probability", "query", "query person", "query photo", "raised",
    "reading", "same person", "steady", "swap", "tool", "uncertain", "verdict",
}  # fmt: skip
"""Terms that are also everyday words: in a text they need not be meant as terms."""


def split_terms(text: str) -> Iterator[tuple[str, str]]:
    """Split a text into (words, meaning) pieces; the meaning is empty for words that are not terms.

    A term that occurs several times is explained only at its first occurrence.
    """
    end, seen = 0, set[str]()
    for match in _term_pattern().finditer(text):
        entry = explain_term(match[0])
        if entry is None or entry.term in seen:
            continue
        seen.add(entry.term)
        if match.start() > end:
            yield text[end : match.start()], ""
        yield match[0], entry.meaning
        end = match.end()
    if text[end:]:
        yield text[end:], ""
