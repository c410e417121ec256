"""A model's text cut into sentences, and a sentence into stretches that end in citations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from assistant import claims
from tools.handles import CITATION, Fact, cited

_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"”')]*(?:\s*\[[^\]\n]*\])*(?=\s|$)|$)")
_LIST_MARK = re.compile(r"^\s*(?:[-*•–]|\d+[.)])\s+")
_SEVERAL = re.compile(r"\[([^\]\[]*[,;][^\]\[]*)\]")


def sentences(text: str) -> list[str]:
    """A text cut into sentences; every line ends one, and list items begin with "- ".

    Citations after a full stop belong to the sentence before it; `[H1.E1, H1.E2]` becomes two.
    """
    found = []
    for line in text.splitlines():
        plain = _SEVERAL.sub(_apart, line.replace("**", "").replace("`", "")).lstrip("# ")
        item = _LIST_MARK.match(plain)
        plain = plain[item.end() :] if item else plain
        cut = [piece[0].strip() for piece in _SENTENCE.finditer(plain) if piece[0].strip()]
        found += [f"- {cut[0]}", *cut[1:]] if item and cut else cut
    return found


def _apart(several: re.Match[str]) -> str:
    ids = [part.strip() for part in re.split(r"[,;]", several[1])]
    apart = " ".join(f"[{id_}]" for id_ in ids)
    return apart if all(CITATION.fullmatch(f"[{id_}]") for id_ in ids) else several[0]


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a sentence with the facts cited at its end; measures' names as ‹scale›."""

    text: str
    facts: tuple[Fact, ...]


def parts_of(sentence: str, facts: Mapping[str, Fact]) -> list[Part]:
    """A sentence cut after each group of citations; a rest without one joins the part before."""
    parts: list[Part] = []
    for piece in re.finditer(r"([^\[]*)((?:\[[^\]]*\]?[\s,]*)*)", sentence):
        if not piece[0]:
            continue
        text = claims.without_names(piece[1])
        known = tuple(facts[id_] for id_ in cited(piece[2]) if id_ in facts)
        if parts and (not piece[2] or not parts[-1].text.strip()):
            parts[-1] = Part(parts[-1].text + text, parts[-1].facts + known)
        else:
            parts.append(Part(text, known))
    return parts
