"""Parse handles as people and models write them: `H17`, `h17`, `[H17]`, `hit 17`, `the 17th hit`.

`tools.verdict.handles.parse_handle` accepts only the form of records and citations. Outside input
is converted to that form here; digits are never shortened or guessed.
"""

import re

from tools.verdict.handles import SUBJECT_PATTERN, parse_handle

_KINDS = {
    "hit": "H", "hits": "H", "result": "H", "results": "H", "match": "H",
    "photo": "Q", "photos": "Q", "picture": "Q", "query": "Q", "comparison": "C",
}  # fmt: skip
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5,
    "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10,
}  # fmt: skip
_NOUN = "|".join(_KINDS)
_AND = r"(?:\s*(?:,|and|or|&|with|to)\s*(?:and\s+)?(?:the\s+)?#?0*[1-9]\d*\b)*"
_SPOKEN = re.compile(
    rf"\b(?P<letter>[QHC])[\s#-]?0*(?P<digits>[1-9]\d*)\b(?!\.\w)"
    rf"|\b(?P<noun>{_NOUN})\s+(?:number\s+|no\.?\s*|#)?0*(?P<numbers>[1-9]\d*\b{_AND})"
    rf"|\b(?P<nth>\d+(?:st|nd|rd|th)|{'|'.join(_ORDINALS)})\s+(?P<what>hit|result|match|photo|picture)\b",
    re.IGNORECASE,
)


def find_handles(text: str) -> tuple[str, ...]:
    """The photos, hits and comparisons named in a text, in order, each once."""
    found: list[str] = []
    for match in _SPOKEN.finditer(text):
        found += _read(match)
    return tuple(dict.fromkeys(found))


def normalise_handle(text: str) -> str:
    """Convert the handle of a picture or comparison to standard form; ToolError if it is none."""
    bare = text.strip().strip("[]").strip()
    named = find_handles(bare)
    # Only if the whole text is the handle: a sentence containing one is not a valid argument.
    if len(named) == 1 and (match := _SPOKEN.match(bare)) and match.end() == len(bare):
        return named[0]
    return str(parse_handle(bare))


def _read(match: re.Match[str]) -> list[str]:
    if match["letter"]:
        return [f"{match['letter'].upper()}{match['digits']}"]
    if match["noun"]:
        kind = _KINDS[match["noun"].lower()]
        return [f"{kind}{int(number)}" for number in re.findall(r"\d+", match["numbers"])]
    digits = re.match(r"\d+", match["nth"])
    number = int(digits[0]) if digits else _ORDINALS[match["nth"].lower()]
    return [f"{_KINDS[match['what'].lower()]}{number}"] if number else []


def is_picture(handle: str) -> bool:
    """Whether a handle is a photo's or a hit's."""
    return handle[:1] in "QH" and SUBJECT_PATTERN.fullmatch(handle) is not None
