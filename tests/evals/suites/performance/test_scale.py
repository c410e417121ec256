"""The suite `scale` measures what it says, at a thousand faces; and finds where two times cross."""

import math
from pathlib import Path

import numpy as np
import pytest

from evals.options import EvalOptions
from evals.runs.figures import flatten_figures, number
from evals.suites.performance import scale
from evals.suites.performance.synthetic_gallery import FACES_PER_PERSON, person_faces


def test_a_thousand_faces_are_measured(tmp_path: Path) -> None:
    """Every engine finds what one product finds, and every figure comes."""
    figures = flatten_figures(scale.run(EvalOptions(tmp_path, limit=1000)))
    for engine in ("exact", "chroma", "record"):
        assert number(figures[f"faces.1000.{engine}.recall_at_50"]) == 1.0
        assert number(figures[f"faces.1000.{engine}.search_ms"]) > 0
    for name in ("open_ms", "build_s", "add_1000_ms", "delete_1000_ms"):
        assert number(figures[f"faces.1000.exact.{name}"]) > 0
    # A row holds 512 numbers of four bytes, and the eight of its place in the record.
    assert number(figures["faces.1000.exact.disk_bytes_per_face"]) == pytest.approx(2056, abs=1)
    assert math.isnan(number(figures["crossing_faces"]))  # one size has no crossing


def test_persons_look_like_themselves() -> None:
    """Two faces of a person have a cosine of about 0.6, strangers of about 0; seeds repeat."""
    faces = person_faces(0, 3 * FACES_PER_PERSON, seed=0)
    cosines = faces @ faces.T
    persons = np.arange(len(faces)) // FACES_PER_PERSON
    same = persons[:, None] == persons[None]
    np.fill_diagonal(same, False)
    assert cosines[same].mean() == pytest.approx(0.6, abs=0.03)
    assert abs(cosines[persons[:, None] != persons[None]]).mean() < 0.1
    np.testing.assert_array_equal(faces, person_faces(0, len(faces), seed=0))


def test_where_two_times_cross() -> None:
    """Between sizes on a logarithmic scale; beyond them along a line and a logarithm."""
    between = scale.crossing_of({10: (1, 2), 1000: (3, 2)})
    assert between == (pytest.approx(100), False)
    beyond, extrapolated = scale.crossing_of(
        {1000: (1, 8), 10_000: (10, 18), 10**6: (999, math.nan)}
    )
    assert extrapolated
    # 10 · n / 10,000 = 18 + 10 · log₁₀(n / 10,000)
    assert beyond == pytest.approx(21_300, rel=0.06)
    assert scale.crossing_of({1000: (9, 8), 10_000: (90, 18)}) == (1000, False)
