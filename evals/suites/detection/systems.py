"""Rows of the detector table: all scored systems with their calibrated probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_

import numpy as np

from evals.suites.detector_table.detector_list import EvaluatedDetector
from evals.suites.detector_table.fusion import QUERY_SCORES, RULE_METHODS
from evals.suites.detector_table.score_table import Column, ScoreTable
from evals.suites.detector_table.training_distance import (
    TRAINING_OVERLAPS,
    TrainingFamilies,
    TrainingOverlap,
    training_overlap,
)
from tools.verdict.rule import VerdictRule


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """A row: logits (n,), calibrated probabilities (n,) and bands (n, 2), NaN if missing.

    `training_families` None: unknown.
    """

    name: str
    logits: np.ndarray
    probabilities: np.ndarray
    bands: np.ndarray
    training_families: TrainingFamilies | None

    @property
    def calibrated(self) -> bool:
        """Whether it has probabilities."""
        return bool(np.isfinite(self.probabilities).any())

    def near(self, column: Column) -> TrainingOverlap:
        """How close a column is to its training data; for several families the closest."""
        found = [
            training_overlap(self.training_families, family=it, source=column.source)
            for it in column.families
        ]
        return min(found, key=TRAINING_OVERLAPS.index, default="not said")

    def take(self, rows: np.ndarray) -> "System":
        """A subset of the pictures."""
        return replace(
            self,
            logits=self.logits[rows],
            probabilities=self.probabilities[rows],
            bands=self.bands[rows],
        )


def build_systems(
    sheet: ScoreTable,
    entrants: Sequence[EvaluatedDetector],
    *,
    rule: VerdictRule | None,
    below: TrainingFamilies,
    peers: Mapping[str, np.ndarray],
) -> list[System]:
    """Fused scores first, then the detectors, further scores and other systems' score files.

    `below` are the training families of the encoder whose features the further scores use.
    """
    found = []
    if rule is not None:
        training_families = learnt_by_fusion(entrants, rule)
        found += [_fused(sheet, name, training_families) for name in RULE_METHODS]
    found += [_of(sheet, entrant) for entrant in entrants]
    found += [
        _bare(name, sheet.logits[name], below) for name in QUERY_SCORES if name in sheet.logits
    ]
    return [*found, *(_bare(name, scores, None) for name, scores in peers.items())]


def learnt_by_fusion(
    entrants: Sequence[EvaluatedDetector], rule: VerdictRule
) -> TrainingFamilies | None:
    """Training families of all detectors in the rule; None if unknown for one of them."""
    each = [it.training_families for it in entrants if it.name in rule.needs]
    known = [it for it in each if it is not None]
    return reduce(or_, known) if known and len(known) == len(each) else None


def _fused(sheet: ScoreTable, name: str, training_families: TrainingFamilies | None) -> System:
    logits = sheet.logits.get(name, np.full(len(sheet), np.nan))
    probabilities = 1 / (1 + np.exp(-np.clip(logits, -40, 40)))
    bands = sheet.bands.get(name, np.full((len(sheet), 2), np.nan))
    return System(name, logits, probabilities, bands, training_families)


def _of(sheet: ScoreTable, entrant: EvaluatedDetector) -> System:
    logits, calibration = sheet.logits[entrant.name], entrant.calibration
    if calibration is None:
        return _bare(entrant.name, logits, entrant.training_families)
    edges = calibration.band.low, calibration.band.high
    bands = np.broadcast_to(edges, (len(logits), 2))
    probabilities = calibration.probabilities(logits)
    return System(entrant.name, logits, probabilities, bands, entrant.training_families)


def _bare(name: str, logits: np.ndarray, training_families: TrainingFamilies | None) -> System:
    """An uncalibrated system."""
    count = len(logits)
    return System(
        name, logits, np.full(count, np.nan), np.full((count, 2), np.nan), training_families
    )
