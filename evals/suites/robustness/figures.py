"""Effects of one attack at one level on detectors, identification and the rule's decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.protocol.closer_look import CLOSER, FIRST, stage_questions
from evals.protocol.measured import MeasuredDataset, load_models, probabilities
from evals.suites.detection.scores import FUSED, Scores, indexed_scores
from evals.suites.robustness.perturbations import CADDM_SIX, LEVELS
from evals.suites.robustness.verdicts import NO_QUERY, flips, verdicts
from tools.metrics import auc, auc_interval, grouped_interval, mean
from tools.verdict.rule import ForgeryQuestion

ROUNDS = 200
LEAST_SCORED = 0.5
"""Below this share of a class's pictures an AUC would describe the survivors only: NaN."""
NOT_MEASURED = "not measured"
FUSED_CLOSER = f"{FUSED} closer_look"
"""The rule's probability of forgery after the closer look, beside that of every face."""

Figures = dict[str, object]
AttackFigures = Mapping[str, Mapping[int, Figures]]
"""Figures by attack and level."""


@dataclass(frozen=True, slots=True, eq=False)
class StageDecisions:
    """Decisions of one stage on n pictures: `places` (n,) in the forgery band, `verdicts` (n,).

    A place is "not measured" if the face was lost, a verdict "" without a query. Of a stage that
    could not be asked, every place and verdict is so.
    """

    places: np.ndarray
    verdicts: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class AttackedScores:
    """n pictures under one attack: scores by system, and which faces were found.

    `cosines` (n,) of the face to its unattacked self; `accepted` (n,) whether the identity band
    still accepts the person; `stages` the decisions of both stages of a search.
    """

    systems: Mapping[str, Scores]
    found: np.ndarray
    cosines: np.ndarray
    accepted: np.ndarray
    stages: Mapping[str, StageDecisions]

    @classmethod
    def of(cls, unattacked: MeasuredDataset, measured: MeasuredDataset) -> "AttackedScores":
        """Compare attacked rows with the same rows unattacked."""
        questions = stage_questions()
        cosines = _cosines(unattacked, measured)
        closer = probabilities(measured.forgery_logits(questions[CLOSER]))
        systems = {**indexed_scores(measured), FUSED_CLOSER: closer}
        nobody = np.full(len(measured), NO_QUERY, "<U20")
        return cls(
            systems=systems,
            found=measured.found,
            cosines=cosines,
            accepted=_accepted(cosines),
            stages={
                FIRST: StageDecisions(
                    _places(systems[FUSED], questions[FIRST]), verdicts(unattacked, measured)
                ),
                CLOSER: StageDecisions(
                    _places(closer, questions[CLOSER]),
                    nobody if questions[CLOSER] is None
                    else verdicts(unattacked, measured, closer=True),
                ),
            },
        )  # fmt: skip


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


def _places(fake: Scores, question: ForgeryQuestion | None) -> np.ndarray:
    return np.array(
        [
            NOT_MEASURED if question is None or np.isnan(it) else question.band.place(float(it))
            for it in fake
        ],
        "<U12",
    )


def attack_figures(
    measured: MeasuredDataset, before: AttackedScores, after: AttackedScores, *, seed: int
) -> Figures:
    """All figures, with intervals for performance figures.

    Decisions are those of the first stage, and below `closer_look` those of the second.
    """
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
        **decisions(measured, before, [after], FIRST, seed=seed),
        **flips(before.stages[FIRST].verdicts, after.stages[FIRST].verdicts),
        CLOSER: {
            **decisions(measured, before, [after], CLOSER, seed=seed),
            **flips(before.stages[CLOSER].verdicts, after.stages[CLOSER].verdicts),
        },
    }


def decisions(
    measured: MeasuredDataset, before: AttackedScores, cases: Sequence[AttackedScores],
    stage: str, *, seed: int,
) -> Figures:  # fmt: skip
    """Shares of a stage's decisions, each picture's mean over the cases, with intervals.

    A lost face is neither called forged nor authentic, and counts. NaN if the stage was not asked.
    """
    placed = before.stages[stage].places
    asked = (placed != NOT_MEASURED).any()
    after = np.stack([it.stages[stage].places for it in cases])
    everything, forged = np.ones(len(placed), bool), measured.forged
    kinds = {
        "place_changed": (after != placed, everything),
        "real_called_forged": (after == "high", ~forged),
        "fake_called_forged": (after == "high", forged),
        "fake_called_authentic": (after == "low", forged),
        "inconclusive": (after == "within", everything),
    }
    found = Figures()
    for name, (hits, rows) in kinds.items():
        shares = hits.mean(axis=0)[rows] if asked else np.full(int(rows.sum()), np.nan)
        found[name] = mean(shares)
        found[f"{name}_95"] = grouped_interval(
            mean, measured.groups[rows], shares, seed=seed, rounds=ROUNDS
        )
    return found


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


def mean_auc(cases: AttackFigures) -> dict[str, float]:
    """Each system's AUC over all attacks and levels at which it was measured."""
    found = [it["auc"] for levels in cases.values() for it in levels.values()]
    areas = [it for it in found if isinstance(it, Mapping)]
    return {name: mean([it[name] for it in areas]) for name in (areas[0] if areas else ())}


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
