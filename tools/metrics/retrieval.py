"""Figures of one ranked list against what is relevant to its query.

`relevant` says of each retrieved item, best first, whether it is relevant; `total` counts all
relevant items, so that those never retrieved count as missed. A query with nothing to find
(`total` 0) has no figure: NaN. Means over queries are `mean`'s, intervals `interval`'s.
"""

from collections.abc import Sequence

import numpy as np


def average_precision(relevant: Sequence[bool], total: int) -> float:
    """AP = Σ_k precision(k) · relevant(k) / total, over a ranked list.

    scikit-learn's `average_precision_score` is not this: it takes every relevant item as
    retrieved, and averages over tied ranks.
    """
    if total == 0:
        return float("nan")
    flags = np.asarray(relevant, bool)
    precision = np.cumsum(flags) / np.arange(1, len(flags) + 1)
    return float(precision[flags].sum() / total)


def recall_at(relevant: Sequence[bool], total: int, k: int) -> float:
    """R@k: the share of all relevant items that is among the first k."""
    return _hits(relevant, k) / total if total else float("nan")


def precision_at(relevant: Sequence[bool], total: int, k: int) -> float:
    """P@k: the share of relevant ones among the first k; places left empty count as wrong.

    NaN where nothing is relevant, as the other figures, so that all are means over the same
    queries.
    """
    return _hits(relevant, k) / k if total else float("nan")


def r_precision(relevant: Sequence[bool], total: int) -> float:
    """The precision among as many items as are relevant; perfect lists reach 1 whatever `total`."""
    return precision_at(relevant, total, total) if total else float("nan")


def reciprocal_rank(relevant: Sequence[bool], total: int) -> float:
    """1 / rank of the first relevant item; 0 when all were missed. Its mean is the MRR."""
    if total == 0:
        return float("nan")
    ranks = np.flatnonzero(np.asarray(relevant, bool)) + 1
    return float(1 / ranks[0]) if len(ranks) else 0.0


def ndcg_at(gains: Sequence[float], ideal_gains: Sequence[float], k: int) -> float:
    """DCG@k of the list by that of the best list there could be; DCG = Σ gain / log2(1 + rank).

    `gains` of the retrieved items, best first; `ideal_gains` of everything in the gallery, in any
    order. Gains count as they are (Järvelin & Kekäläinen 2002), not as 2^gain − 1. NaN when
    nothing has a gain. scikit-learn's `ndcg_score` cannot know what was never retrieved.
    """
    _require_positive(k)
    ideal = _dcg(sorted(ideal_gains, reverse=True), k)
    return _dcg(gains, k) / ideal if ideal > 0 else float("nan")


def _dcg(gains: Sequence[float], k: int) -> float:
    counted = np.asarray(gains, float)[:k]
    return float((counted / np.log2(np.arange(len(counted)) + 2)).sum())


def _hits(relevant: Sequence[bool], k: int) -> int:
    _require_positive(k)
    return int(np.asarray(relevant, bool)[:k].sum())


def _require_positive(k: int) -> None:
    if k < 1:
        raise ValueError(f"k counts ranks from 1, got {k!r}")
