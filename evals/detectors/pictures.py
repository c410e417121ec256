"""Pictures of a detection run: curves, scores, the table of methods, and the worst mistakes."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evals.detectors.scores import FUSED, Samples
from evals.measured import Measured
from evals.measured import parts as loaded
from evals.pictures.curves import det, histograms, roc
from evals.pictures.failures import Failure, gallery, worst
from evals.pictures.matrix import heat_map

CROP_PX = 128
WORST = 24

Table = Mapping[str, Mapping[str, Mapping[str, object]]]


def draw(
    measured: Measured, rows: Samples, thresholds: Mapping[str, float],
    parts: Mapping[str, Table], folder: Path,
) -> None:  # fmt: skip
    """All pictures of the suite."""
    curves = {name: (scores, rows.labels) for name, scores in rows.systems.items()}
    roc(folder, "roc", curves, title="ROC of every system")
    det(folder, "det", curves, title="Detection error trade-off of every system")
    histograms(
        folder, "scores", curves, title="Scores of every system", x_label="score, higher: forged",
        caption="A system calls forged what lies above "
        + "; ".join(f"{name}: {value:g}" for name, value in thresholds.items()) + ".",
    )  # fmt: skip
    for part, found in parts.items():
        for what, unit in (("auc", "AUC"), ("fake_accuracy", "share of fakes called fake")):
            _table(found, what, unit, part.removeprefix("by_"), folder)
    judge = FUSED if np.isfinite(rows.systems[FUSED]).any() else next(iter(rows.systems))
    _failures(measured, rows, judge, thresholds[judge], folder)


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


def _failures(
    measured: Measured, rows: Samples, judge: str, threshold: float, folder: Path
) -> None:
    scores, margin = rows.systems[judge], loaded().encoder.face_margin
    for label, title in ((False, "Real called fake"), (True, "Fakes called real")):
        kind = np.flatnonzero((rows.labels == label) & measured.found)
        wrong = kind[worst(scores[kind], rows.labels[kind], threshold=threshold, most=len(kind))]
        shown = [
            Failure(
                measured.face_crop(int(index), size=CROP_PX, margin=margin),
                f"{scores[index]:.3f} {measured.rows[index].method or ''}\n{measured.ids[index]}",
                float(abs(scores[index] - threshold)),
            )
            for index in wrong[:WORST]
        ]
        gallery(
            folder, f"failures-{'fake' if label else 'real'}", shown, total=len(wrong),
            title=f"{title} by {judge}", most=WORST,
            caption=f"The worst first, with the score; {judge} calls fake above {threshold:g}. "
            f"{len(kind):,} pictures of this kind show a face.",
        )  # fmt: skip
