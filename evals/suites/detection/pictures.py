"""Plots of a detection run: curves, score histograms, the table of methods, and the worst
errors."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evals.plots.curves import det, histograms, roc
from evals.plots.failures import Failure, gallery, worst_errors
from evals.plots.matrix import heat_map
from evals.protocol.measured import MeasuredDataset
from evals.protocol.measured import load_models as loaded
from evals.suites.detection.scores import FUSED, LabelledScores
from tools.metrics import auc

CROP_PX = 128
WORST = 24
CURVES = 9

Table = Mapping[str, Mapping[str, Mapping[str, object]]]


def draw(
    measured: MeasuredDataset, rows: LabelledScores, parts: Mapping[str, Table], folder: Path
) -> None:
    """All pictures of the suite."""
    shown = leading(rows)
    curves = {name: (rows.systems[name], rows.labels) for name in shown}
    told = "" if len(shown) == len(rows.systems) else (
        f"Fused, peers, and of the {len(rows.systems)} systems those with the highest AUC on these "
        "very pictures; the tables hold all of them."
    )  # fmt: skip
    roc(folder, "roc", curves, title="ROC", caption=told)
    det(folder, "det", curves, title="Detection error trade-off", caption=told)
    histograms(
        folder, "scores", curves, title="Scores", x_label="score, higher: forged", caption=told
    )
    for part, found in parts.items():
        for what, unit in (("auc", "AUC"), ("fake_accuracy", "share of fakes called fake")):
            _table(found, what, unit, part.removeprefix("by_"), folder)
    judge = next((it for it in rows.systems if np.isfinite(rows.probabilities(it)).any()), None)
    if judge is not None:
        _failures(measured, rows, judge, folder)


def leading(rows: LabelledScores) -> list[str]:
    """The systems to plot: fused, peers, and those with the highest AUC, up to a readable
    number."""
    always = [it for it in rows.systems if it == FUSED or it.startswith("peer/")]
    others = [it for it in rows.systems if it not in always]
    found = np.array([auc(rows.systems[it], rows.labels) for it in others])
    best = [others[at] for at in np.argsort(-found, kind="stable")]  # NaN comes last
    chosen = {*always, *best[: max(0, CURVES - len(always))]}
    return [it for it in rows.systems if it in chosen]


def _table(found: Table, what: str, unit: str, part: str, folder: Path) -> None:
    systems = [*next(iter(found.values()))]
    values = [
        [float(np.asarray(it[system][what], float)) for it in found.values()] for system in systems
    ]
    heat_map(
        folder, f"{part}-{what}", values, rows=systems, columns=[*found],
        title=f"{unit} by {part}", unit=unit, low=0.2 if what == "auc" else 0.0,
        caption="Fakes: " + "; ".join(_counted(*it) for it in found.items()) + ".",
        row_label="system", column_label=part,
    )  # fmt: skip


def _counted(name: str, part: Mapping[str, Mapping[str, object]]) -> str:
    figures = next(iter(part.values()))
    return f"{name} {figures['n_fake']} against {figures['n_real']} real"


def _failures(measured: MeasuredDataset, rows: LabelledScores, judge: str, folder: Path) -> None:
    scores, margin = rows.probabilities(judge), loaded().encoder.face_margin
    for label, title in ((False, "Real called fake"), (True, "Fakes called real")):
        kind = np.flatnonzero((rows.labels == label) & measured.found)
        wrong = kind[worst_errors(scores[kind], rows.labels[kind], threshold=0.5, most=len(kind))]
        shown = [
            Failure(
                measured.face_crop(int(index), size=CROP_PX, margin=margin),
                f"{scores[index]:.3f} {measured.rows[index].method or ''}\n{measured.ids[index]}",
                float(abs(scores[index] - 0.5)),
            )
            for index in wrong[:WORST]
        ]
        gallery(
            folder, f"failures-{'fake' if label else 'real'}", shown, total=len(wrong),
            title=f"{title} by {judge}", most=WORST,
            caption=f"The worst first, with the probability of forgery; above 0.5 {judge} calls "
            f"fake. {len(kind):,} pictures of this kind show a face.",
        )  # fmt: skip
