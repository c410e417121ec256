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
    r"(?:decisions?|marks?|entscheidung)\b|\b(?:not (?:yet )?decided|undecided by me|unreviewed)\b"
    r"|\bi (?:haven'?t|have not)(?: yet)? decided(?: on| about)?(?: yet)?\b"
    r"|\b(?:left|still|open|remain\w*)(?: (?:open|left|for me))* (?:to|for me to) "
    r"(?:decide|review|check|mark)(?: on)?\b",
    re.IGNORECASE,
)
_DECIDED = re.compile(
    r"\b(?:(?:i|we|you)\s+(?:(?:have|had|already|ever)\s+)*(confirm|reject|hid)(?:ed|den|e)?"
    r"|(confirm|reject|hid)(?:ed|den)(?!\s+(?:that|it|this|by|h\s?\d))"
    r"|(conf[ie]rm|rejet|rechaz|rifiut|masqu|ocult)(?:ée?s?|ad[oa]s?|at[oaie])"
    r"|(bestätig|verworf|abgelehn|ausgeblend)(?:en|et|t))\b",
    re.IGNORECASE,
)
_STEMS = {
    "conf": "confirmed", "best": "confirmed", "reje": "rejected", "rech": "rejected",
    "rifi": "rejected", "verw": "rejected", "abge": "rejected", "hid": "hidden", "masq": "hidden",
    "ocul": "hidden", "ausg": "hidden",
}  # fmt: skip
"""Decisions by the first four letters of their words."""

_NOT_DECIDED = re.compile(
    r"(?:\bnot|n't|\bnever|\bneither|\bcan|\bcould|\bshould|\bmust|\bnicht)\b", re.IGNORECASE
)


def decision_named(text: str) -> str:
    """The reviewer's decision that wanted hits have: "none" for undecided; empty if unnamed.

    "Which can be confirmed?" and "which have I not rejected?" name none.
    """
    plain = text.replace("’", "'")
    if _UNDECIDED.search(plain):
        return "none"
    found = [it for match in _DECIDED.finditer(plain) for it in match.groups() if it]
    words = {_STEMS[it.lower()[:4]] for it in found}
    return words.pop() if len(words) == 1 and not _NOT_DECIDED.search(plain) else ""


def without_decisions(text: str) -> str:
    """A text without its words for the reviewer's decisions."""
    return _DECIDED.sub(" ", _UNDECIDED.sub(" ", text))


_AROUND = {
    *"""a all also altogether among an and any anything are as at avez bilder bitte by chance
    combien count cuántas cuántos de des did die do es et fake fakes far filter forged found
    gefälscht gibt haben have hay hits how hoeveel i ich il image images in is just keep least
    les likely list liste many marked me mir moi montre now number nur of ok okay on ones only
    percentage photo photos picture pictures please pls probability quante quanti quantos
    quantas results s score show sind so son sono sont still são that the them then there these
    those total treffer une up us van vous want we welche were what which wie wieviele viele with y
    yet you your zeig zeige zijn""".split()  # noqa: SIM905
}
"""Words beside a condition that ask for nothing else."""


def adds_nothing(text: str) -> bool:
    """Whether a text holds only words that stand around a condition: "how many of these are"."""
    return all(word in _AROUND for word in re.findall(r"[^\W\d]+", text.lower()))


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
    left = without_decisions(rest)
    if left != rest and re.search(r"\b(?:fakes?|forged|gefälscht)\b", left, re.IGNORECASE):
        return False  # a verdict beside a decision
    rest = left
    if rest == text or (words and _AMOUNT.search(" ".join(words)) is None):
        return False
    return adds_nothing(rest) and re.search(r"\d", rest) is None
