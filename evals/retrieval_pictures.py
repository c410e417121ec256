"""Pictures of face retrieval."""

from collections.abc import Mapping

from evals.measured import Measured
from evals.options import EvalOptions
from evals.retrieval_lists import Found, Mates, Search


def draw(
    found: Mapping[Mates, Found], search: Search, measured: Measured, options: EvalOptions
) -> None:
    """Nothing yet."""
