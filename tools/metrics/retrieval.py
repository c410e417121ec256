"""Retrieval metrics of one ranked list: AP, R@k, P@k, R-precision, reciprocal rank, NDCG.

`relevant` flags each retrieved item, best first; `total` counts all relevant items, so those never
retrieved count as missed. A query without relevant items (`total` 0) scores NaN. Use `mean` and
`interval` to aggregate over queries.
"""

from collections.abc import Sequence

import numpy as np


def average_precision(relevant: Sequence[bool], total: int) -> float:
    """AP = Σ_k precision(k) · relevant(k) / total, over a ranked list.

    Differs from scikit-learn's `average_precision_score`, which assumes every relevant item was
    retrieved, and averages over tied ranks.
    """
    if total == 0:
        return float("nan")
    flags = np.asarray(relevant, bool)
    precision = np.cumsum(flags) / np.arange(1, len(flags) + 1)
    return float(precision[flags].sum() / total)


def recall_at(relevant: Sequence[bool], total: int, k: int) -> float:
    """R@k: the share of all relevant items among the first k."""
    return _hits(relevant, k) / total if total else float("nan")


def precision_at(relevant: Sequence[bool], total: int, k: int) -> float:
    """P@k: the share of relevant items among the first k; empty ranks count as wrong.

    NaN if nothing is relevant, like the other metrics, so that all are means over the same queries.
    """
    return _hits(relevant, k) / k if total else float("nan")


def r_precision(relevant: Sequence[bool], total: int) -> float:
    """Precision at k = `total`: a perfect list scores 1."""
    return precision_at(relevant, total, total) if total else float("nan")


def reciprocal_rank(relevant: Sequence[bool], total: int) -> float:
    """1 / rank of the first relevant item; 0 if none was retrieved. Its mean is the MRR."""
    if total == 0:
        return float("nan")
    ranks = np.flatnonzero(np.asarray(relevant, bool)) + 1
    return float(1 / ranks[0]) if len(ranks) else 0.0


def ndcg_at(gains: Sequence[float], ideal_gains: Sequence[float], k: int) -> float:
    """NDCG@k: DCG@k of the list divided by that of the ideal list; DCG = Σ gain / log2(1 + rank).

    `gains` of the retrieved items, best first; `ideal_gains` of everything in the gallery, in any
    order. Gains are linear (Järvelin & Kekäläinen 2002), not 2^gain − 1. NaN if nothing has a gain.
    scikit-learn's `ndcg_score` cannot account for items that were never retrieved.
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
        raise ValueError(f"k must be 1 or more, not {k!r}")
