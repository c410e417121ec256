"""An interrupted fit continues from its saved measurements."""

from pathlib import Path

import pytest

from tools.training.calibration.verdict import cached

pytestmark = pytest.mark.fast


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    """The second run takes what the first one kept."""
    runs: list[int] = []

    def measure() -> dict[str, float]:
        runs.append(1)
        return {"score": 0.5}

    first = cached(tmp_path / "scores.pickle", measure)
    assert cached(tmp_path / "scores.pickle", measure) == first == {"score": 0.5}
    assert len(runs) == 1
