"""The first page of the PDF: what was asked and searched, what was found, what limits it.

It is one page, whatever the search: the list of the leading hits takes the room that is left.
"""

from collections.abc import Sequence

from assistant.report.contents.model import Report
from assistant.report.contents.summary import (
    CAVEAT,
    Leading,
    decisions_in_words,
    leading_hits,
    left_in_words,
    remarks,
    searched_in_words,
    verdict_counts,
)
from assistant.report.pdf.hits import COLOURS
from assistant.report.pdf.page import SMALL_PT, Cell, ReportPdf
from assistant.report.pictures.illustrations import Illustrations
from assistant.report.remarks import known_limits, plain_sentence
from assistant.report.times import local_time
from tools.verdict.interpretation import describe_question
from tools.verdict.units import format_percent

_QUERIES, _QUERY_MM, _ROW_MM, _HEAD_MM = 6, 24.0, 11.5, 5.0
_LEAST_ROWS = 4
_FURTHER = (
    "Section 3 shows every hit, section 4 the methods with their measured error rates, section 5 "
    "further limits and other explanations."
)
_HEADS = (
    ("hit", 24.0), ("verdict", 33.0), ("file", 48.0), ("same person", 22.0), ("forged", 28.0),
    ("decision", 19.0),
)  # fmt: skip


def draw_summary(pdf: ReportPdf, report: Report, pictures: Illustrations) -> Sequence[str]:
    """Draw it, and begin the next page; returns the remarks on the search that had no room."""
    _title(pdf, report)
    pdf.paragraph(report.question)
    shown = [(it.image, f"query photo: {it.name}") for it in pictures.queries[:_QUERIES]]
    pdf.pictures(shown, height=_QUERY_MM)
    if (left := len(pictures.queries) - len(shown)) > 0:
        pdf.small(f"and {left} more query photo{'s' if left > 1 else ''}")
    pdf.paragraph(searched_in_words(report), after=1)
    _verdicts(pdf, report)
    if decided := decisions_in_words(report):
        pdf.paragraph(decided, after=1.5)
    fixed = _height(pdf, report) + pdf.height_of(CAVEAT, indent=4) + 2
    said = remarks(report)
    heights = [pdf.height_of(it, size=SMALL_PT) + 0.6 for it in said]
    room = pdf.room - fixed
    rows = min(len(leading_hits(report)), max(_LEAST_ROWS, int((room - sum(heights)) / _ROW_MM)))
    _leading(pdf, report, pictures, rows)
    pdf.notice(CAVEAT)
    room = pdf.room - pdf.height_of(_FURTHER, size=SMALL_PT)
    while said and heights[0] < room:
        room -= heights.pop(0)
        pdf.small(said.pop(0), after=0.6)
    for limit in map(plain_sentence, known_limits(report.warnings)):  # in section 5, too
        height = pdf.height_of(limit, size=SMALL_PT) + 0.6
        if not said and height < room:
            room -= height
            pdf.small(limit, after=0.6)
    pdf.small(_FURTHER, after=0)
    pdf.add_page()
    return said


def _title(pdf: ReportPdf, report: Report) -> None:
    made, case = report.methods.instruments, report.case
    with_what = f" with Unmask {made.unmask}, profile {report.profile}" if made else ""
    lines = [
        f"Collection: {report.gallery}",
        *([f"Case: {case.id}, begun {local_time(case.began)}"] if case else []),
        f"Report made: {local_time(report.made_at)}{with_what}",
    ]
    named = case.name if case is not None else ""
    title = "Report on possible impersonations"
    pdf.title_block(f"{title}: {named}" if named else title, lines)


def _verdicts(pdf: ReportPdf, report: Report) -> None:
    """The verdicts side by side, as they take less height than one below the other."""
    counts = verdict_counts(report)
    if not counts:
        return
    names, compared, listed = zip(*counts, strict=True)
    rows = [
        ("of all compared", *(f"{it:,}" for it in compared)),
        ("in this report", *map(str, listed)),
    ]
    width = min(28.0, (pdf.epw - 30) / len(counts))
    pdf.rows(("verdict", *names), rows, widths=(30, *[width] * len(counts)), size=SMALL_PT)


def _height(pdf: ReportPdf, report: Report) -> float:
    """The height in mm of what surrounds the rows and the remarks, without the caveat."""
    left = left_in_words(report, ())
    lines = sum(pdf.height_of(it, size=SMALL_PT) + 1 for it in (left, _FURTHER) if it)
    return _HEAD_MM + 2 + lines


def _leading(pdf: ReportPdf, report: Report, pictures: Illustrations, most: int) -> None:
    leads = leading_hits(report, most)
    if not leads:
        pdf.paragraph("No face of the collection was compared.")
        return
    pdf.picture_row(None, [Cell(it, width, bold=True) for it, width in _HEADS], height=_HEAD_MM)
    for lead in leads:
        look = pictures.hits[report.hits.index(lead.hit)]
        pdf.picture_row(look.face, _cells(lead), height=_ROW_MM)
    pdf.ln(1)
    if left := left_in_words(report, leads):
        pdf.small(left, after=1)


def _cells(lead: Leading) -> list[Cell]:
    hit = lead.hit
    asked = describe_question(hit.forgery.question) if hit.fake_probability is not None else ""
    texts = (
        Cell(hit.handle, 0, bold=True),
        Cell(hit.verdict, 0, colour=COLOURS[hit.verdict], bold=True),
        Cell(hit.name, 0, below=lead.alike_in_words),
        Cell(format_percent(hit.identity_probability), 0),
        Cell(format_percent(hit.fake_probability), 0, below=asked),
        Cell(lead.decided, 0),
    )
    return [it._replace(width=width) for it, (_, width) in zip(texts, _HEADS, strict=True)]
