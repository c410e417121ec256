"""Page furniture of the PDF: header, page numbers, headings, paragraphs, lists and tables (A4)."""

import base64
import contextlib
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from fpdf import FPDF, FontFace
from fpdf.enums import TableBordersLayout, XPos, YPos

from assistant.report.pdf.fonts import FAMILY, DrawableText, add_fonts, needs_shaping

MARGIN_MM = 18.0
TEXT_PT, SMALL_PT, HEADING_PT = 9.5, 7.5, 14.0
_GREY, _DARK, _LINE = (96, 99, 104), (24, 26, 30), (200, 203, 208)
Colour = tuple[int, int, int]


class Cell(NamedTuple):
    """A text of a row, cut to one line of `width` mm; `below` it a second line in small letters."""

    text: str
    width: float
    below: str = ""
    colour: Colour = _DARK
    bold: bool = False


class ReportPdf(FPDF):
    """A document whose text comes from data: every string passes `DrawableText`, none is markup."""

    def __init__(self, *, title: str, running_head: str, made_at: str, keywords: str) -> None:
        super().__init__(format="A4")
        self.text_of = DrawableText()
        self._head = running_head
        add_fonts(self)
        # A file name may hold "{nb}", which is the default stand-in for the number of pages.
        self.alias_nb_pages("\ue000pages\ue000")
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, margin=MARGIN_MM + 4)
        self.set_title(self.text_of(title))
        self.set_keywords(keywords)
        self.set_lang("en")
        self.set_creation_date(datetime.fromisoformat(made_at))
        self.set_producer("Unmask (fpdf2)")
        self.add_page()

    def header(self) -> None:
        """The running head, from the second page on."""
        if self.page_no() > 1:
            self._fonted(SMALL_PT, colour=_GREY)
            self.set_y(9)
            self._cell(self._head)
            self.set_y(MARGIN_MM)

    def footer(self) -> None:
        """The page number among all pages."""
        self._fonted(SMALL_PT, colour=_GREY)
        self.set_y(-12)
        self.cell(0, 4, f"Page {self.page_no()} of {self.str_alias_nb_pages}", align="R")

    # -- text ---------------------------------------------------------------------------------

    def title_block(self, title: str, lines: Sequence[str]) -> None:
        """The head of the first page."""
        self.paragraph(title, size=18, bold=True, after=1)
        for line in lines:
            self.paragraph(line, size=TEXT_PT, colour=_GREY, after=0)
        self.ln(3)

    def heading(self, text: str) -> None:
        """A section's heading, kept with what follows, and a bookmark."""
        self.keep_together(32)
        self.ln(4)
        self._fonted(HEADING_PT, bold=True)
        self.start_section(self.text_of(text))
        self.paragraph(text, size=HEADING_PT, bold=True, after=1.5)

    def subheading(self, text: str) -> None:
        """A heading inside a section."""
        self.keep_together(20)
        self.ln(1)
        self.paragraph(text, bold=True, after=0.5)

    def paragraph(
        self,
        text: str,
        *,
        size: float = TEXT_PT,
        bold: bool = False,
        colour: Colour = _DARK,
        after: float = 1.8,
        indent: float = 0.0,
    ) -> None:
        """A paragraph over the width of the page; `after` and `indent` in mm."""
        self._fonted(size, bold=bold, colour=colour)
        drawn = self.text_of(text)
        self.set_x(self.l_margin + indent)
        with self._shaped(drawn):
            self.multi_cell(0, size * 0.47, drawn, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(after)

    def small(self, text: str, *, after: float = 1.2) -> None:
        """A remark in small grey letters."""
        self.paragraph(text, size=SMALL_PT, colour=_GREY, after=after)

    def notice(self, text: str) -> None:
        """A paragraph with a bar at its side, for what a reader must not miss."""
        page, top = self.page, self.get_y()
        self.paragraph(text, indent=4, after=0)
        if self.page == page:
            self.set_draw_color(178, 106, 0)
            self.set_line_width(0.8)
            self.line(self.l_margin + 1, top, self.l_margin + 1, self.get_y())
            self.set_line_width(0.2)
        self.ln(2)

    def bullets(self, items: Sequence[str], *, numbered: bool = False) -> None:
        """A list; with numbers, or with dots."""
        for number, item in enumerate(items, start=1):
            mark = f"{number}." if numbered else "•"
            self._fonted(TEXT_PT)
            if self.will_page_break(TEXT_PT * 0.47):
                self.add_page()
            self.set_x(self.l_margin + 1)
            self.cell(5, TEXT_PT * 0.47, mark)
            self.paragraph(item, indent=6, after=0.8)
        self.ln(1)

    # -- tables and pictures ------------------------------------------------------------------

    def rows(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        widths: Sequence[float],
        size: float = SMALL_PT,
    ) -> None:
        """A table with lines between rows; its head is repeated on every page."""
        self._fonted(size)
        self.set_draw_color(*_LINE)
        self.set_fill_color(255, 255, 255)  # otherwise cells take the colour of the last badge
        every = [[self.text_of(cell) for cell in row] for row in (heads, *rows)]
        shaped = any(needs_shaping(cell) for row in every for cell in row)
        with (
            self._shaping(shaped),
            self.table(
                col_widths=tuple(widths), text_align="LEFT", line_height=size * 0.46,
                borders_layout=TableBordersLayout.HORIZONTAL_LINES, padding=(0.7, 1.2),
                headings_style=FontFace(emphasis="BOLD", fill_color=(240, 242, 245)), v_align="TOP",
            ) as table,
        ):  # fmt: skip
            for row in every:
                table.row(row)
        self.ln(2)

    def picture_row(self, uri: str | None, cells: Sequence[Cell], *, height: float) -> None:
        """A row of a fixed height in mm, with a line below: texts, a picture beside the first."""
        top, x, size = self.get_y(), self.l_margin, SMALL_PT
        if uri is not None:
            side = height - 1
            self.image(_data(uri), x=x + 11, y=top + 0.5, w=side, h=side, keep_aspect_ratio=True)
        for text, width, below, colour, bold in cells:
            lines = [(text, size, bold, colour), *([(below, 5.5, False, _GREY)] if below else [])]
            self.set_y(top + (height - 3.5 * len(lines)) / 2)
            for shown, points, heavy, ink in lines:
                self._fonted(points, bold=heavy, colour=ink)
                self.set_x(x)
                with self._shaped(drawn := self._cut(self.text_of(shown), width - 1.5)):
                    self.cell(width, 3.5, drawn, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
            x += width
        self.set_draw_color(*_LINE)
        self.line(self.l_margin, top + height, x, top + height)
        self.set_xy(self.l_margin, top + height)

    def _cut(self, text: str, width: float) -> str:
        """The text, or its ends around an ellipsis if it is wider than `width` mm."""
        kept, shown = len(text), text
        while kept > 2 and self.get_string_width(shown) > width:
            kept = min(kept - 1, int(kept * width / self.get_string_width(shown)) + 1)
            shown = f"{text[: kept - kept // 3]}…{text[len(text) - kept // 3 :]}"
        return shown

    @property
    def room(self) -> float:
        """The height that is left on this page, in mm."""
        return float(self.page_break_trigger - self.get_y())

    def height_of(self, text: str, *, size: float = TEXT_PT, indent: float = 0.0) -> float:
        """The height in mm of a `paragraph` with this text, without what follows it."""
        self._fonted(size)
        self.set_x(self.l_margin + indent)
        lines = self.multi_cell(
            0, size * 0.47, self.text_of(text), align="L", dry_run=True, output="LINES"
        )
        return size * 0.47 * (len(lines) if isinstance(lines, list) else 1)

    def pictures(self, shown: Sequence[tuple[str, str]], *, height: float) -> None:
        """Pictures (data URI, caption) side by side, in as many lines as needed; height in mm."""
        gap, caption_mm = 2.2, 3.4
        x, top, lowest = self.l_margin, self.get_y(), self.get_y()
        for uri, caption in shown:
            width = height
            if x + width > self.w - self.r_margin + 0.1:
                x, top = self.l_margin, lowest + gap
            if x == self.l_margin and top + height + 3 * caption_mm > self.page_break_trigger:
                self.add_page()
                top = lowest = self.get_y()
            self.image(
                _data(uri), x=x, y=top, w=width, h=height, keep_aspect_ratio=True,
                alt_text=self.text_of(caption),
            )  # fmt: skip
            self._fonted(6.5, colour=_GREY)
            self.set_xy(x, top + height + 0.6)
            self.multi_cell(
                width, 2.9, self.text_of(caption), align="L", new_x=XPos.RIGHT, new_y=YPos.TOP,
                max_line_height=2.9,
            )  # fmt: skip
            lines = self.multi_cell(
                width, 2.9, self.text_of(caption), dry_run=True, output="LINES", align="L"
            )
            count = len(lines) if isinstance(lines, list) else 1
            lowest = max(lowest, top + height + 0.6 + 2.9 * count)
            x += width + gap
        self.set_xy(self.l_margin, lowest + 2)

    def badge(self, text: str, colour: Colour) -> None:
        """A word on a coloured plate, at the present position."""
        self._fonted(TEXT_PT, bold=True, colour=(255, 255, 255))
        self.set_fill_color(*colour)
        self.cell(self.get_string_width(text) + 4, 6, text, fill=True, align="C")
        self.set_text_color(*_DARK)

    def beside(self, text: str) -> None:
        """A line in bold letters to the right of a badge."""
        self._fonted(TEXT_PT, bold=True)
        drawn = self.text_of(text)
        width = self.w - self.r_margin - self.get_x() - 3
        with self._shaped(drawn):
            self.set_x(self.get_x() + 3)
            self.multi_cell(width, 6, drawn, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def keep_together(self, height_mm: float) -> None:
        """Begin a new page unless so much room is left."""
        if self.will_page_break(height_mm):
            self.add_page()

    def _cell(self, text: str) -> None:
        drawn = self.text_of(text)
        with self._shaped(drawn):
            self.cell(0, 4, drawn, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _fonted(self, size: float, *, bold: bool = False, colour: Colour = _DARK) -> None:
        self.set_font(FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def _shaped(self, text: str) -> contextlib.AbstractContextManager[None]:
        return self._shaping(needs_shaping(text))

    @contextlib.contextmanager
    def _shaping(self, needed: bool) -> Iterator[None]:
        """Join letters and order them from right to left, only where needed: it is slow."""
        if needed:
            # The report is English: a name in other letters stands in a line from left to right.
            self.set_text_shaping(True, direction="ltr")
        try:
            yield
        finally:
            if needed:
                self.set_text_shaping(False)


def _data(uri: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))
