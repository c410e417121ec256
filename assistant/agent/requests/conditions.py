"""Conditions in a request: "over 60", "at least 80 % the same person", "without a decision"."""

import re
from dataclasses import dataclass

_NUMBER = (
    r"(?P<{name}>\d{{1,3}}(?:[.,]\d+)?)\s?(?:%|percent|per cent|prozent|pour cent|por ciento)?"
)
_SCALE = r"(?:(?:a|the|probability|likelihood|score|chance|of|is|than|als|de|di|do)\s+)*"
_OVER = (
    r"(?:over|above|more than|greater than|higher than|at least|no less than|from|min(?:imum)?|"
    r">=?|≥|"
    r"über|mehr als|mindestens|ab|plus de|au-dessus de|au moins|más de|por encima de|al menos|"
    r"più di|oltre|sopra|almeno|mais de|acima de|pelo menos|meer dan|boven|minstens|powyżej|"
    r"co najmniej|ponad)"
)
_UNDER = (
    r"(?:under|below|less than|lower than|at most|no more than|not more than|up to|max(?:imum)?|"
    r"<=?|≤|"
    r"unter|weniger als|höchstens|moins de|en dessous de|au plus|menos de|por debajo de|"
    r"como máximo|"
    r"meno di|sotto|al massimo|abaixo de|no máximo|minder dan|onder|hoogstens|poniżej|najwyżej)"
)
_COUNTED = (
    r"(?!\s*(?:\d|[./-]\d|(?:\w+\s)?(?:hits?|results?|matches|candidates|fakes|forgeries|images|"
    r"pictures|photos|faces|ones|treffer|bilder|px|pixels?|kb|mb|years?|days?|weeks?|months?)\b))"
)
_LIMITS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:between|zwischen|entre|tra|tussen|między)\s+{_NUMBER.format(name='low')}\s*"
        rf"(?:and|und|et|y|e|en|i)\s*{_NUMBER.format(name='high')}{_COUNTED}",
        rf"(?<!\w){_OVER}\s*{_SCALE}{_NUMBER.format(name='low')}{_COUNTED}",
        rf"(?<!\w){_UNDER}\s*{_SCALE}{_NUMBER.format(name='high')}{_COUNTED}",
        rf"(?<![\w#]){_NUMBER.format(name='low')}\s*(?:or|and|oder|und|ou|o)\s*"
        r"(?:more|above|higher|over|up|mehr|höher|plus|más|più|mais|meer)\b",
        rf"(?<![\w#]){_NUMBER.format(name='high')}\s*(?:or|and|oder|und|ou|o)\s*"
        r"(?:less|below|lower|under|fewer|weniger|moins|menos|meno|minder)\b",
    )
)
_PERSON = re.compile(
    r"\b(?:same person|identity|match(?:es|ing)?|resembl\w+|similar\w*|alike|likeness|lookalikes?|"
    r"dieselbe person|gleiche person|ähnlich\w*|même personne|ressembl\w+|misma persona|parecid\w+|"
    r"stessa persona|mesma pessoa|dezelfde persoon)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Arguments of `list_hits` that a text asks for, and its words for them."""

    arguments: dict[str, str]
    words: tuple[str, ...] = ()


def limits_named(text: str) -> Limits:
    """The limits on a probability that a text names: on that of a forgery, if it names no other."""
    plain = re.sub(r"\b\d{4}-\d\d(?:-\d\d)?\b", " ", text)
    low, high, words = 0.0, 100.0, list[str]()
    for pattern in _LIMITS:
        match = pattern.search(plain)
        if match is None:
            continue
        part = match.groupdict()
        given = {name: _percent(it) for name, it in part.items() if it}
        if any(value > 100 for value in given.values()):
            continue
        low, high = given.get("low", low), given.get("high", high)
        words.append(match[0])
        plain = plain.replace(match[0], " ")
    if not words or low > high:
        return Limits({})
    name = "person" if _PERSON.search(text) else "forged"
    return Limits({name: f"{low:g}" if high >= 100 else f"{low:g}-{high:g}"}, tuple(words))


def _percent(written: str) -> float:
    """0.8 is 80 %."""
    value = float(written.replace(",", "."))
    return 100 * value if value < 1 else value


_LEFT = re.compile(r"(?<![\w#.,/-])\d+(?:[.,]\d+)?(?:\s?(?:%|percent|prozent))?(?![\w/-])")


def numbers_left(text: str, used: tuple[str, ...]) -> tuple[str, ...]:
    """The numbers of a text that no part in `used` accounts for."""
    for words in used:
        text = text.replace(words, " ")
    return tuple(dict.fromkeys(match[0] for match in _LEFT.finditer(text)))


_UNDECIDED = re.compile(
    r"\b(?:without|with no|no|lacking|have no|ohne)\s+(?:an?\s+|any\s+|my\s+|eine?\s+)?"
    r"(?:decisions?|marks?|entscheidung)\b|\b(?:not (?:yet )?decided|undecided by me|unreviewed)\b",
    re.IGNORECASE,
)
_DECIDED = re.compile(
    r"\b(?:i|we)\s+(?:have\s+|already\s+)*(confirm|reject|hid)(?:ed|den|e)?\b"
    r"|\b(?:the|my)\s+(confirm|reject|hid)(?:ed|den)\s+(?:ones|hits|pictures|images|photos)\b",
    re.IGNORECASE,
)
_STEMS = {"confirm": "confirmed", "reject": "rejected", "hid": "hidden"}


def decision_named(text: str) -> str:
    """The reviewer's decision that wanted hits have: "none" for undecided; empty if unnamed."""
    if _UNDECIDED.search(text):
        return "none"
    found = _DECIDED.search(text)
    return _STEMS[(found[1] or found[2]).lower()] if found else ""


_AROUND = {
    *"""a all also an and are as at by chance de did die do et fake fakes forged have hit hits how i
    ich image images in is just keep les likely list many me mir montre moi nur of ok okay ones only
    percentage photo photos picture pictures please bitte probability results score show that the
    them then there those une want we what which with welche zeige zeig""".split()  # noqa: SIM905
}
"""Words beside a condition that ask for nothing else."""
_AMOUNT = re.compile(
    r"%|percent|prozent|pour cent|por ciento|\b(?:over|above|below|under|unter)\b", re.I
)


def is_a_condition(text: str) -> bool:
    """Whether a text only names conditions that listed hits are to meet: "and below 80?".

    "At most 30" without a percent sign is a number of hits.
    """
    rest, words = text, limits_named(text).words
    for each in words:
        rest = rest.replace(each, " ")
    rest = _DECIDED.sub(" ", _UNDECIDED.sub(" ", rest))
    if rest == text or (words and _AMOUNT.search(" ".join(words)) is None):
        return False
    return all(word in _AROUND for word in re.findall(r"\w+", rest.lower()))
