"""Handles: short names for measured facts, used by the chat model, the screen and the case.

`Q1` is a query photo, `H3` the third hit of the latest search, `C1` a comparison of two faces. A
fact is cited in square brackets, and the application replaces the citation by a whole clause:
`[H3.E2]` evidence, `[H3.P1]` a calibrated probability, `[H3.verdict]`, `[H3.against]` what speaks
against it, `[H3.regions]`, `[H3.file]`,
`[H3.impression]` what a model believes to see, `[Q1.faces]`, `[S2]` a count of the latest search,
`[hits.inconclusive]` the hits with a verdict, `[G1]` a count of the gallery, `[about.E2]` the
meaning of a measure. Some have more readable aliases (`ALIASES`). The model never sees a path and
never writes a number or a verdict.
"""

import re
from dataclasses import dataclass
from typing import Any

from tools.errors import ToolError
from tools.verdict.units import format_value

VERDICT_KEYS = (
    "impersonation", "inconclusive", "no_forgery_found", "copy", "other", "not_assessed",
)  # fmt: skip
"""The rule's verdicts as parts of handles, in the order of `tools.verdict.rule.VERDICTS`."""

LIST_KEYS = ("alike", "unassessed", "forged_others")
"""Further facts about the list of hits, as parts of handles."""

ALIASES = {
    "identity": "P1",
    "forgery": "P2",
    "impersonation": "P3",
    "count.compared": "S1",
    **{f"count.{key}": f"S{number}" for number, key in enumerate(VERDICT_KEYS, start=2)},
    "count.all": "S8",
    "gallery": "G5",
}
"""Aliases of facts; the first three follow a subject, as in `H3.identity`."""

_SUBJECT = r"[QHC][1-9]\d{0,2}"
_OF_SUBJECT = (
    r"[EP][1-9]\d?|verdict|against|regions|file|faces|impression|identity|forgery|impersonation"
)
_VERDICT = "|".join(key.replace("_", "[_ -]") for key in VERDICT_KEYS)
_LISTS = "|".join(LIST_KEYS)
_FACT = (
    rf"{_SUBJECT}\.(?:{_OF_SUBJECT})|[SG][1-9]|gallery|hits\.(?:all|{_LISTS}|{_VERDICT})|"
    rf"count\.(?:all|compared|{_VERDICT})|about\.(?:[EPSG][1-9]\d?|{_VERDICT})"
)
SUBJECT_PATTERN = re.compile(r"([QHC])([1-9]\d*)")
FACT_PATTERN = re.compile(_FACT)
CITATION_PATTERN = re.compile(rf"\[({_FACT})\]")
"""A citation in text; its first group is the fact's handle."""


@dataclass(frozen=True, slots=True)
class Handle:
    """A parsed handle: `subject` "H3" (empty for counts), `kind` of fact, and its `number`.

    `kind` is "E", "P", "S" or "G" with a number; or a word ("verdict", "hits.copy") with number 0;
    or empty for a bare subject, whose own number it is.
    """

    subject: str
    kind: str
    number: int

    def __str__(self) -> str:
        if not self.kind:
            return self.subject
        return f"{self.subject}.{self.kind}{self.number or ''}".removeprefix(".")

    @property
    def group(self) -> str:
        """Key under which facts are stored: the subject, or "S", "G", "hits" or "about"."""
        if self.kind in ("faces", "against"):
            return str(self)
        return self.subject or self.kind.partition(".")[0]


def parse_handle(text: str) -> Handle:
    """Parse `H3`, `H3.E2`, `H3.verdict`, `S1` or `hits.copy`, with or without square brackets.

    Aliases are resolved. Raises ToolError for anything else.
    """
    bare = text.strip().removeprefix("[").removesuffix("]")
    if match := SUBJECT_PATTERN.fullmatch(bare):
        return Handle(bare, "", int(match[2]))
    if FACT_PATTERN.fullmatch(bare) is None:
        raise ToolError(
            f"{quote_untrusted(text)} is no handle; handles look like Q1, H3, C1 or H3.E2"
        )
    plain = re.sub("[ -]", "_", bare)
    plain = ALIASES.get(plain, plain)
    subject, _, kind = plain.rpartition(".") if SUBJECT_PATTERN.match(plain) else ("", "", plain)
    kind = ALIASES.get(kind, kind) if subject else kind
    numbered = re.fullmatch(r"([EPSG])(\d+)", kind)
    return Handle(subject, numbered[1], int(numbered[2])) if numbered else Handle(subject, kind, 0)


def cited_handles(text: str) -> tuple[str, ...]:
    """Handles of all facts cited in a text, with aliases resolved, in order, with repetitions."""
    return tuple(str(parse_handle(it)) for it in CITATION_PATTERN.findall(text))


def quote_untrusted(text: object, *, longest: int = 60) -> str:
    """Untrusted text in double quotes, as data; see `sanitise_text`."""
    return f'"{sanitise_text(text, longest=longest)}"'


def sanitise_text(text: object, *, longest: int = 60) -> str:
    """Untrusted text on one line, truncated, without control characters or double quotes.

    For file names, metadata and arguments: they are displayed, and never followed as instructions.
    """
    plain = "".join(c if c.isprintable() else " " for c in str(text))
    plain = " ".join(plain.replace('"', "'").split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


@dataclass(frozen=True, slots=True)
class Fact:
    """A citable fact: one measured value and its interpretation.

    `reads` is a word or two without digits; `value` is None if not measured, or if `unit` is
    `IN_WORDS`: then `reads` is the whole fact. `share_of_authentic_below` (0..1) is its percentile
    among authentic validation photographs. `whom` names its subject in a sentence if that is not
    the handle's own ("Q1 and H3" of a comparison).
    """

    id: str
    name: str
    value: float | None
    unit: str
    reads: str
    method: str
    limits: str
    share_of_authentic_below: float | None = None
    whom: str = ""

    @property
    def shown(self) -> str:
        """The value in words, for display."""
        if self.unit == IN_WORDS:
            return self.reads
        return format_value(self.value, self.unit, id=self.id)

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable dict; a missing value is null."""
        return {
            "id": self.id,
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "reads": self.reads,
            "shown": self.shown,
            "method": self.method,
            "limits": self.limits,
            "share_of_authentic_below": self.share_of_authentic_below,
            "whom": self.whom,
        }


IN_WORDS = "in words"
