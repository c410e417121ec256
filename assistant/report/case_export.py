"""Export a case's findings with the reviewer's decisions: HTML, PDF, JSON, CSV or a bundle.

The file is written into the case's folder, readable by its owner only; an earlier export in the
same format is replaced. A filter of the hit list does not apply: an export holds every hit.
"""

import csv
import io
from pathlib import Path
from typing import Any

from assistant.case.archive.writing import write_bundle
from assistant.case.record import Case
from assistant.report.contents.building import (
    Decisions,
    Notes,
    build_report,
    decision_item,
    given_names,
    note_item,
)
from assistant.report.contents.model import SCHEMA_FILE, report_json
from assistant.report.findings_page import report_page
from assistant.report.pictures.illustrations import illustrate
from tools.agent_tools.casework_tools import EXPORT_FILES
from tools.agent_tools.copies import findings_with_copies, group_copies
from tools.agent_tools.review.entries import Decision, HitNote
from tools.agent_tools.workspace import Workspace
from tools.errors import ToolError
from tools.gallery.access_log import record_access
from tools.gallery.database_file import gallery_folder
from tools.gallery.record_store import Gallery
from tools.media.file_names import printable
from tools.media.private_files import write_private
from tools.search.query import Query
from tools.search.results import Findings, Hit
from tools.verdict.interpretation import describe_question

CSV_COLUMNS = (
    "rank", "verdict", "identity_probability", "fake_probability", "forgery_question",
    "impersonation_probability", "decision", "decision_by", "reviewer_note", "reviewer_note_by",
    "copy_of", "file", "note",
)  # fmt: skip


def attach_exporter(workspace: Workspace, case: Case) -> None:
    """Let the workspace's `export_report` write into a case's folder; case and gallery log it."""

    def export(format: str) -> Path:
        case.require_unlocked()
        path = export_findings(workspace, case, format)
        for read in (case.folder, gallery_folder(workspace.home, workspace.gallery)):
            record_access(read, "export", who=workspace.user)
        return path

    workspace.exporter = export


def export_findings(
    workspace: Workspace, case: Case, format: str, *, path: Path | None = None
) -> Path:
    """Write a report, by default `report.<format>` in the case's folder; returns the file.

    `format` is one of `EXPORT_FILES`. Raises ToolError before a search, and if a picture of it was
    deleted since (by `unmask forget`, while the chat ran): no report brings it back. SetupError if
    the file cannot be written.
    """
    latest = workspace.last_search
    if latest is None:
        raise ToolError("nothing was searched for yet; search for the person in a photo first")
    findings, query = latest
    _require_held(workspace, findings, query)
    decisions = workspace.review.decisions_for(findings)
    notes = workspace.review.notes_for(findings)
    target = path or case.folder / EXPORT_FILES[format]
    if format == "csv":
        return write_private(target, hits_csv(findings, decisions, notes), what="report")
    models = workspace.instruments
    report = build_report(
        findings, query, rule=models.rule, models=models, decisions=decisions, notes=notes,
        case=case,
    )  # fmt: skip
    if format == "json":
        return write_private(target, report_json(report), what="report")
    doing = f"writing the {'bundle' if format == 'bundle' else format.upper()}"
    pictures = illustrate(
        findings, query, models=models, names=given_names(case),
        on_progress=lambda done, total: workspace.tell_progress(doing, done, total),
    )  # fmt: skip
    if format == "html":
        return write_private(target, report_page(report, pictures), what="report")
    from assistant.report.pdf.document import report_pdf  # fpdf2, which is needed only here

    pdf = report_pdf(report, pictures)
    if format == "pdf":
        return write_private(target, pdf, what="report")
    written: dict[str, str | bytes] = {
        "report.html": report_page(report, pictures),
        "report.pdf": pdf,
        "report.json": report_json(report),
        "report.csv": hits_csv(findings, decisions, notes),
        SCHEMA_FILE.name: SCHEMA_FILE.read_bytes(),
    }
    return write_bundle(target, case, findings, written)


def _require_held(workspace: Workspace, findings: Findings, query: Query) -> None:
    held = findings.gallery in Gallery.names(workspace.home)
    if held:
        with Gallery.open_existing(workspace.home, findings.gallery) as gallery:
            held = all(gallery.has_face(hit.face_id) for hit in findings.hits)
    if not held or not all(path.is_file() for path in query.paths):
        raise ToolError("pictures of the latest search were deleted since: search again")


def findings_json(
    findings: Findings, decisions: Decisions, notes: Notes | None = None
) -> dict[str, Any]:
    """The findings with groups of `copies`, and each hit's `decision` and `reviewer_note`.

    Null where there is none.
    """
    data = findings_with_copies(findings)
    for hit, row in zip(findings.hits, data["hits"], strict=True):
        row["decision"] = decision_json(decisions.get(hit.handle))
        row["reviewer_note"] = note_json((notes or {}).get(hit.handle))
    return data


def decision_json(decision: Decision | None) -> dict[str, str] | None:
    """A decision with its time and user, as shown beside a hit."""
    found = decision_item(decision)
    return None if found is None else found.model_dump()


def note_json(note: HitNote | None) -> dict[str, str] | None:
    """A note with its time and user, as shown beside a hit."""
    found = note_item(note)
    return None if found is None else found.model_dump()


def hits_csv(findings: Findings, decisions: Decisions, notes: Notes | None = None) -> str:
    """One row per hit; an empty cell is "not measured" or "no decision".

    File names are data: a cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    groups = group_copies(findings.hits)
    leads = {hit.handle: each.hits[0].rank for each in groups for hit in each.hits[1:]}
    for hit in findings.hits:
        note, lead = (notes or {}).get(hit.handle), leads.get(hit.handle, "")
        writer.writerow(_row(hit, decisions.get(hit.handle), note, lead))
    return table.getvalue()


def _row(
    hit: Hit, decision: Decision | None, reviewer_note: HitNote | None, copy_of: int | str
) -> list[object]:
    given = hit.assessment
    note = [given.reason, *given.notes, *(["file missing"] if hit.file_missing else []),
            *(["file replaced since it was indexed"] if hit.file_replaced else [])]  # fmt: skip
    return [
        hit.rank,
        hit.verdict,
        _decimal(given.identity_probability),
        _decimal(given.fake_probability),
        describe_question(given.question),
        _decimal(given.impersonation_probability),
        "" if decision is None else decision.decision,
        "" if decision is None else _harmless(decision.user),
        "" if reviewer_note is None else _harmless(reviewer_note.text),
        "" if reviewer_note is None else _harmless(reviewer_note.user),
        copy_of,
        _harmless(f"{printable(hit.path)}{hit.at}"),
        _harmless("; ".join(note)),
    ]


def _decimal(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "|", "%") else text
