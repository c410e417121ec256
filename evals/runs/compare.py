"""Compare runs of a suite: figures side by side, and paired tests.

The first run is the baseline; every difference is a later run minus the baseline. Reasons why runs
are not comparable are listed before any figure.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assistant.console.output import escape_terminal
from evals.runs import folder as runs
from evals.runs import paired, samples
from evals.runs.figure_tables import FormattedFigure, cells
from evals.runs.figures import flatten_figures, format_difference, format_figure, jsonable, number
from evals.runs.folder import EvalRun, RunPicture
from evals.runs.paired import PairedTest
from evals.runs.templating import render_page
from tools.errors import SetupError

_NAMED = 10
_WIDEST = 60


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A figure in every run, and its difference from the first run; NaN: not a number.

    `cells` are the displayed values, None if a run lacks the figure.
    """

    figure: str
    values: tuple[object, ...]
    differences: tuple[float, ...]
    cells: tuple[FormattedFigure | None, ...]

    @property
    def changed(self) -> bool:
        """Whether any run differs from the first."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True, slots=True)
class RunComparison:
    """One run compared with the baseline.

    `obstacles` are reasons why the figures cannot be compared, `differs` other differences (name,
    there, here); `missing` are ids that only the baseline has, `further` only this run.
    """

    name: str
    obstacles: tuple[str, ...]
    differs: tuple[tuple[str, str, str], ...]
    shared: int
    missing: tuple[str, ...]
    further: tuple[str, ...]
    tests: tuple[PairedTest, ...]


@dataclass(frozen=True, slots=True)
class RunsComparison:
    """`names`, `runs` and `folders` in the order given, the baseline first."""

    names: tuple[str, ...]
    folders: tuple[Path, ...]
    runs: tuple[EvalRun, ...]
    lines: tuple[FigureRow, ...]
    against: tuple[RunComparison, ...]

    @property
    def comparable(self) -> bool:
        """Whether there are no obstacles."""
        return not any(it.obstacles for it in self.against)


@dataclass(frozen=True, slots=True)
class _Kept:
    """The samples of a run, by id."""

    scores: paired.Scores
    queries: paired.Queries

    @property
    def ids(self) -> set[str]:
        return {f"{part}: {key}" for part, key in self.scores} | {*self.queries}


def compare(folders: Sequence[Path], *, rounds: int = 1000, seed: int = 0) -> RunsComparison:
    """Compare runs with the first of them. Raises SetupError if one cannot be read."""
    found = [runs.load_run(folder) for folder in folders]
    kept = [_kept(folder) for folder in folders]
    names = _names(folders)
    against = [
        _against(name, (found[0], run), (kept[0], own), rounds=rounds, seed=seed)
        for name, run, own in zip(names[1:], found[1:], kept[1:], strict=True)
    ]
    lines = tuple(_lines([run.figures for run in found]))
    return RunsComparison(names, tuple(folders), tuple(found), lines, tuple(against))


def _kept(folder: Path) -> _Kept:
    scores, queries = samples.read(folder)
    _refuse_doubles(folder, [(it.set, it.id) for it in scores])
    _refuse_doubles(folder, [it.id for it in queries])
    return _Kept({(it.set, it.id): it for it in scores}, {it.id: it for it in queries})


def _refuse_doubles(folder: Path, keys: Sequence[object]) -> None:
    doubled = [key for key, count in Counter(keys).items() if count > 1]
    if doubled:
        raise SetupError(f"{folder / samples.NAME} holds the sample {doubled[0]!r} twice")


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The folders' names, with their parents' if not unique."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = ["/".join(folder.resolve().parts[-2:]) for folder in folders]
    return tuple(names)


def _against(
    name: str, both: tuple[EvalRun, EvalRun], kept: tuple[_Kept, _Kept], *, rounds: int, seed: int
) -> RunComparison:
    first, second = both
    ids, own = kept[0].ids, kept[1].ids
    same_suite = first.suite == second.suite
    tests = (
        paired.tests(
            (kept[0].scores, kept[0].queries),
            (kept[1].scores, kept[1].queries),
            rounds=rounds,
            seed=seed,
        )
        if same_suite
        else []
    )
    return RunComparison(
        name=name,
        obstacles=tuple(_obstacles(first, second, kept)),
        differs=tuple(_differs(first, second)),
        shared=len(ids & own),
        missing=tuple(sorted(ids - own)),
        further=tuple(sorted(own - ids)),
        tests=tuple(tests),
    )


def _obstacles(first: EvalRun, second: EvalRun, kept: tuple[_Kept, _Kept]) -> Iterable[str]:
    if first.suite != second.suite:
        yield f"other suite: {first.suite} and {second.suite}"
        return
    digests = first.data.get("digest"), second.data.get("digest")
    if digests[0] != digests[1]:
        yield "different data: the digests of the manifests differ"
    if kept[0].ids and kept[1].ids and not kept[0].ids & kept[1].ids:
        yield "no shared samples: no comparison by sample is possible"
    if not kept[0].ids or not kept[1].ids:
        yield "no samples were kept: a difference cannot be told from chance"
    changed = sum(
        sample.label != kept[1].scores[key].label
        for key, sample in kept[0].scores.items()
        if key in kept[1].scores
    )
    if changed:
        yield f"{changed} shared samples have another label; they are left out of the tests"


def _differs(first: EvalRun, second: EvalRun) -> Iterable[tuple[str, str, str]]:
    """Options, versions, commit and checkpoints that differ."""
    one, other = (
        {**flatten_figures(run.options, "options."), **flatten_figures(run.environment)}
        for run in (first, second)
    )
    for name in dict.fromkeys([*one, *other]):
        if one.get(name) != other.get(name):
            yield name, _said(one.get(name)), _said(other.get(name))


def _said(value: object) -> str:
    return "–" if value is None else str(value)


def _lines(figures: Sequence[Mapping[str, object]]) -> Iterable[FigureRow]:
    values, shown = [flatten_figures(one) for one in figures], [cells(one) for one in figures]
    for name in dict.fromkeys(name for one in shown for name in one):
        own = tuple(one.get(name) for one in values)
        differences = tuple(_less(it, own[0]) for it in own[1:])
        yield FigureRow(name, own, differences, tuple(one.get(name) for one in shown))


def _less(value: object, baseline: object) -> float:
    if isinstance(value, bool) or isinstance(baseline, bool):
        return math.nan
    return number(value) - number(baseline)


def as_json(found: RunsComparison) -> object:
    """The comparison as JSON; not-measured values are null."""
    return jsonable(
        {
            "comparable": found.comparable,
            "runs": list(found.names),
            "figures": {
                it.figure: {"values": list(it.values), "differences": list(it.differences)}
                for it in found.lines
            },
            "against": [asdict(it) for it in found.against],
        }
    )


def as_text(found: RunsComparison) -> str:
    """The comparison for a terminal."""
    blocks = [_remarks(it) for it in found.against]
    header = ("figure", *found.names, *(f"{name} less" for name in found.names[1:]))
    rows = [
        (it.figure, *map(_in_words, it.cells), *map(format_difference, it.differences))
        for it in found.lines
    ]
    blocks.append(_aligned([header, *rows]))
    blocks += [_tests(found, it) for it in found.against if it.tests]
    return "\n\n".join(blocks)


def _in_words(cell: FormattedFigure | None) -> str:
    if cell is None:
        return "–"
    return f"{cell.text} ({cell.interval})" if cell.interval else cell.text


def _remarks(it: RunComparison) -> str:
    lines = [f"{it.name}: not comparable: {obstacle}" for obstacle in it.obstacles]
    lines += [f"{it.name}: {name} is {here}, was {there}" for name, there, here in it.differs]
    lines.append(f"{it.name}: {it.shared} samples shared")
    for ids, where in ((it.missing, "only in the baseline"), (it.further, "only here")):
        if ids:
            lines.append(f"{it.name}: {len(ids)} samples {where}: {named(ids)}")
    return "\n".join(map(escape_terminal, lines))


def named(ids: Sequence[str]) -> str:
    """The first few ids, and the number of the rest."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more


def _tests(found: RunsComparison, it: RunComparison) -> str:
    header = (
        "paired", "n", "groups", found.names[0], it.name, "difference", "95 %", "p", "p (Holm)"
    )  # fmt: skip
    rows = [
        (
            " ".join(filter(None, (test.part, test.scorer, test.figure))),
            str(test.n),
            str(test.groups),
            format_figure(test.first),
            format_figure(test.second),
            format_difference(test.difference),
            f"{format_difference(test.low)} – {format_difference(test.high)}",
            format_figure(test.p),
            format_figure(test.p_holm) + (" *" if test.sure else ""),
        )
        for test in it.tests
    ]
    return _aligned([header, *rows])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    plain = [[escape_terminal(it) for it in row] for row in rows]
    short = [[it if len(it) <= _WIDEST else it[: _WIDEST - 1] + "…" for it in row] for row in plain]
    widths = [max(map(len, column)) for column in zip(*short, strict=True)]
    padded = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in short)
    return "\n".join(padded)


def write_page(found: RunsComparison, path: Path) -> Path:
    """Write one self-contained page with the runs' pictures side by side; returns its path."""
    page = render_page(
        "compare.html", found=found, galleries=_galleries(found.folders), named=named
    )
    try:
        runs.write_atomically(path, page)
    except OSError as error:
        raise SetupError(f"cannot write {str(path)!r}: {error.strerror}") from error
    return path


def _galleries(folders: Sequence[Path]) -> list[tuple[str, list[RunPicture | None]]]:
    """By picture title: the picture of that file name in each run."""
    shown = [{it.file.name: it for it in runs.load_pictures(folder)} for folder in folders]
    titles = {name: it.title for one in shown for name, it in one.items()}
    return [(title, [one.get(name) for one in shown]) for name, title in titles.items()]
