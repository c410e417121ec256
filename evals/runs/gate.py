"""Regression gate: check figures against minimum and maximum values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from evals.runs.figures import flatten_figures, number


@dataclass(frozen=True, slots=True)
class FigureBound:
    """A figure by its dotted name and its least (`min`) or greatest (`max`) allowed value.

    One value of a figure with several, such as an interval, is named by its index: `auc_95.0`.
    """

    kind: Literal["min", "max"]
    figure: str
    value: float


def gate_failures(figures: Mapping[str, object], bounds: Sequence[FigureBound]) -> list[str]:
    """One sentence per bound that is not met; a figure that was not measured meets none."""
    values = _values(figures)
    return [said for bound in bounds if (said := _failure(values, bound)) is not None]


def _values(figures: Mapping[str, object]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, value in flatten_figures(figures).items():
        if isinstance(value, (list, tuple)):
            values |= {f"{name}.{place}": number(it) for place, it in enumerate(value)}
        else:
            values[name] = number(value)
    return values


def _failure(values: Mapping[str, float], bound: FigureBound) -> str | None:
    if bound.figure not in values:
        near = get_close_matches(bound.figure, values, n=3, cutoff=0.5)
        hint = f" (there are: {', '.join(near)})" if near else ""
        return f"{bound.figure}: not measured, no figure has that name{hint}"
    value = values[bound.figure]
    if math.isnan(value):
        return f"{bound.figure}: not measured"
    if bound.kind == "min" and value < bound.value:
        return f"{bound.figure}: {value:.6g} is below {bound.value:g}"
    if bound.kind == "max" and value > bound.value:
        return f"{bound.figure}: {value:.6g} is above {bound.value:g}"
    return None
