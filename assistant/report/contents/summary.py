"""What a report says first: what was asked and searched, what was found, what limits it.

Filled in from the report's data, the same for HTML and PDF.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.report.contents.model import HitItem, Report
from assistant.report.remarks import own_remarks, plain_sentence
from tools.verdict.clauses import join_with_and
from tools.verdict.rule import VERDICTS

LEADING_HITS = 8
"""Most hits of the summary; with their pictures, they fit its page."""

CAVEAT = (
    "A verdict is a reason to look, not proof. A person must examine every hit before anything is "
    "decided. “No forgery found” does not mean authentic, and “inconclusive” supports neither side."
)


def searched_in_words(report: Report) -> str:
    """How many pictures were compared and left out, and how many of them the report shows."""
    were = "was" if report.compared < 2 else "were"  # "no image was", too
    said = f"{report.compared_in_words} {were} compared with the query photos"
    if report.images_without_face:
        shows = "shows" if report.images_without_face == 1 else "show"
        said += f"; {report.faceless_in_words} {shows} no detectable face"
    if report.compared > len(report.hits):
        count = len(report.hits)
        said += f". The {count} leading ones are" if count > 1 else ". The leading one is"
        said += " in this report"
    return f"{said[:1].upper()}{said[1:]}."


def verdict_counts(report: Report) -> list[tuple[str, int, int]]:
    """Each verdict that occurs, how many of all compared have it, and how many in the report."""
    listed = Counter(hit.verdict for hit in report.hits)
    return [(it, report.counts[it], listed[it]) for it in VERDICTS if report.counts.get(it)]


@dataclass(frozen=True, slots=True)
class Leading:
    """A hit of the summary, and how many more hits show nearly the same picture."""

    hit: HitItem
    alike: int

    @property
    def alike_in_words(self) -> str:
        """`and 3 nearly the same`; empty if it is the only one."""
        return f"and {self.alike} nearly the same" if self.alike else ""

    @property
    def decided(self) -> str:
        """The reviewer's decision in force; a dash if there is none, or it was taken back."""
        made = self.hit.decision
        return "–" if made is None or made.decision == "none" else made.decision


def leading_hits(report: Report, most: int = LEADING_HITS) -> Sequence[Leading]:
    """The first hits by rank, each group of copies once."""
    behind = {handle for group in report.copies for handle in group.hits[1:]}
    alike = {group.hits[0]: len(group.hits) - 1 for group in report.copies}
    leads = [Leading(it, alike.get(it.handle, 0)) for it in report.hits if it.handle not in behind]
    return leads[:most]


def left_in_words(report: Report, shown: Sequence[Leading]) -> str:
    """How many hits follow those of the summary; empty if none do."""
    left = len(report.hits) - sum(1 + it.alike for it in shown)
    if left <= 0:
        return ""
    return f"{left} more {'hit follows' if left == 1 else 'hits follow'} under “Findings”."


def decisions_in_words(report: Report) -> str:
    """How many hits a reviewer decided about, and how many are open; empty without any hit."""
    words = Counter(hit.decision.decision for hit in report.hits if hit.decision is not None)
    made = [f"{count} {word}" for word, count in words.items() if word != "none"]
    if not report.hits:
        return ""
    if not made:
        return "No decision of a reviewer is recorded."
    left = len(report.hits) - sum(count for word, count in words.items() if word != "none")
    rest = f"; {left} without a decision" if left else ""
    return f"Decisions of the reviewer: {join_with_and(made)}{rest}."


def remarks(report: Report) -> list[str]:
    """The remarks about this search, each as a sentence."""
    said = [report.retention, *map(plain_sentence, own_remarks(report.warnings))]
    return [it for it in (*said, report.forged_others) if it]
