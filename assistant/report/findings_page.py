"""A report as one self-contained HTML page: pictures, maps, verdicts, both axes, evidence, methods.

Pictures are embedded, so the page can be moved and leaks no path to a server; it loads nothing from
elsewhere. The template escapes text from files (above all names).
"""

from pathlib import Path
from typing import Any

from assistant.report.contents.building import build_report
from assistant.report.contents.model import Report, report_json
from assistant.report.contents.summary import (
    CAVEAT,
    decisions_in_words,
    leading_hits,
    left_in_words,
    searched_in_words,
    verdict_counts,
)
from assistant.report.pictures.illustrations import Illustrations, OnPicture, illustrate
from assistant.report.templating import render_template
from tools.errors import SetupError
from tools.media.private_files import write_private
from tools.provenance.findings import LIMITS
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.results import Findings
from tools.verdict.rule import VerdictRule

ENDINGS = (".html", ".htm", ".pdf", ".json")
"""What the name of a report may end in."""


def write_report(
    findings: Findings,
    query: Query,
    path: Path,
    *,
    rule: VerdictRule | None,
    instruments: ModelBundle | None = None,
    on_progress: OnPicture | None = None,
) -> Path:
    """Write the report of a search without a case and return its path.

    The name's ending, one of `ENDINGS`, decides; SetupError for another. A missing picture is
    shown as missing. With `instruments` every hit is shown with its maps: the signs of forgery, and
    the distances from the query photos; further maps are folded. `on_progress` gets the number of
    pictures drawn and their total.
    """
    require_report_name(path)
    report = build_report(findings, query, rule=rule, models=instruments)
    ending = path.suffix.lower()
    if ending == ".json":
        return write_private(path, report_json(report), what="report")
    pictures = illustrate(findings, query, models=instruments, on_progress=on_progress)
    if ending != ".pdf":
        return write_private(path, report_page(report, pictures), what="page")
    from assistant.report.pdf.document import report_pdf  # fpdf2, which is needed only here

    return write_private(path, report_pdf(report, pictures), what="report")


def require_report_name(path: Path) -> None:
    """Raise SetupError for a name of another format: no reader should open HTML as `.docx`."""
    if path.suffix.lower() not in ENDINGS:
        raise SetupError(
            f"a report's name ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}, "
            f"not in {path.suffix[:20]!r}"
        )


def report_page(report: Report, pictures: Illustrations) -> str:
    """The page as HTML text."""
    return render_template(
        "report.html",
        report=report,
        summary=_summary(report, pictures),
        queries=pictures.queries,
        hits=list(zip(report.hits, pictures.hits, strict=True)),
        limits=LIMITS,
    )


def _summary(report: Report, pictures: Illustrations) -> dict[str, Any]:
    leads = leading_hits(report)
    return {
        "searched": searched_in_words(report),
        "counts": verdict_counts(report),
        "decisions": decisions_in_words(report),
        "leads": [(it, pictures.hits[report.hits.index(it.hit)].face) for it in leads],
        "left": left_in_words(report, leads),
        "caveat": CAVEAT,
    }
