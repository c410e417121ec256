"""Fit one question of the verdict rule: a calibrator, and a band of which persons are held out."""

import itertools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tools.training.calibration.benchmark_cases import LEFT_OUT
from tools.training.data.harmless_edits import EDITS
from tools.verdict.calibration import InconclusiveBand, LogisticCalibrator, Scores
from tools.verdict.rule import ForgeryQuestion

# The costs of errors set the edges: an investigator acts on the verdict "impersonation", so
# authentic photos must rarely get there; a forgery inside the band is still examined. The upper
# edge needs 33 persons; each kind of picture has twice as many.
FAKE_ALPHA_HIGH, FAKE_ALPHA_LOW = 0.03, 0.10
FOLDS = 5
FRAME, PORTRAIT = "video frame", "portrait"


def fit_logistic(
    features: tuple[str, ...], rows: Sequence[Scores], labels: Sequence[bool]
) -> LogisticCalibrator:
    """L2-regularised logistic regression on standardised scores, with equal class weights.

    Rows with a missing score are left out.
    """
    from sklearn.linear_model import LogisticRegression

    table = np.array(
        [[np.nan if row.get(name) is None else row[name] for name in features] for row in rows],
        float,
    )
    whole = np.isfinite(table).all(axis=1)
    table, known = table[whole], np.asarray(labels)[whole]
    means, scales = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    model.fit((table - means) / scales, known)
    return LogisticCalibrator(
        features=features,
        means=tuple(map(float, means)),
        scales=tuple(map(float, scales)),
        weights=tuple(map(float, model.coef_[0])),
        bias=float(model.intercept_[0]),
    )


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """Raw scores with the label; `person` is the cluster, `family` the method of a forgery."""

    scores: Mapping[str, float | None]
    forged: bool
    person: str
    family: str

    @property
    def kind(self) -> str:
        """The kind for which a separate edge is fitted."""
        if self.forged:
            return self.family if self.unseen else "forgery learnt"
        edited = self.family in EDITS
        pictures = self.family in (FRAME, PORTRAIT)
        return "edited photo" if edited else self.family if pictures else "photo"

    @property
    def unseen(self) -> bool:
        """Whether it is a forgery by a family excluded from all training."""
        return self.forged and self.family in LEFT_OUT


@dataclass(frozen=True, slots=True)
class CrossValidatedQuestion:
    """A fitted question with its cross-validated probability for each sample (person held out)."""

    question: ForgeryQuestion
    samples: Sequence[ScoredSample]
    probabilities: np.ndarray


def cross_validated_question(
    names: tuple[str, ...],
    told: Sequence[ScoredSample],
    *,
    taught: Sequence[ScoredSample] | None = None,
    alpha_high: float = FAKE_ALPHA_HIGH,
) -> CrossValidatedQuestion | None:
    """The question fitted on these scores; None if no sample has all scores, or only one class
    does.

    The calibrator learns from `taught`, by default from the samples themselves; the band holds for
    the samples.
    """
    known = _with_scores(told, names)
    learnt = [
        it for it in _with_scores(known if taught is None else taught, names) if not it.unseen
    ]
    if not known or len({it.forged for it in learnt}) < 2:
        return None
    probabilities = _across(names, known, learnt)
    band = _band(known, probabilities, alpha_high=alpha_high)
    return CrossValidatedQuestion(
        ForgeryQuestion(_calibrator(names, learnt), band), known, probabilities
    )


def fit_question(names: tuple[str, ...], told: Sequence[ScoredSample]) -> ForgeryQuestion | None:
    """A question fitted on these scores, with its band; None if only one class has them."""
    fitted = cross_validated_question(names, told)
    return None if fitted is None else fitted.question


def _with_scores(told: Sequence[ScoredSample], names: tuple[str, ...]) -> list[ScoredSample]:
    return [it for it in told if all(it.scores.get(name) is not None for name in names)]


def _calibrator(names: tuple[str, ...], learnt: Sequence[ScoredSample]) -> LogisticCalibrator:
    return fit_logistic(names, [it.scores for it in learnt], [it.forged for it in learnt])


def _band(
    known: Sequence[ScoredSample], probabilities: np.ndarray, *, alpha_high: float
) -> InconclusiveBand:
    """Fit both edges for the worst case, since the next picture may be of any kind: the upper edge
    by the kind of authentic picture that looks most forged, the lower by the forgeries that hide
    best.

    Authentic kinds are photographs, harmless edits and video frames; every family excluded from all
    training stands in for an unseen tool.
    """
    kinds = np.array([it.kind for it in known])
    persons = np.array([it.person for it in known])
    forged = np.array([it.forged for it in known])
    sides = [
        [(probabilities[kinds == kind], persons[kinds == kind]) for kind in sorted(set(of))]
        for of in (kinds[~forged], kinds[forged])
    ]
    bands = [
        InconclusiveBand.fit(
            false.tolist(), true.tolist(), alpha_low=FAKE_ALPHA_LOW, alpha_high=alpha_high,
            persons_false=shown.tolist(), persons_true=depicted.tolist(),
        )
        for (false, shown), (true, depicted) in itertools.product(*sides)
    ]  # fmt: skip
    lowest, highest = min(bands, key=_low), max(bands, key=_high)
    return replace(lowest, high=highest.high, persons_false=highest.persons_false)


def _low(band: InconclusiveBand) -> float:
    return band.low


def _high(band: InconclusiveBand) -> float:
    return band.high


def _across(
    names: tuple[str, ...], told: Sequence[ScoredSample], learnt: Sequence[ScoredSample]
) -> np.ndarray:
    """(n,) cross-validated probabilities of `told`: each sample is judged by a calibrator that
    learnt without its person.
    """
    found = np.full(len(told), np.nan)
    for held in range(FOLDS):
        inside = [it for it in learnt if _fold(it.person) != held]
        if len({it.forged for it in inside}) < 2:
            inside = [*learnt]  # too few persons to hold any out
        chosen = _calibrator(names, inside)
        for index, sample in enumerate(told):
            if _fold(sample.person) == held:
                probability = chosen.probability(sample.scores)
                found[index] = np.nan if probability is None else probability
    return found


def _fold(person: str) -> int:
    return zlib.crc32(person.encode()) % FOLDS
