"""Pictures of the experiment, those of the slides."""

from collections.abc import Mapping

import numpy as np

from evals.measured import Measured
from evals.options import EvalOptions


def draw(
    measured: Measured, gallery: Measured, scores: Mapping[str, np.ndarray], options: EvalOptions
) -> None:
    """Nothing yet."""
