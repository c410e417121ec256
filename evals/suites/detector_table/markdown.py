"""The whole table of a run as Markdown: every detector, every family, every figure.

The screen shows a summary of AUCs; this file is stored with the code.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evals.runs.folder import EvalRun

FIGURES: Mapping[str, str] = {
    "auc": "AUC, with its 95 % interval",
    "ap": "Average precision",
    "eer": "Equal error rate",
    "real_accuracy": "Accuracy on authentic pictures, at the detector's calibrated p = 0.5",
    "fake_accuracy": "Accuracy on forgeries, at the detector's calibrated p = 0.5",
}
COLUMNS: Mapping[str, str] = {
    "families_learnt": "families learnt",
    "families_held_out": "left out",
    "forged_scenes": "scenes",
    "dfdc": "DFDC",
    "real_swaps": "real swaps",
    "generated_faces": "generated",
}
"""The pooled columns of a run, with their headings."""

INTRODUCTION = """\
# Every detector, every family of forgeries

Written by `python -m evals.suites.detector_table.card_figures RUN` from a run of `{command}`
({date}, pocket weights, seed {seed}). Persons and originals used neither for training nor for
calibration; intervals are 95 % bootstrap over persons or originals. A dash means not measured: an
uncalibrated detector has no accuracies, and face detectors are not run on scenes.

*families learnt*, *left out* and *scenes* are our forge's forgeries of LFW, {lfw} per family and
{real} photographs; *left out* are `partial_swap` and `morph`, on which the pocket encoder was not
trained. *real swaps* and *generated* were made by others and are few. † in the last table marks a
family in this detector's training data. The cards describe the training; `sbi`, `caddm` and the
networks on whole pictures are not shipped, see `LOG.md`.
"""


def markdown(run: EvalRun, *, command: str) -> str:
    """One table per figure over the pooled columns, then the AUC of each family.

    `run` is a run of the detector table; missing figures are dashes.
    """
    said: Any = run.figures
    counts = [it for name, it in said["n"].items() if name.startswith("lfw/")]
    options: Any = run.options
    parts = [
        INTRODUCTION.format(
            command=command, date=run.started[:10], seed=options["seed"],
            lfw=max((it["fake"] for it in counts), default=0),
            real=max((it["real"] for it in counts), default=0),
        )
    ]  # fmt: skip
    for figure, heading in FIGURES.items():
        rows = said["pooled"].get(figure, {})
        shown = [name for name in COLUMNS if any(name in row for row in rows.values())]
        heads = [COLUMNS[name] for name in shown]
        body = {
            name: [_cell(row, column, interval=figure == "auc") for column in shown]
            for name, row in rows.items()
        }
        parts.append("\n".join([f"## {heading}\n", *_lines(heads, body)]) + "\n")
    parts.append("\n".join(["## AUC by family and method\n", *_families(said)]) + "\n")
    return "\n".join(parts)


def _families(said: Any) -> Iterator[str]:
    rows: dict[str, dict[str, Any]] = {}
    for topic in ("by_family", "by_source"):
        for name, row in said.get(topic, {}).get("auc", {}).items():
            rows.setdefault(name, {}).update(row)
    shown = [name.removeprefix("lfw/") for name in said["n"]]
    body = {
        name: [
            _cell(row, column, learnt=said["nearness"][name].get(column) == "learnt")
            for column in shown
        ]
        for name, row in rows.items()
    }
    return _lines([name.replace("_", " ") for name in shown], body)


def _lines(heads: Sequence[str], body: Mapping[str, Sequence[str]]) -> Iterator[str]:
    yield f"| | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 1) + "|"
    for name, cells in body.items():
        yield f"| {name} | {' | '.join(cells)} |"


def _cell(
    row: Mapping[str, Any], column: str, *, interval: bool = False, learnt: bool = False
) -> str:
    value, ends = row.get(column), row.get(f"{column}_95")
    if value is None:
        return "–"
    if not interval or not ends or None in ends:
        return f"{value:.3f}†" if learnt else f"{value:.3f}"
    return f"{value:.3f} ({ends[0]:.2f}–{ends[1]:.2f})"
