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
from tools.agent_tools.review import Decision
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
    "decision", "file", "note",
)  # fmt: skip

Decisions = Mapping[str, Decision]
"""The reviewer's decisions in force, by the hit's handle."""


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
    path = folder / f"report.{format}"
    if format == "html":
        instruments = workspace.instruments
        return write_report(
            findings, query, path, rule=instruments.rule, instruments=instruments,
            decisions=decisions,
        )  # fmt: skip
    text = hits_csv(findings, decisions) if format == "csv" else _as_json(findings, decisions)
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


def findings_json(findings: Findings, decisions: Decisions) -> dict[str, Any]:
    """`Findings.to_json` with each hit's `decision`; null where there is none."""
    data = findings.to_json()
    for hit, row in zip(findings.hits, data["hits"], strict=True):
        row["decision"] = decision_json(decisions.get(hit.handle))
    return data


def decision_json(decision: Decision | None) -> dict[str, str] | None:
    """A decision with its time and user, as shown beside a hit."""
    if decision is None:
        return None
    return {"decision": decision.decision, "at": decision.at, "user": decision.user}


def _as_json(findings: Findings, decisions: Decisions) -> str:
    return json.dumps(findings_json(findings, decisions), ensure_ascii=False, indent=1) + "\n"


def hits_csv(findings: Findings, decisions: Decisions) -> str:
    """One row per hit; an empty cell is "not measured" or "no decision".

    File names are data: a cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for hit in findings.hits:
        writer.writerow(_row(hit, decisions.get(hit.handle)))
    return table.getvalue()


def _row(hit: Hit, decision: Decision | None) -> list[object]:
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
        _harmless(f"{printable(hit.path)}{hit.at}"),
        _harmless("; ".join(note)),
    ]


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection)."""
    return f"'{text}" if text.lstrip()[:1] in ("=", "+", "-", "@", "|", "%") else text
