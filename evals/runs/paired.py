"""Paired significance tests between two runs over the same samples.

For every set and scorer the difference of AUC, for every query measure the mean difference, both
with a bootstrap that draws the same groups for both runs. Only samples measured by both runs count.
Holm's correction is over all tests of a comparison.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evals.runs.samples import QuerySample, ScoreSample
from tools.metrics.resampling import holm, mean, paired_difference, weighted_auc

Scores = Mapping[tuple[str, str], ScoreSample]
Queries = Mapping[str, QuerySample]


@dataclass(frozen=True, slots=True)
class PairedTest:
    """One test. `difference` is the second run's figure minus the first's.

    `figure` is "AUC" or the name of a query measure; `part` is the set and `scorer` the system,
    both empty for queries; `n` samples and `groups` were compared; `p_holm` is corrected over all
    tests.
    """

    part: str
    scorer: str
    figure: str
    n: int
    groups: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float = math.nan

    @property
    def sure(self) -> bool:
        """Whether the corrected p-value is below 0.05."""
        return self.p_holm < 0.05


def tests(
    first: tuple[Scores, Queries], second: tuple[Scores, Queries], *, rounds: int, seed: int = 0
) -> list[PairedTest]:
    """All tests possible on the shared samples of two runs."""
    found = [
        *_score_tests(first[0], second[0], rounds=rounds, seed=seed),
        *_query_tests(first[1], second[1], rounds=rounds, seed=seed),
    ]
    corrected = holm([test.p for test in found])
    return [replace(test, p_holm=p) for test, p in zip(found, corrected, strict=True)]


def _score_tests(first: Scores, second: Scores, *, rounds: int, seed: int) -> Iterator[PairedTest]:
    shared = [key for key, it in first.items() if key in second and second[key].label == it.label]
    parts: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for key in shared:
        for scorer in first[key].scores:
            values = first[key].scores[scorer], second[key].scores.get(scorer, math.nan)
            if not np.isnan(values).any():
                parts.setdefault((key[0], scorer), []).append(key)
    for (part, scorer), keys in parts.items():
        labels = np.array([first[key].label == 1 for key in keys])
        a, b = (_ranks([run[key].scores[scorer] for key in keys]) for run in (first, second))
        difference = paired_difference(
            _auc,
            [first[key].group for key in keys],
            (b, labels),
            (a, labels),
            seed=seed,
            rounds=rounds,
        )
        yield PairedTest(
            part, scorer, "AUC", len(keys), len({first[key].group for key in keys}),
            _auc(a, labels), _auc(b, labels),
            difference.value, difference.low, difference.high, difference.p,
        )  # fmt: skip


def _ranks(scores: Sequence[float]) -> np.ndarray:
    """(n,) integer ranks of the scores; ties get equal ranks."""
    return np.asarray(np.unique(np.asarray(scores), return_inverse=True)[1])


def _auc(ranks: np.ndarray, labels: np.ndarray) -> float:
    return weighted_auc(ranks, labels, np.ones(len(ranks)))


def _query_tests(
    first: Queries, second: Queries, *, rounds: int, seed: int
) -> Iterator[PairedTest]:
    measures: dict[str, list[str]] = {}
    for key in (key for key in first if key in second):
        for measure, value in first[key].values.items():
            if not np.isnan([value, second[key].values.get(measure, math.nan)]).any():
                measures.setdefault(measure, []).append(key)
    for measure, keys in measures.items():
        a, b = (np.array([run[key].values[measure] for key in keys]) for run in (first, second))
        groups = [first[key].group for key in keys]
        difference = paired_difference(mean, groups, (b,), (a,), seed=seed, rounds=rounds)
        yield PairedTest(
            "", "", measure, len(keys), len(set(groups)), mean(a), mean(b),
            difference.value, difference.low, difference.high, difference.p,
        )  # fmt: skip
