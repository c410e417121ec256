"""Plots of a robustness run: figures over levels, CADDM's table, and example attacks."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from evals.plots.curves import LevelPoint, levels
from evals.plots.matrix import heat_map
from evals.plots.saving import save
from evals.suites.detection.scores import FUSED
from evals.suites.robustness.figures import AttackFigures, Figures, caddm_table
from evals.suites.robustness.perturbations import ATTACKS, LEVELS, example_grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL_PX = 112
_LEVEL_NAMES: Mapping[float, str] = {0: "none", **{level: str(level) for level in LEVELS}}


def draw(
    unattacked: Figures,
    cases: AttackFigures,
    averaged: Mapping[str, Figures],
    folder: Path,
    *,
    count: int,
) -> None:
    """All plots of the suite; `count` is the number of attacked pictures."""
    counted = f"n = {count:,}"
    for attack, of_levels in cases.items():
        levels(
            folder, f"auc-{attack}", _areas(unattacked, of_levels),
            title=f"AUC under {attack} · {counted}", x_label="level", y_label="AUC",
            caption="Level 0 is the picture as it was. Bars: 95 % bootstrap over groups. "
            "Lost faces have no score.",
            chance=0.5, x_names=_LEVEL_NAMES,
        )  # fmt: skip
    for name, title in (
        ("identity_accepted", "Share of faces that the rule still accepts as the same person"),
        ("identity_cosine", "Cosine of the face to itself unattacked"),
        ("faces_lost", "Share of lost faces"),
    ):
        lines = {attack: _line(name, unattacked, of_levels) for attack, of_levels in cases.items()}
        levels(
            folder, name, lines, title=f"{title} · {counted}", x_label="level", y_label=name,
            caption="Bars: 95 % bootstrap over groups. A lost face has no cosine and is not "
            "accepted.", x_names=_LEVEL_NAMES,
        )  # fmt: skip
    _tables(averaged, folder, counted)
    _example(folder)


def _areas(unattacked: Figures, of_levels: Mapping[int, Figures]) -> dict[str, list[LevelPoint]]:
    systems = unattacked["auc"]
    found: dict[str, list[LevelPoint]] = {}
    for system in systems if isinstance(systems, Mapping) else ():
        found[system] = [
            LevelPoint(level, _of(it, "auc", system), *_edges(it, "auc_95", system))
            for level, it in ((0, unattacked), *of_levels.items())
        ]
    return found


def _line(name: str, unattacked: Figures, of_levels: Mapping[int, Figures]) -> list[LevelPoint]:
    return [
        LevelPoint(level, _of(it, name), *_edges(it, f"{name}_95"))
        for level, it in ((0, unattacked), *of_levels.items())
    ]


def _of(figures: Figures, name: str, system: str | None = None) -> float:
    return float(np.asarray(_value(figures, name, system), float))


def _edges(figures: Figures, name: str, system: str | None = None) -> tuple[float, float]:
    low, high = np.asarray(_value(figures, name, system), float)
    return float(low), float(high)


def _value(figures: Figures, name: str, system: str | None) -> object:
    value = figures[name]
    return value[system] if system is not None and isinstance(value, Mapping) else value


def _tables(averaged: Mapping[str, Figures], folder: Path, counted: str) -> None:
    table = caddm_table(averaged)
    columns = [*next(iter(table.values()))]
    heat_map(
        folder, "caddm-table", [[row[column] for column in columns] for row in table.values()],
        rows=[*table], columns=columns, title=f"AUC over five levels of each attack · {counted}",
        unit="AUC", caption="The table of CADDM (CVPR 2023): mean over levels, and of the six; "
        "in the last column over the levels at which half of the faces are still found.", low=0.4,
    )  # fmt: skip
    names = ("faces_lost", "identity_accepted", "place_changed")
    rows = [[_of(it, "auc", FUSED), *(_of(it, name) for name in names)] for it in averaged.values()]
    heat_map(
        folder, "averages", rows, rows=[*averaged], columns=["AUC fused", *names],
        title=f"Every attack, mean over levels · {counted}", unit="AUC or share",
        caption="AUC of the fused probability; shares of faces lost, of faces still taken for the "
        "same person, and of pictures whose place in the forgery band changed.",
    )  # fmt: skip


def _example(folder: Path) -> None:
    """The attacks on scikit-image's portrait, which is in the public domain."""
    from skimage.data import astronaut

    face = np.asarray(astronaut())[20:210, 130:320]  # type: ignore[no-untyped-call]
    cells = example_grid(cv2.resize(face, (_CELL_PX, _CELL_PX), interpolation=cv2.INTER_AREA))

    def shown(figure: "Figure") -> None:
        axes = figure.subplots()
        axes.imshow(cells, aspect="auto")
        axes.grid(visible=False)
        middles = (np.arange(max(len(ATTACKS), 6)) + 0.5) * _CELL_PX
        axes.set_xticks(middles[: len(_LEVEL_NAMES)], [*_LEVEL_NAMES.values()])
        axes.set_yticks(middles[: len(ATTACKS)], [*ATTACKS])

    save(
        folder, "attacks", shown, title="The attacks by level",
        caption="On NASA's public-domain portrait, cropped and resized to 112 px width.",
        size=(1.05 * len(_LEVEL_NAMES) + 1.1, 1.05 * len(ATTACKS) + 0.7),
    )  # fmt: skip
