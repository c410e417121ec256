"""A hit in the PDF: verdict, pictures, both axes, likelihood ratio, explanation and evidence."""

from assistant.report.contents.model import Band, CopyItem, HitItem
from assistant.report.pdf.page import SMALL_PT, Colour, ReportPdf
from assistant.report.pictures.illustrations import HitPictures, Illustrations
from assistant.report.pictures.versions import VersionView
from tools.verdict.units import format_percent

COLOURS: dict[str, Colour] = {
    "impersonation": (198, 40, 40),
    "forged": (198, 40, 40),
    "inconclusive": (178, 106, 0),
    "no forgery found": (84, 96, 114),
    "copy": (0, 105, 92),
    "other": (95, 99, 104),
    "not assessed": (95, 99, 104),
}
_WHOLE = {
    False: "the picture, face marked", True: "the picture, face marked; other faces are blurred",
}  # fmt: skip
_AXIS_MM, _LABEL_MM = 90.0, 28.0


def draw_hit(
    pdf: ReportPdf,
    hit: HitItem,
    pictures: HitPictures,
    shown: Illustrations,
    *,
    group: CopyItem | None,
) -> None:
    """The hit with everything that was measured about it, and its group of copies if it has one."""
    pdf.keep_together(105)
    _head(pdf, hit, group)
    looks = [
        *([(pictures.image, _WHOLE[bool(pictures.blurred)])] if pictures.image else []),
        *([(pictures.face, "hit, aligned")] if pictures.face else []),
        (shown.queries[0].face, "query photo, aligned"),
    ]
    if not pictures.image:
        pdf.notice("The file is no longer where it was indexed, so no picture can be shown.")
    pdf.pictures(looks, height=41)
    _axis(pdf, "same person", hit.identity_probability, hit.identity.band)
    _axis(pdf, "forged", hit.fake_probability, hit.forgery.band)
    pdf.ln(1)
    pdf.paragraph(hit.explanation)
    if hit.likelihood_ratio is not None:
        ratio = hit.likelihood_ratio
        pdf.paragraph(f"{ratio.sentence} {ratio.note}".strip())
    if hit.seen:
        pdf.paragraph(hit.seen)
    for note in hit.notes:
        pdf.small(f"Note: {note}.", after=0.4)
    if pictures.maps:
        pdf.ln(1)
        pdf.pictures([(it.image, f"{it.title}: {it.text}") for it in pictures.maps], height=54)
        for limits in dict.fromkeys(f"{it.title}: {it.limits}" for it in pictures.maps):
            pdf.small(limits, after=0.4)
    if pictures.version is not None:
        _version(pdf, hit, pictures.version)
    _evidence(pdf, hit)
    if pictures.provenance is not None:
        pdf.small(f"What the file says of its origin: {pictures.provenance.summary}")
    pdf.ln(2)


def _version(pdf: ReportPdf, hit: HitItem, version: VersionView) -> None:
    """The hit beside another version of its photograph, with the place that differs marked."""
    if version.ours is not None and version.theirs is not None:
        pair = [(version.ours, hit.handle), (version.theirs, version.name)]
        pdf.pictures(pair, height=54)
    else:
        pdf.small(f"Another version of this photograph: {version.name}; it cannot be shown.")
    pdf.small(version.text, after=0.4)


def _head(pdf: ReportPdf, hit: HitItem, group: CopyItem | None) -> None:
    pdf.start_section(pdf.text_of(f"{hit.handle}: {hit.verdict}"), level=1)
    pdf.badge(f"{hit.handle}  {hit.verdict}", COLOURS[hit.verdict])
    pdf.ln(7.5)
    pdf.paragraph(hit.name, bold=True, after=0.4)
    decision = "No decision of a reviewer is recorded."
    if hit.decision is not None:
        decision = (
            f"Reviewer's decision: {hit.decision.decision} ({hit.decision.user}, "
            f"{hit.decision.at}); it changes no verdict."
        )
    pdf.small(decision, after=0.4 if hit.reviewer_note or group else 1.5)
    if hit.reviewer_note is not None:
        note = hit.reviewer_note
        after = 0.4 if group else 1.5
        pdf.small(f"Reviewer's note: {note.text} ({note.user}, {note.at})", after=after)
    if group is not None:
        earliest = f"; the earliest is {group.earliest_in_words}" if group.earliest else ""
        pdf.small(f"Nearly the same picture: {', '.join(group.hits)}{earliest}.", after=1.5)


def _axis(pdf: ReportPdf, label: str, probability: float | None, band: Band | None) -> None:
    """A probability on its axis, with the range in which no decision is made."""
    top, left = pdf.get_y(), pdf.l_margin + _LABEL_MM
    pdf.set_font_size(SMALL_PT + 1)
    pdf.cell(_LABEL_MM, 5, label)
    pdf.set_fill_color(244, 245, 247)
    pdf.set_draw_color(170, 174, 180)
    pdf.rect(left, top + 0.8, _AXIS_MM, 3.4, style="DF")
    if band is not None:
        pdf.set_fill_color(236, 205, 150)
        width = _AXIS_MM * (band.high - band.low)
        pdf.rect(left + _AXIS_MM * band.low, top + 0.8, width, 3.4, style="F")
    if probability is not None:
        pdf.set_fill_color(31, 84, 170)
        place = left + min(_AXIS_MM - 1.2, _AXIS_MM * probability)
        pdf.rect(place, top + 0.2, 1.2, 4.6, style="F")
    pdf.set_xy(left + _AXIS_MM + 2, top)
    said = format_percent(probability)
    if band is not None:
        said += f"  (undecided {format_percent(band.low)} to {format_percent(band.high)})"
    pdf.cell(0, 5, said)
    pdf.set_xy(pdf.l_margin, top + 5.6)


def _evidence(pdf: ReportPdf, hit: HitItem) -> None:
    rows = []
    for item in hit.evidence:
        if item.value is None:
            continue
        below = item.share_of_authentic_below
        share = "–" if below is None else format_percent(below)
        rows.append((item.id, item.title, item.shown, item.reads, share))
    if rows:
        heads = ("id", "what was measured", "value", "reads", "higher than authentic photos")
        pdf.ln(1)
        pdf.rows(heads, rows, widths=(9, 62, 43, 32, 28), size=6.8)
    absent = ", ".join(f"{item.id} {item.title}" for item in hit.evidence if item.value is None)
    if absent:
        pdf.small(f"Not measured: {absent}.")
