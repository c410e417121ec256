"""Plots of the detector table: heat maps by system and family, reliability, and the worst
errors."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evals.plots.curves import reliability
from evals.plots.failures import Failure, gallery
from evals.plots.matrix import heat_map
from evals.protocol.measured import load_models
from evals.suites.detection.systems import System
from evals.suites.detector_table.batch_scoring import BatchLogits
from evals.suites.detector_table.calibration import calibration_columns
from evals.suites.detector_table.fusion import FUSED_ALONE
from evals.suites.detector_table.score_table import Column, ScoreTable
from evals.suites.detector_table.training_distance import TrainingOverlap

CROP_PX, WORST, CURVES = 128, 24, 6

Cells = Mapping[tuple[str, str], Mapping[str, object]]
_MARKS: Mapping[TrainingOverlap, str] = {
    "learnt": "", "left out": " *", "other source": " †", "not said": " ?",
}  # fmt: skip
_SHOWN = {
    "auc": ("AUC", "AUC by family of forgeries", 0.2),
    "fake_accuracy": ("share of fakes called fake", "Forgeries called so at calibrated p = 0.5", 0),
    "real_accuracy": ("share of real called real", "Authentic called so at calibrated p = 0.5", 0),
}


def draw(
    answers: Sequence[BatchLogits],
    sheet: ScoreTable,
    rows: Sequence[System],
    shown: Sequence[Column],
    cells: Cells,
    folder: Path,
) -> None:
    """All pictures of the table."""
    for figure, (unit, title, low) in _SHOWN.items():
        values = [
            [_value(cells.get((column.name, system.name), {}), figure) for column in shown]
            for system in rows
        ]
        heat_map(
            folder, f"table-{figure}", values, rows=[it.name for it in rows],
            columns=[it.name for it in shown], title=title, unit=unit, low=low, digits=2,
            row_label="detector", column_label="family",
            marks=[[_MARKS[system.near(column)] for column in shown] for system in rows],
            caption="Unseen persons and originals. * a family not in the detector's training data, "
            "† another source, ? unknown; the others are training families. “–” was not measured: "
            "detectors of faces are not asked about forged scenes, and accuracies need a "
            "calibration.",
        )  # fmt: skip
    _reliability(sheet, rows, folder)
    judge = next((it for it in rows if it.name == FUSED_ALONE), None)
    if judge is not None and judge.calibrated:
        for label in (False, True):
            _failures(answers, sheet, judge, label, folder)


def _value(cell: Mapping[str, object], figure: str) -> float:
    return float(np.asarray(cell.get(figure, np.nan), float))


def _reliability(sheet: ScoreTable, rows: Sequence[System], folder: Path) -> None:
    for name, column in calibration_columns(sheet).items():
        labels = sheet.labels[column.rows]
        known = [it for it in rows if np.isfinite(it.probabilities[column.rows]).any()]
        curves = {it.name: (it.probabilities[column.rows], labels) for it in known[:CURVES]}
        if curves:
            reliability(
                folder, f"reliability-{name}", curves, title=f"Probability of forgery, {name}",
                caption="The first calibrated systems; there are more forgeries than authentic "
                "pictures here, for which the figures are corrected.",
            )  # fmt: skip


def _failures(
    answers: Sequence[BatchLogits], sheet: ScoreTable, judge: System, label: bool, folder: Path
) -> None:
    """Errors beyond the band: authentic pictures called forged, forgeries below the band."""
    margin = load_models().encoder.face_margin
    title = "Forgeries with no forgery found" if label else "Authentic pictures called forged"
    # Distance beyond the edge: above zero is wrong.
    beyond = judge.bands[:, 0] - judge.probabilities
    beyond = beyond if label else judge.probabilities - judge.bands[:, 1]
    kind = np.flatnonzero((sheet.labels == label) & (beyond > 0))
    wrong = kind[np.argsort(-beyond[kind], kind="stable")]
    pictures = [
        Failure(
            _crop(answers, sheet.places[row], margin),
            f"{judge.probabilities[row]:.3f} {sheet.families[row]}\n{sheet.ids[row]}",
            float(beyond[row]),
        )
        for row in wrong[:WORST]
    ]
    gallery(
        folder, f"failures-{'fake' if label else 'real'}", pictures, total=len(wrong),
        title=f"{title} by {judge.name}", most=WORST,
        caption="The worst first, with the probability of forgery; pictures within the band are "
        "undecided and not shown.",
    )  # fmt: skip


def _crop(answers: Sequence[BatchLogits], place: tuple[int, int], margin: float) -> np.ndarray:
    batch, row = place
    return answers[batch].measured.face_crop(row, size=CROP_PX, margin=margin)
