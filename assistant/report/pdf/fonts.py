"""Fonts of the PDF, and text that they can show.

DejaVu Sans comes with this package: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and
many symbols, among them simple emoji. Characters that it lacks (Chinese, Japanese, Korean, most
scripts of India, newer emoji), invisible and control characters are written as their code point,
like [U+4F60], and counted; the other formats of the report hold them as they are.
"""

import functools
import unicodedata
from pathlib import Path

from fpdf import FPDF

FAMILY = "DejaVu"
_FOLDER = Path(__file__).with_name("fonts")
_REGULAR, _BOLD = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf"
_RIGHT_TO_LEFT = {"R", "AL", "AN"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_KEPT = {"\n", "\u200d", "\ufe0f"}  # joiner and variation selector of emoji: nothing is drawn


def add_fonts(pdf: FPDF) -> None:
    """Load both weights; only the characters used are embedded."""
    pdf.add_font(FAMILY, "", _FOLDER / _REGULAR)
    pdf.add_font(FAMILY, "B", _FOLDER / _BOLD)


class DrawableText:
    """Turns text into what the fonts can show; `replaced` counts the characters written out."""

    def __init__(self) -> None:
        self.replaced = 0

    def __call__(self, text: str) -> str:
        """The text with every other character as its code point."""
        return "".join(map(self._drawn, text))

    def _drawn(self, character: str) -> str:
        if character in _KEPT:
            return character if character == "\n" else ""
        if ord(character) in _known() and unicodedata.category(character) not in _INVISIBLE:
            return character
        self.replaced += 1
        return f"[U+{ord(character):04X}]"


def needs_shaping(text: str) -> bool:
    """Whether a text has letters that run from right to left or join each other."""
    return any(unicodedata.bidirectional(it) in _RIGHT_TO_LEFT for it in text)


@functools.cache
def _known() -> frozenset[int]:
    """The code points that both weights can show."""
    from fontTools.ttLib import TTFont

    known = list[set[int]]()
    for name in (_REGULAR, _BOLD):
        with TTFont(_FOLDER / name, lazy=True) as font:
            known.append(set(font.getBestCmap()))
    return frozenset(known[0] & known[1])
