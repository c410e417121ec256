"""Export a case's findings with the reviewer's decisions: an HTML page, JSON or CSV of the hits.

The file is written into the case's folder, readable by its owner only; an earlier export in the
same format is replaced. A filter of the hit list does not apply: an export holds every hit.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.report.findings_page import write_report
from tools.agent_tools.copies import findings_with_copies, group_copies
from tools.agent_tools.review import Decision, HitNote
from tools.agent_tools.workspace import Workspace
from tools.errors import SetupError, ToolError
from tools.gallery.access_log import record_access
from tools.gallery.database_file import gallery_folder
from tools.gallery.record_store import Gallery
from tools.media.file_names import printable
from tools.media.private_files import open_private
from tools.search.query import Query
from tools.search.results import Findings, Hit

CSV_COLUMNS = (
    "rank", "verdict", "identity_probability", "fake_probability", "impersonation_probability",
    "decision", "reviewer_note", "copy_of", "file", "note",
)  # fmt: skip

Decisions = Mapping[str, Decision]
"""The reviewer's decisions in force, by the hit's handle."""

Notes = Mapping[str, HitNote]
"""The reviewer's notes in force, by the hit's handle."""


def attach_exporter(workspace: Workspace, folder: Path) -> None:
    """Let the workspace's `export_report` write into a case's folder; case and gallery log it."""

    def export(format: str) -> Path:
        path = export_findings(workspace, folder, format)
        for read in (folder, gallery_folder(workspace.home, workspace.gallery)):
            record_access(read, "export", who=workspace.user)
        return path

    workspace.exporter = export


def export_findings(workspace: Workspace, folder: Path, format: str) -> Path:
    """Write `report.html`, `.json` or `.csv` into a folder; returns the file.

    Raises ToolError before a search, and if a picture of it was deleted since (by `unmask forget`,
    while the chat ran): no report brings it back. SetupError if the file cannot be written.
    """
    latest = workspace.last_search
    if latest is None:
        raise ToolError("nothing was searched for yet; search for the person in a photo first")
    findings, query = latest
    _require_held(workspace, findings, query)
    decisions = workspace.review.decisions_for(findings)
    notes = workspace.review.notes_for(findings)
    path = folder / f"report.{format}"
    if format == "html":
        instruments = workspace.instruments
        return write_report(
            findings, query, path, rule=instruments.rule, instruments=instruments,
            decisions=decisions, notes=notes,
        )  # fmt: skip
    if format == "csv":
        text = hits_csv(findings, decisions, notes)
    else:
        text = _as_json(findings, decisions, notes)
    try:
        with open_private(path) as file:
            file.write(text)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SetupError(f"the report {printable(path)!r} cannot be written: {reason}") from error
    return path


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


def note_json(note: HitNote | None) -> dict[str, str] | None:
    """A note with its time and user, as shown beside a hit."""
    return None if note is None else {"text": note.text, "at": note.at, "user": note.user}


def decision_json(decision: Decision | None) -> dict[str, str] | None:
    """A decision with its time and user, as shown beside a hit."""
    if decision is None:
        return None
    return {"decision": decision.decision, "at": decision.at, "user": decision.user}


def _as_json(findings: Findings, decisions: Decisions, notes: Notes) -> str:
    data = findings_json(findings, decisions, notes)
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


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
        note = (notes or {}).get(hit.handle)
        said, lead = note.text if note else "", leads.get(hit.handle, "")
        writer.writerow(_row(hit, decisions.get(hit.handle), said, lead))
    return table.getvalue()


def _row(
    hit: Hit, decision: Decision | None, reviewer_note: str, copy_of: int | str
) -> list[object]:
    given = hit.assessment
    probabilities = (
        given.identity_probability, given.fake_probability, given.impersonation_probability,
    )  # fmt: skip
    note = [given.reason, *given.notes, *(["file missing"] if hit.file_missing else [])]
    return [
        hit.rank,
        hit.verdict,
        *("" if value is None else f"{value:.4f}" for value in probabilities),
        "" if decision is None else decision.decision,
        _harmless(reviewer_note),
        copy_of,
        _harmless(f"{printable(hit.path)}{hit.at}"),
        _harmless("; ".join(note)),
    ]


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "|", "%") else text
