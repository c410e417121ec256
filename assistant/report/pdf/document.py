"""The PDF of a report: question, findings, exhibits, methods, limits, custody and signature.

Made with fpdf2: pure Python, embeds only the glyphs used, and orders right-to-left text. WeasyPrint
needs system libraries (Pango) that a user may lack; ReportLab does not order right-to-left text.
"""

from collections.abc import Iterator

from assistant.report.contents.model import Exhibit, Report
from assistant.report.pdf.hits import draw_hit, draw_measurements
from assistant.report.pdf.page import ReportPdf
from assistant.report.pdf.summary import draw_summary
from assistant.report.pictures.illustrations import Illustrations
from assistant.report.remarks import known_limits, plain_sentence
from assistant.report.times import local_time, utc_clock

_HALF_HASH = 32


def report_pdf(report: Report, pictures: Illustrations) -> bytes:
    """The report as a PDF file. Characters that its fonts lack are written as code points."""
    case = "" if report.case is None else f", case {report.case.name or report.case.id}"
    known = {it.sha256 or it.recorded_sha256 for it in report.exhibits}
    named = report.case.name if report.case is not None else ""
    pdf = ReportPdf(
        title=f"Unmask report: {named or report.gallery}",
        running_head=f"Unmask report of {local_time(report.made_at)}{case}",
        made_at=report.made_at,
        # In clear text in the file, so that `unmask forget` finds reports about a picture.
        keywords=" ".join(sorted(known)),
    )
    further = draw_summary(pdf, report, pictures)
    pdf.heading("1  Question and propositions")
    _question(pdf, report)
    for remark in further:
        pdf.small(f"Of this search: {remark}", after=0.6)
    pdf.heading("2  Exhibits")
    _exhibits(pdf, report)
    pdf.heading("3  Findings")
    pdf.small(
        "The bar of each axis is the calibrated probability; in its coloured part no decision is "
        "made. Beside “forged” stands which question it answers: probabilities that answer "
        "different questions do not compare. Verdicts come from a fixed rule. Measurements are "
        "listed and explained in section 4."
    )
    said = _said_of_all(report)
    for note in said:
        pdf.small(f"Of every exhibit: {note}.", after=0.6)
    pdf.ln(1.5)
    for hit, look in zip(report.hits, pictures.hits, strict=True):
        group = next((it for it in report.copies if hit.handle in it.hits), None)
        draw_hit(pdf, hit, look, pictures, group=group, said=said)
    if not report.hits:
        pdf.paragraph("No face of the collection was compared.")
    pdf.heading("4  Methods and error rates")
    _methods(pdf, report, pictures)
    pdf.heading("5  Limits and alternative explanations")
    pdf.bullets([*report.limits, *map(plain_sentence, known_limits(report.warnings))])
    pdf.paragraph("Instead of an impersonation, or of none, the following can explain a finding:")
    pdf.bullets(report.alternatives)
    pdf.heading("6  Custody")
    _custody(pdf, report)
    _signature(pdf, report)
    return bytes(pdf.output())


def _said_of_all(report: Report) -> tuple[str, ...]:
    """The notes that are the same for all hits, if there are several."""
    first, *others = (hit.notes for hit in report.hits) if len(report.hits) > 1 else ((), ())
    return tuple(note for note in first if all(note in notes for notes in others))


def _question(pdf: ReportPdf, report: Report) -> None:
    pdf.paragraph(report.question)
    given = report.propositions
    for title, pair in (("Identity", given.identity), ("Forgery", given.forgery)):
        pdf.subheading(title)
        pdf.bullets(pair, numbered=True)
    pdf.paragraph(given.note)


def _exhibits(pdf: ReportPdf, report: Report) -> None:
    rows = [
        (
            it.label,
            it.name if it.role == "query photo" else it.path,
            "–" if it.bytes is None else f"{it.bytes:,}",
            _hash(it),
            it.state,
        )
        for it in report.exhibits
    ]
    heads = ("exhibit", "file", "bytes", "sha256", "state")
    pdf.rows(heads, rows, widths=(13, 66, 18, 58, 22), size=6.8)
    pdf.small(
        "“Unchanged” means that the file's hash is the one that was recorded when the photo was "
        "received or the picture was indexed. A missing file is listed with its recorded hash."
    )


def _hash(exhibit: Exhibit) -> str:
    """In two halves, which fit a column."""
    whole = exhibit.sha256 or exhibit.recorded_sha256
    return f"{whole[:_HALF_HASH]}\n{whole[_HALF_HASH:]}".rstrip()


def _methods(pdf: ReportPdf, report: Report, pictures: Illustrations) -> None:
    methods = report.methods
    for text in methods.description:
        pdf.paragraph(text)
    pdf.subheading("Likelihood ratio of the face comparison")
    for text in methods.likelihood_ratio:
        pdf.paragraph(text)
    pdf.subheading("Measured error rates")
    for text in methods.not_measured:
        pdf.notice(text)
    if methods.rates:
        rows = [(it.subject, it.what, it.measured_on, it.result) for it in methods.rates]
        heads = ("of what", "which rate", "measured on", "result")
        pdf.rows(heads, rows, widths=(28, 42, 54, 50), size=6.8)
    maps = dict.fromkeys(f"{it.title}: {it.limits}" for each in pictures.hits for it in each.maps)
    if maps:
        pdf.subheading("What the maps do not show")
        pdf.bullets([*maps])
    if report.hits:
        pdf.subheading("Every measurement of every exhibit")
        pdf.small("In brackets: the share of authentic photos that score lower.")
        draw_measurements(pdf, report.hits)
    known = {item.name: item for hit in report.hits for item in hit.evidence}
    if known:
        pdf.subheading("What each measurement is, and does not show")
        rows3 = [(it.id, it.title, it.method, it.limits) for it in known.values()]
        heads = ("id", "measurement", "method", "does not show")
        pdf.rows(heads, rows3, widths=(10, 40, 64, 60), size=6.8)
    pdf.subheading("Versions and checkpoints")
    pdf.rows(("part", "version or sha256"), [*_versions(report)], widths=(44, 130), size=6.8)


def _versions(report: Report) -> Iterator[tuple[str, str]]:
    made = report.methods.instruments
    if made is None:
        yield "not recorded", ""
        return
    yield "Unmask", f"{made.unmask}, profile {made.profile}"
    yield "Python, machine", f"{made.python}, {made.machine}"
    if made.calibration is not None:
        yield "verdict rule", made.calibration
    yield from made.parts.items()
    yield from made.libraries.items()


def _custody(pdf: ReportPdf, report: Report) -> None:
    if report.case is None:
        pdf.paragraph("This search was not recorded as a case, so there is no custody log.")
        return
    case = report.case
    pdf.paragraph(f"Case {case.id}, {case.entries} entries: {case.signature}.")
    pdf.paragraph(f"Hash of the newest entry: {case.head}")
    for problem in case.problems:
        pdf.notice(f"The record is not intact: {problem}.")
    rows = [(str(it.entry), utc_clock(it.at), it.what, f"{it.hash[:16]}…") for it in report.custody]
    pdf.rows(("entry", "time (UTC)", "what happened", "hash"), rows, widths=(11, 36, 92, 35),
             size=6.8)  # fmt: skip
    pdf.small(
        "Each entry's hash covers the entry before it, and the newest hash is signed: `unmask "
        "cases verify` finds entries that were changed, removed, moved or cut off."
    )
    if report.access:
        pdf.subheading("Who used the case")
        seen = [(utc_clock(it.at), it.who, it.what) for it in report.access]
        pdf.rows(("time (UTC)", "user", "what"), seen, widths=(50, 70, 54), size=6.8)


def _signature(pdf: ReportPdf, report: Report) -> None:
    if pdf.text_of.replaced:
        pdf.small(
            f"{pdf.text_of.replaced} characters that the fonts of this file lack, or that are "
            "invisible, are written as code points, like [U+4F60]. The HTML and JSON reports hold "
            "them as they are."
        )
    pdf.keep_together(40)
    pdf.ln(22)
    pdf.set_draw_color(24, 26, 30)
    top, width = pdf.get_y(), (pdf.epw - 16) / 3
    for column, label in enumerate(("Examiner (name)", "Place and date", "Signature")):
        x = pdf.l_margin + column * (width + 8)
        pdf.line(x, top, x + width, top)
        pdf.set_xy(x, top + 1)
        pdf.set_font_size(8)
        pdf.cell(width, 4, label)
    pdf.set_y(top + 8)
