"""The number of hits that a request asks for: "top 50", "the first ten hits"."""

import re

_WORDS = {
    "five": 5, "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40,
    "fifty": 50, "hundred": 100,
}  # fmt: skip
_NUMBER = rf"(\d{{1,5}}|{'|'.join(_WORDS)})"
_COUNTED = r"(?:hits?|results?|matches|candidates|fakes|forgeries|images|pictures|faces|ones)"
_TOP = re.compile(
    rf"\btop[\s-]*{_NUMBER}\b"
    rf"|\b(?:first|best|leading|likeliest|up to|at most|show(?: me)?|list|give me)"
    rf"\s+(?:the\s+)?(?:(?:first|best|top|leading)\s+)?{_NUMBER}\b(?:\s+\w+){{0,2}}?\s+{_COUNTED}\b"
    rf"|\b{_NUMBER}\s+(?:hits|results|matches|candidates)\b",
    re.IGNORECASE,
)


def parse_top(text: str) -> int | None:
    """The number of hits that a question requests; None if it gives no number."""
    match = _TOP.search(text)
    if match is None:
        return None
    number = next(group for group in match.groups() if group)
    return _WORDS.get(number.lower()) or int(number) or None
