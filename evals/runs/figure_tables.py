"""Lay out figures for a page: headlines with intervals, the rest as tables by topic.

`name` and `name_95` become one cell. A topic whose parts all have the same figures becomes a table
of parts by figures, the usual form for cross-dataset results.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from assistant.console.output import escape_terminal
from evals.runs.figures import NOT_MEASURED, format_figure, number

_INTERVAL = "_95"
_NONE = object()  # a figure without an interval; None is an interval that was not measured
_MOST_HEADLINES = 24
_MOST_COLUMNS = 20
_AT_A_GLANCE = (8, 12)  # maximum rows and columns of a table that is readable at a glance


Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormattedFigure:
    """A formatted figure and interval and, for shares, the positions to draw (percent)."""

    text: str
    interval: str = ""
    mark: float | None = None
    span: tuple[float, float] | None = None

    @property
    def measured(self) -> bool:
        """Whether there is a value."""
        return self.text != NOT_MEASURED

    @property
    def is_long(self) -> bool:
        """Whether it is text rather than a number."""
        return len(self.text) > 24


@dataclass(frozen=True, slots=True)
class Table:
    """A topic: `rows` are (name, cells), one cell per column, None if missing."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[FormattedFigure | None, ...]], ...]

    @property
    def leads(self) -> bool:
        """Whether it is a main result: parts by figures, small enough, with intervals."""
        small = len(self.rows) <= _AT_A_GLANCE[0] and 1 < len(self.columns) <= _AT_A_GLANCE[1]
        return small and any(cell and cell.interval for _, row in self.rows for cell in row)


def cells(figures: Mapping[str, object]) -> dict[str, FormattedFigure]:
    """Every figure under its dotted name, with its interval if it has one."""
    return {".".join(path): cell for path, cell in _cells(figures).items()}


def headlines(figures: Mapping[str, object]) -> dict[str, FormattedFigure]:
    """The most important figures: single shares, figures with an interval, counts.

    Figures of a main table are not repeated. If there are too many, each part is represented by its
    first figure only.
    """
    led = {table.title for table in tables(figures) if table.leads}
    found = {path: cell for path, cell in _cells(figures).items() if path[0] not in led}
    alone = [path for path in found if len(path) == 1 and not found[path].is_long]
    shares = [path for path in alone if found[path].mark is not None]
    sure = [path for path, cell in found.items() if cell.interval and cell.measured]
    if len({*shares, *sure, *alone}) > _MOST_HEADLINES:
        sure = list({path[:-1]: path for path in reversed(sure)}.values())[::-1]
    paths = list(dict.fromkeys([*shares, *sure, *alone]))[:_MOST_HEADLINES]
    return {".".join(path): found[path] for path in paths}


def tables(figures: Mapping[str, object]) -> list[Table]:
    """All figures by topic, single ones first."""
    single = {name: value for name, value in figures.items() if not isinstance(value, Mapping)}
    made = [_listed("figures", single)] if single else []
    for name, value in figures.items():
        if isinstance(value, Mapping) and value:
            made.append(_crossed(name, value) or _listed(name, value))
    return made


def aligned(title: str, figures: Mapping[str, object]) -> str:
    """One topic for a terminal: parts by figures, without intervals; “–” was not measured."""
    (table,) = tables({title: figures}) or [Table(title, (), ())]
    lines = [(table.title, *table.columns)]
    lines += [
        (name, *(it.text if it and it.measured else "–" for it in row)) for name, row in table.rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        escape_terminal("  ".join(map(str.ljust, line, widths)).rstrip()) for line in lines
    )


def _cells(figures: Mapping[str, object], above: Path = ()) -> dict[Path, FormattedFigure]:
    """Cells by path rather than dotted name: names such as `tar_at_far_0.01` contain dots."""
    found: dict[Path, FormattedFigure] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            found |= _cells(value, (*above, name))
        elif not (name.endswith(_INTERVAL) and name.removesuffix(_INTERVAL) in figures):
            found[(*above, name)] = _cell(value, figures.get(name + _INTERVAL, _NONE))
    return found


def _cell(value: object, interval: object) -> FormattedFigure:
    low, high = _ends(interval)
    shown = _shown(value)
    unsure = "" if interval is _NONE or shown == NOT_MEASURED else NOT_MEASURED
    share, known = number(value), not math.isnan(low + high)
    drawn = not isinstance(value, (bool, int)) and 0 <= share <= 1
    return FormattedFigure(
        shown,
        f"{_shown(low)} – {_shown(high)}" if known else unsure,
        100 * share if drawn else None,
        (100 * max(low, 0.0), 100 * min(high, 1.0)) if drawn and known else None,
    )


def _shown(value: object) -> str:
    """Like `format_figure`, but shares have three decimals, so that columns align."""
    share = isinstance(value, float) and 0.001 <= value <= 1
    return f"{value:.3f}" if share else format_figure(value)


def _ends(interval: object) -> tuple[float, float]:
    if isinstance(interval, (list, tuple)) and len(interval) == 2:
        return number(interval[0]), number(interval[1])
    return math.nan, math.nan


def _listed(title: str, figures: Mapping[str, object]) -> Table:
    return Table(title, ("value",), tuple((name, (it,)) for name, it in cells(figures).items()))


def _crossed(title: str, figures: Mapping[str, object]) -> Table | None:
    """A table of parts by figures; None if the parts have mostly different figures."""
    rows: dict[str, dict[str, FormattedFigure]] = {}
    for path, cell in _cells(figures).items():
        rows.setdefault(".".join(path[:-1]), {})[path[-1]] = cell
    columns = tuple(dict.fromkeys(figure for row in rows.values() for figure in row))
    filled = sum(map(len, rows.values()))
    fits = len(rows) > 1 and 1 < len(columns) <= _MOST_COLUMNS
    if not fits or filled < 0.6 * len(rows) * len(columns):
        return None
    lines = ((part or title, tuple(map(row.get, columns))) for part, row in rows.items())
    return Table(title, columns, tuple(lines))
