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
    rf"|\b(?:max(?:imum)?\.?|at most|up to|no more than|not more than)\s+(?:of\s+)?{_NUMBER}\b"
    rf"|\b(?:first|best|leading|likeliest|strongest|worst|show(?: me)?|list|give me)"
    rf"\s+(?:the\s+)?(?:(?:first|best|top|leading)\s+)?{_NUMBER}\b(?:\s+\w+){{0,2}}?\s+{_COUNTED}\b"
    rf"|\b{_NUMBER}\s+(?:(?:best|top|likeliest|strongest|worst|leading)\s+)?"
    r"(?:hits|results|matches|candidates)\b",
    re.IGNORECASE,
)
_FURTHER = re.compile(
    rf"\b(?:next|another|further|other|additional|extra|more|nächsten?|weitere|otros|suivants)\s+"
    rf"{_NUMBER}\b"
    rf"|\b{_NUMBER}\s+(?:\w+\s+)?(?:more|further|other|others|additional|extra|fresh|weitere|más)\b",
    re.IGNORECASE,
)


def parse_top(text: str) -> int | None:
    """The number of hits that a question requests; None if it gives no number."""
    return _number(_TOP.search(_without_halves(text)))


def parse_further(text: str) -> int | None:
    """How many more hits a request asks for; None if it gives no number."""
    plain = _without_halves(text)
    return _number(_FURTHER.search(plain)) or _number(_TOP.search(plain))


def _number(match: re.Match[str] | None) -> int | None:
    if match is None:
        return None
    number = next(group for group in match.groups() if group)
    return NUMBERS.get(number.lower()) or int(number) or None


def _without_halves(text: str) -> str:
    return re.sub(r"\bhalf a dozen\b", "six", text, flags=re.IGNORECASE)
