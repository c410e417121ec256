"""How people refer to hits, photos, folders, dates and terms, drawn at random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

_ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
)  # fmt: skip
_NUMBERS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    "twenty",
)  # fmt: skip
_NAMES = (
    "H{}", "H{}", "H{}", "H{}", "h{}", "hit {}", "hit {}", "Hit {}", "hit number {}", "number {}",
    "no. {}", "#{}", "nr {}", "{}", "result {}", "hit H{}", "picture {}", "H {}", "image {}",
)  # fmt: skip
LAST = ("it", "it", "that one", "this one", "this hit", "that picture")
"""Phrases for the hit that was spoken of last."""

_FOLDER_WORDS = (
    "telegram", "press", "downloads", "whatsapp", "case", "evidence", "batch", "scans", "leak",
    "forum", "archive", "phone", "export", "seized", "instagram", "backup", "usb", "drive",
    "screenshots", "interview", "2024", "march", "raw", "incoming", "social", "reddit", "tiktok",
    "client", "new", "old", "summer", "discord", "mails", "laptop", "channel", "web", "crawl",
)  # fmt: skip
_JOINS = (" ", "-", "_", "", "/")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
TERMS = (
    "inconclusive", "impersonation", "no forgery found", "copy", "other", "not assessed",
    "heat map", "calibrated", "logit", "ArcFace", "CLIP", "embedding", "face swap", "morph",
    "rank", "hit", "query photo", "gallery", "same person", "forgery score", "detector",
    "threshold", "false match", "band", "probability", "likelihood ratio", "re-upload",
    "look-alike", "deepfake", "verdict", "evidence", "AUC", "log-odds", "unchecked", "tool",
    "alignment", "metadata", "artefact", "cosine similarity", "case record", "retake", "AP",
    "confidence interval", "false positive", "landmarks", "JPEG", "Grad-CAM", "quantised", "prior",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a text says, and the value that the tool gets."""

    said: str
    value: str


def hit_number(rng: random.Random, hits: int) -> int:
    """A hit of a list; long lists are asked about over their whole length."""
    return rng.randint(1, hits) if rng.random() < 0.85 else rng.randint(max(1, hits - 2), hits)


def hit_name(rng: random.Random, number: int, hits: int) -> str:
    """How somebody calls a hit."""
    luck = rng.random()
    if luck < 0.12 and number <= len(_ORDINALS):
        named = _ORDINALS[number - 1]
        return rng.choice((f"the {named}", f"the {named} one", f"the {named} hit"))
    if luck < 0.17 and number <= len(_NUMBERS):
        return rng.choice(("number {}", "hit {}")).format(_NUMBERS[number - 1])
    if luck < 0.20:
        return rng.choice(("the {} hit", "the {} one", "the {}")).format(f"{number}{_th(number)}")
    if luck < 0.24 and number == hits and hits > 1:
        return rng.choice(("the last one", "the last hit", "the very last"))
    return rng.choice(_NAMES).format(number)


def _th(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def count(rng: random.Random) -> Wanted:
    """A number of hits, in digits or in words."""
    number = rng.choice((2, 3, 4, 5, 5, 6, 7, 8, 10, 10, 12, 15, 20, 25, 30, 40, 50, 100))
    worded = number <= len(_NUMBERS) and rng.random() < 0.4
    return Wanted(_NUMBERS[number - 1] if worded else str(number), str(number))


def folder(rng: random.Random) -> str:
    """A folder's name as people give it."""
    return rng.choice(_JOINS).join(
        rng.sample(_FOLDER_WORDS, rng.choice((1, 1, 2, 2)))
    ) + rng.choice(("", "", "", "_1", " 2", "-17", " 03"))


def date(rng: random.Random) -> Wanted:
    """A day, month or year, and its ISO form."""
    year, month, day = rng.randint(2009, 2027), rng.randint(1, 12), rng.randint(1, 28)
    name = _MONTHS[month - 1]
    match rng.randrange(8):
        case 0 | 1:
            return Wanted(str(year), str(year))
        case 2:
            return Wanted(f"{name} {year}", f"{year}-{month:02}")
        case 3:
            return Wanted(f"{name[:3]} {year}", f"{year}-{month:02}")
        case 4:
            return Wanted(f"{day} {name} {year}", f"{year}-{month:02}-{day:02}")
        case 5:
            return Wanted(f"{name} {day}, {year}", f"{year}-{month:02}-{day:02}")
        case 6:
            return Wanted(f"the {day}{_th(day)} of {name} {year}", f"{year}-{month:02}-{day:02}")
    iso = f"{year}-{month:02}-{day:02}"
    return Wanted(iso, iso)


def spoilt(text: str, rng: random.Random, *, keep: Sequence[str]) -> str:
    """The text as a hurried person types it; words of `keep`, and words with digits, stay."""
    if rng.random() < 0.15:
        text = _lowered(text, keep)
    if rng.random() < 0.15:
        text = text.rstrip(".?!")
    if rng.random() < 0.15:
        words = text.split(" ")
        sound = [at for at, word in enumerate(words) if len(word) > 3 and word.isalpha()]
        free = [at for at in sound if not any(words[at] in it.split(" ") for it in keep)]
        for at in rng.sample(free, min(len(free), rng.choice((1, 1, 2)))):
            words[at] = _mistyped(words[at], rng)
        text = " ".join(words)
    return text


def _lowered(text: str, keep: Sequence[str]) -> str:
    for each in keep:
        before, found, after = text.partition(each)
        if found:
            return before.lower() + found + after.lower()
    return text.lower()


def _mistyped(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    match rng.randrange(3):
        case 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            return word[:at] + word[at + 1 :]
    return word[:at] + word[at] + word[at:]
