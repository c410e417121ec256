"""Hits in the PDF: verdict, pictures, axes, likelihood ratio, explanation, and the evidence.

A hit shows the evidence that its explanation names; one table for all hits has every measurement.
"""

import math
from collections.abc import Collection, Iterator, Sequence

from assistant.report.contents.model import Band, CopyItem, EvidenceItem, HitItem
from assistant.report.pdf.page import SMALL_PT, Colour, ReportPdf
from assistant.report.pictures.illustrations import HitPictures, Illustrations
from assistant.report.times import local_time
from tools.verdict.interpretation import UNCALIBRATED, describe_question
from tools.verdict.units import describe_usual, format_percent, format_short, unit_in_words

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
_AXIS_MM, _LABEL_MM = 60.0, 54.0
_HIT_MM, _PICTURES_MM, _GAP_MM, _SIZE = 112.0, 27.0, 2.2, 8.0
"""The least room for a hit, of which two fit a page; the most height of its pictures, the gap
between them; its letters in points."""


def draw_hit(
    pdf: ReportPdf,
    hit: HitItem,
    pictures: HitPictures,
    shown: Illustrations,
    *,
    group: CopyItem | None,
    said: Collection[str],
) -> None:
    """The hit with the evidence that its explanation names, and its group of copies if it has one.

    `said` are notes that stand above all hits already. Every measurement is in the table of
    `draw_measurements`.
    """
    pdf.keep_together(_HIT_MM)
    _head(pdf, hit, group)
    if not pictures.image:
        pdf.notice("The picture is no longer where it was indexed, so it cannot be shown.")
    looks = [*_pictures(hit, pictures, shown)]
    pdf.pictures(looks, height=min(_PICTURES_MM, (pdf.epw + _GAP_MM) / len(looks) - _GAP_MM))
    said_by_maps = "; ".join(f"{it.title}: {it.text}" for it in pictures.maps)
    if said_by_maps:
        pdf.small(f"{said_by_maps}. {pictures.maps_note}", after=0.8)
    if pictures.version is not None:
        version = pictures.version
        gone = "" if version.ours else "It cannot be shown. "
        pdf.small(
            f"Another version of this photograph: {version.name}. {gone}{version.text}", after=0.8
        )
    _axis(pdf, "same person", hit.identity_probability, hit.identity.band)
    asked = describe_question(hit.forgery.question)
    _axis(pdf, f"forged, {asked}" if asked else "forged", hit.fake_probability, hit.forgery.band)
    pdf.ln(1)
    pdf.paragraph(hit.explanation, size=_SIZE, after=1)
    if hit.likelihood_ratio is not None:
        pdf.small(hit.likelihood_ratio.sentence, after=0.8)
    if hit.seen:
        pdf.paragraph(hit.seen, size=_SIZE, after=1)
    for note in hit.notes:
        if note not in said:
            pdf.small(f"Note: {note}.", after=0.4)
    _evidence(pdf, hit)
    if pictures.provenance is not None:
        pdf.small(f"What the file says of its origin: {pictures.provenance.summary}")
    pdf.ln(2)


def _pictures(
    hit: HitItem, pictures: HitPictures, shown: Illustrations
) -> Iterator[tuple[str, str]]:
    """The pictures of a hit with captions: beside another version, both with the place marked."""
    version = pictures.version
    if version is not None and version.ours is not None and version.theirs is not None:
        yield version.ours, f"{hit.handle}, the place that differs"
        yield version.theirs, "the other version"
    elif pictures.image:
        yield pictures.image, _WHOLE[bool(pictures.blurred)]
    if pictures.face:
        yield pictures.face, f"{hit.handle}, aligned"
    yield shown.queries[0].face, "query photo, aligned"
    yield from ((it.image, it.title) for it in pictures.maps)


def _head(pdf: ReportPdf, hit: HitItem, group: CopyItem | None) -> None:
    pdf.start_section(pdf.text_of(f"{hit.handle}: {hit.verdict}"), level=1)
    pdf.badge(f"{hit.handle}  {hit.verdict}", COLOURS[hit.verdict])
    pdf.beside(hit.name)
    decision = "No decision of a reviewer is recorded."
    if hit.decision is not None:
        decision = (
            f"Reviewer's decision: {hit.decision.decision} ({hit.decision.user}, "
            f"{local_time(hit.decision.at)}); it changes no verdict."
        )
    if hit.reviewer_note is not None:
        note = hit.reviewer_note
        decision += f" Reviewer's note: {note.text} ({note.user}, {local_time(note.at)})"
    if group is not None:
        earliest = f"; the earliest is {group.earliest_in_words}" if group.earliest else ""
        decision += f" Nearly the same picture: {', '.join(group.hits)}{earliest}."
    pdf.small(decision, after=1)


def _axis(pdf: ReportPdf, label: str, probability: float | None, band: Band | None) -> None:
    """A probability on its axis, with the range in which no decision is made."""
    top, left = pdf.get_y(), pdf.l_margin + _LABEL_MM
    pdf.set_font_size(SMALL_PT + 0.5)
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
    """The evidence that the explanation cites, in one paragraph."""
    named = [
        f"{item.id} {item.title}: {item.shown}"
        + (f", {usual}" if (usual := describe_usual(item.share_of_authentic_below)) else "")
        for item in hit.evidence
        if item.value is not None and f"[{item.id}]" in hit.explanation
    ]
    if named:
        pdf.small(f"{'; '.join(named)}.", after=0.8)


_COLUMNS = 10
"""Most hits in one table of measurements."""


def draw_measurements(pdf: ReportPdf, hits: Sequence[HitItem]) -> None:
    """Every measurement of every hit: a row for each measure, a column for each hit.

    Below a value stands the share of authentic photos that score lower.
    """
    tables = math.ceil(len(hits) / _COLUMNS)
    columns = math.ceil(len(hits) / max(1, tables))
    for first in range(0, len(hits), max(1, columns)):
        some = hits[first : first + columns]
        by_id = [{item.id: item for item in hit.evidence} for hit in some]
        known = {item.id: item for hit in some for item in hit.evidence}
        rows = []
        for id_, item in sorted(known.items(), key=lambda it: int(it[0][1:])):
            if all(there.get(id_) is None or there[id_].value is None for there in by_id):
                continue
            unit = unit_in_words(item.unit)
            bare = UNCALIBRATED if item.reads == UNCALIBRATED else ""
            beside = "; ".join(filter(None, (unit, bare)))
            name = f"{item.title} ({beside})" if beside else item.title
            rows.append((id_, name, *(_cell(there.get(id_)) for there in by_id)))
        width = (174 - 9 - 45) / len(some)
        heads = ("id", "measurement", *(hit.handle for hit in some))
        pdf.rows(heads, rows, widths=(9, 45, *[width] * len(some)), size=6)


def _cell(item: EvidenceItem | None) -> str:
    if item is None or item.value is None:
        return "–"
    value = format_short(item.value, item.unit, id=item.id)
    below = item.share_of_authentic_below
    return (
        value
        if below is None
        else f"{value}\n({format_percent(below).replace('over', '>').replace('under', '<')})"
    )
