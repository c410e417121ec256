"""Plots of an impersonation run: galleries of errors, verdict counts and means."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from evals.protocol.protocol import RELEVANT
from evals.suites.impersonation.figures import FUSIONS, ORDERS, average_precisions, failures
from evals.suites.impersonation.search_results import RankedImage, SearchResult
from tools.metrics import interval, mean
from tools.verdict.rule import VERDICTS

Reader = Callable[[str], np.ndarray]
"""Maps a file name to its picture, uint8 RGB."""
Pairs = Sequence[tuple[SearchResult, RankedImage]]

SIDE_PX = 160
MOST = 24
NAMES: Mapping[str, str] = {
    "mAP": "whole rule",
    "mAP_oracle_detector": "oracle detector",
    "mAP_oracle_retrieval": "oracle retrieval",
    "product": "product",
    "filter_then_rank": "filter, then rank",
}


def false_alarms(made: Sequence[SearchResult]) -> Pairs:
    """Pictures wrongly called impersonation, highest ranked first."""
    wrong = [
        (one, it)
        for one in made
        for it in one.judged
        if it.kind != RELEVANT and it.verdict == "impersonation"
    ]
    return sorted(wrong, key=lambda pair: (pair[1].rank, pair[1].id))


def taken_for_real(made: Sequence[SearchResult]) -> Pairs:
    """Impersonations with another decided verdict, lowest ranked first."""
    lost = [
        (one, it)
        for one in made
        for it in one.judged
        if it.relevant and it.verdict in ("no forgery found", "copy", "other")
    ]
    return sorted(lost, key=lambda pair: (-pair[1].rank, pair[1].id))


def draw(made: Sequence[SearchResult], read: Reader, output: Path | None, *, seed: int = 0) -> None:
    """Two galleries of failures, two tables of counts and the means, for a run's folder."""
    if output is None:
        return
    for name, pairs, title in (
        ("false-alarms", false_alarms(made), "Wrongly called impersonation"),
        ("missed", taken_for_real(made), "Impersonations called something else"),
    ):
        _gallery(output, name, pairs, read, title=title)
    _verdicts(made, output)
    _failures(made, output)
    _means(made, output, seed=seed)


def _gallery(folder: Path, name: str, pairs: Pairs, read: Reader, *, title: str) -> None:
    from evals.plots.failures import Failure, gallery

    shown = [
        Failure(
            np.hstack([_square(read(one.photos[0])), _square(read(it.id))]),
            f"{it.rank}. {it.verdict}\n{it.kind}{f', {it.method}' if it.method else ''}",
            float(-place),
        )
        for place, (one, it) in enumerate(pairs[:MOST])
    ]
    caption = (
        "Left: the query photo. Right: the gallery picture with its rank, its verdict, and what "
        "it really is."
    )
    gallery(folder, name, shown, title=title, caption=caption, total=len(pairs), most=MOST)


def _square(pixels: np.ndarray) -> np.ndarray:
    """The central square of a picture, (SIDE_PX, SIDE_PX, 3)."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    cut = pixels[top : top + side, left : left + side]
    return np.asarray(cv2.resize(cut, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA))


def _verdicts(made: Sequence[SearchResult], folder: Path) -> None:
    from evals.plots.matrix import confusion

    rows = sorted({it.kind for one in made for it in one.judged})
    counts = [
        [sum(it.kind == kind and it.verdict == verdict for one in made for it in one.judged)
         for verdict in VERDICTS]
        for kind in rows
    ]  # fmt: skip
    confusion(
        folder, "verdicts", np.array(counts).reshape(len(rows), len(VERDICTS)), rows=rows,
        columns=VERDICTS, title="Verdicts by the file's relation to the query",
    )  # fmt: skip


def _failures(made: Sequence[SearchResult], folder: Path) -> None:
    from evals.plots.matrix import confusion

    table = failures(made)
    columns = [*table.pop("all methods")]
    confusion(
        folder, "failures",
        np.array([[row[name] for name in columns] for row in table.values()]).reshape(
            len(table), len(columns)
        ),
        rows=[*table], columns=[name.replace("_", " ") for name in columns],
        title="Outcomes of the impersonations", row_label="method",
        column_label="outcome",
    )  # fmt: skip


def _means(made: Sequence[SearchResult], folder: Path, *, seed: int) -> None:
    from evals.plots.bars import Bar, bars

    orders = {**ORDERS, **{name: order for name, order in FUSIONS.items() if name in NAMES}}
    shown = []
    for name, order in orders.items():
        values = average_precisions(made, order)
        shown.append(Bar(NAMES[name], mean(values), *interval(values, seed=seed)))
    bars(
        folder, "means", shown, title=f"Mean average precision · {len(made):,} queries", axis="mAP",
        caption="Oracles know the true result of the other stage; the rest are rankings.",
    )  # fmt: skip
