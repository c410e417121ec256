"""How much do attacks degrade detection and identification, by kind and level?

Data: any data set that `evals.datasets` loads, without rows of a `train` split; by default at most
300 pictures (`--limit`), since each is analysed once per attack and level (55 times). Attacks
(`perturbations.py`) change the whole picture before face detection, and pictures are measured in
memory by the indexing code. Only pictures with a detected face when unattacked are used; the number
of the others is reported. The half of LFW and DFDC that the rule was fitted on is left out.

Figures, per attack and level and averaged over the five levels: AUC of every detector and of the
fused probability, on faces still found; faces lost; cosine of the face to its unattacked self, and
the share still accepted by the rule's identity band (of all: a lost face is not accepted); changes
of the place in the forgery band and, if persons are known, of the verdict, after the first stage
and, below `closer_look`, after the second (`evals.protocol.closer_look`; not measured without the
CLIP part of `unmask setup`); `all_attacks` has both over all attacks and levels. `caddm_table` is
the average over levels for each of CADDM's six attacks, and over the six. An AUC is given if at
least half of each class's faces are still found, otherwise it and its average are NaN. Intervals:
95 % bootstrap over persons, videos or originals.

Does not show: attacks optimised against these detectors; video codecs.
"""

import numpy as np

from evals.datasets import load
from evals.options import EvalOptions
from evals.protocol.closer_look import CLOSER, FIRST, look_closer
from evals.protocol.fitting_half import without_fitting_half
from evals.protocol.measured import MeasuredDataset, measure_dataset
from evals.runs import samples
from evals.suites.detection.scores import evaluation_rows
from evals.suites.robustness.figures import (
    AttackedScores,
    StageDecisions,
    attack_figures,
    average_over_levels,
    caddm_table,
    decisions,
    mean_auc,
)
from evals.suites.robustness.measuring import measure_attacked
from evals.suites.robustness.perturbations import ATTACKS, LEVELS

PICTURES = 300


def run(options: EvalOptions) -> dict[str, object]:
    """Figures under every attack; writes samples and pictures to the output."""
    known = without_fitting_half(evaluation_rows(load(options.data, options.layout)))
    manifest = known.sample(options.limit or PICTURES, options.seed)
    everything = measure_dataset(manifest, options)
    measured = look_closer(everything.take(np.flatnonzero(everything.found)), options)
    before = AttackedScores.of(measured, measured)
    _write(measured, before, "none", options)
    unattacked = attack_figures(measured, before, before, seed=options.seed)
    cases: dict[str, dict[int, dict[str, object]]] = {attack: {} for attack in ATTACKS}
    attacked = list[AttackedScores]()
    for (attack, level), changed in measure_attacked(measured, tuple(ATTACKS), options).items():
        attacked.append(after := AttackedScores.of(measured, changed))
        _write(measured, after, f"{attack}/{level}", options)
        cases[attack][level] = attack_figures(measured, before, after, seed=options.seed)
    averaged = average_over_levels(cases)
    if options.output is not None:
        from evals.suites.robustness.pictures import draw

        draw(unattacked, cases, averaged, options.output, count=len(measured))
    return {
        "data": {"name": manifest.name, "digest": manifest.digest, **manifest.notes},
        "n": _counts(everything, measured),
        "unattacked": unattacked,
        "all_attacks": {
            "auc_where_measured": mean_auc(cases),
            **{
                stage: decisions(measured, before, attacked, stage, seed=options.seed)
                for stage in (FIRST, CLOSER)
            },
        },
        "average_over_levels": averaged,
        "caddm_table": caddm_table(averaged),
        "attacks": {
            attack: {f"level_{level}": found for level, found in levels.items()}
            for attack, levels in cases.items()
        },
    }


def _counts(everything: MeasuredDataset, measured: MeasuredDataset) -> dict[str, object]:
    forged = measured.forged
    return {
        "pictures": len(measured),
        "real": int((~forged).sum()),
        "fake": int(forged.sum()),
        "groups": len(np.unique(measured.groups)),
        "without_face_left_out": len(everything) - len(measured),
        "skipped": len(everything.skipped),
        "levels": len(LEVELS),
    }


def _write(
    measured: MeasuredDataset, judgement: AttackedScores, name: str, options: EvalOptions
) -> None:
    keep, groups, forged = samples.SampleWriter(options.output), measured.groups, measured.forged
    for index, picture in enumerate(measured.ids):
        keep.score(
            id=picture, group=str(groups[index]), set=name, label=int(forged[index]),
            scores={name: float(it[index]) for name, it in judgement.systems.items()},
            identity_cosine=float(judgement.cosines[index]),
            **_said(judgement.stages[FIRST], index),
            closer_look=_said(judgement.stages[CLOSER], index),
        )  # fmt: skip


def _said(stage: StageDecisions, index: int) -> dict[str, str]:
    return {"place": str(stage.places[index]), "verdict": str(stage.verdicts[index])}
