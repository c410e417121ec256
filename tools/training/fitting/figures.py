"""How well a fitted detector does on persons it never saw: with how sure one can be of it.

The same figures as those of `tools.metrics`, for trainings, which may not import it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tools.detectors.protocol import DetectorScores
from tools.verdict.calibration import InconclusiveBand

BOOTSTRAP_ROUNDS = 1000
CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class EvaluationMetrics:
    """Of one test part; None is *not measured*, as all that needs a calibration without one.

    `auc_interval` is the 95 % bootstrap interval over persons; accuracies are at a calibrated
    probability of 0.5, authentic and forged apart; `called_forged` is the share of authentic
    pictures above the inconclusive band, `missed` that of forgeries below it, `inconclusive` of
    all within; `ece` the expected calibration error in 15 bins. `families` holds the AUC of each
    family against all authentic pictures; those in `unlearnt` are none that the detector knows,
    and those in `apart`, on which it was not calibrated either, count in no other figure.
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
        """For JSON: no NaN, names as they are here."""
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

    Raises ValueError where not one picture was measured.
    """
    forged = np.array([family is not None for family in families])
    kinds, measured = np.array([family or "" for family in families]), np.isfinite(scored.logits)
    if not measured.any():
        raise ValueError("the detector could not look at one picture of the test part")
    by_family = {
        name: roc_auc(scored.logits[rows], forged[rows])
        for name in sorted({family for family in families if family is not None})
        for rows in [measured & (~forged | (kinds == name))]
    }
    known = measured & ~(forged & np.isin(kinds, apart))
    logits, truth = scored.logits[known], forged[known]
    chances, groups = scored.probabilities[known], np.array(persons)[known]
    # Without a calibration there is no probability: shares of none are not measured.
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
        auc=roc_auc(logits, truth),
        auc_interval=roc_auc_interval(logits, truth, groups, seed=seed),
        real_accuracy=_share(real <= 0.5),
        fake_accuracy=_share(fake > 0.5),
        ece=expected_calibration_error(chances, truth),
        called_forged=placed.get("called_forged"),
        missed=placed.get("missed"),
        inconclusive=placed.get("inconclusive"),
        families=by_family,
        unlearnt=tuple(name for name in by_family if name not in learnt),
        apart=tuple(name for name in apart if name in by_family),
    )


def roc_auc(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """The share of pairs in which the forgery scores higher, ties counting half."""
    found = _weighted(np.unique(scores, return_inverse=True)[1], labels, np.ones(len(labels)))
    return None if np.isnan(found) else found


def roc_auc_interval(
    scores: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, seed: int
) -> tuple[float, float] | None:  # fmt: skip
    """The 95 % percentile interval when persons are drawn again; None where that says nothing."""
    names, places = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        return None
    ranks, rng = np.unique(scores, return_inverse=True)[1], np.random.default_rng(seed)
    chances = np.full(len(names), 1 / len(names))
    drawn = np.array([
        _weighted(ranks, labels, rng.multinomial(len(names), chances)[places].astype(float))
        for _ in range(BOOTSTRAP_ROUNDS)
    ])  # fmt: skip
    drawn = drawn[~np.isnan(drawn)]
    if len(drawn) < 2:
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def expected_calibration_error(chances: np.ndarray, labels: np.ndarray) -> float | None:
    """|mean probability − share that is forged| in equal bins, weighted by their counts."""
    if not len(chances) or not np.isfinite(chances).all():
        return None
    places = np.minimum((chances * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    said = np.bincount(places, chances, CALIBRATION_BINS) - np.bincount(
        places, labels.astype(float), CALIBRATION_BINS
    )
    return float(np.abs(said).sum() / len(chances))


def _weighted(ranks: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    levels = int(ranks.max(initial=-1)) + 1
    forged = np.bincount(ranks[labels], weights[labels], levels)
    authentic = np.bincount(ranks[~labels], weights[~labels], levels)
    pairs = forged.sum() * authentic.sum()
    below = np.cumsum(authentic) - authentic
    return float(forged @ (below + authentic / 2) / pairs) if pairs > 0 else float("nan")


def _share(of: np.ndarray) -> float | None:
    return float(of.mean()) if len(of) else None
