"""Test figures of a fitted detector on unseen persons, with confidence intervals."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tools.detectors.protocol import DetectorScores
from tools.metrics import auc, auc_interval, ece
from tools.verdict.calibration import InconclusiveBand


@dataclass(frozen=True, slots=True)
class EvaluationMetrics:
    """Figures of one test part; None is *not measured* (without a calibration, all that need one).

    `auc_interval` is the 95 % bootstrap interval over persons; accuracies are at a calibrated
    probability of 0.5, separately for authentic and forged; `called_forged` is the share of
    authentic pictures above the inconclusive band, `missed` that of forgeries below it,
    `inconclusive` that of all pictures inside; `ece` the expected calibration error in 15 bins.
    `families` holds the AUC of each family against all authentic pictures. Families in `unlearnt`
    are unknown to the detector; those in `apart`, which were not in its calibration either, count
    in no other figure.
    """

    authentic: int
    forged: int
    persons: int
    not_measured: int
    auc: float | None
    auc_interval: tuple[float, float] | None
    real_accuracy: float | None
    fake_accuracy: float | None
    ece: float | None
    called_forged: float | None
    missed: float | None
    inconclusive: float | None
    families: Mapping[str, float | None]
    unlearnt: tuple[str, ...]
    apart: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON fields with the same names; NaN becomes null."""
        return asdict(self)


def compute_metrics(
    scored: DetectorScores,
    band: InconclusiveBand | None,
    *,
    families: Sequence[str | None],
    persons: Sequence[str],
    learnt: Collection[str],
    apart: tuple[str, ...],
    seed: int,
) -> EvaluationMetrics:
    """Figures of logits (n,) with families (None is authentic) and persons (n,) of the pictures.

    Raises ValueError if no picture was measured.
    """
    forged = np.array([family is not None for family in families])
    kinds, measured = np.array([family or "" for family in families]), np.isfinite(scored.logits)
    if not measured.any():
        raise ValueError("the detector could measure no picture of the test part")
    by_family = {
        name: _known(auc(scored.logits[rows], forged[rows]))
        for name in sorted({family for family in families if family is not None})
        for rows in [measured & (~forged | (kinds == name))]
    }
    known = measured & ~(forged & np.isin(kinds, apart))
    logits, truth = scored.logits[known], forged[known]
    chances, groups = scored.probabilities[known], np.array(persons)[known]
    # Without a calibration there is no probability, so its shares are not measured.
    real, fake = (chances[rows & (band is not None)] for rows in (~truth, truth))
    placed: dict[str, float | None] = {} if band is None else {
        "called_forged": _share(np.array([band.place(it) == "high" for it in real])),
        "missed": _share(np.array([band.place(it) == "low" for it in fake])),
        "inconclusive": _share(np.array([band.place(it) == "within" for it in chances])),
    }  # fmt: skip
    return EvaluationMetrics(
        authentic=int((~truth).sum()),
        forged=int(truth.sum()),
        persons=len(set(groups.tolist())),
        not_measured=int((~measured).sum()),
        auc=_known(auc(logits, truth)),
        auc_interval=_interval(auc_interval(logits, truth, groups, seed=seed)),
        real_accuracy=_share(real <= 0.5),
        fake_accuracy=_share(fake > 0.5),
        ece=_known(ece(chances, truth)) if np.isfinite(chances).all() else None,
        called_forged=placed.get("called_forged"),
        missed=placed.get("missed"),
        inconclusive=placed.get("inconclusive"),
        families=by_family,
        unlearnt=tuple(name for name in by_family if name not in learnt),
        apart=tuple(name for name in apart if name in by_family),
    )


def _interval(edges: tuple[float, float]) -> tuple[float, float] | None:
    return None if np.isnan(edges).any() else edges


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value


def _share(of: np.ndarray) -> float | None:
    return float(of.mean()) if len(of) else None
