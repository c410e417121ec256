"""Findings about a file's origin: what was found, where, and what it can and cannot mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tools.verdict.handles import quote_untrusted, sanitise_text

Kind = Literal[
    "content credentials",
    "source type",
    "generator",
    "editor",
    "camera",
    "dates",
    "dimensions",
    "thumbnail",
    "location",
    "compression",
    "double compression",
    "remote manifest",
    "forgery mark",
    "unread",
]

Bearing = Literal["generated", "made", "edited", "captured", "contradiction", "invalid", "fact"]
"""What a finding speaks of: the file *says* that it was generated, made with software, edited or
captured; it contradicts itself; its credentials do not hold; or a fact that speaks for nothing by
itself."""

LONGEST_QUOTE = 160
"""Characters of a file's own text that are shown."""

LIMITS = (
    "Provenance is a hint, never proof, and has no part in any verdict. Anyone can add, change or "
    "remove metadata, and most services remove it: finding nothing is not evidence of anything."
)

MEANINGS: Mapping[Kind, tuple[str, str]] = {
    "content credentials": (
        "A valid signature shows that the file is as its signer left it, and who holds the "
        "certificate.",
        "It does not show that the signer's statements are true. A certificate that was not "
        "checked against a list of trusted signers may be anyone's, with any name in it.",
    ),
    "source type": (
        "Software or a person labelled how the picture came about, in the terms of the IPTC.",
        "It does not show that the label is right: outside of a signed manifest it is text that "
        "anyone can write.",
    ),
    "generator": (
        "Text as image generators write it, or the name of one, is in the file.",
        "It does not show that the picture was generated: the text can be copied into any file.",
    ),
    "editor": (
        "Software that can edit pictures wrote the file or is in its history.",
        "It does not show what was changed: the same software also only crops, converts or sorts "
        "photographs.",
    ),
    "camera": (
        "The file names a camera.",
        "It does not show that the picture was taken with it: editing usually keeps these fields, "
        "and they can be written.",
    ),
    "dates": (
        "Two dates in the file cannot both be right, or one lies in the future.",
        "It does not show that the picture was altered: cameras with a wrong clock and careless "
        "software do this too.",
    ),
    "dimensions": (
        "The file states another size than the picture has: it was probably cropped or resized by "
        "software that left the old value.",
        "It does not show that what the picture shows was altered.",
    ),
    "thumbnail": (
        "The small preview in the file differs from the picture: the picture was probably changed "
        "after the preview was made.",
        "It does not show what was changed, and a preview that fits does not show that nothing "
        "was: it is too small for a face.",
    ),
    "location": (
        "The file holds a position.",
        "It does not show where the picture was taken: positions can be written.",
    ),
    "compression": (
        "The JPEG tables show how strongly, and with what kind of software, the file was last "
        "saved.",
        "They do not show what was done before: almost every service saves photographs again.",
    ),
    "double compression": (
        "Rounding left traces of an earlier compression: somebody saved the picture again, or "
        "software or a service did.",
        "It is no sign of forgery by itself: nearly every picture on the web was compressed more "
        "than once, by a messenger, a website or a screenshot, and some cameras do it too. Drawn "
        "and strongly enlarged pictures can look so by chance. Finding no such traces is not "
        "evidence either: resizing, a stronger last compression or the same quality twice hide "
        "them.",
    ),
    "remote manifest": (
        "The file refers to content credentials at an address.",
        "They were not fetched, so nothing is known about them.",
    ),
    "forgery mark": (
        "The file says that Unmask made it as a forgery.",
        "It does not prove that: the mark is text that can be added or removed.",
    ),
    "unread": (
        "A part of the file could not be read.",
        "It does not show why: damage, an unknown variant and manipulation look alike.",
    ),
}
"""What each kind of finding can mean, and what it cannot."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding in a file.

    `where` names the place ("EXIF", "C2PA manifest"); `text` is a sentence without a full stop, in
    which the file's own words stand in double quotes, shortened and without control characters.
    `details` are further names with values, sanitised likewise.
    """

    kind: Kind
    bearing: Bearing
    where: str
    text: str
    details: tuple[tuple[str, str], ...] = ()

    @property
    def can_mean(self) -> str:
        """What it can mean."""
        return MEANINGS[self.kind][0]

    @property
    def cannot_mean(self) -> str:
        """What it does not show."""
        return MEANINGS[self.kind][1]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {
            "kind": self.kind,
            "bearing": self.bearing,
            "where": self.where,
            "text": self.text,
            "details": dict(self.details),
            "can_mean": self.can_mean,
            "cannot_mean": self.cannot_mean,
        }


@dataclass(frozen=True, slots=True)
class Provenance:
    """All findings in one file, those that speak of something first.

    `image_id` is the SHA-256 (hex) of its bytes; `looked_for` are the places that were read, in
    words.
    """

    image_id: str
    format: str
    findings: tuple[Finding, ...]
    looked_for: tuple[str, ...]

    @property
    def summary(self) -> str:
        """One sentence: what the findings speak of; never that a picture is authentic."""
        spoken = [words for bearing in _SUMMARIES if (words := self._spoken(bearing))]
        if spoken:
            return f"The file {_joined(spoken)}."
        return (
            "Nothing in the file speaks of its origin, which is not evidence of anything."
            if not self.findings
            else "Nothing in the file says that it was generated or edited, which is no evidence."
        )

    def _spoken(self, bearing: Bearing) -> str:
        """What the findings of a bearing say; empty without one."""
        kinds = {it.kind for it in self.findings if it.bearing == bearing}
        if not kinds:
            return ""
        by_name = _BY_NAME.get(bearing)
        return by_name[1] if by_name and kinds == {by_name[0]} else _SUMMARIES[bearing]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict."""
        return {
            "image_id": self.image_id,
            "format": self.format,
            "summary": self.summary,
            "findings": [it.to_json() for it in self.findings],
            "looked_for": list(self.looked_for),
            "part_in_verdict": False,
            "limits": LIMITS,
        }


_SUMMARIES: Mapping[Bearing, str] = {
    "invalid": "has content credentials that do not fit it or cannot be read",
    "generated": "says that it was generated or holds generated parts",
    "made": "says that it was made with software",
    "contradiction": "contradicts itself",
    "edited": "says that it was edited",
    "captured": "says that it was captured",
}
_BY_NAME: Mapping[Bearing, tuple[Kind, str]] = {
    "edited": ("editor", "names software that edits"),
    "captured": ("camera", "names a camera"),
}
"""What is said instead if a name, of software or of a camera, is all that there is."""
_ORDER: tuple[Bearing, ...] = (*_SUMMARIES, "fact")


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Findings sorted by what they speak of; the order of equals is kept."""
    return tuple(sorted(findings, key=lambda it: _ORDER.index(it.bearing)))


def quoted(text: object) -> str:
    """The file's own words as a quotation: one line, shortened, without control characters."""
    return quote_untrusted(text, longest=LONGEST_QUOTE)


def clean(text: object) -> str:
    """The same without the quotation marks, for a detail's value."""
    return sanitise_text(text, longest=LONGEST_QUOTE)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
