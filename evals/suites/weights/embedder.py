"""How well does the shipped face embedder verify and identify unseen persons?

Data: the `val` persons of `data/lfw` (1,211 images of 574 people), none of them used in training.
Protocol: every image is aligned by its labelled landmarks as in ArcFace and embedded by the shipped
ONNX file through insightface. *Verification*: all pairs of images, genuine if of one person.
*Rank-1*: every image of a person with two or more images is a query, its gallery is all other
images (persons with one image are distractors), a hit if the most similar image is of the same
person. Intervals: 95 %, percentile bootstrap over persons.

Does not show: the effect of the detector's keypoints on the crops, the gap between press photos and
web photos (small, turned, made up, old), nor differences between groups of people: the data has no
such labels.
"""

from pathlib import Path

import cv2
import numpy as np

from evals.options import EvalOptions
from evals.suites.weights.face_pairs import EmbeddingPairs, with_intervals
from evals.suites.weights.further_embedders import further_embedder_figures
from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import keypoints_from_landmarks, warp
from tools.faces.analyser import recognition_matrix

RECOGNITION = WEIGHTS_DIR / "faces" / "recognition.onnx"
BATCH = 64


def run(options: EvalOptions) -> dict[str, object]:
    """Measure AUC, TAR at two FARs, their cosine thresholds and rank-1, with intervals."""
    crops, names = read_val_crops(options.data, limit=options.limit)
    persons, person = np.unique(names, return_inverse=True)
    first = unit_embeddings(crops)
    pairs = EmbeddingPairs(first, person)
    return {
        "images": len(crops),
        "persons": len(persons),
        "queries": int(pairs.queries.sum()),
        "genuine_pairs": int(pairs.genuine.sum()),
        **with_intervals(pairs, seed=options.seed),
        "further": further_embedder_figures(options, first, person),
    }


def read_val_crops(data: Path, *, limit: int | None) -> tuple[list[np.ndarray], list[str]]:
    """112×112 uint8 BGR crops (insightface's order) of the val images, and their persons."""
    labels_file = data / "lfw" / "labels.npz"
    if not labels_file.is_file():
        raise SetupError(f"no labelled faces at {str(labels_file)!r}: pass --data DIR")
    with np.load(labels_file) as labels:
        chosen = np.flatnonzero(labels["split"] == "val")[:limit]
        paths = [str(path) for path in labels["path"][chosen]]
        landmarks = labels["landmarks68"][chosen].astype(np.float32)
    crops = []
    for path, points in zip(paths, landmarks, strict=True):
        pixels = cv2.imread(str(data / "lfw" / "images" / path), cv2.IMREAD_COLOR)
        if pixels is None:
            raise SetupError(f"cannot read {path!r} below {str(data)!r}: pass --data DIR")
        crops.append(
            warp(pixels, recognition_matrix(keypoints_from_landmarks(points), size=112), size=112)
        )
    return crops, [path.split("/")[0] for path in paths]


def unit_embeddings(crops: list[np.ndarray], weights: Path = RECOGNITION) -> np.ndarray:
    """Embed BGR crops with an ONNX file through insightface: (n, d) float32, unit length."""
    from insightface.model_zoo import get_model

    model = get_model(str(weights), providers=["CPUExecutionProvider"])
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    vectors = np.concatenate([model.get_feat(batch) for batch in batches])
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
