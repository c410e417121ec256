"""Curves of scores and figures: ROC, DET, reliability, histograms, and a figure over levels.

`curves` maps a system's name to its scores (n,) and labels (n,); True is the second of `kinds`.
Rows without a score are left out; the legend counts the rest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from evals.plots.saving import save
from evals.plots.style import (
    FAKE,
    GREY,
    INK,
    KINDS,
    MARKERS,
    REAL,
    class_counts_label,
    short,
    strokes,
)
from tools import metrics
from tools.metrics import Roc, ScoredRows, drop_unmeasured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Scored = Mapping[str, tuple[ArrayLike, ArrayLike]]

_LEVELS_OF_DET = (0.001, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8)
_PANELS_A_ROW = 3


@dataclass(frozen=True, slots=True)
class LevelPoint:
    """A figure at one level, with its 95 % interval; NaN is not measured."""

    level: float
    value: float
    low: float = float("nan")
    high: float = float("nan")


def roc(
    folder: Path | None, name: str, curves: Scored, *,
    title: str, caption: str = "", kinds: tuple[str, str] = KINDS,
) -> None:  # fmt: skip
    """ROC curves, with the AUC of each in the legend."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="chance")
        for label, colour, dashes, curve in _each_roc(curves, "AUC", lambda curve: curve.area):
            axes.plot(curve.fpr, curve.tpr, color=colour, linestyle=dashes, label=label)
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set_xlabel(f"false positive rate (share of {kinds[0]})")
        axes.set_ylabel(f"true positive rate (share of {kinds[1]})")
        figure.legend(loc="outside right upper")

    save(folder, name, draw, title=_counted(title, curves, kinds), caption=caption, size=(8.4, 5))


def det(
    folder: Path | None, name: str, curves: Scored, *,
    title: str, caption: str = "", kinds: tuple[str, str] = KINDS,
) -> None:  # fmt: skip
    """Detection error trade-off: both error rates on normal-deviate axes, where Gaussian scores
    give straight lines."""
    from scipy.special import ndtri

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        ends = ndtri([_LEVELS_OF_DET[0], _LEVELS_OF_DET[-1]])
        axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":", label="equal error rates")
        for label, colour, dashes, curve in _each_roc(curves, "EER", lambda curve: curve.eer):
            # Rates of 0 and 1 are at infinity; the line should leave the plot, not end inside it.
            rates = [np.clip(rate, 1e-5, 1 - 1e-5) for rate in (curve.fpr, 1 - curve.tpr)]
            axes.plot(*map(ndtri, rates), color=colour, linestyle=dashes, label=label)
        ticks, names = ndtri(_LEVELS_OF_DET), [f"{rate:.4g}" for rate in _LEVELS_OF_DET]
        axes.set(xticks=ticks, xticklabels=names, yticks=ticks, yticklabels=names)
        axes.set(xlim=ends, ylim=ends, aspect="equal")
        axes.set_xlabel(f"false positive rate (share of {kinds[0]})")
        axes.set_ylabel(f"miss rate (share of {kinds[1]})")
        figure.legend(loc="outside right upper")

    save(folder, name, draw, title=_counted(title, curves, kinds), caption=caption, size=(8.4, 5))


def reliability(
    folder: Path | None, name: str, curves: Scored, *,
    title: str, caption: str = "", bins: int = 15, kinds: tuple[str, str] = KINDS,
) -> None:  # fmt: skip
    """Predicted probability against observed frequency, with a histogram of predictions below."""

    def draw(figure: "Figure") -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        above.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="calibrated")
        edges = np.linspace(0, 1, bins + 1)
        for (system, (probabilities, labels)), (colour, dashes) in zip(
            curves.items(), strokes(), strict=False
        ):
            found = metrics.reliability(probabilities, labels, bins)
            filled = [part for part in found if part.count]
            error = metrics.ece(probabilities, labels, bins)
            above.plot(
                [part.probability for part in filled], [part.share for part in filled],
                color=colour, linestyle=dashes, marker="o", markersize=5,
                label=_legend(system, "ECE", error, drop_unmeasured(probabilities, labels)),
            )  # fmt: skip
            if filled:
                counts = [part.count for part in found]
                below.stairs(counts, edges, color=colour, linestyle=dashes, linewidth=1.5)
        above.set(xlim=(-0.01, 1.01), ylim=(-0.03, 1.03))
        above.set_ylabel(f"{kinds[1]} among them (share)")
        below.set_xlabel(f"predicted probability of {kinds[1]}")
        below.set_ylabel("count")
        figure.legend(loc="outside right upper")

    save(folder, name, draw, title=_counted(title, curves, kinds), caption=caption, size=(8.4, 5.6))


def histograms(
    folder: Path | None, name: str, curves: Scored, *, title: str, caption: str = "",
    x_label: str = "score", threshold: float | None = None, kinds: tuple[str, str] = KINDS,
) -> None:  # fmt: skip
    """Score distributions, one panel per system; each kind's bars sum to 1."""
    columns = min(_PANELS_A_ROW, max(1, len(curves)))
    rows = -(-max(1, len(curves)) // columns)

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (system, (scores, labels)) in zip(panels, curves.items(), strict=False):
            found = drop_unmeasured(scores, labels)
            axes.set_title(f"{short(system)}\n{class_counts_label(found.labels, kinds)}")
            axes.set(xlabel=x_label, ylabel="share of the class")
            _spread(axes, found, kinds)
            if not len(found.scores):
                axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)
                axes.set(xticks=[], yticks=[], ylim=(0, 1))
            elif threshold is not None:
                axes.axvline(threshold, color=INK, linewidth=1, linestyle=":")
        for axes in panels[len(curves) :]:
            axes.set_axis_off()
        if curves:
            figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right upper")

    size = (3.1 * columns + 1.4, 2.9 * rows + 0.5) if columns > 1 else (6.6, 4.2)
    save(folder, name, draw, title=title, caption=caption, size=size)


def levels(
    folder: Path | None, name: str, lines: Mapping[str, Sequence[LevelPoint]], *, title: str,
    x_label: str, y_label: str, caption: str = "", chance: float | None = None,
    x_names: Mapping[float, str] | None = None,
) -> None:  # fmt: skip
    """A figure over levels, one line per name, with 95 % intervals; gaps are not measured.

    `chance` is drawn if given; `x_names` are the level names.
    """
    every = sorted({point.level for points in lines.values() for point in points})
    step = min(np.diff(every), default=1.0)

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        if chance is not None:
            axes.axhline(chance, color=GREY, linewidth=1, linestyle=":", label="chance")
        for index, (label, points) in enumerate(lines.items()):
            # Slightly offset, so that intervals do not hide each other.
            aside = step * 0.35 * ((index + 0.5) / len(lines) - 0.5)
            _line(axes, label, points, aside=aside, index=index)
        axes.set(xlabel=x_label, ylabel=y_label, xticks=every)
        if x_names is not None:
            axes.set_xticklabels([x_names.get(level, f"{level:g}") for level in every])
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside right upper")

    save(folder, name, draw, title=title, caption=caption, size=(8.6, 4.8))


def _line(
    axes: "Axes", label: str, points: Sequence[LevelPoint], *, aside: float, index: int
) -> None:  # fmt: skip
    colour, dashes = next(stroke for place, stroke in enumerate(strokes()) if place == index)
    rows = sorted(points, key=lambda point: point.level)
    x = np.array([point.level for point in rows]) + aside
    value, low, high = (
        np.array([getattr(point, part) for point in rows], float)
        for part in ("value", "low", "high")
    )
    axes.plot(x, value, color=colour, linestyle=dashes, marker=MARKERS[index % len(MARKERS)],
              markersize=5, label=short(label))  # fmt: skip
    axes.vlines(x, low, high, color=colour, linewidth=1.2, alpha=0.7)


def _spread(axes: "Axes", found: ScoredRows, kinds: tuple[str, str]) -> None:
    finite = np.isfinite(found.scores)
    scores, labels = found.scores[finite], found.labels[finite]
    edges = np.histogram_bin_edges(scores, bins=30)
    for kind, flag, colour, dashes in ((kinds[0], False, REAL, "-"), (kinds[1], True, FAKE, "--")):
        of_kind = scores[labels == flag]
        shares = np.histogram(of_kind, edges)[0] / max(1, len(of_kind))
        axes.stairs(shares, edges, color=colour, alpha=0.25, fill=True)
        axes.stairs(shares, edges, color=colour, linestyle=dashes, linewidth=1.5, label=kind)


def _each_roc(
    curves: Scored, figure: str, of: Callable[[Roc], float]
) -> Iterator[tuple[str, str, str, Roc]]:
    for (system, (scores, labels)), (colour, dashes) in zip(
        curves.items(), strokes(), strict=False
    ):
        curve = metrics.roc(scores, labels)
        value = float("nan") if curve is None else of(curve)
        label = _legend(system, figure, value, drop_unmeasured(scores, labels))
        nothing = Roc(*(np.full(1, np.nan),) * 3)
        yield label, colour, dashes, nothing if curve is None else curve


def _legend(system: str, figure: str, value: float, found: ScoredRows) -> str:
    measured = "not measured" if np.isnan(value) else f"{figure} {value:.3f}"
    return f"{short(system)}\n{measured}, n = {len(found.labels):,}"


def _counted(title: str, curves: Scored, kinds: tuple[str, str]) -> str:
    """The title with the sample counts: the common one, or the largest if systems differ."""
    measured = [drop_unmeasured(*scored).labels for scored in curves.values()]
    most = max(measured, key=len, default=np.zeros(0, bool))
    differ = any(0 < len(labels) < len(most) for labels in measured)
    return f"{title} · {'up to ' * differ}{class_counts_label(most, kinds)}"
