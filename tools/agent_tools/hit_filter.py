"""Filter and order of the listed hits: parsed from words, applied, described."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Any, Literal, cast, get_args

from tools.agent_tools.file_facts import FileDate
from tools.errors import ToolError
from tools.search.results import Hit
from tools.verdict.handles import quote_untrusted
from tools.verdict.rule import VERDICTS, Verdict

SortKey = Literal[
    "rank", "date", "name", "forgery", "identity",
    "rank reversed", "date reversed", "name reversed", "forgery reversed", "identity reversed",
]  # fmt: skip
SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)

_ORDERS: Mapping[SortKey, str] = {
    "date": "by date, newest first",
    "name": "by name",
    "forgery": "by the probability of a forgery, highest first",
    "identity": "by the probability of the same person, highest first",
    "rank reversed": "the last ones first",
    "date reversed": "by date, oldest first",
    "name reversed": "by name, from the end of the alphabet",
    "forgery reversed": "by the probability of a forgery, lowest first",
    "identity reversed": "by the probability of the same person, lowest first",
}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)?(-(\d+(?:\.\d+)?))?")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")

DateOf = Callable[[Hit], FileDate | None]
"""The date of a hit's file; None if it has none."""

DecisionWord = Literal["confirmed", "rejected", "hidden", "none"]
DECISIONS: tuple[DecisionWord, ...] = get_args(DecisionWord)
"""The reviewer's decisions: "none" takes one back, "hidden" also leaves the hit out of lists."""

DecisionOf = Callable[[Hit], DecisionWord]
"""The reviewer's decision about a hit."""

PercentRange = tuple[float, float]
"""A probability in percent, at least and at most."""


@dataclass(frozen=True, slots=True)
class HitFilter:
    """Which hits are listed, and in which order; the default lists all of them by rank.

    `decision` is the reviewer's ("none": undecided). `forged` and `person` limit the probability of
    a forgery, and of the same person, in percent: (at least, at most). `folder` is part of the name
    of a folder above the file, `name` part of the file's name, or its ending (".png"). `after` and
    `before` ("2024", "2024-05" or "2024-05-02") limit the file's date: at or after the first moment
    of `after`, and before the first moment of `before`.
    """

    verdict: Verdict | None = None
    folder: str | None = None
    after: str | None = None
    before: str | None = None
    sort: SortKey = "rank"
    decision: str | None = None
    forged: PercentRange | None = None
    person: PercentRange | None = None
    name: str | None = None

    @classmethod
    def parse(
        cls,
        verdict: str | None = None,
        folder: str | None = None,
        after: str | None = None,
        before: str | None = None,
        sort: str | None = None,
        decision: str | None = None,
        forged: str | None = None,
        person: str | None = None,
        name: str | None = None,
    ) -> "HitFilter":
        """The filter in a person's or a model's words; ToolError, which lists the valid ones."""
        if folder and re.search(r"[/\\]", folder.strip()):
            raise ToolError("folder is a part of one folder's name, without slashes")
        if (name or "").strip() and not _letters(str(name)):
            raise ToolError("name is a part of a file's name, with a letter or a digit")
        begin, end = _moment(after, "after"), _moment(before, "before")
        if begin is not None and end is not None and begin >= end:
            raise ToolError("after must be earlier than before")
        return cls(
            verdict=cast(Verdict | None, _choice(verdict, VERDICTS, "verdict", "verdicts are")),
            folder=(folder or "").strip() or None,
            after=(after or "").strip() or None,
            before=(before or "").strip() or None,
            sort=cast(SortKey, _choice(sort, SORT_KEYS, "order", "sort is") or "rank"),
            decision=_choice(decision, DECISIONS, "decision", "decisions are"),
            forged=_percent_range(forged, "forged"),
            person=_percent_range(person, "person"),
            name=(name or "").strip() or None,
        )

    def following(self, present: "HitFilter", *, sorts: bool) -> "HitFilter":
        """This filter after the `present` one; `sorts` if its order was asked for.

        An order alone keeps the present criteria, and criteria alone the present order, so that
        neither ends without a word; a filter without either lists all hits by rank.
        """
        if sorts and not self.criteria:
            return replace(present, sort=self.sort)
        return replace(self, sort=present.sort) if self.criteria and not sorts else self

    @property
    def needs_dates(self) -> bool:
        """Whether the dates of the files decide what is listed, or its order."""
        return bool(self.after or self.before or self.sort.startswith("date"))

    @property
    def criteria(self) -> tuple[str, ...]:
        """The names of the criteria in use."""
        named = {
            "verdict": self.verdict, "folder": self.folder, "after": self.after,
            "before": self.before, "decision": self.decision, "forged": self.forged,
            "person": self.person, "name": self.name,
        }  # fmt: skip
        return tuple(name for name, value in named.items() if value is not None)

    def describe(self) -> str:
        """The filter in words: `impersonation; in a folder "holiday"; by name`; empty for none."""
        return "; ".join(self._parts())

    def _parts(self) -> Iterator[str]:
        if self.verdict:
            yield self.verdict
        if self.folder:
            yield f"in a folder whose name contains {quote_untrusted(self.folder)}"
        if self.name:
            does = "ends in" if _is_ending(self.name) else "contains"
            both = next((it for it in _ONE_KIND if self.name.casefold() in it), (self.name,))
            names = " or ".join(map(quote_untrusted, both))
            yield f"whose file name {does} {names}"
        if self.after:
            yield f"dated {self.after} or later"
        if self.before:
            yield f"dated before {self.before}"
        if self.decision:
            yield "without a decision" if self.decision == "none" else f"marked {self.decision}"
        if self.forged:
            yield f"forged with a probability of {_in_words(self.forged)}"
        if self.person:
            yield f"the same person with a probability of {_in_words(self.person)}"
        if self.sort != "rank":
            yield _ORDERS[self.sort]

    def apply(
        self, hits: Sequence[Hit], date_of: DateOf, decision_of: DecisionOf = lambda _: "none"
    ) -> list[Hit]:
        """The hits that fit, in order.

        Hits without a date or a measured probability fit no limit on it, and come last in an order
        by it.
        """
        fitting = [
            hit
            for hit in hits
            if self._fits(hit, date_of) and self.decision in (None, decision_of(hit))
        ]
        key, _, backwards = self.sort.partition(" ")
        ranked = [(_value(key, hit, date_of), hit) for hit in sorted(fitting, key=_rank)]
        known = [(value, hit) for value, hit in ranked if value is not None]
        known.sort(key=lambda it: it[0], reverse=(key in ("rank", "name")) == bool(backwards))
        return [hit for _, hit in (*known, *(it for it in ranked if it[0] is None))]

    def _fits(self, hit: Hit, date_of: DateOf) -> bool:
        if self.verdict is not None and hit.verdict != self.verdict:
            return False
        if self.folder is not None and not _lies_in(hit, self.folder):
            return False
        if self.name is not None and not _is_named(hit, self.name):
            return False
        given = hit.assessment
        if not _within(given.fake_probability, self.forged):
            return False
        if not _within(given.identity_probability, self.person):
            return False
        begin, end = _moment(self.after, "after"), _moment(self.before, "before")
        if begin is None and end is None:
            return True
        date = date_of(hit)
        return date is not None and (begin or datetime.min) <= date.when < (end or datetime.max)


def _rank(hit: Hit) -> int:
    return hit.rank


def _value(key: str, hit: Hit, date_of: DateOf) -> Any:
    """What hits are ordered by; None if it is unknown of this one."""
    match key:
        case "name":
            return hit.path.name.casefold()
        case "date":
            date = date_of(hit)
            return None if date is None else date.when
        case "forgery":
            return hit.assessment.fake_probability
        case "identity":
            return hit.assessment.identity_probability
    return hit.rank


def _within(probability: float | None, limits: PercentRange | None) -> bool:
    if limits is None:
        return True
    return probability is not None and limits[0] <= 100 * probability <= limits[1]


def _in_words(limits: PercentRange) -> str:
    low, high = limits
    if high >= 100:
        return f"at least {low:g} %"
    return f"at most {high:g} %" if low <= 0 else f"{low:g} to {high:g} %"


def _lies_in(hit: Hit, folder: str) -> bool:
    wanted = folder.casefold()
    return any(wanted in name.casefold() for path in hit.paths for name in _folders(path))


def _is_named(hit: Hit, name: str) -> bool:
    if _is_ending(name):
        return any(_ending(path.suffix) == _ending(name) for path in hit.paths)
    wanted = _letters(name)
    return any(wanted in _letters(path.name) for path in hit.paths)


def _is_ending(name: str) -> bool:
    return re.fullmatch(r"\.\w{2,5}", name) is not None


def _ending(suffix: str) -> str:
    plain = suffix.casefold()
    return next((first for first, other in _ONE_KIND if plain == other), plain)


_ONE_KIND = ((".jpg", ".jpeg"), (".tif", ".tiff"))
"""Endings of one format: who asks for one gets both."""


def _letters(name: str) -> str:
    """A name without signs and case: people write "frame 18" for `Frame_18`."""
    return re.sub(r"[\W_]+", "", name.casefold())


def _folders(path: PurePath) -> Sequence[str]:
    return [part for part in path.parent.parts if part != path.anchor]


def _choice(
    written: str | None, valid: Sequence[str], what: str, introduction: str
) -> str | None:  # fmt: skip
    plain = " ".join(re.sub(r"[_\s-]+", " ", written or "").casefold().split())
    if plain and plain not in valid:
        raise ToolError(
            f"there is no {what} {quote_untrusted(written)}; {introduction} {', '.join(valid)}"
        )
    return plain or None


def _moment(written: str | None, name: str) -> datetime | None:
    """The first moment of a year, a month or a day."""
    if not (written or "").strip():
        return None
    match = _DATE.fullmatch(str(written).strip())
    try:
        if match is not None:
            year, month, day = (int(part or 1) for part in match.groups())
            return datetime(year, month, day)
    except ValueError:
        pass
    raise ToolError(
        f"{name}: {quote_untrusted(written)} is no date; dates look like 2024, 2024-05 or "
        "2024-05-02"
    )


def _percent_range(written: str | None, name: str) -> PercentRange | None:
    """`80` (at least), `20-80`, `-20` (at most), with or without a percent sign."""
    plain = re.sub(r"[\s%]", "", str(written or ""))
    if not plain:
        return None
    match = _PERCENT.fullmatch(plain)
    if match is not None and (match[1] or match[3]):
        low = float(match[1] or 0)
        high = float(match[3]) if match[3] else 100.0
        if low <= high <= 100:
            return low, high
    raise ToolError(
        f"{name}: {quote_untrusted(written)} is no range of percent; write 80 for at least 80 %, "
        "-20 for at most 20 %, or 20-80"
    )
