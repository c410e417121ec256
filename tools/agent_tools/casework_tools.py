"""Tools for the work on a case: filter and mark hits, undo, export, explain.

The methods are the tools: their names, annotations and docstrings go into every prompt. A list is
handles and counts in words; texts of the project (a term's meaning, a topic) are passed on whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

from tools.agent_tools import about_unmask as project_texts
from tools.agent_tools.arguments import Number, Picture, compact_json
from tools.agent_tools.facts import count_in_words
from tools.agent_tools.file_facts import FileFacts, read_file_facts
from tools.agent_tools.hit_filter import HitFilter
from tools.agent_tools.review.entries import Decision, HitNote
from tools.agent_tools.review.listing import HitList, ReviewState, Undone
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.search.results import Findings
from tools.verdict.handles import quote_untrusted
from tools.verdict.term_lookup import GlossaryEntry, closest_terms
from tools.verdict.term_lookup import explain_term as look_up

EXPORT_FILES = {
    "html": "report.html",
    "pdf": "report.pdf",
    "json": "report.json",
    "csv": "report.csv",
    "bundle": "report.zip",
}
"""The formats of a report, each with the name of its file in the case's folder."""

EXPORT_FORMATS = tuple(EXPORT_FILES)


def _date(written: Any) -> Any:
    """A year that was written as a number is text."""
    return str(written) if type(written) is int else written


Date = Annotated[str, BeforeValidator(_date)]


def _percent(written: Any) -> Any:
    """A number of percent is text."""
    number = isinstance(written, int | float) and not isinstance(written, bool)
    return f"{written:g}" if number else written


Percent = Annotated[str, BeforeValidator(_percent)]


@dataclass(frozen=True, slots=True)
class ExportedReport:
    """A written report."""

    format: str
    path: Path


class CaseworkTools:
    """`found` words the findings of a search for the model, as `find_person` does."""

    def __init__(self, workspace: Workspace, found: Callable[[Findings], str]) -> None:
        self._workspace, self._found = workspace, found

    def list_hits(
        self,
        verdict: str | None = None,
        folder: str | None = None,
        after: Date | None = None,
        before: Date | None = None,
        sort: str | None = None,
        decision: str | None = None,
        forged: Percent | None = None,
        person: Percent | None = None,
        name: str | None = None,
        stays: bool = False,
    ) -> tuple[str, HitList]:
        """Filter or sort the hits (none: all); stays: only name them, the list stays as it is."""
        review = self._workspace.review
        wanted = HitFilter.parse(
            verdict, folder, after, before, sort, decision, forged, person, name
        )
        wanted = wanted.following(review.filter, sorts=sort is not None)
        found = review.list_hits(wanted, stays=stays)
        return compact_json(_list(found)), found

    def more_hits(self, count: Number = 10) -> tuple[str, Findings]:
        """List more hits of the latest search."""
        findings = self._workspace.more_hits(count)
        return self._found(findings), findings

    def mark_hit(self, hit: Picture, decision: str) -> tuple[str, Decision]:
        """Note the user's decision on a hit: confirmed, rejected, hidden or none."""
        found, review = self._workspace.hit(hit), self._workspace.review
        before = review.decision_word(found)
        made = review.mark(found, decision)
        content = {"hit": hit, "decision": made.decision, "verdict": found.verdict}
        again = {"as before": True} if made.decision == before else {}
        return compact_json(content | again), made

    def note_hit(self, hit: Picture, text: str) -> tuple[str, HitNote]:
        """Write the user's note on a hit; an empty text removes it."""
        found, review = self._workspace.hit(hit), self._workspace.review
        nothing = "removed" if review.note(found) else "absent"
        made = review.write_note(found, text)
        return compact_json({"hit": hit, "note": "written" if made.text else nothing}), made

    def reviewed(
        self, hit: Picture | None = None, decision: str | None = None
    ) -> tuple[str, ReviewState]:
        """The user's decisions and notes so far; hit: those on one hit; decision: such hits."""
        found = self._workspace.review.state(hit, decision)
        content = {
            "decided": [it.hit.handle for it in found.entries if it.decision],
            "noted": [it.hit.handle for it in found.entries if it.note],
            "of": hit or "all hits",
        }
        return compact_json(content | ({"open": found.open} if decision == "none" else {})), found

    def file_facts(self, image: Picture) -> tuple[str, FileFacts]:
        """What the file of a photo or hit says of itself: name, size, date, camera."""
        found = read_file_facts(self._workspace.pictures, image)
        return compact_json(found.to_words()), found

    def undo(self) -> tuple[str, tuple[Undone, ...]]:
        """Take back the decisions, notes and filters of the user's latest change."""
        undone = self._workspace.review.undo()
        changes = [self._undone(each) for each in undone]
        content = changes[0] if len(changes) == 1 else {"undone": "several", "changes": changes}
        return compact_json(content), undone

    def _undone(self, undone: Undone) -> dict[str, Any]:
        if not isinstance(undone.was, HitFilter) and not isinstance(undone.now, HitFilter):
            gone = {} if undone.now.hit else {"before": undone.was.hit}
            where = {"hit": undone.now.hit or "not listed", **gone}
            if isinstance(undone.was, Decision) and isinstance(undone.now, Decision):
                was, now = undone.was.decision, undone.now.decision
                return {"undone": "decision", **where, "was": was, "now": now}
            if isinstance(undone.now, HitNote):
                left = "as before" if undone.now.text else "removed"
                return {"undone": "note", **where, "note": left}
        return {"undone": "filter", **_list(self._workspace.review.listed())}

    def export_report(self, format: str = "html") -> tuple[str, ExportedReport]:
        """Write the report of the case: html, pdf, json, csv, or bundle with the originals."""
        name = format.strip().casefold()
        if name not in EXPORT_FORMATS:
            raise ToolError(
                f"there is no format {quote_untrusted(format)}; formats are "
                f"{', '.join(EXPORT_FORMATS)}"
            )
        if self._workspace.last_search is None:
            raise ToolError("nothing was searched for yet; search for the person in a photo first")
        if self._workspace.exporter is None:
            raise ToolError("reports cannot be written here: this workspace has no case")
        path = self._workspace.exporter(name)
        return compact_json({"written": name, "file": path.name}), ExportedReport(name, path)

    def explain_term(self, term: str) -> tuple[str, GlossaryEntry]:
        """What a word on the screen means."""
        entry = look_up(term)
        if entry is None:
            near = closest_terms(term)
            closest = f"the closest: {', '.join(near)}" if near else "nothing is spelt like it"
            raise ToolError(f"{quote_untrusted(term)} is not explained here; {closest}")
        return compact_json({"term": entry.term, "meaning": entry.meaning}), entry

    def about_unmask(self, topic: str) -> tuple[str, str]:
        """About Unmask: abilities, accuracy, method, limits, privacy, law or indexing."""
        models = self._workspace.instruments
        judged_by = getattr(models, "judged_by", "")
        text = project_texts.about_unmask(topic, models.rule, judged_by=judged_by)
        return compact_json({"topic": topic.strip().casefold(), "text": text}), text


def _list(found: HitList) -> dict[str, Any]:
    content: dict[str, Any] = {
        "listed": found.hits,
        "count": "all" if len(found.hits) == found.total > 1 else count_in_words(len(found.hits)),
        "filtered by": found.filter.criteria,
        "sorted by": found.filter.sort,
    }
    optional = {
        "hidden": found.hidden,
        "limits": found.limits,
        "still listed": found.kept,
        "list": "stays as it was" if found.stays else "",
    }
    return content | {name: value for name, value in optional.items() if value}
