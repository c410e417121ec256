"""A report as one self-contained HTML page: pictures, maps, verdicts, both axes, evidence, methods.

Pictures are embedded, so the page can be moved and leaks no path to a server; it loads nothing from
elsewhere. The template escapes text from files (above all names).
"""

from pathlib import Path

from assistant.report.contents.building import build_report
from assistant.report.contents.model import Report, report_json
from assistant.report.pictures.illustrations import Illustrations, OnPicture, illustrate
from assistant.report.templating import render_template
from tools.media.private_files import write_private
from tools.provenance.findings import LIMITS
from tools.search.model_bundle import ModelBundle
from tools.search.query import Query
from tools.search.results import Findings
from tools.verdict.rule import VERDICTS, VerdictRule


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

    The name's ending decides: `.pdf` and `.json`, otherwise an HTML page. A missing picture is
    shown as missing. With `instruments` every hit is shown with its maps: the signs of forgery, and
    the distances from the query photos; further maps are folded. `on_progress` gets the number of
    pictures drawn and their total.
    """
    report = build_report(findings, query, rule=rule, models=instruments)
    ending = path.suffix.lower()
    if ending == ".json":
        return write_private(path, report_json(report), what="report")
    pictures = illustrate(findings, query, models=instruments, on_progress=on_progress)
    if ending != ".pdf":
        return write_private(path, report_page(report, pictures), what="page")
    from assistant.report.pdf.document import report_pdf  # fpdf2, which is needed only here

    return write_private(path, report_pdf(report, pictures), what="report")


def report_page(report: Report, pictures: Illustrations) -> str:
    """The page as HTML text."""
    return render_template(
        "report.html",
        report=report,
        verdicts=VERDICTS,
        queries=pictures.queries,
        hits=list(zip(report.hits, pictures.hits, strict=True)),
        limits=LIMITS,
    )
