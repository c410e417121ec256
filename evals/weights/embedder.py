"""Does the shipped embedder tell persons apart that it has never seen?

Data: the `val` persons of `data/lfw` (1,211 images of 574 people), none of them trained on.
Protocol: every image is aligned by its labelled landmarks as ArcFace does it and embedded by the
shipped ONNX file through insightface. *Verification*: all pairs of images, genuine when of one
person. *Rank-1*: every image of a person with two or more images is a query, its gallery is all
other images (persons with one image are distractors), a hit when the most similar is of the same
person. Intervals: 95 %, percentile bootstrap over persons.

Does not show: how the detector's keypoints move the crops, how far faces off the web (small,
turned, made up, old photos) fall behind press photos, nor how groups of people differ: the data
has no such labels.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from evals.metrics import mate_ranks, roc
from evals.options import EvalOptions
from tools.alignment import five_points, warp
from tools.errors import SetupError
from tools.faces import recognition_matrix

WEIGHTS = Path(__file__).resolve().parents[2] / "tools" / "weights" / "faces" / "recognition.onnx"
FALSE_ACCEPT_RATES = (1e-2, 1e-3)
ROUNDS = 200
BATCH = 64


def run(options: EvalOptions) -> dict[str, object]:
    """Measure AUC, TAR at two FARs, their cosine thresholds and rank-1, with intervals."""
    crops, names = read_val_crops(options.data, limit=options.limit)
    persons, person = np.unique(names, return_inverse=True)
    pairs = Pairs(unit_embeddings(crops), person)
    ones = np.ones(len(persons))
    measured = pairs.figures(ones)
    rng = np.random.default_rng(options.seed)
    draws = rng.multinomial(len(persons), ones / len(persons), size=ROUNDS)
    rounds = [pairs.figures(weights.astype(float)) for weights in draws]
    return {
        "images": len(crops),
        "persons": len(persons),
        "queries": int(pairs.queries.sum()),
        "genuine_pairs": int(pairs.genuine.sum()),
        **{
            name: {"value": value, "interval": _interval([figures[name] for figures in rounds])}
            for name, value in measured.items()
        },
    }


def read_val_crops(data: Path, *, limit: int | None) -> tuple[list[np.ndarray], list[str]]:
    """112×112 uint8 BGR crops (insightface's order) of the val images, and whose they are."""
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
        crops.append(warp(pixels, recognition_matrix(five_points(points), size=112), size=112))
    return crops, [path.split("/")[0] for path in paths]


def unit_embeddings(crops: list[np.ndarray]) -> np.ndarray:
    """Embed BGR crops with the shipped file through insightface: (n, d) float32, unit length."""
    from insightface.model_zoo import get_model

    model = get_model(str(WEIGHTS), providers=["CPUExecutionProvider"])
    batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
    vectors = np.concatenate([model.get_feat(batch) for batch in batches])
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of unit `embeddings` (n, d), images of `person` (n,) 0-based, best pair first."""

    embeddings: np.ndarray
    person: np.ndarray

    @cached_property
    def _similarity(self) -> np.ndarray:
        matrix: np.ndarray = self.embeddings @ self.embeddings.T
        return matrix

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.triu_indices(len(self.person), 1)
        order = np.argsort(-self._similarity[rows, columns], kind="stable")
        return rows[order], columns[order]

    @cached_property
    def genuine(self) -> np.ndarray:
        """Whether each pair is of one person."""
        rows, columns = self._order
        same: np.ndarray = self.person[rows] == self.person[columns]
        return same

    @cached_property
    def queries(self) -> np.ndarray:
        """Whether each image is of a person with further images."""
        more: np.ndarray = np.bincount(self.person)[self.person] > 1
        return more

    @cached_property
    def _hits(self) -> np.ndarray:
        others = self._similarity.copy()
        np.fill_diagonal(others, np.nan)
        return mate_ranks(others, self.person[:, None] == self.person) <= 1

    def figures(self, weights: np.ndarray) -> dict[str, float]:
        """Every figure when person p counts `weights[p]` times; NaN without genuine pairs."""
        rows, columns = self._order
        first, second = weights[self.person[rows]], weights[self.person[columns]]
        # A person drawn twice gives its own pairs twice, not pairs between its copies.
        weight = np.where(self.genuine, first, first * second)
        kept = weight > 0
        scores = self._similarity[rows[kept], columns[kept]]
        curve = roc(scores, self.genuine[kept], weights=weight[kept])
        if curve is None:
            return dict.fromkeys(_names(), float("nan"))
        found = {"auc": curve.area}
        for rate, name in zip(FALSE_ACCEPT_RATES, _rates(), strict=True):
            point = curve.at(rate)
            found[f"tar_at_far_{name}"] = point.tpr
            found[f"cosine_at_far_{name}"] = point.threshold
        asked = self.queries * weights[self.person]
        return {**found, "rank_1": float((asked * self._hits).sum() / asked.sum())}


def _rates() -> list[str]:
    return [f"{rate:g}" for rate in FALSE_ACCEPT_RATES]


def _names() -> list[str]:
    rates = [f"{what}_at_far_{rate}" for rate in _rates() for what in ("tar", "cosine")]
    return ["auc", *rates, "rank_1"]


def _interval(values: list[float]) -> tuple[float, float]:
    known = np.asarray(values)[~np.isnan(values)]
    if len(known) < 2:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
