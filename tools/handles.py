"""Handles: the short names by which a model, the screen and a case speak of what was measured.

`Q1` is a query photo, `H3` the third hit of the latest search, `C1` a comparison of two faces.
A fact is cited in square brackets: `[H3.E2]` evidence, `[H3.P1]` a calibrated probability,
`[S2]` a count of the latest search, `[G1]` a count of the gallery. The model never sees a path
and never types a number; the application puts the value where a handle stands.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from tools.errors import ToolError

Subject = Literal["Q", "H", "C"]

SUBJECT = re.compile(r"([QHC])([1-9]\d*)")
FACT = re.compile(r"([QHC][1-9]\d*)\.([EP])([1-9]\d*)|([SG])([1-9])")
CITATION = re.compile(r"\[([QHC][1-9]\d*\.[EP][1-9]\d*|[SG][1-9])\]")
"""A citation in text; its first group is the fact's handle."""

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle taken apart: `subject` "H3" (empty for counts), `kind` of fact, its `number`.

    `kind` is "E", "P", "S" or "G", and empty for a bare subject, whose number is its own.
    """

    subject: str
    kind: str
    number: int

    def __str__(self) -> str:
        if not self.kind:
            return self.subject
        return f"{self.subject}.{self.kind}{self.number}".removeprefix(".")


def parse(text: str) -> Handle:
    """Read `H3`, `H3.E2`, `S1` or `G1`, with or without square brackets.

    Raises ToolError when it is none of them.
    """
    bare = text.strip().removeprefix("[").removesuffix("]")
    if match := SUBJECT.fullmatch(bare):
        return Handle(bare, "", int(match[2]))
    if match := FACT.fullmatch(bare):
        subject, kind, number, count, which = match.groups()
        return Handle(subject, kind, int(number)) if subject else Handle("", count, int(which))
    raise ToolError(f"{quoted(text)} is no handle; handles look like Q1, H3, C1 or H3.E2")


def cited(text: str) -> tuple[str, ...]:
    """The handles of all facts that a text cites, in order, repeated ones too."""
    return tuple(CITATION.findall(text))


def quoted(text: object, *, longest: int = 60) -> str:
    """Text from outside as data between double quotes; see `tamed`."""
    return f'"{tamed(text, longest=longest)}"'


def tamed(text: object, *, longest: int = 60) -> str:
    """Text from outside: cut, on one line, without control characters or double quotes.

    For file names, metadata and arguments: whatever they say, they are shown, never obeyed.
    """
    plain = "".join(c if c.isprintable() else " " for c in str(text))
    plain = " ".join(plain.replace('"', "'").split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that a text may cite: one measured value and how it is to be read.

    `reads` is a word or two without digits; `value` is None when it was not measured;
    `share_of_authentic_below` (0..1) places it among authentic validation photographs.
    """

    id: str
    name: str
    value: float | None
    unit: str
    reads: str
    method: str
    limits: str
    share_of_authentic_below: float | None = None

    @property
    def shown(self) -> str:
        """The value with its unit, as people read it."""
        if self.value is None:
            return NOT_MEASURED
        if self.unit == PROBABILITY:
            return percent(self.value)
        if self.value == 1 and self.unit in COUNTS:
            return f"1 {COUNTS[self.unit]}"
        if self.value == int(self.value):
            return f"{self.value:.0f} {self.unit}".strip()
        digits = 1 if abs(self.value) >= 10 else 2 if abs(self.value) >= 0.1 else 3
        return f"{self.value:.{digits}f} {self.unit}".strip()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; a missing value is null."""
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
        }


PROBABILITY = "probability"
COUNTS = {"faces": "face", "images": "image", "files": "file"}


def percent(probability: float | None) -> str:
    """A probability as people read it; never 0 % or 100 %, which no measurement supports."""
    if probability is None:
        return NOT_MEASURED
    if probability >= 0.995:
        return "over 99 %"
    if probability < 0.005:
        return "under 1 %"
    return f"{100 * probability:.0f} %"
