"""Plot style: one palette, one font, one background."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

# Okabe & Ito's palette, safe for all kinds of colour blindness; its yellow is left out, being too
# faint on white.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", ":", "-.")
MARKERS = "os^DvPX"
REAL, FAKE = BLUE, VERMILION
GREY, PALE, INK = "#8A8F98", "#E6E8EB", "#22262B"

KINDS = ("real", "fake")

# Pixels per inch: ten points on screen match the page's text.
DPI = 110
# matplotlib's stubs type each setting as a literal.
STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "grid.color": PALE,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.family": "DejaVu Sans",
    # File names may contain dollar signs, which are not formulas here.
    "text.parse_math": False,
    # Draw long lines in chunks: an outlier must not take minutes.
    "agg.path.chunksize": 20000,
}


def strokes() -> Iterator[tuple[str, str]]:
    """Colour and dash pattern of consecutive series; the combination repeats after 28."""
    for index in count():
        yield SERIES[index % len(SERIES)], DASHES[index // len(SERIES) % len(DASHES)]


def short(text: str, most: int = 30) -> str:
    """The text with its middle elided if too long: names differ at their ends."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"


def class_counts_label(labels: np.ndarray, kinds: tuple[str, str] = KINDS) -> str:
    """“120 real, 80 fake” for labels (n,) bool; True is the second kind."""
    of_second = int(labels.sum())
    return f"{len(labels) - of_second:,} {kinds[0]}, {of_second:,} {kinds[1]}"
