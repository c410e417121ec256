"""Evaluate a face embedder that is not shipped: a training checkpoint or a teacher.

    python -m evals.suites.weights.embedder_candidate FILE.onnx --data ../shared/data

Data: the `val` persons of `data/lfw`, and the real face swaps of `data/deepfakes`. *Verification*
and *rank-1*: the protocol of `evals.suites.weights.embedder`, with a third false accept rate.
*Swaps*: each person depicted by swaps is a query, with the authentic picture in the table; the
gallery is all swaps, all bodies' pictures and all `val` photographs; mAP of retrieving that
person's swaps, and the similarity of a swap to the depicted person and to its body. Faces of
`deepfakes` are found by the shipped detector; a picture without one counts as never retrieved.

Does not show: much about swaps. There are 32, most of them frames of a few clips.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from evals.datasets.csv_table import find_table, read_lines
from evals.options import EvalOptions
from evals.suites.weights.embedder import read_val_crops, unit_embeddings
from evals.suites.weights.face_pairs import EmbeddingPairs, with_intervals
from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import warp
from tools.faces.analyser import FaceAnalyser, recognition_matrix
from tools.metrics.retrieval import average_precision

PACK = WEIGHTS_DIR / "faces"
FALSE_ACCEPT_RATES = (1e-2, 1e-3, 1e-4)
COLUMNS = ("fake", "authentic_source", "authentic_target")


@dataclass(frozen=True, slots=True)
class Swap:
    """A swapped picture, and the authentic pictures of the depicted person and of the body."""

    fake: str
    source: str
    target: str


def figures(weights: Path, options: EvalOptions) -> dict[str, object]:
    """Verification and rank-1 on `val`, and the retrieval of real swaps among them."""
    crops, names = read_val_crops(options.data, limit=options.limit)
    persons, person = np.unique(names, return_inverse=True)
    vectors = unit_embeddings(crops, weights)
    pairs = EmbeddingPairs(vectors, person, rates=FALSE_ACCEPT_RATES)
    return {
        "images": len(crops),
        "persons": len(persons),
        **with_intervals(pairs, seed=options.seed),
        **retrieval(swaps(options.data / "deepfakes"), options.data / "deepfakes", weights,
                    distractors=vectors),
    }  # fmt: skip


def swaps(folder: Path) -> list[Swap]:
    """The table of swaps. Raises SetupError if it is missing or has no usable row."""
    rows = read_lines(find_table(folder, "swaps.csv", COLUMNS), folder, "swaps.csv", COLUMNS)
    return [Swap(*(row[it] for it in COLUMNS)) for _, row in rows]


def retrieval(
    known: list[Swap], folder: Path, weights: Path, *, distractors: np.ndarray
) -> dict[str, float]:
    """mAP over depicted persons, and the mean cosine of swaps to persons and bodies."""
    paths = sorted({path for it in known for path in (it.fake, it.source, it.target)})
    vector = embedded(folder, paths, weights)
    to_person = [
        vector[it.fake] @ vector[it.source] for it in known if {it.fake, it.source} <= vector.keys()
    ]
    to_body = [
        vector[it.fake] @ vector[it.target] for it in known if {it.fake, it.target} <= vector.keys()
    ]
    return {
        "swaps": len(known),
        "swaps_without_a_face": sum(it.fake not in vector for it in known),
        "swap_map": mean_average_precision(known, vector, distractors),
        "swap_to_person_cosine": float(np.mean(to_person)),
        "swap_to_body_cosine": float(np.mean(to_body)),
    }


def mean_average_precision(
    known: list[Swap], vector: Mapping[str, np.ndarray], distractors: np.ndarray
) -> float:
    """mAP over the depicted persons whose authentic picture has a face; NaN without any."""
    gallery = [
        path
        for path in sorted({it.fake for it in known} | {it.target for it in known})
        if path in vector
    ]
    others = np.stack([vector[path] for path in gallery])
    found = []
    for source in sorted({it.source for it in known} & vector.keys()):
        theirs = {it.fake for it in known if it.source == source}
        cosines = np.concatenate([others, distractors]) @ vector[source]
        relevant = np.array([path in theirs for path in gallery] + [False] * len(distractors))
        # Ties count against us.
        order = np.lexsort((relevant, -cosines))
        found.append(average_precision(relevant[order].tolist(), len(theirs)))
    return float(np.mean(found)) if found else float("nan")


def embedded(folder: Path, paths: list[str], weights: Path) -> dict[str, np.ndarray]:
    """Unit vectors of each picture's largest face, by path; pictures without a face are left
    out."""
    analyser, crops = FaceAnalyser(PACK, threads=1), {}
    for path in paths:
        bgr = cv2.imread(str(folder / path), cv2.IMREAD_COLOR)
        if bgr is None:
            raise SetupError(f"cannot read {path!r} below {str(folder)!r}: pass --data DIR")
        places = [points for points, _ in analyser.find_faces(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))]
        if places:
            largest = max(places, key=lambda it: float(np.ptp(it, axis=0).prod()))
            crops[path] = warp(bgr, recognition_matrix(largest, size=112), size=112)
    return dict(zip(crops, unit_embeddings(list(crops.values()), weights), strict=True))


def main() -> None:
    """Parse the command line, measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--limit", type=int, help="photographs of `val`")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    asked = EvalOptions(data=options.data, limit=options.limit, seed=options.seed)
    print(json.dumps(figures(options.weights, asked), indent=1))


if __name__ == "__main__":
    main()
