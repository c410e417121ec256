"""Compare further face embedders with the first: accuracy, correlation and combined gain.

For each embedder of `tools.faces.further_embedders.load_embedders`: the figures of
`evals.suites.weights.embedder`; `strangers`, the mean and standard deviation of its impostor
cosines, as stored in the JSON file beside it; `correlation_of_strangers` with the first's cosines
(1: no new information); and `both`, the figures of the sum of the two normalised scores.

Does not show: the information in a difference of the two about forgeries; see
`evals.suites.weights.references`.
"""

import cv2
import numpy as np

from assistant.settings import Settings
from evals.options import EvalOptions
from evals.suites.weights.face_pairs import EmbeddingPairs, with_intervals
from tools.errors import SetupError
from tools.faces.further_embedders import FaceEmbedder, load_embedders
from tools.training.faces.further_embedder import LabelledFace


def further_embedder_figures(
    options: EvalOptions, first: np.ndarray, person: np.ndarray
) -> dict[str, object]:
    """Figures by name; `first` (n, d) are the first embedder's unit vectors of the val images."""
    known = load_embedders(Settings.load().models_dir)
    looks = _val_looks(options) if known else []
    return {each.name: _beside(each, looks, first, person, seed=options.seed) for each in known}


def _beside(
    embedder: FaceEmbedder,
    looks: list[tuple[np.ndarray, LabelledFace]],
    first: np.ndarray,
    person: np.ndarray,
    *,
    seed: int,
) -> dict[str, object]:
    second = embedder.embed(looks)
    rows, columns = np.triu_indices(len(person), 1)
    strange = person[rows] != person[columns]
    cosines = [(it @ it.T)[rows, columns][strange] for it in (first, second)]
    spreads = [float(it.std()) for it in cosines]
    # The sum of two normalised scores is, up to a constant, the dot product of concatenated
    # vectors.
    both = np.concatenate(
        [it / np.sqrt(spread) for it, spread in zip((first, second), spreads, strict=True)], axis=1
    )
    return {
        "licence": embedder.licence,
        **with_intervals(EmbeddingPairs(second, person), seed=seed),
        "strangers": {"mean": float(cosines[1].mean()), "spread": spreads[1]},
        "first_strangers": {"mean": float(cosines[0].mean()), "spread": spreads[0]},
        "correlation_of_strangers": float(np.corrcoef(*cosines)[0, 1]),
        "both": with_intervals(EmbeddingPairs(both, person), seed=seed),
    }


def _val_looks(options: EvalOptions) -> list[tuple[np.ndarray, LabelledFace]]:
    """The val photographs (h, w, 3) uint8 RGB, in the order of the labels."""
    with np.load(options.data / "lfw" / "labels.npz") as labels:
        chosen = np.flatnonzero(labels["split"] == "val")[: options.limit]
        paths = [str(path) for path in labels["path"][chosen]]
        landmarks = labels["landmarks68"][chosen].astype(np.float32)
    looks = []
    for path, points in zip(paths, landmarks, strict=True):
        pixels = cv2.imread(str(options.data / "lfw" / "images" / path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise SetupError(f"cannot read {path!r} below {str(options.data)!r}: pass --data DIR")
        rgb = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        looks.append((rgb, LabelledFace.from_landmarks(points)))
    return looks
