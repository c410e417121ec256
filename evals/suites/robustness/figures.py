"""Effects of one attack at one level on detectors, identification and the rule's decisions."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evals.protocol.measured import MeasuredDataset, load_models
from evals.suites.detection.scores import FUSED, Scores, indexed_scores
from evals.suites.robustness.perturbations import CADDM_SIX, LEVELS
from evals.suites.robustness.verdicts import flips, verdicts
from tools.metrics import auc, auc_interval, grouped_interval, mean

ROUNDS = 200
LEAST_SCORED = 0.5
"""Below this share of a class's pictures an AUC would describe the survivors only: NaN."""
NOT_MEASURED = "not measured"

Figures = dict[str, object]
AttackFigures = Mapping[str, Mapping[int, Figures]]
"""Figures by attack and level."""


@dataclass(frozen=True, slots=True, eq=False)
class AttackedScores:
    """n pictures under one attack: scores by system, and which faces were found.

    `cosines` (n,) of the face to its unattacked self; `accepted` (n,) whether the identity band
    still accepts the person; `places` (n,) in the forgery band; `verdicts` (n,) "" without a query.
    """

    systems: Mapping[str, Scores]
    found: np.ndarray
    cosines: np.ndarray
    accepted: np.ndarray
    places: np.ndarray
    verdicts: np.ndarray

    @classmethod
    def of(cls, unattacked: MeasuredDataset, measured: MeasuredDataset) -> "AttackedScores":
        """Compare attacked rows with the same rows unattacked."""
        systems = indexed_scores(measured)
        cosines = _cosines(unattacked, measured)
        return cls(
            systems=systems,
            found=measured.found,
            cosines=cosines,
            accepted=_accepted(cosines),
            places=_places(systems[FUSED]),
            verdicts=verdicts(unattacked, measured),
        )


def _cosines(unattacked: MeasuredDataset, measured: MeasuredDataset) -> np.ndarray:
    """(n,) cosine of each face to its unattacked self; NaN if it was lost."""
    return np.array(
        [
            np.nan if not before or not after else before.face.embedding @ after.face.embedding
            for before, after in zip(unattacked.faces, measured.faces, strict=True)
        ],
        float,
    )


def _accepted(cosines: np.ndarray) -> np.ndarray:
    """(n,) float: 1 if the rule says the same person, NaN without a rule; a lost face is 0."""
    rule = load_models().rule
    if rule is None:
        return np.full(len(cosines), np.nan)
    places = [rule.identity_place({"cosine_similarity": float(it)}) for it in cosines]
    return np.array([float(it == "high") for it in places])


def _places(probabilities: Scores) -> np.ndarray:
    rule = load_models().rule
    if rule is None:
        return np.full(len(probabilities), NOT_MEASURED)
    known = ~np.isnan(probabilities)
    return np.array(
        [
            rule.questions["alone"].band.place(float(it)) if there else NOT_MEASURED
            for it, there in zip(probabilities, known, strict=True)
        ],
        "<U12",
    )


def attack_figures(
    measured: MeasuredDataset, before: AttackedScores, after: AttackedScores, *, seed: int
) -> Figures:
    """All figures, with intervals for performance figures."""
    forged, groups = measured.forged, measured.groups

    def share(values: np.ndarray, rows: np.ndarray) -> float:
        return mean(values[rows].astype(float))

    def interval_of(values: np.ndarray) -> tuple[float, float]:
        return grouped_interval(mean, groups, values, seed=seed, rounds=ROUNDS)

    lost = (~after.found).astype(float)
    everything = np.ones(len(forged), bool)
    systems = {name: _enough(scores, forged) for name, scores in after.systems.items()}
    return {
        "n_found": int(after.found.sum()),
        "auc": {name: auc(scores, forged) for name, scores in systems.items()},
        "auc_95": {
            name: auc_interval(scores, forged, groups, seed=seed, rounds=ROUNDS)
            for name, scores in systems.items()
        },
        "faces_lost": share(lost, everything),
        "faces_lost_95": interval_of(lost),
        "identity_cosine": mean(after.cosines),
        "identity_cosine_95": interval_of(after.cosines),
        "identity_accepted": share(after.accepted, everything),
        "identity_accepted_95": interval_of(after.accepted),
        "place_changed": share(after.places != before.places, everything),
        "real_called_forged": share(after.places == "high", ~forged),
        "fake_called_authentic": share(after.places == "low", forged),
        "inconclusive": share(after.places == "within", everything),
        **flips(before.verdicts, after.verdicts),
    }


def _enough(scores: Scores, forged: np.ndarray) -> Scores:
    """The scores, or none if too few pictures of a class have one."""
    known = ~np.isnan(scores)
    shares = [mean(known[forged == kind].astype(float)) for kind in (False, True)]
    return scores if min(shares) >= LEAST_SCORED else np.full(len(scores), np.nan)


def average_over_levels(cases: AttackFigures) -> dict[str, Figures]:
    """Means over levels by attack: AUC of each system, and identity figures.

    NaN if a level is: a mean over the measurable levels is too good. That mean is
    `auc_where_measured`, over `levels_measured`.
    """
    return {attack: _average([levels[level] for level in LEVELS]) for attack, levels in
            cases.items()}  # fmt: skip


def _average(levels: list[Figures]) -> Figures:
    areas = [it["auc"] for it in levels]
    names = areas[0] if isinstance(areas[0], Mapping) else {}
    by_system = {
        name: np.array([it[name] for it in areas if isinstance(it, Mapping)], float)
        for name in names
    }
    of_all = ("faces_lost", "identity_cosine", "identity_accepted", "place_changed")
    return {
        "auc": {name: float(values.mean()) for name, values in by_system.items()},
        "auc_where_measured": {name: mean(values) for name, values in by_system.items()},
        "levels_measured": {
            name: int((~np.isnan(values)).sum()) for name, values in by_system.items()
        },
        **{name: _mean([it[name] for it in levels]) for name in of_all},
    }


def _mean(values: list[object]) -> float:
    return float(np.mean(np.array(values, float)))


def caddm_table(averaged: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """A row per system, a column for each of CADDM's six attacks, and their average; AUC over
    levels.

    `average_where_measured` is over the measurable levels.
    """
    rows = _six(averaged, "auc")
    known = _six(averaged, "auc_where_measured")
    return {
        name: {
            **row,
            "average": _mean([*row.values()]),
            "average_where_measured": mean([*known[name].values()]),
        }
        for name, row in rows.items()
    }


def _six(averaged: Mapping[str, Figures], figure: str) -> dict[str, dict[str, float]]:
    """One figure by system and by attack of the six."""
    rows: dict[str, dict[str, float]] = {}
    for attack in CADDM_SIX:
        by_system = averaged[attack][figure]
        for name, value in by_system.items() if isinstance(by_system, Mapping) else ():
            rows.setdefault(name, {})[attack] = float(value)
    return rows
