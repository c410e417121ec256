"""Format figures for people and programs: flatten nested names, replace NaN."""

import math
from collections.abc import Mapping, Sequence

from assistant.console.output import escape_terminal
from tools.media.file_names import encodable

NOT_MEASURED = "not measured"


def jsonable(value: object) -> object:
    """The same figures for JSON, which has no NaN: not-measured values become null.

    JSON has no lone surrogates either: bytes of names that are not UTF-8 are escaped.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, Mapping):
        return {encodable(str(key)): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        return jsonable(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def without_folders(value: object, folders: Sequence[str]) -> object:
    """The same figures with this machine's folders removed from paths."""
    if isinstance(value, Mapping):
        return {key: without_folders(item, folders) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_folders(item, folders) for item in value]
    if isinstance(value, str):
        for folder in folders:
            value = value.replace(f"{folder}/", "")
    return value


def flatten_figures(figures: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Nested figures as dotted names, in order."""
    lines: dict[str, object] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            lines |= flatten_figures(value, f"{prefix}{name}.")
        else:
            lines[f"{prefix}{name}"] = value
    return lines


def number(value: object) -> float:
    """The figure as a float; NaN if it is not a number or was not measured. True counts as 1."""
    return float(value) if isinstance(value, (bool, int, float)) else math.nan


def format_figure(value: object) -> str:
    """One figure as text: four digits, or "not measured"."""
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else NOT_MEASURED
    if isinstance(value, (list, tuple)):
        return ", ".join(format_figure(item) for item in value) or "none"
    return NOT_MEASURED if value is None else str(value)


def format_difference(value: float) -> str:
    """A difference with its sign; a dash if there is none."""
    return f"{value:+.4g}" if math.isfinite(value) else "–"


def as_table(figures: Mapping[str, object]) -> str:
    """Figures as aligned lines with dotted names."""
    lines = flatten_figures(figures)
    width = max(map(len, lines), default=0)
    return "\n".join(
        escape_terminal(f"{name:<{width}}  {format_figure(value)}") for name, value in lines.items()
    )
