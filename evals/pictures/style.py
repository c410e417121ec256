"""How all pictures look: one palette, one set of letters, one paper."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np

# Okabe & Ito's palette, told apart with any kind of colour blindness; its yellow is left out,
# being too faint on white.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
SERIES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", ":", "-.")
MARKERS = "os^DvPX"
REAL, FAKE = BLUE, VERMILION
GREY, PALE, INK = "#8A8F98", "#E6E8EB", "#22262B"

KINDS = ("real", "fake")

# Pixels per inch: at this, ten points are as large on a screen as the text of a page.
DPI = 110
# matplotlib types its settings as literals, one by one.
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
    # Names of files may hold dollars; they are no formulas.
    "text.parse_math": False,
    # An outlier must not cost minutes: long lines are drawn in pieces.
    "agg.path.chunksize": 20000,
}


def strokes() -> Iterator[tuple[str, str]]:
    """Colour and dashes for one series after another; both together repeat after 28."""
    for index in count():
        yield SERIES[index % len(SERIES)], DASHES[index // len(SERIES) % len(DASHES)]


def short(text: str, most: int = 30) -> str:
    """The text, its middle left out when it is long: names differ at their ends."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"


def class_counts_label(labels: np.ndarray, kinds: tuple[str, str] = KINDS) -> str:
    """“120 real, 80 fake” of labels (n,) bool, True being the second kind."""
    of_second = int(labels.sum())
    return f"{len(labels) - of_second:,} {kinds[0]}, {of_second:,} {kinds[1]}"
