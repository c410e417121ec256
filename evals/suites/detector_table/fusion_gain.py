"""Does fusion beat every single detector, and does the query help?

Differences of AUC on the pictures measured by both, with the same bootstrap draws of persons or
originals. A detector selected as the best of many on these pictures is flattered by the selection:
beating it is harder than beating one chosen in advance.
"""

from collections.abc import Sequence

import numpy as np

from evals.suites.detection.systems import System
from evals.suites.detector_table.fusion import FUSED_ALONE, FUSED_WITH_QUERY
from evals.suites.detector_table.score_table import Column, ScoreTable
from tools.metrics import mean, paired_difference, weighted_auc

ROUNDS = 300

Figures = dict[str, object]


def compare_fusion(
    sheet: ScoreTable, systems: Sequence[System], summary: Sequence[Column], *, seed: int
) -> dict[str, dict[str, Figures]]:
    """By topic: fused minus each single detector in every column, and with minus without the query.

    Empty if there is no fused score.
    """
    by_name = {system.name: system for system in systems}
    if FUSED_ALONE not in by_name:
        return {}
    found = {}
    for column in summary:
        if column.scenes:
            continue
        found[f"fused_less_{column.name}"] = {
            system.name: auc_difference(sheet, column, by_name[FUSED_ALONE], system, seed=seed)
            for system in systems
            if system.name not in (FUSED_ALONE, FUSED_WITH_QUERY)
        }
    found["with_query_less_without"] = {
        column.name: {
            **auc_difference(
                sheet, column, by_name[FUSED_WITH_QUERY], by_name[FUSED_ALONE], seed=seed
            ),
            **_called(sheet, column, by_name[FUSED_WITH_QUERY], by_name[FUSED_ALONE]),
        }
        for column in summary
        if not column.scenes
    }
    return found


def _called(sheet: ScoreTable, column: Column, first: System, second: System) -> Figures:
    """Shares called forged (at or above the band) by both, on the same pictures."""
    rows = column.rows
    rows = rows[np.isfinite(first.logits[rows]) & np.isfinite(second.logits[rows])]
    found = Figures()
    for name, system in (("with", first), ("without", second)):
        called = system.probabilities[rows] >= system.bands[rows, 1]
        for kind, label in (("genuine", False), ("forged", True)):
            found[f"{kind}_called_forged_{name}"] = mean(called[sheet.labels[rows] == label])
    return found


def auc_difference(
    sheet: ScoreTable, column: Column, first: System, second: System, *, seed: int
) -> Figures:  # fmt: skip
    """AUC of `first` minus that of `second`, with interval and p; NaN where undefined."""
    rows = column.rows
    rows = rows[np.isfinite(first.logits[rows]) & np.isfinite(second.logits[rows])]
    labels = sheet.labels[rows]
    one, other = (_ranks(system.logits[rows]) for system in (first, second))
    found = paired_difference(
        _auc, sheet.groups[rows], (one, labels), (other, labels), seed=seed, rounds=ROUNDS
    )
    return {
        "difference": found.value, "difference_95": (found.low, found.high), "p": found.p,
        "n_real": int((~labels).sum()), "n_fake": int(labels.sum()),
    }  # fmt: skip


def _ranks(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(scores, return_inverse=True)[1])


def _auc(ranks: np.ndarray, labels: np.ndarray) -> float:
    return weighted_auc(ranks, labels, np.ones(len(ranks)))
