"""Confusion matrices, and tables of figures as heat maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from evals.plots.saving import save
from evals.plots.style import INK, PALE, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# From white to dark blue: lightness alone encodes the order, for all readers.
_COLOURS = "Blues"


def confusion(
    folder: Path | None, name: str, counts: ArrayLike, *, rows: Sequence[str],
    columns: Sequence[str], title: str, caption: str = "",
    row_label: str = "true class", column_label: str = "predicted class",
) -> None:  # fmt: skip
    """Counts (r, c), coloured by their share of the row. Empty rows have no share."""
    table = np.asarray(counts, float)
    totals = table.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        shares = table / totals
    cells = [
        [f"{count:,.0f}\n{share:.0%}" if total else "–"
         for count, share in zip(table[row], shares[row], strict=True)]
        for row, total in enumerate(totals[:, 0])
    ]  # fmt: skip
    named = [f"{short(row)} ({total:,.0f})" for row, total in zip(rows, totals[:, 0], strict=True)]
    _table(folder, name, shares, cells, named, columns, title=f"{title} · {table.sum():,.0f}",
           caption=caption, bounds=(0, 1), labels=(row_label, column_label, "share of the row"),
           )  # fmt: skip


def heat_map(
    folder: Path | None, name: str, values: ArrayLike, *, rows: Sequence[str],
    columns: Sequence[str], title: str, unit: str, caption: str = "",
    low: float = 0.0, high: float = 1.0, digits: int = 3,
    row_label: str = "", column_label: str = "", marks: Sequence[Sequence[str]] | None = None,
) -> None:  # fmt: skip
    """Figures (r, c) of one unit as a table, coloured from `low` to `high`; NaN is “–”.

    `marks` (r, c) are appended to the figures.
    """
    table = np.asarray(values, float)
    cells = [["–" if np.isnan(value) else f"{value:.{digits}f}" for value in row] for row in table]
    if marks is not None:
        cells = [
            [cell + mark if cell != "–" else cell for cell, mark in zip(*both, strict=True)]
            for both in zip(cells, marks, strict=True)
        ]
    _table(folder, name, table, cells, rows, columns, title=title, caption=caption,
           bounds=(low, high), labels=(row_label, column_label, unit))  # fmt: skip


def _table(
    folder: Path | None, name: str, values: np.ndarray, cells: Sequence[Sequence[str]],
    rows: Sequence[str], columns: Sequence[str], *, title: str, caption: str,
    bounds: tuple[float, float], labels: tuple[str, str, str],
) -> None:  # fmt: skip
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"a table {values.shape} with {len(rows)} rows and {len(columns)} columns")

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.set_facecolor(PALE)
        shown = np.ma.masked_invalid(values)
        image = axes.imshow(shown, cmap=_COLOURS, vmin=bounds[0], vmax=bounds[1], aspect="auto")
        for row, column in np.ndindex(values.shape):
            dark = (values[row, column] - bounds[0]) / (bounds[1] - bounds[0]) > 0.6
            axes.text(column, row, cells[row][column], ha="center", va="center", fontsize=9.5,
                      color="white" if dark else INK)  # fmt: skip
        turned = max(map(len, columns), default=0) > 12
        names = [short(column, 24) for column in columns]
        angle, side = (30, "right") if turned else (0, "center")
        axes.set_xticks(range(len(columns)), names, rotation=angle, ha=side)
        axes.set_yticks(range(len(rows)), [short(row, 40) for row in rows])
        axes.set(ylabel=labels[0], xlabel=labels[1])
        axes.tick_params(length=0)
        axes.grid(visible=False)
        for edge in axes.spines.values():
            edge.set_visible(False)
        figure.colorbar(image, ax=axes, label=labels[2], shrink=0.9)

    size = (max(5.0, 3.2 + 1.0 * len(columns)), max(3.0, 1.6 + 0.5 * len(rows)))
    save(folder, name, draw, title=title, caption=caption, size=size)
