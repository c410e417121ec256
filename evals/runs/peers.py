"""Read another system's scores from CSV, for evaluation by the same protocol.

Detection: columns `path,score`, higher is more forged. Retrieval: `query,path,score`, higher is
ranked first. Paths are those of the manifest: relative to the data set, with forward slashes; a
video frame may be given as `path@seconds`, and a bare path stands for all frames of its video.
Other columns, including labels, are ignored: the manifest is the ground truth.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evals.datasets.delimited import reader_of
from tools.errors import SetupError

_NAMED = 5


@dataclass(frozen=True, slots=True, eq=False)
class AlignedScores:
    """A peer's scores in the order of our samples.

    `values` (n,) float64, NaN if the peer has none; `missing` are our samples that it did not
    score, `unknown` the paths of its file that are not ours.
    """

    values: NDArray[np.float64]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    def figures(self) -> dict[str, object]:
        """How well the file covers our samples; the first few names on each side."""
        return {
            "scored": int(np.isfinite(self.values).sum()),
            "missing": len(self.missing),
            "missing_first": list(self.missing[:_NAMED]),
            "unknown": len(self.unknown),
            "unknown_first": list(self.unknown[:_NAMED]),
        }


def read_scores(file: Path) -> dict[str, float]:
    """Score per path; an empty score is NaN. Raises SetupError naming file, line and error."""
    scores: dict[str, float] = {}
    for place, (path, score) in _rows(file, ("path", "score")):
        if path in scores:
            raise SetupError(f"{place}: {path!r} is scored a second time")
        scores[path] = _number(score, place)
    return scores


def read_rankings(file: Path) -> dict[str, dict[str, float]]:
    """Score per path for every query; an empty score is NaN. Raises SetupError as above."""
    rankings: dict[str, dict[str, float]] = {}
    for place, (query, path, score) in _rows(file, ("query", "path", "score")):
        ranking = rankings.setdefault(query, {})
        if path in ranking:
            raise SetupError(f"{place}: {path!r} is ranked a second time for {query!r}")
        ranking[path] = _number(score, place)
    return rankings


def align_scores(scores: Mapping[str, float], ids: Sequence[str]) -> AlignedScores:
    """The peer's scores for our samples `ids` (paths, or `path@seconds` for frames)."""
    names = [it if it in scores else _video(it) for it in ids]
    values = np.array([scores.get(name, math.nan) for name in names], dtype=np.float64)
    missing = tuple(it for it, value in zip(ids, values, strict=True) if math.isnan(value))
    used = set(names)
    return AlignedScores(values, missing, tuple(name for name in scores if name not in used))


def _video(sample_id: str) -> str:
    """The path of a frame's video; a path that merely contains an @ is unchanged."""
    path, at, seconds = sample_id.rpartition("@")
    return path if at and seconds.replace(".", "", 1).isdigit() else sample_id


def _rows(file: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, list[str]]]:
    """(file and line for messages, values of the columns) of every row below the header."""
    try:
        reader = reader_of(file, columns, strict=True)
        _check_header(file, reader.fieldnames, columns)
        for row in reader:
            place = f"{file.name}, line {reader.line_num}"
            yield place, _values(row, columns, place)
    except OSError as error:
        raise SetupError(f"cannot read the scores {str(file)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{file.name}: not UTF-8 text; save it as UTF-8 CSV") from error
    except csv.Error as error:
        raise SetupError(f"{file.name}: not a CSV file ({error})") from error


def _check_header(file: Path, found: Sequence[str] | None, columns: tuple[str, ...]) -> None:
    lacking = [name for name in columns if name not in (found or ())]
    if lacking:
        wanted = ",".join(columns)
        raise SetupError(
            f"{file.name}, line 1: no column {lacking[0]!r}; the header must be {wanted}"
        )


def _values(row: Mapping[str, str | None], columns: tuple[str, ...], place: str) -> list[str]:
    values = []
    for name in columns:
        value = row[name]
        if value is None or (not value.strip() and name != "score"):
            raise SetupError(f"{place}: no value in column {name!r}")
        values.append(value.strip() if name == "score" else _posix(value.strip()))
    return values


def _posix(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")


def _number(score: str, place: str) -> float:
    """The score; NaN if empty or "nan"."""
    try:
        value = float(score) if score else math.nan
    except ValueError:
        raise SetupError(f"{place}: score {score!r} is not a number") from None
    if math.isinf(value):
        raise SetupError(f"{place}: score {score!r} is not finite")
    return value
