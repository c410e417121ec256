"""Impostor similarities: one photograph per person against all other persons, for the verdict rule.

Queries are persons of the fitting half of LFW's validation set. Impostors are the other persons of
that half plus persons of the training set, one photograph each.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tools.faces.analyser import FaceAnalyser
from tools.training.calibration.benchmark_cases import LabelledPortrait, off_centre

STRANGERS = 1500
"""Persons added from the training set, so that galleries of hundreds can be fitted."""


def impostor_similarities(
    people: Mapping[str, Sequence[LabelledPortrait]],
    further: Mapping[str, Sequence[LabelledPortrait]],
    *,
    faces: FaceAnalyser,
) -> np.ndarray:
    """Cosines (queries, strangers) of `people` against each other and against `further` persons.

    NaN where both are the same person. Photos without a usable face are left out.
    """
    names = sorted(further)
    drawn = np.random.default_rng(7).permutation(len(names))[:STRANGERS]
    asked = _embedded([shots[0] for shots in people.values()], faces)
    others = _embedded([further[names[int(index)]][0] for index in drawn], faces)
    cosines = asked @ np.concatenate([asked, others]).T
    np.fill_diagonal(cosines, np.nan)
    return np.asarray(cosines)


def _embedded(shots: Sequence[LabelledPortrait], faces: FaceAnalyser) -> np.ndarray:
    """(n, e) embeddings of the labelled, most central faces."""
    found = []
    for shot in shots:
        (seen,) = faces.analyse([shot.pixels()])
        usable = [face for face in seen if face.quality.usable]
        if usable:
            found.append(min(usable, key=lambda face: off_centre(tuple(face.box))).embedding)
    return np.stack(found)
