"""Near-identical hits as groups: versions of one picture, with the earliest of them.

Hits with the same verdict belong together if their aligned faces differ in at most `NEAR_BITS` of
64 bits of a perceptual hash, so re-encoded, scaled and cropped copies do; a forgery and its proven
original do not. A group hides nothing that the rule told apart. Does not show: which is the
original. Dates can be edited, and copying a file may change them; a small edit of the face can pass
as a copy, and mirrored copies are not recognised.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tools.agent_tools.file_facts import FileDate, file_date
from tools.media.pictures.perceptual_hash import hash_distance
from tools.search.results import Findings, Hit

NEAR_BITS = 6
"""Aligned faces that differ in at most this many of 64 bits count as nearly identical."""


@dataclass(frozen=True, slots=True)
class CopyGroup:
    """Hits that show nearly the same face, the leading one first.

    `earliest` has the oldest `date`; both are None if no file has a date any more.
    """

    hits: tuple[Hit, ...]
    earliest: Hit | None
    date: FileDate | None

    @property
    def date_in_words(self) -> str:
        """`2021-07-14 by its EXIF date`; empty without a date."""
        if self.date is None:
            return ""
        source = "its EXIF date" if self.date.source == "EXIF" else "its file's date"
        return f"{self.date.when.date().isoformat()} by {source}"

    @property
    def earliest_in_words(self) -> str:
        """`H4, 2021-07-14 by its EXIF date`; empty without a date."""
        return "" if self.earliest is None else f"{self.earliest.handle}, {self.date_in_words}"

    def to_json(self) -> dict[str, Any]:
        """A JSON-able dict; the date has no time zone."""
        return {
            "hits": [hit.handle for hit in self.hits],
            "earliest": None if self.earliest is None else self.earliest.handle,
            "date": None if self.date is None else self.date.when.isoformat(),
            "date_source": None if self.date is None else self.date.source,
        }


def group_copies(hits: Sequence[Hit]) -> list[CopyGroup]:
    """The groups of two or more among the hits, in the order of their leading hits.

    Each hit is compared with the leading hit of a group, not with its last one, so that a chain of
    small differences does not join different pictures.
    """
    return [_dated(group) for group in _grouped(hits, _alike) if len(group) > 1]


def alike_hits(hits: Sequence[Hit]) -> list[tuple[Hit, ...]]:
    """Groups of hits with nearly the same face, whatever their verdicts, by their leading hits.

    Proven versions of one photograph with different faces are no copies of each other.
    """
    return [tuple(group) for group in _grouped(hits, _near) if len(group) > 1]


def nearest_hits(hits: Sequence[Hit]) -> tuple[Hit, Hit, int] | None:
    """The two hits whose aligned faces differ least, and in how many of 64 bits; None without."""
    measured = [hit for hit in hits if hit.face_hash is not None]
    pairs = [
        (bits, first, second)
        for at, first in enumerate(measured)
        for second in measured[at + 1 :]
        if (bits := _bits(first, second)) is not None
    ]
    if not pairs:
        return None
    bits, first, second = min(pairs, key=lambda it: it[0])
    return first, second, bits


def findings_with_copies(findings: Findings) -> dict[str, Any]:
    """`Findings.to_json` with the `copies`: groups of near-identical hits."""
    return findings.to_json() | {"copies": [it.to_json() for it in group_copies(findings.hits)]}


def _grouped(hits: Sequence[Hit], belong: Callable[[Hit, Hit], bool]) -> list[list[Hit]]:
    groups: list[list[Hit]] = []
    for hit in hits:
        group = next((each for each in groups if belong(each[0], hit)), None)
        if group is None:
            groups.append([hit])
        else:
            group.append(hit)
    return groups


def _alike(lead: Hit, hit: Hit) -> bool:
    return lead.verdict == hit.verdict and _near(lead, hit)


def _near(lead: Hit, hit: Hit) -> bool:
    bits = _bits(lead, hit)
    return bits is not None and bits <= NEAR_BITS


def _bits(lead: Hit, hit: Hit) -> int | None:
    """In how many bits two aligned faces differ; None if that says nothing."""
    if lead.face_hash is None or hit.face_hash is None:
        return None
    if any(one.version and one.version.image_id == it.image_id for one, it in _both(lead, hit)):
        return None  # proven to show different faces, however alike their hashes are
    return hash_distance(lead.face_hash, hit.face_hash)


def _both(one: Hit, other: Hit) -> tuple[tuple[Hit, Hit], tuple[Hit, Hit]]:
    return (one, other), (other, one)


def _dated(hits: Sequence[Hit]) -> CopyGroup:
    dated = [(date.when, place, date) for place, hit in enumerate(hits) if (date := file_date(hit))]
    if not dated:
        return CopyGroup(tuple(hits), None, None)
    _, place, date = min(dated, key=lambda it: it[:2])
    return CopyGroup(tuple(hits), hits[place], date)
