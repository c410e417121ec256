"""The whole table of a run as Markdown: every detector, every family, every figure.

What a screen shows is a summary of AUCs; this is what is kept beside the code.
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
"""Of a run's pooled columns: which, and how they are headed."""

INTRODUCTION = """\
# Every detector, every family of forgeries

Written by `python -m evals.suites.detector_table.card_figures RUN` from a run of `{command}`
({date}, pocket weights, seed {seed}). Persons and originals that no detector learnt from or was
calibrated on; intervals are 95 % bootstrap over persons or originals. A dash was not measured: a
detector without a calibration has no accuracies, one of faces is not asked about scenes.

*families learnt*, *left out* and *scenes* are our forge's on LFW, {lfw} forgeries of each against
{real} photographs; *left out* are `partial_swap` and `morph`, and say what the pocket encoder did
not learn. *real swaps* and *generated* are of others' making and few. Marked † in the last table: a
family that this detector learnt itself. How each was trained stands on its card; `sbi`, `caddm` and
the networks on whole pictures are not shipped, `LOG.md` says how they came about.
"""


def markdown(run: EvalRun, *, command: str) -> str:
    """A table a figure over the pooled columns, then the AUC of each family.

    `run` is one of the table of detectors; figures that it lacks are dashes.
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
