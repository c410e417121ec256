"""The rows of the table: everyone who answered, with how their logits read."""

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
    """A row: logits (n,), calibrated probabilities (n,) and bands (n, 2), NaN where missing.

    `training_families` None: nobody says what from.
    """

    name: str
    logits: np.ndarray
    probabilities: np.ndarray
    bands: np.ndarray
    training_families: TrainingFamilies | None

    @property
    def calibrated(self) -> bool:
        """Whether it has probabilities at all."""
        return bool(np.isfinite(self.probabilities).any())

    def near(self, column: Column) -> TrainingOverlap:
        """How near a column is to what it learnt; of several families the nearest."""
        found = [
            training_overlap(self.training_families, family=it, source=column.source)
            for it in column.families
        ]
        return min(found, key=TRAINING_OVERLAPS.index, default="not said")

    def take(self, rows: np.ndarray) -> "System":
        """Some of the pictures."""
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
    """Fused scores first, then everyone in turn, further scores, other systems' files of scores.

    `below` is what the encoder learnt, in whose space further scores are taken.
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
    """All that the detectors in the rule learnt from; None while one of them does not say."""
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
    """Nobody calibrated it."""
    count = len(logits)
    return System(
        name, logits, np.full(count, np.nan), np.full((count, 2), np.nan), training_families
    )
