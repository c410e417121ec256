"""Calibration figures of the rule's probabilities, and rates of its decisions.

For both axes: `true` means *forged* on one, *the same person* on the other.
"""

from dataclasses import dataclass

import numpy as np

from evals.protocol.measured import MeasuredDataset, probabilities
from tools.metrics import brier, cllr, cllr_min, ece, grouped_interval
from tools.metrics.resampling import Statistic
from tools.verdict.calibration import InconclusiveBand
from tools.verdict.rule import ForgeryQuestion

ROUNDS = 200

Figures = dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledLogits:
    """n log odds with their labels (n,) bool and groups; NaN: not measured."""

    logits: np.ndarray
    truth: np.ndarray
    groups: np.ndarray

    @property
    def probabilities(self) -> np.ndarray:
        """(n,) in [0, 1]."""
        return probabilities(self.logits)

    def take(self, chosen: np.ndarray | slice) -> "LabelledLogits":
        """A subset, by index or mask."""
        return LabelledLogits(self.logits[chosen], self.truth[chosen], self.groups[chosen])

    def measured(self) -> "LabelledLogits":
        """The rows with a probability."""
        return self.take(~np.isnan(self.logits))

    def even(self, seed: int) -> "LabelledLogits":
        """Balanced subset (the larger class is downsampled), since the rule assumes even prior
        odds."""
        known, rng = self.measured(), np.random.default_rng(seed)
        kinds = [np.flatnonzero(known.truth == kind) for kind in (False, True)]
        count = min(map(len, kinds))
        chosen = [rng.permutation(kind)[:count] for kind in kinds]
        return known.take(np.sort(np.concatenate(chosen)))


@dataclass(frozen=True, slots=True, eq=False)
class JudgedStage:
    """A stage of a search on n pictures; its question and band are None if it could not be asked,
    and then every log odds is NaN."""

    judged: LabelledLogits
    band: InconclusiveBand | None

    @classmethod
    def of(cls, measured: MeasuredDataset, question: ForgeryQuestion | None) -> "JudgedStage":
        """The rule's log odds of forgery without a query."""
        judged = LabelledLogits(measured.forgery_logits(question), measured.forged, measured.groups)
        return cls(judged, question.band if question else None)

    def figures(self, rows: np.ndarray | slice = slice(None), *, seed: int) -> Figures:
        """Calibration and decisions on some rows, or on all."""
        some = self.judged.take(rows)
        names = "authentic", "forged"
        return {
            **calibration_metrics(some, seed=seed),
            **decision_rates(some, self.band, names=names, seed=seed),
        }


def calibration_metrics(judged: LabelledLogits, *, seed: int) -> Figures:
    """ECE and Brier score at even odds, and Cllr on all rows, with intervals; NaN without both
    classes.

    The calibrators give log odds for even prior odds, which are log likelihood ratios. Cllr_min is
    the value after optimal recalibration of their scale.
    """
    even, known = judged.even(seed), judged.measured()
    return {
        "n_even": len(even.truth),
        **_figure("ece", ece, even.groups, even.probabilities, even.truth, seed=seed),
        **_figure("brier", brier, even.groups, even.probabilities, even.truth, seed=seed),
        **_figure("cllr", _cllr, known.groups, known.logits, known.truth, seed=seed),
        **_figure("cllr_min", _cllr_min, known.groups, known.logits, known.truth, seed=seed),
    }


def _figure(
    name: str, statistic: Statistic, groups: np.ndarray, *arrays: np.ndarray, seed: int
) -> Figures:
    """One figure with its interval."""
    edges = grouped_interval(statistic, groups, *arrays, seed=seed, rounds=ROUNDS)
    return {name: statistic(*arrays), f"{name}_95": edges}


def _cllr(logits: np.ndarray, truth: np.ndarray) -> float:
    return cllr(logits[truth], logits[~truth])


def _cllr_min(logits: np.ndarray, truth: np.ndarray) -> float:
    return cllr_min(logits[truth], logits[~truth])


def decision_rates(
    judged: LabelledLogits, band: InconclusiveBand | None, *, names: tuple[str, str], seed: int
) -> Figures:
    """Shares of each class above, within and below the band, with intervals and counts.

    `names` are the labels of the false and true class. At or above the band the claim is made,
    below it is denied, within it there is no decision. NaN without rows; without a band there is
    no row with a probability either.
    """
    found: Figures = {"not_measured": int(np.isnan(judged.logits).sum())}
    known = judged.measured()
    places = np.array([band.place(float(it)) for it in known.probabilities if band], "<U6")
    for name, kind in zip(names, (False, True), strict=True):
        of_kind = known.truth == kind
        found[f"n_{name}"] = int(of_kind.sum())
        for place, said in (("high", "claimed"), ("within", "inconclusive"), ("low", "denied")):
            hits = (places == place)[of_kind].astype(float)
            share = f"{name}_{said}"
            found |= _figure(share, _mean, known.groups[of_kind], hits, seed=seed)
    return found


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
