"""How well does each detector separate forged from authentic pictures, by method?

Data: any data set that `evals.datasets` loads, without rows of a `train` split; for the folder that
holds lfw/, dfdc/ and deepfakes/ it makes the table of `evals.suites.detector_table.suite`. Every
picture is indexed as by `unmask index` and evaluated on the largest, most central face. Systems are
the rule's fused probability without a query, all detectors (heads, prompts, shipped and fitted
detectors, classifiers from transformers), and peers' score files. For pixel detectors every picture
is read once more; an interrupted run resumes. A method's table compares its fakes with the
authentic pictures that belong to it, or with all of them if the data set does not say.

Figures: AUC, AP, EER, TPR at 1 % FPR; accuracy on real, on fake and their average at each system's
own calibrated p = 0.5 (not measured for uncalibrated systems); by picture (or frame) and by video
(mean of up to 32 frames). Intervals: 95 % bootstrap over persons, videos or originals. Pictures
without a face are counted separately: face detectors have no score for them, never 0.

Does not show: results on other data or on groups of people; a data set whose authentic and forged
files were compressed differently rewards detecting the compression, and one that contains a
detector's training pictures flatters it.
"""

import numpy as np

from evals.datasets import load
from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset, load_models, measure_dataset
from evals.runs import samples
from evals.suites.detection.figures import ROUNDS, figures_of
from evals.suites.detection.scores import (
    FUSED,
    GROUPINGS,
    LabelledScores,
    aggregate_videos,
    evaluation_rows,
    peer_scores,
    rows_by_group,
    score_converters,
)
from evals.suites.detector_table import suite as table_of_all
from evals.suites.detector_table.detector_list import evaluated_detectors
from evals.suites.detector_table.logit_cache import collect_logits
from evals.suites.detector_table.samples import is_full_data_folder

ROUNDS_OF_PARTS = 200
TABLES = ("auc", "real_accuracy", "fake_accuracy", "average_accuracy")
SUMMARY = ("auc", "auc_95", "ap", "eer", "real_accuracy", "fake_accuracy")
NO_QUERY = "needs a query, which a data set does not provide"

Table = dict[str, dict[str, dict[str, object]]]


def run(options: EvalOptions) -> dict[str, object]:
    """Figures of every system, overall and by part; writes samples and pictures to the output."""
    if options.layout is None and is_full_data_folder(options.data):
        return table_of_all.evaluate_all(options)
    manifest = evaluation_rows(load(options.data, options.layout))
    everyone = evaluated_detectors(load_models().settings)
    entrants = [it for it in everyone.evaluated_detectors if not it.wants_query]
    queried = [(it.name, NO_QUERY) for it in everyone.evaluated_detectors if it.wants_query]
    measured = measure_dataset(manifest, options)
    found = collect_logits(measured, entrants, options, digest=manifest.digest)
    peers, coverage = peer_scores(options.peers, measured.ids)
    systems = {FUSED: measured.fused(), **found, **peers}
    rows = LabelledScores(
        measured.forged, measured.groups, systems, score_converters(entrants, peers)
    )
    options.progress(0, 0, "figures")
    _write(measured, rows, options)
    by_part = _parts(measured, rows, options)
    frames = _figures(rows, seed=options.seed, rounds=ROUNDS)
    if options.output is not None:
        from evals.suites.detection.pictures import draw

        draw(measured, rows, by_part, options.output)
    return {
        "data": {"name": manifest.name, "digest": manifest.digest, **manifest.notes},
        "n": counts(measured),
        "auc": frames[FUSED]["auc"],
        "auc_95": frames[FUSED]["auc_95"],
        "not_asked": [f"{name}: {reason}" for name, reason in (*everyone.left_out, *queried)],
        "summary": {name: {it: row[it] for it in SUMMARY} for name, row in frames.items()},
        "frames": frames,
        "videos": _videos(measured, rows, seed=options.seed),
        **by_part,
        "tables": {
            part: {what: table(found, what) for what in TABLES} for part, found in by_part.items()
        },
        "peers": coverage,
    }


def counts(measured: MeasuredDataset) -> dict[str, object]:
    """Number of pictures, and of those without a measurable face."""
    forged, lost = measured.forged, ~measured.found
    return {
        "pictures": len(measured),
        "real": int((~forged).sum()),
        "fake": int(forged.sum()),
        "real_without_face": int((lost & ~forged).sum()),
        "fake_without_face": int((lost & forged).sum()),
        "groups": len(np.unique(measured.groups)),
        "skipped": len(measured.skipped),
        "skipped_first": [f"{path}: {reason}" for path, reason in measured.skipped[:5]],
    }


def _figures(rows: LabelledScores, *, seed: int, rounds: int) -> dict[str, dict[str, object]]:
    """Figures of every system."""
    return {
        name: figures_of(
            scores, rows.labels, rows.groups, threshold=0.5, seed=seed, rounds=rounds,
            probabilities=rows.probabilities(name),
        )
        for name, scores in rows.systems.items()
    }  # fmt: skip


def _videos(measured: MeasuredDataset, rows: LabelledScores, *, seed: int) -> dict[str, object]:
    """Figures of every system on whole videos; only their count if there are none."""
    videos = aggregate_videos(measured, rows)
    count = len(videos.labels)
    figures = _figures(videos, seed=seed, rounds=ROUNDS) if count else {}
    return {"n": count, **figures}


def _parts(
    measured: MeasuredDataset, rows: LabelledScores, options: EvalOptions
) -> dict[str, Table]:
    """Figures of each part that fakes belong to; a part that is everything is left out."""
    found: dict[str, Table] = {}
    for part, key in GROUPINGS.items():
        of_part = rows_by_group(measured, key)
        if len(of_part) > 1 or any(len(it) < len(measured) for it in of_part.values()):
            found[part] = {
                name: _figures(rows.take(indices), seed=options.seed, rounds=ROUNDS_OF_PARTS)
                for name, indices in of_part.items()
            }
    return found


def table(found: Table, what: str) -> dict[str, dict[str, object]]:
    """One figure in the usual table form: a row per system, a column per method."""
    names = {system: None for part in found.values() for system in part}
    return {
        system: {method: part[system][what] for method, part in found.items()} for system in names
    }


def _write(measured: MeasuredDataset, rows: LabelledScores, options: EvalOptions) -> None:
    keep, found = samples.SampleWriter(options.output), measured.found
    for index, (name, row) in enumerate(zip(measured.ids, measured.rows, strict=True)):
        keep.score(
            id=name,
            group=str(rows.groups[index]),
            set=row.dataset,
            label=int(rows.labels[index]),
            scores={system: float(scores[index]) for system, scores in rows.systems.items()},
            method=row.method,
            compression=row.compression,
            video=row.video_id,
            face=bool(found[index]),
        )
