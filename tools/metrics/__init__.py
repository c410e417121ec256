"""Evaluation metrics and their uncertainty; an undefined metric is NaN, never 0.

Scores rise with the evidence for `True` (forged; same person); labels are boolean. Rows with a NaN
score are excluded; `drop_unmeasured` counts them.
"""

from tools.metrics.calibration import Bin, brier, cllr, cllr_min, ece, reliability
from tools.metrics.detection import (
    Accuracies,
    OperatingPoint,
    Roc,
    ScoredRows,
    accuracies,
    ap,
    auc,
    drop_unmeasured,
    eer,
    mate_ranks,
    rank_k,
    roc,
    tar_at_far,
    tpr_at_fpr,
)
from tools.metrics.resampling import (
    Difference,
    auc_interval,
    grouped_interval,
    holm,
    interval,
    mean,
    paired_difference,
    resamples,
    weighted_auc,
)
from tools.metrics.retrieval import (
    average_precision,
    ndcg_at,
    precision_at,
    r_precision,
    recall_at,
    reciprocal_rank,
)

__all__ = [
    "Accuracies",
    "Bin",
    "Difference",
    "OperatingPoint",
    "Roc",
    "ScoredRows",
    "accuracies",
    "ap",
    "auc",
    "auc_interval",
    "average_precision",
    "brier",
    "cllr",
    "cllr_min",
    "drop_unmeasured",
    "ece",
    "eer",
    "grouped_interval",
    "holm",
    "interval",
    "mate_ranks",
    "mean",
    "ndcg_at",
    "paired_difference",
    "precision_at",
    "r_precision",
    "rank_k",
    "recall_at",
    "reciprocal_rank",
    "reliability",
    "resamples",
    "roc",
    "tar_at_far",
    "tpr_at_fpr",
    "weighted_auc",
]
