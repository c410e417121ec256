"""The training wordings as texts with classes: what the request reader learns to tell apart.

A class is what a text asks for; which hit, photo, number, date or folder it names is parsed by code
(`assistant.agent.requests.slots`), and what is missing in the case is known to the application. So
requests that differ only in the case, such as a search with and without a photo, are one class.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from assistant.agent.requests.reader import PHOTO_MARK
from assistant.training.reader import references as refer

WORDINGS = Path(__file__).parent / "wordings"
_SAME = {"find_top": "find", "no_photo": "find", "next_person": "find"}
_LEFT_OUT = ("which_hit",)
"""A text that names no hit: its class is that of the same text with one."""
ATTACHED = ("find", "find_top", "next_person", "more_photos", "two_find_why")
"""Intents whose texts come with a photo."""


def class_of(row: Mapping[str, Any]) -> str | None:
    """The class of a wording; None if it is left out."""
    intent = str(row["intent"])
    if intent in _LEFT_OUT:
        return None
    if intent == "sort":
        return f"sort_{row['by']}"
    if intent == "filter_date":
        return f"filter_{row['when']}"
    return _SAME.get(intent, intent)


def wordings(folder: Path = WORDINGS) -> list[dict[str, Any]]:
    """All wordings that have a class."""
    rows = [
        json.loads(line)
        for file in sorted(folder.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return [row for row in rows if class_of(row) is not None]


def classes(folder: Path = WORDINGS) -> tuple[str, ...]:
    """The names of all classes, in a fixed order."""
    return tuple(sorted({str(class_of(row)) for row in wordings(folder)}))


def request_text(row: Mapping[str, Any], rng: random.Random) -> str:
    """A wording with its slots filled anew, spelt as a hurried person might."""
    text, keep = str(row["text"]), list[str]()
    hits = rng.choice((3, 10, 12, 20, 50, 120))
    values: Mapping[str, Callable[[], str]] = {
        "<hit>": lambda: _hit(rng, hits, row["intent"]),
        "<hit2>": lambda: refer.hit_name(rng, rng.randint(1, hits), 0),
        "<photo>": lambda: rng.choice(("Q1", "Q1", "Q2", "q1", "Q3")),
        "<n>": lambda: refer.count(rng).said,
        "<term>": lambda: _term(rng),
        "<fact>": lambda: _fact(rng),
        "<folder>": lambda: refer.folder(rng),
        "<date>": lambda: refer.date(rng).said,
    }
    for slot, value in values.items():
        if slot in text:
            said = value()
            text = text.replace(slot, said)
            keep.append(said)
    text = refer.spoilt(text, rng, keep=keep)
    # Without words, a photo may come with anything; a search is what it mostly comes with.
    attached = row["intent"] in ATTACHED or (row["intent"] == "own_photo" and rng.random() < 0.4)
    return f"{PHOTO_MARK}{text}" if attached else text


def examples(rng: random.Random, rows: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Every wording once, in random order: its text and its class. Rare classes come twice."""
    by_class = defaultdict(list)
    for row in rows:
        by_class[str(class_of(row))].append(row)
    drawn = [row for some in by_class.values() for row in (some if len(some) > 45 else some * 2)]
    rng.shuffle(drawn)
    for row in drawn:
        yield request_text(row, rng), str(class_of(row))


def _hit(rng: random.Random, hits: int, intent: str) -> str:
    if intent not in ("correction", "compare_hits") and rng.random() < 0.25:
        return rng.choice(refer.LAST)
    return refer.hit_name(rng, refer.hit_number(rng, hits), hits)


def _term(rng: random.Random) -> str:
    term = rng.choice(refer.TERMS)
    return rng.choice((term, term, f'"{term}"', term.lower()))


def _fact(rng: random.Random) -> str:
    fact = f"{rng.choice('EEEEPS')}{rng.randint(1, 8)}"
    shown = fact if rng.random() < 0.7 else f"H{rng.randint(1, 20)}.{fact}"
    return rng.choice((shown, shown, shown.lower(), f"[{shown}]"))
