"""Per-sample results of a run as JSON lines, the input of comparisons.

`samples.jsonl` has two kinds of lines. A score: one picture (or video frame) of a set, its label
and every system's score. A query: one search, and its value of each measure.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evals.runs.figures import jsonable
from tools.errors import SetupError

NAME = "samples.jsonl"


@dataclass(frozen=True, slots=True)
class ScoreSample:
    """One picture of a set. `label` 1 is forged; `scores` higher is more forged, NaN not measured.

    `group` is the unit of the bootstrap: a person, a video, a source.
    """

    id: str
    group: str
    set: str
    label: int
    scores: Mapping[str, float]
    extra: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QuerySample:
    """One search and its values by measure ("ap": 0.5); NaN is not measured."""

    id: str
    group: str
    values: Mapping[str, float]
    extra: Mapping[str, object] = field(default_factory=dict)


class SampleWriter:
    """Appends samples to `folder/samples.jsonl`; keeps nothing if the folder is None.

    Extra values must be JSON-compatible. Ids are unique within a set (scores) or overall (queries),
    and stable between runs: two runs are compared sample by sample.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / NAME

    def score(
        self,
        *,
        id: str,
        group: str,
        set: str,
        label: int,
        scores: Mapping[str, float | None],
        **extra: object,
    ) -> None:
        """Add every system's score of one picture."""
        truth = {"set": set, "label": int(label), "scores": scores}
        self._append({"kind": "score", "id": id, "group": group, **truth, **extra})

    def query(
        self, *, id: str, group: str, values: Mapping[str, float | None], **extra: object
    ) -> None:
        """Add the measures of one search."""
        self._append({"kind": "query", "id": id, "group": group, "values": values, **extra})

    def _append(self, sample: Mapping[str, object]) -> None:
        if self._path is None:
            return
        line = json.dumps(jsonable(sample), ensure_ascii=False, allow_nan=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def read(folder: Path) -> tuple[list[ScoreSample], list[QuerySample]]:
    """The samples of a run in order; none if it kept none.

    Raises SetupError naming the file and the unreadable line.
    """
    path = folder / NAME
    scores: list[ScoreSample] = []
    queries: list[QuerySample] = []
    for number, sample in _lines(path):
        try:
            if sample["kind"] == "score":
                scores.append(_score(sample))
            else:
                queries.append(_query(sample))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SetupError(f"{path}, line {number}: not a sample ({error})") from error
    return scores, queries


def _lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                sample = json.loads(line)
            except json.JSONDecodeError as error:
                raise SetupError(f"{path}, line {number}: not JSON ({error})") from error
            if not isinstance(sample, dict):
                raise SetupError(f"{path}, line {number}: not a sample")
            yield number, sample


def _score(sample: dict[str, object]) -> ScoreSample:
    known = {"kind", "id", "group", "set", "label", "scores"}
    return ScoreSample(
        str(sample["id"]),
        str(sample["group"]),
        str(sample["set"]),
        int(str(sample["label"])),
        _numbers(sample["scores"]),
        {name: value for name, value in sample.items() if name not in known},
    )


def _query(sample: dict[str, object]) -> QuerySample:
    known = {"kind", "id", "group", "values"}
    return QuerySample(
        str(sample["id"]),
        str(sample["group"]),
        _numbers(sample["values"]),
        {name: value for name, value in sample.items() if name not in known},
    )


def _numbers(values: object) -> dict[str, float]:
    if not isinstance(values, Mapping):
        raise TypeError("scores must be named")
    return {name: math.nan if it is None else float(it) for name, it in values.items()}
