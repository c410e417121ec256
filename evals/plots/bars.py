"""Bar charts of figures with confidence intervals and reference lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evals.plots.saving import save
from evals.plots.style import BLUE, INK, VERMILION, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Bar:
    """A named figure with its 95 % interval; NaN is not measured."""

    name: str
    value: float
    low: float = float("nan")
    high: float = float("nan")


def bars(
    folder: Path | None, name: str, figures: Sequence[Bar], *, title: str, axis: str,
    references: Mapping[str, float] | None = None, caption: str = "",
) -> None:  # fmt: skip
    """One bar per figure, from top to bottom, 0 to 1; `references` are dashed lines with names."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        places = np.arange(len(figures))
        values = np.array([bar.value for bar in figures])
        axes.barh(places, np.nan_to_num(values), color=BLUE, height=0.65)
        for place, bar in enumerate(figures):
            axes.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1.5)
            end = np.nanmax([bar.value, bar.high, 0.0])
            said = "not measured" if np.isnan(bar.value) else f"{bar.value:.3f}"
            axes.text(end + 0.012, place, said, va="center", fontsize=9)
        for label, value in (references or {}).items():
            axes.axvline(value, color=VERMILION, linestyle="--", label=f"{label} {value:.3f}")
        axes.set_yticks(places, [short(bar.name, 46) for bar in figures])
        axes.set(xlabel=axis, xlim=(0, 1.12))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
        if references:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside lower right")

    save(folder, name, draw, title=title, caption=caption, size=(8.5, 1.6 + 0.34 * len(figures)))
