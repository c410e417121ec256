"""Calibration and decision rates of every detector, by source.

ECE (15 bins) and Brier score at even odds: authentic and forged have equal weight, and in pooled
rows each source does too. Shares are of all measured pictures: at or above the band a picture is
called forged, within it there is no decision. All intervals of one row use the same bootstrap draws
of persons or originals.
"""

from collections.abc import Sequence

import numpy as np

from evals.suites.detection.systems import System
from evals.suites.detector_table.samples import DFDC, LFW
from evals.suites.detector_table.score_table import (
    SEEN_FAMILIES,
    UNSEEN_FAMILIES,
    Column,
    ScoreTable,
    column,
)
from tools.metrics import resamples

ROUNDS, BINS = 200, 15
POOLED = "pooled"

Figures = dict[str, object]


def calibration_columns(sheet: ScoreTable) -> dict[str, Column]:
    """The columns on which each source's calibration is measured."""
    return {
        "lfw": column(sheet, "lfw", LFW, SEEN_FAMILIES),
        "lfw_held_out": column(sheet, "lfw_held_out", LFW, UNSEEN_FAMILIES),
        "dfdc": column(sheet, "dfdc", DFDC, (DFDC,)),
    }


def calibration_by_source(
    sheet: ScoreTable, systems: Sequence[System], *, seed: int
) -> dict[str, dict[str, Figures]]:
    """By system and source; uncalibrated systems are left out."""
    sources = {name: [it.rows] for name, it in calibration_columns(sheet).items()}
    sources[POOLED] = [*sources["lfw"], *sources["dfdc"]]
    return {
        system.name: {
            name: figures(sheet, system, rows, seed=seed) for name, rows in sources.items()
        }
        for system in systems
        if system.calibrated
    }


def figures(
    sheet: ScoreTable, system: System, sources: Sequence[np.ndarray], *, seed: int
) -> Figures:  # fmt: skip
    """Figures of the rows of one source, or of several with equal weight."""
    known = [rows[np.isfinite(system.probabilities[rows])] for rows in sources]
    rows, source = np.concatenate(known), np.repeat(np.arange(len(known)), [*map(len, known)])
    forged = sheet.labels[rows]
    found: Figures = {"n_genuine": int((~forged).sum()), "n_forged": int(forged.sum())}
    draws = [np.ones(len(rows), int)]
    if len(np.unique(sheet.groups[rows])) > 1:
        draws += resamples(sheet.groups[rows], seed=seed, rounds=ROUNDS)
    weights = np.stack(draws).astype(float)
    even, defined = _evened(weights, 2 * source + forged, count=2 * len(known))
    missed = system.probabilities[rows] - forged
    for name, values in (
        ("ece", np.where(defined, _ece(even, missed, system.probabilities[rows]), np.nan)),
        ("brier", np.where(defined, even @ missed**2, np.nan)),
        *_decided(weights, system.take(rows), forged).items(),
    ):
        found |= {name: float(values[0]), f"{name}_95": _edges(values[1:])}
    return found


def _evened(
    weights: np.ndarray, cells: np.ndarray, *, count: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Weights (rounds, n) that give each of `count` cells equal weight, summing to 1.

    Also the rounds (rounds,) without an empty cell: the others have no figure.
    """
    within = cells[:, None] == np.arange(count)
    totals = weights @ within
    shares = np.where(totals > 0, 1 / np.maximum(totals, 1) / count, 0.0)
    return weights * shares[:, cells], (totals > 0).all(axis=1)


def _ece(even: np.ndarray, missed: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(rounds,) expected calibration error over bins."""
    places = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    bins = (places[:, None] == np.arange(BINS)) * missed[:, None]
    return np.asarray(np.abs(even @ bins).sum(axis=1))


def _decided(weights: np.ndarray, system: System, forged: np.ndarray) -> dict[str, np.ndarray]:
    """Decision shares (rounds,) of each class."""
    low, high = system.bands.T
    claimed = system.probabilities >= high
    held = {"called_forged": claimed, "inconclusive": (system.probabilities >= low) & ~claimed}
    with np.errstate(invalid="ignore"):  # of no pictures there is no share
        return {
            f"{kind}_{what}": weights[:, rows] @ said[rows] / weights[:, rows].sum(axis=1)
            for kind, rows in (("genuine", ~forged), ("forged", forged))
            for what, said in held.items()
        }


def _edges(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
