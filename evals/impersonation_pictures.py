"""The failure gallery: what was wrongly called an impersonation, and which ones were not found."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evals.impersonation_answers import Answer, Judged
from evals.protocol import RELEVANT

Reader = Callable[[str], np.ndarray]
"""From a file's name to its picture, uint8 RGB."""

EACH = 24
"""Pictures on one sheet at most."""


def false_alarms(made: Sequence[Answer]) -> list[tuple[Answer, Judged]]:
    """What is no impersonation but was called one, the highest ranked first, by turns of kind."""
    wrong = [
        (one, it)
        for one in made
        for it in one.judged
        if it.kind != RELEVANT and it.verdict == "impersonation"
    ]
    return sorted(wrong, key=lambda pair: (pair[1].rank, pair[1].id))


def not_found(made: Sequence[Answer]) -> list[tuple[Answer, Judged]]:
    """Impersonations called something else, what was ranked lowest first."""
    lost = [
        (one, it)
        for one in made
        for it in one.judged
        if it.relevant and it.verdict in ("genuine", "copy", "other")
    ]
    return sorted(lost, key=lambda pair: (-pair[1].rank, pair[1].id))


def draw(made: Sequence[Answer], read: Reader, output: Path | None) -> None:
    """Write both sheets into a run's folder; None: nothing."""
