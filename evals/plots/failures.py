"""Galleries of the worst errors."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from evals.plots.saving import save
from evals.plots.style import PALE
from tools.metrics import drop_unmeasured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIDE = 1.75
_LETTERS = 23
_LINES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """A picture (h, w, 3) uint8 RGB, its caption, and its error: larger is worse."""

    pixels: np.ndarray
    text: str
    wrongness: float


def worst_errors(
    scores: ArrayLike, labels: ArrayLike, *, threshold: float, most: int = 24
) -> np.ndarray:
    """Rows (k,) on the wrong side of the threshold, the farthest first, at most `most`.

    Only their pictures then need to be read. Rows without a score are not failures.
    """
    drop_unmeasured(scores, labels)
    distance = np.asarray(scores, float) - threshold
    wrongness = np.where(np.asarray(labels, bool), -distance, distance)
    wrong = np.flatnonzero(wrongness > 0)
    found: np.ndarray = wrong[np.argsort(-wrongness[wrong], kind="stable")][:most]
    return found


def gallery(
    folder: Path | None, name: str, failures: Sequence[Failure], *,
    title: str, caption: str = "", columns: int = 6, most: int = 24, total: int | None = None,
) -> None:  # fmt: skip
    """The worst failures with a short caption each; a page that says so if there are none.

    `total` is their total number if not all were passed.
    """
    shown = sorted(failures, key=lambda failure: -failure.wrongness)[:most]
    every = max(total or 0, len(failures))
    shown_of = f"{len(shown)} of {every:,}" if shown else "none"
    columns = max(1, min(columns, len(shown)))
    rows = max(1, -(-len(shown) // columns))

    def draw(figure: "Figure") -> None:
        cells = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, failure in zip(cells, shown, strict=False):
            _picture(axes, failure)
        for axes in cells[len(shown) :]:
            axes.set_axis_off()

    height = (_SIDE + 0.6) * rows + 0.45 if shown else 0.5
    save(folder, name, draw, title=f"{title} · {shown_of}", caption=caption,
         size=(max(4.5, _SIDE * columns + 0.2), height))  # fmt: skip


def _picture(axes: "Axes", failure: Failure) -> None:
    axes.imshow(_squared(failure.pixels), interpolation="antialiased")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for edge in axes.spines.values():
        edge.set(visible=True, color=PALE)
    lines = [
        part for line in failure.text.splitlines() for part in textwrap.wrap(line, _LETTERS)
    ]  # fmt: skip
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], lines[_LINES - 1][: _LETTERS - 1] + "…"]
    axes.set_xlabel("\n".join(lines), fontsize=8, loc="left")


def _squared(pixels: np.ndarray) -> np.ndarray:
    """The picture centred on a light square, so that rows of all shapes align."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), tuple(bytes.fromhex(PALE[1:])), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square
