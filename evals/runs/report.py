"""Report page of a run: one self-contained HTML file with data, figures, pictures, failures.

Pictures are embedded; there are no scripts, and system fonts are used. Names of samples and figures
are untrusted and escaped by the templates.
"""

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.runs import folder as runs
from evals.runs import samples
from evals.runs.figure_tables import headlines, tables
from evals.runs.figures import flatten_figures
from evals.runs.folder import EvalRun
from evals.runs.samples import QuerySample, ScoreSample
from evals.runs.templating import render_page

_WORST = 8


@dataclass(frozen=True, slots=True)
class WorstSamples:
    """A system's worst errors: what the values are, and (sample, value), worst first."""

    title: str
    rows: tuple[tuple[str, float], ...]


def write(folder: Path) -> Path:
    """Write the page of a completed run into its folder; returns its path."""
    run = runs.load_run(folder)
    scores, queries = samples.read(folder)
    page = render_page(
        "run.html",
        run=run,
        command=command(run),
        duration=_duration(run.seconds),
        headlines=headlines(run.figures),
        tables=tables(run.figures),
        unmeasured=[name for name, value in flatten_figures(run.figures).items() if value is None],
        pictures=runs.load_pictures(folder),
        samples={"scored samples": len(scores), "queries": len(queries)},
        worst=[*_worst_queries(queries), *worst_scores(scores)],
        environment=flatten_figures(run.environment),
        data=flatten_figures({name: it for name, it in run.data.items() if name != "sets"}),
        sets=run.data.get("sets") or [],
    )
    path = folder / runs.REPORT_FILE
    runs.write_atomically(path, page)
    return path


def command(run: EvalRun) -> str:
    """The command that repeats the run. Paths of data and scores are not stored: their names stand
    for them."""
    words = ["python", "-m", "evals", "run", run.suite]
    if root := run.data.get("root"):
        words += ["--data", f"PATH/TO/{root}"]
    for option in ("layout", "limit", "seed"):
        if run.options.get(option) is not None:
            words += [f"--{option}", str(run.options[option])]
    peers = run.options.get("peers")
    for name, peer in peers.items() if isinstance(peers, Mapping) else ():
        words += ["--peer", f"{name}=PATH/TO/{peer['file']}"]
    return shlex.join(words)


def _worst_queries(queries: Sequence[QuerySample]) -> list[WorstSamples]:
    """The worst queries, by the first measure."""
    measure = next((name for query in queries for name in query.values), None)
    if measure is None:
        return []
    found = [(it.id, it.values.get(measure, math.nan)) for it in queries]
    rows = sorted((row for row in found if not math.isnan(row[1])), key=lambda row: row[1])
    return (
        [WorstSamples(f"queries with the lowest {measure}", tuple(rows[:_WORST]))] if rows else []
    )


def worst_scores(scores: Sequence[ScoreSample]) -> list[WorstSamples]:
    """For the first scorer of each set: photos taken for forgeries, forgeries taken for photos."""
    sets: dict[str, list[ScoreSample]] = {}
    for sample in scores:
        sets.setdefault(sample.set, []).append(sample)
    return [worst for name, members in sets.items() for worst in _mistakes(name, members)]


def _mistakes(name: str, members: Sequence[ScoreSample]) -> list[WorstSamples]:
    scorer = next((scorer for member in members for scorer in member.scores), "")
    found = []
    for label, what in ((0, "authentic, scored highest"), (1, "forged, scored lowest")):
        rows = [
            (it.id, it.scores[scorer])
            for it in members
            if it.label == label and scorer in it.scores and not math.isnan(it.scores[scorer])
        ]
        rows.sort(key=lambda row: row[1], reverse=label == 0)
        if rows:
            found.append(WorstSamples(f"{name}: {what} by {scorer}", tuple(rows[:_WORST])))
    return found


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
