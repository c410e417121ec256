"""Benchmark table: every detector on every family of forgeries, with calibration.

Rows: the heads in all variants (linear, neighbours for k = 1, 3, 5, 9; whole images also with the
preprocessing of UniFD's authors), every set of prompts, every installed detector, classifiers from
transformers, the chat model if `UNMASK_VLM` names one, the rerank scores, and the rule's
probability of forgery without and with a query (an authentic photo of the depicted person).

Columns: the forge's families on LFW's validation persons (scenes for whole-image detectors only);
DFDC; real swaps by method, a handful of correlated frames; generated faces by generator. Uses only
persons and originals of the reporting half: detectors are calibrated on the other half
(`tools.training.calibration.detectors`). `nearness` states for each cell whether the detector, or
the encoder below it, was trained on that family, on the source but not the family, or on neither.

Figures: AUC, AP, EER; accuracy on authentic and on forged pictures at the detector's own calibrated
p = 0.5; 95 % bootstrap over persons or originals. For calibrated detectors also ECE, Brier score,
and decision rates of their bands. Fusion is compared with every single detector.

Does not show: current generators, other compressions, or groups of people.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from evals.options import EvalOptions
from evals.protocol.measured import load_models
from evals.runs import samples
from evals.suites.detection.figures import figures_of
from evals.suites.detection.scores import peer_scores
from evals.suites.detection.systems import System, build_systems
from evals.suites.detector_table.batch_scoring import BatchLogits, score_batch
from evals.suites.detector_table.calibration import POOLED, calibration_by_source
from evals.suites.detector_table.detector_list import DetectorSet, below, evaluated_detectors
from evals.suites.detector_table.fusion import FUSED_ALONE
from evals.suites.detector_table.fusion_gain import compare_fusion
from evals.suites.detector_table.samples import LFW, eval_batches
from evals.suites.detector_table.score_table import Column, ScoreTable, columns, summary_columns

ROUNDS = 200
FIGURES = ("auc", "ap", "eer", "real_accuracy", "fake_accuracy")
SIX = 6

Cells = dict[tuple[str, str], dict[str, object]]
"""By column and system."""


def evaluate_all(options: EvalOptions) -> dict[str, object]:
    """The table and everything that belongs to it; writes samples and pictures to the output."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.output or Path(temporary)) / "home" / "forged"
        everyone = evaluated_detectors(load_models().settings)
        answers = [
            score_batch(batch, everyone.evaluated_detectors, options)
            for batch in eval_batches(options, folder)
        ]
        return _told(answers, everyone, options)


def _told(
    answers: list[BatchLogits], everyone: DetectorSet, options: EvalOptions
) -> dict[str, object]:
    sheet = ScoreTable.of(answers)
    peers, coverage = peer_scores(options.peers, sheet.ids.tolist())
    rows = build_systems(
        sheet,
        everyone.evaluated_detectors,
        rule=load_models().rule,
        below=below(load_models().settings),
        peers=peers,
    )
    families, shortly = columns(sheet), summary_columns(sheet)
    options.progress(0, 0, "figures")
    cells = _cells(sheet, rows, families, seed=options.seed)
    short = _cells(sheet, rows, shortly, seed=options.seed)
    calibrated = calibration_by_source(sheet, rows, seed=options.seed)
    _write(sheet, rows, families, options)
    if options.output is not None:
        from evals.suites.detector_table.pictures import draw

        draw(answers, sheet, rows, families, cells, options.output)
    pooled = calibrated.get(FUSED_ALONE, {}).get(POOLED, {})
    return {
        "auc": short.get(("families_held_out", FUSED_ALONE), {}).get("auc", float("nan")),
        "ece": pooled.get("ece", float("nan")),
        "genuine_called_forged": pooled.get("genuine_called_forged", float("nan")),
        "not_asked": [f"{name}: {reason}" for name, reason in everyone.left_out],
        "n": {it.name: _counts(answers, sheet, it) for it in families},
        "summary": _tabled(short, rows, shortly, "auc"),
        "pooled": _by(short, rows, shortly),
        "by_family": _by(cells, rows, [it for it in families if it.source == LFW]),
        "by_source": _by(cells, rows, [it for it in families if it.source != LFW]),
        "nearness": {
            system.name: {it.name.removeprefix(f"{LFW}/"): system.near(it) for it in families}
            for system in rows
        },
        "calibration": calibrated,
        **compare_fusion(sheet, rows, shortly, seed=options.seed),
        "peers": coverage,
    }


def _cells(
    sheet: ScoreTable, rows: Sequence[System], shown: Sequence[Column], *, seed: int
) -> Cells:  # fmt: skip
    """Figures of every system in a column, and how close the column is to its training data."""
    found = {}
    for column in shown:
        labels, groups = sheet.labels[column.rows], sheet.groups[column.rows]
        for system in (it.take(column.rows) for it in rows):
            if column.scenes and not np.isfinite(system.logits[labels]).any():
                continue
            every = figures_of(
                system.logits, labels, groups, threshold=0.5, seed=seed, rounds=ROUNDS,
                probabilities=system.probabilities,
            )  # fmt: skip
            found[column.name, system.name] = every
    return found


def _tabled(
    cells: Cells, rows: Sequence[System], shown: Sequence[Column], figure: str
) -> dict[str, dict[str, object]]:
    """One figure with intervals: a row per system, a column per family; without empty rows."""
    found: dict[str, dict[str, object]] = {}
    for system in rows:
        for column in shown:
            cell = cells.get((column.name, system.name))
            if cell is not None:
                row, name = found.setdefault(system.name, {}), column.name.removeprefix(f"{LFW}/")
                row |= {name: cell[figure], f"{name}_95": cell[f"{figure}_95"]}
    return found


def _by(
    cells: Cells, rows: Sequence[System], shown: Sequence[Column]
) -> dict[str, dict[str, dict[str, object]]]:
    return {figure: _tabled(cells, rows, shown, figure) for figure in FIGURES} if shown else {}


def _counts(answers: Sequence[BatchLogits], sheet: ScoreTable, column: Column) -> dict[str, object]:
    labels, groups = sheet.labels[column.rows], sheet.groups[column.rows]
    places = [sheet.places[row] for row in column.rows]
    lost = np.array([not answers[at].measured.found[row] for at, row in places], bool)
    return {
        "real": int((~labels).sum()), "fake": int(labels.sum()),
        "groups": len(np.unique(groups)),
        "real_without_face": int((lost & ~labels).sum()),
        "fake_without_face": int((lost & labels).sum()),
    }  # fmt: skip


def _write(
    sheet: ScoreTable, rows: Sequence[System], shown: Sequence[Column], options: EvalOptions
) -> None:
    """Write authentic pictures once per column that contains them, so that columns can be
    compared."""
    keep = samples.SampleWriter(options.output)
    for column in shown:
        for row in column.rows:
            keep.score(
                id=str(sheet.ids[row]),
                group=str(sheet.groups[row]),
                set=column.name,
                label=int(sheet.labels[row]),
                scores=dict(_scores(rows, int(row))),
                family=str(sheet.families[row]) or None,
            )


def _scores(rows: Sequence[System], row: int) -> Iterator[tuple[str, float]]:
    """Six digits each: thousands of lines hold dozens of scores."""
    for system in rows:
        value = float(system.logits[row])
        if np.isfinite(value):
            yield system.name, float(f"{value:.{SIX}g}")
