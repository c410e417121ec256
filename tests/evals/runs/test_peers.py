"""Scores files of other systems: read unchanged, errors with line numbers, gaps counted."""

import math
from pathlib import Path

import numpy as np
import pytest

from evals.runs.peers import align_scores, read_rankings, read_scores
from tools.errors import SetupError

pytestmark = pytest.mark.fast


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "peer.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_scores_are_read_by_column_name(tmp_path: Path) -> None:
    """Order and further columns do not matter; windows' slashes and a leading ./ are mended."""
    file = _file(tmp_path, "\ufeffscore,label,path\n0.5,1,./a/b.png\n-2e1,0,c\\d.png\n")
    assert read_scores(file) == {"a/b.png": 0.5, "c/d.png": -20.0}


def test_an_empty_score_is_not_measured(tmp_path: Path) -> None:
    """A picture that the peer could not score is NaN, never 0."""
    scores = read_scores(_file(tmp_path, "path,score\na.png,\nb.png,nan\n"))
    assert all(math.isnan(score) for score in scores.values())
    assert list(scores) == ["a.png", "b.png"]


def test_rankings_are_kept_by_query(tmp_path: Path) -> None:
    """A retrieval file holds one ranking per query."""
    file = _file(tmp_path, "query,path,score\nq1,a,0.9\nq2,a,0.1\nq1,b,0.2\n")
    assert read_rankings(file) == {"q1": {"a": 0.9, "b": 0.2}, "q2": {"a": 0.1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column 'path'"),
        ("path,logit\na,1\n", "line 1: no column 'score'"),
        ("path,score\na,1\nb,high\n", "line 3: score 'high' is not a number"),
        ("path,score\na,inf\n", "line 2: score 'inf' is not finite"),
        ("path,score\na,1\na,2\n", "line 3: 'a' is scored a second time"),
        ("path,score\na,1\nb\n", "line 3: no value in column 'score'"),
        ("path,score\n,1\n", "line 2: no value in column 'path'"),
    ],
)
def test_mistakes_name_their_line(tmp_path: Path, text: str, said: str) -> None:
    """What is wrong with a scores file is said with its line."""
    with pytest.raises(SetupError, match=f"peer.csv, {said}"):
        read_scores(_file(tmp_path, text))


def test_a_ranking_says_what_is_doubled(tmp_path: Path) -> None:
    """One picture has one score a query."""
    with pytest.raises(SetupError, match=r"line 3: 'a' is ranked a second time for 'q'"):
        read_rankings(_file(tmp_path, "query,path,score\nq,a,1\nq,a,2\n"))


def test_a_file_that_is_not_there_is_a_setup_error(tmp_path: Path) -> None:
    """A missing or binary file is one line, not a traceback."""
    with pytest.raises(SetupError, match=r"cannot read the scores .*gone\.csv"):
        read_scores(tmp_path / "gone.csv")
    (tmp_path / "peer.csv").write_bytes(b"path,score\n\xff\xfe,1\n")
    with pytest.raises(SetupError, match="not UTF-8"):
        read_scores(tmp_path / "peer.csv")


def test_scores_are_put_beside_our_samples() -> None:
    """Order is ours; what one side lacks is counted and named."""
    aligned = align_scores({"b": 2.0, "z": 9.0, "n": math.nan}, ["a", "b", "n"])
    np.testing.assert_array_equal(aligned.values, [math.nan, 2.0, math.nan])
    assert aligned.figures() == {
        "scored": 1,
        "missing": 2,
        "missing_first": ["a", "n"],
        "unknown": 1,
        "unknown_first": ["z"],
    }


def test_a_videos_score_stands_for_its_frames() -> None:
    """Frames are matched by their own name first, then by their video's path."""
    aligned = align_scores(
        {"v.mp4": 1.0, "v.mp4@2.5": 3.0, "me@home": 4.0}, ["v.mp4@0", "v.mp4@2.5"]
    )
    np.testing.assert_array_equal(aligned.values, [1.0, 3.0])
    assert aligned.unknown == ("me@home",)
