"""Are the rule's probabilities calibrated, and how often does it abstain or accuse wrongly?

Forgery: the rule's probability without a query, on the faces of any labelled data set, overall, by
method, by eye distance and by sharpness, after the first stage of a search and, below
`closer_look`, after the second (`evals.protocol.closer_look`; not measured without the CLIP part of
`unmask setup`). Identity: the rule's probability that two faces show one person, on pairs of
authentic pictures (disjoint couples of persons, balanced), and on pairs with a person's forgeries.
The half of LFW and DFDC that the rule was fitted on is left out.

Figures: ECE (15 bins) and Brier score at even odds, which the rule's probabilities assume; Cllr and
Cllr_min in bits (1: uninformative; above: misleading); shares claimed, inconclusive and denied at
the rule's bands. Intervals: 95 % bootstrap over persons, videos or originals, and over couples.

Does not show: verdicts with a query, which use another calibrator (see `impersonation`), nor how
calibration holds on other sources: calibration is the first property to fail under a data shift.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from evals.datasets import load
from evals.options import EvalOptions
from evals.protocol.closer_look import CLOSER, FIRST, look_closer, stage_questions
from evals.protocol.fitting_half import without_fitting_half
from evals.protocol.measured import MeasuredDataset, load_models, measure_dataset
from evals.protocol.protocol import limit_by_person
from evals.runs import samples
from evals.suites.calibration.figures import (
    JudgedStage,
    LabelledLogits,
    calibration_metrics,
    decision_rates,
)
from evals.suites.calibration.pairs import FacePairs, authentic_pairs, forged_pairs
from evals.suites.detection.scores import GROUPINGS, evaluation_rows, rows_by_group
from tools.errors import SetupError
from tools.verdict.rule import VerdictRule

# Starts at the quality gate's limit; the last bin is open.
EYES_PX = (0, 24, 40, 60, 100)
SHARPNESS = (0, 25, 100, 400)


def run(options: EvalOptions) -> dict[str, object]:
    """Figures of both axes; writes samples and reliability diagrams to the output."""
    rule = load_models().rule
    if rule is None:
        raise SetupError("this profile has no fitted calibration; unset UNMASK_PROFILE")
    manifest = without_fitting_half(evaluation_rows(load(options.data, options.layout)))
    # Whole persons; otherwise hardly any person would keep two pictures.
    manifest = limit_by_person(manifest, options.limit, seed=options.seed)
    measured = look_closer(measure_dataset(manifest, options), options)
    forgery = {name: JudgedStage.of(measured, it) for name, it in stage_questions().items()}
    pairs = authentic_pairs(measured.rows, measured.found.tolist(), seed=options.seed)
    mates = forged_pairs(measured.rows, measured.found.tolist(), seed=options.seed)
    identity = LabelledLogits(
        identity_logits(measured, pairs, rule), pairs.same, pairs.person_pair_ids
    )
    _write(measured, forgery, pairs, identity, options)
    if options.output is not None:
        from evals.suites.calibration.pictures import draw

        draw(forgery, identity, rule, options.output, seed=options.seed)
    return {
        "data": {"name": manifest.name, "digest": manifest.digest, **manifest.notes},
        "skipped": len(measured.skipped),
        **_forgery(measured, forgery[FIRST], options.seed),
        CLOSER: _forgery(measured, forgery[CLOSER], options.seed),
        "identity": {
            "persons": pairs.persons,
            **calibration_metrics(identity, seed=options.seed),
            **decision_rates(identity, rule.identity_band, names=("different", "same"),
                        seed=options.seed),
        },
        "forged_mates": _mates(measured, mates, rule, options.seed),
    }  # fmt: skip


def identity_logits(measured: MeasuredDataset, pairs: FacePairs, rule: VerdictRule) -> np.ndarray:
    """(m,) log odds that the faces of a pair show one person."""
    embeddings = measured.embeddings.astype(float)
    cosines = (embeddings[pairs.first] * embeddings[pairs.second]).sum(axis=1)
    return np.array([_known(rule.identity.logit({"cosine_similarity": it})) for it in cosines])


def _known(logit: float | None) -> float:
    return float("nan") if logit is None else logit


def _forgery(
    measured: MeasuredDataset, forgery: JudgedStage, seed: int
) -> dict[str, dict[str, object]]:
    """One stage's figures overall and by part."""
    found = {
        "by_method": rows_by_group(measured, GROUPINGS["by_method"]),
        "by_eye_distance_px": bins(_quality(measured, "interocular_px"), EYES_PX),
        "by_sharpness": bins(_quality(measured, "sharpness"), SHARPNESS),
    }
    return {
        "forgery": forgery.figures(seed=seed),
        **{
            what: {name: forgery.figures(rows, seed=seed) for name, rows in groups.items()}
            for what, groups in found.items()
        },
    }


def _quality(measured: MeasuredDataset, name: str) -> np.ndarray:
    return np.array(
        [np.nan if face is None else getattr(face.face.quality, name) for face in measured.faces]
    )


def bins(values: np.ndarray, edges: Sequence[float]) -> Mapping[str, np.ndarray]:
    """Rows by bin of their value, as `from-to`; NaN is in none, empty bins are left out."""
    found = {}
    for low, high in zip(edges, [*edges[1:], np.inf], strict=True):
        name = f"{low:g} and more" if np.isinf(high) else f"{low:g} to {high:g}"
        rows = np.flatnonzero((values >= low) & (values < high))
        if len(rows):
            found[name] = rows
    return found


def _mates(
    measured: MeasuredDataset, mates: FacePairs, rule: VerdictRule, seed: int
) -> dict[str, object]:
    """How often a person's forgery passes as that person; there is no opposite class."""
    logits = identity_logits(measured, mates, rule)
    found = decision_rates(
        LabelledLogits(logits, mates.same, mates.person_pair_ids), rule.identity_band,
        names=("different", "mates"), seed=seed,
    )  # fmt: skip
    of_mates = {name: value for name, value in found.items() if "different" not in name}
    return {"persons": mates.persons, **of_mates}


def _write(
    measured: MeasuredDataset,
    forgery: Mapping[str, JudgedStage],
    pairs: FacePairs,
    identity: LabelledLogits,
    options: EvalOptions,
) -> None:
    keep = samples.SampleWriter(options.output)
    first, closer = forgery[FIRST].judged, forgery[CLOSER].judged
    for index, name in enumerate(measured.ids):
        keep.score(
            id=name, group=str(first.groups[index]), set="forgery",
            label=int(first.truth[index]), method=measured.rows[index].method,
            scores={"logit": float(first.logits[index]),
                    "probability": float(first.probabilities[index]),
                    f"{CLOSER} logit": float(closer.logits[index]),
                    f"{CLOSER} probability": float(closer.probabilities[index])},
        )  # fmt: skip
    for index, (first, second) in enumerate(zip(pairs.first, pairs.second, strict=True)):
        keep.score(
            id=f"{measured.ids[first]} | {measured.ids[second]}",
            group=str(identity.groups[index]), set="same person", label=int(identity.truth[index]),
            scores={"logit": float(identity.logits[index]),
                    "probability": float(identity.probabilities[index])},
        )  # fmt: skip
