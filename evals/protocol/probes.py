"""Linear probes: cross-validated logistic regression on frozen features.

Rows are assigned to folds by source (video, clip, or the picture itself), so that no source is in
both training and test; every row is predicted once, by a probe not trained on its source.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

N_FOLDS = 3
# Inverse regularisation strengths for the inner split to choose from. Many classes along one or two
# features need large weights; many features need small ones, and large ones take very long.
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
STRENGTHS_NARROW = (1e-1, 1.0, 1e1, 1e2, 1e3)
NARROW = 16


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """`classes` (k,) sorted; `probabilities` (n, k), 0 for classes absent from the fold's training
    data."""

    classes: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """(n,) the most probable class of each row."""
        chosen: np.ndarray = self.classes[self.probabilities.argmax(axis=1)]
        return chosen


def cross_val_predict_proba(
    features: np.ndarray, classes: Sequence[str], *, sources: Sequence[str], seed: int = 0
) -> Predictions:
    """Cross-validated probabilities of a multinomial logistic regression on standardised features
    (n, d).

    Classes have equal weight regardless of size; regularisation is chosen within the training
    folds. Raises ValueError for features with NaN or infinities.
    """
    if not np.isfinite(features).all():
        raise ValueError("a row was not measured; leave it out first")
    truth, origin = np.asarray(classes), np.asarray(sources)
    names = np.unique(truth)
    folds = assign_folds(truth, origin, seed=seed)
    probabilities = np.zeros((len(truth), len(names)))
    for fold in range(N_FOLDS):
        test = folds == fold
        if not test.any():
            continue
        known, found = _learnt(features[~test], truth[~test], origin[~test], features[test], seed)
        probabilities[np.ix_(test, np.isin(names, known))] = found
    return Predictions(names, probabilities)


def assign_folds(
    classes: np.ndarray, sources: np.ndarray, *, seed: int, folds: int = N_FOLDS
) -> np.ndarray:
    """The fold (n,) of each row: whole sources, with each class spread as evenly as possible.

    A class with two or more sources is in at least two folds, unless it shares its sources.
    """
    names, of_class = np.unique(classes, return_inverse=True)
    kinds, of_source = np.unique(sources, return_inverse=True)
    shares = np.zeros((len(kinds), len(names)))
    np.add.at(shares, (of_source, of_class), 1)
    shares /= shares.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(kinds))
    order = order[np.argsort(-shares[order].max(axis=1), kind="stable")]
    held = np.zeros((folds, len(names)))
    placed = np.zeros(len(kinds), int)
    for source in order:
        crowding = held @ (shares[source] > 0)
        # Among folds with equally few of its classes, the smallest.
        place = min(range(folds), key=lambda fold: (crowding[fold], held[fold].sum()))
        placed[source] = place
        held[place] += shares[source]
    fold: np.ndarray = placed[of_source]
    return fold


def _learnt(
    features: np.ndarray, classes: np.ndarray, sources: np.ndarray, others: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The trained classes (k,) and their probabilities (m, k) for other rows."""
    strength = _strength(features, classes, sources, seed=seed)
    layer = _layer(strength).fit(features, classes)
    return layer.classes_, layer.predict_proba(others)


def _strength(
    features: np.ndarray, classes: np.ndarray, sources: np.ndarray, *, seed: int
) -> float:
    """The regularisation with the best held-out fold; ties go to the strongest."""
    strengths = STRENGTHS_NARROW if features.shape[1] <= NARROW else STRENGTHS
    held = assign_folds(classes, sources, seed=seed + 1) == 0
    if len(np.unique(classes[~held])) < 2 or not held.any():
        return strengths[1]
    right = []
    for strength in strengths:
        layer = _layer(strength).fit(features[~held], classes[~held])
        right.append(float((layer.predict(features[held]) == classes[held]).mean()))
    return strengths[int(np.argmax(right))]


def _layer(strength: float):  # type: ignore[no-untyped-def]  # scikit-learn has no types
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Balanced: leaving a source out makes its own class rarer in training, and a probe that learns
    # class frequencies would then prefer all other classes, worse than chance.
    regression = LogisticRegression(C=strength, max_iter=2000, tol=1e-3, class_weight="balanced")
    return make_pipeline(StandardScaler(), regression)
