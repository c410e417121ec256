"""The number of hits that a request asks for: "top 50", "the first ten hits", "max 5"."""

import re

NUMBERS = {
    word: at
    for at, word in enumerate(
        (
            "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
            "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
            "eighteen", "nineteen", "twenty",
        ),
        start=1,
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "hundred": 100, "dozen": 12}  # fmt: skip
_NUMBER = rf"(\d{{1,5}}|{'|'.join(NUMBERS)})"
_COUNTED = r"(?:hits?|results?|matches|candidates|fakes|forgeries|images|pictures|faces|ones)"
_TOP = re.compile(
    rf"\btop[\s-]*{_NUMBER}\b"
    rf"|\b(?:best|worst|strongest|likeliest)\s+(?!one\b){_NUMBER}\b"
    rf"|\b(?:only|just)\s+(?:like\s+)?(?:the\s+)?first\s+{_NUMBER}\b"
    rf"|\b(?:max(?:imum)?\.?|at most|up to|no more than|not more than)\s+(?:of\s+)?{_NUMBER}\b"
    rf"|\b(?:first|best|leading|likeliest|strongest|worst|show(?: me)?|list|give me)"
    rf"\s+(?:the\s+)?(?:(?:first|best|top|leading)\s+)?{_NUMBER}\b(?:\s+\w+){{0,2}}?\s+{_COUNTED}\b"
    rf"|\b{_NUMBER}\s+(?:(?:best|top|likeliest|strongest|worst|leading)\s+)?"
    r"(?:hits|results|matches|candidates)\b"
    rf"|\b{_NUMBER}\s+(?:(?:best|top|likeliest|strongest|worst|leading|most\s+\w+)\b"
    r"|(?:deepfakes|fakes|forgeries|faux|falsos|falsas|fälschungen|treffer|resultados|"
    r"résultats)\b)",
    re.IGNORECASE,
)
_FURTHER = re.compile(
    rf"\b(?:next|another|further|other|additional|extra|more|nächsten?|weitere|otros|suivants)\s+"
    rf"{_NUMBER}\b"
    rf"|\b{_NUMBER}\s+(?:\w+\s+)?(?:more|further|other|others|additional|extra|fresh|weitere|"
    rf"más)\b",
    re.IGNORECASE,
)


def parse_top(text: str) -> int | None:
    """The number of hits that a question requests; None if it gives no number."""
    return _number(_TOP.search(in_digits(text)))


def parse_further(text: str) -> int | None:
    """How many more hits a request asks for; None if it gives no number."""
    plain = in_digits(text)
    return _number(_FURTHER.search(plain)) or _number(_TOP.search(plain))


def _number(match: re.Match[str] | None) -> int | None:
    if match is None:
        return None
    number = next(group for group in match.groups() if group)
    return NUMBERS.get(number.lower()) or int(number) or None


_UNITS = "|".join(word for word, value in NUMBERS.items() if value < 20 and word != "dozen")
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
         "eighty": 80, "ninety": 90}  # fmt: skip
_COMPOUND = re.compile(
    rf"\b(?P<hundreds>a|{_UNITS})\s+hundred\b(?:\s+and)?"
    rf"(?:[\s-]+(?P<tens>{'|'.join(_TENS)}))?(?:[\s-]+(?P<units>{_UNITS})\b)?"
    rf"|\b(?P<only_tens>{'|'.join(_TENS)})[\s-](?P<only_units>{_UNITS})\b",
    re.IGNORECASE,
)


def in_digits(text: str) -> str:
    """A text with its English numbers of several words as digits: "hit one hundred and four"."""
    halves = re.sub(r"\bhalf a dozen\b", "6", text, flags=re.IGNORECASE)
    return _COMPOUND.sub(lambda match: str(_value(match)), halves)


def _value(match: re.Match[str]) -> int:
    part = {name: (said or "").lower() for name, said in match.groupdict().items()}
    hundreds = 100 * NUMBERS.get(part["hundreds"], 1) if part["hundreds"] else 0
    tens = _TENS.get(part["tens"] or part["only_tens"], 0)
    return hundreds + tens + NUMBERS.get(part["units"] or part["only_units"], 0)
