"""Sentence splitting for a model's text."""

import re

from tools.verdict.handles import CITATION_PATTERN

_SENTENCE = re.compile(r".+?(?:[.!?…]+[\"”')]*(?=\s|$)|$)")
_LIST_MARK = re.compile(r"^\s*(?:[-*•–]|\d+[.)])\s+")
_SEVERAL = re.compile(r"\[([^\]\[]*[,;][^\]\[]*)\]")


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences; every line ends one, and list items begin with "- ".

    `[H1.E1, H1.E2]` becomes two citations.
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
    apart = " and ".join(f"[{id_}]" for id_ in ids)
    return apart if all(CITATION_PATTERN.fullmatch(f"[{id_}]") for id_ in ids) else several[0]
