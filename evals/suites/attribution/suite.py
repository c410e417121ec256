"""Which generator made a picture? Linear probes on frozen features predict the method.

The features are those of the shipped encoder, and of CLIP ViT-B/16 if `unmask setup` brought it.

Needs data with a class per generator (folder per class, or manifests with `method`); all authentic
pictures are one class. Every picture is predicted by a probe that was not trained on its source.
Baselines: always predicting the most common class, and the installed networks trained to name
generators (`evals.suites.attribution.networks`).

Does not show: results on unknown methods (they get one of the known names; rejecting unseen methods
is out of scope); nor that the probe uses traces of the generator: classes that differ in size, crop
or compression can be separated by those. If a row of the confusion matrix is all correct, look at
the files first.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assistant.settings import Settings
from evals.datasets import load
from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.plots import matrix
from evals.protocol.measured import MeasuredDataset, measure_dataset
from evals.protocol.probes import Predictions, cross_val_predict_proba
from evals.runs.samples import SampleWriter
from evals.suites.attribution.networks import AttributionNetwork, installed_networks
from evals.suites.leakage.suite import sources_of
from tools.detectors.clip_heads.tower_head import MARGIN, SIZE
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError
from tools.metrics import auc, grouped_interval, mean

REAL = "real"
_READ = {"face": "the face", "image": "the picture", "both": "face and picture"}
BLOCKS = (4, 8, 12)
"""Blocks of CLIP ViT-B/16 that are read: generators leave traces in early ones, too."""
FEWEST, MOST = 6, 300  # minimum and maximum pictures per class; above the maximum, a random choice


@dataclass(frozen=True, slots=True, eq=False)
class AttributionResult:
    """Pictures (n,) with true class, source and prediction.

    `rows` (n,) are their indices among all measured pictures.
    """

    truth: np.ndarray
    sources: np.ndarray
    said: Predictions
    rows: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """(n,) bool."""
        named: np.ndarray = self.said.predicted == self.truth
        return named

    @property
    def confusion(self) -> np.ndarray:
        """(k, k) counts: true class by row, predicted class by column."""
        return confusion(self._code(self.truth), self._code(self.said.predicted), self._count)

    def figures(self) -> dict[str, object]:
        """Accuracy, macro F1, recall by class, and separation of authentic from each method."""
        true, named = self._code(self.truth), self._code(self.said.predicted)

        def f1(one: np.ndarray, other: np.ndarray) -> float:
            return macro_f1(confusion(one, other, self._count))

        counts = self.confusion
        return {
            "images": len(self.truth),
            "accuracy": mean(self.right),
            "accuracy_95": grouped_interval(mean, self.sources, self.right.astype(float)),
            "macro f1": f1(true, named),
            "macro f1_95": grouped_interval(f1, self.sources, true, named),
            "recall": {
                str(name): float(row[place] / row.sum())
                for place, (name, row) in enumerate(zip(self.said.classes, counts, strict=True))
                if row.any()
            },
            "auc against real": self._against_real(),
        }

    def _against_real(self) -> dict[str, float]:
        """How well the probe ranks each method's pictures above authentic ones."""
        logs = np.log(np.maximum(self.said.probabilities, np.finfo(float).tiny))
        column = {str(name): logs[:, place] for place, name in enumerate(self.said.classes)}
        found = {}
        for name in column if REAL in column else ():
            rows = np.isin(self.truth, [name, REAL])
            if name != REAL and name in self.truth:
                scores = (column[name] - column[REAL])[rows]
                found[name] = auc(scores, self.truth[rows] == name)
        return found

    def _code(self, classes: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.said.classes, classes)

    @property
    def _count(self) -> int:
        return len(self.said.classes)


def run(options: EvalOptions) -> dict[str, object]:
    """Predict the generator from features of the face, the picture and both; evaluate networks."""
    manifest = sample_classes(load(options.data, options.layout), seed=options.seed)
    measured = measure_dataset(
        manifest.sample(options.limit, options.seed), replace(options, limit=None)
    )
    kept = _enough(measured)
    classes = np.array([class_of(row) for row in kept.rows])
    names, counts = np.unique(classes, return_counts=True)
    if len(names) < 2:
        raise SetupError(
            f"fewer than two classes with {FEWEST} pictures in {str(options.data)!r}: "
            "attribution needs a folder per generator"
        )
    found = attributions(kept, classes, options)
    not_asked: list[str] = []
    asked = {
        network.title: attribute_with_network(network, kept, classes, options)
        for network in installed_networks(not_asked.append)
    }
    told = found | {name: one for name, (one, _) in asked.items() if one is not None}
    _keep(kept, classes, told, options)
    return {
        "classes": {str(name): int(count) for name, count in zip(names, counts, strict=True)},
        "without a face": int((~kept.found).sum()),
        "skipped files": len(measured.skipped),
        "not_asked": not_asked,
        "majority": majority(classes),
        **{name: one.figures() for name, one in found.items()},
        **{
            name: {**notes, **(one.figures() if one is not None else {})}
            for name, (one, notes) in asked.items()
        },
    }


def attributions(
    pictures: MeasuredDataset, classes: np.ndarray, options: EvalOptions
) -> dict[str, AttributionResult]:
    """Results by input; pictures without a face are left out for face inputs."""
    both = np.concatenate([pictures.face_features, pictures.image_features], axis=1)
    inputs = {"face": pictures.face_features, "image": pictures.image_features, "both": both}
    tower = PretrainedTower.installed(Settings.load().models_dir)
    if tower is not None:
        inputs["CLIP ViT-B/16"] = tower_features(tower, pictures, options)
    sources = np.array(sources_of(pictures.rows))
    found = {}
    for number, (name, features) in enumerate(inputs.items()):
        options.progress(number, len(inputs), f"naming the generator from: {name}")
        rows = np.flatnonzero(np.isfinite(features).all(axis=1))
        if len(np.unique(classes[rows])) < 2:
            continue
        said = cross_val_predict_proba(
            features[rows],
            classes[rows].tolist(),
            sources=sources[rows].tolist(),
            seed=options.seed,
        )
        found[name] = AttributionResult(classes[rows], sources[rows], said, rows)
    return found


def tower_features(
    tower: PretrainedTower, pictures: MeasuredDataset, options: EvalOptions
) -> np.ndarray:
    """(n, d) float32: class tokens of early, middle and late blocks of the face and of the picture.

    NaN rows without a face.
    """
    found = list[np.ndarray]()
    slots = [block - 1 for block in BLOCKS]
    for row in range(len(pictures)):
        options.progress(row, len(pictures), "measuring with CLIP ViT-B/16")
        crops = [pictures.face_crop(row, size=SIZE, margin=MARGIN), pictures.picture(row)]
        features = tower.block_features(crops)[:, slots].astype(np.float32).reshape(-1)
        found.append(features if pictures.found[row] else np.full_like(features, np.nan))
    return np.stack(found)


def attribute_with_network(
    network: AttributionNetwork,
    pictures: MeasuredDataset,
    classes: np.ndarray,
    options: EvalOptions,
) -> tuple[AttributionResult | None, dict[str, object]]:
    """A trained network's predictions on pictures outside its training data, and notes.

    A class unknown to the network is always predicted wrongly. None if all pictures were training
    data.
    """
    options.progress(0, 0, f"naming the generator by {network.title}")
    rows = np.array([at for at in range(len(pictures)) if network.may_be_asked(pictures, at)], int)
    notes: dict[str, object] = {"left out as learnt": len(pictures) - len(rows)}
    if not len(rows):
        return None, notes
    names, found = network.probabilities(pictures, rows, real=REAL)
    columns = np.unique([*names, *classes[rows]])
    wide = np.zeros((len(rows), len(columns)))
    wide[:, np.searchsorted(columns, names)] = found
    sources = np.array(sources_of(pictures.rows))[rows]
    one = AttributionResult(classes[rows], sources, Predictions(columns, wide), rows)
    notes["classes it never learnt"] = ", ".join(sorted({*map(str, classes[rows])} - {*names}))
    return one, notes | {"majority": majority(classes[rows])}


def majority(classes: np.ndarray) -> dict[str, float]:
    """Result of always predicting the most common class."""
    _, true = np.unique(classes, return_inverse=True)
    counts = np.bincount(true)
    always = np.full(len(true), counts.argmax())
    return {
        "accuracy": float(counts.max() / counts.sum()),
        "macro f1": macro_f1(confusion(true, always, len(counts))),
    }


def confusion(true: np.ndarray, named: np.ndarray, count: int) -> np.ndarray:
    """(count, count): how often each class (row) was predicted as each (column)."""
    return np.bincount(true * count + named, minlength=count * count).reshape(count, count)


def macro_f1(counts: np.ndarray) -> float:
    """Mean of 2·TP / (true + predicted) over the classes that occur."""
    sizes = counts.sum(axis=0) + counts.sum(axis=1)
    there = sizes > 0
    return mean(2 * np.diag(counts)[there] / sizes[there])


def class_of(row: ManifestRow) -> str:
    """`real`, or the method of a fake."""
    return REAL if row.label == "real" else row.method or "unnamed method"


def sample_classes(manifest: Manifest, *, seed: int) -> Manifest:
    """At most `MOST` random pictures per class; none with an unknown label."""
    of: Mapping[str, list[ManifestRow]] = defaultdict(list)
    for row in manifest.rows:
        if row.label != "unknown":
            of[class_of(row)].append(row)
    rng = np.random.default_rng(seed)
    kept = {rows[place] for rows in of.values() for place in rng.permutation(len(rows))[:MOST]}
    return manifest.where(kept.__contains__)


def _enough(measured: MeasuredDataset) -> MeasuredDataset:
    """The classes with enough pictures for training and test."""
    classes = np.array([class_of(row) for row in measured.rows])
    names, counts = np.unique(classes, return_counts=True)
    return measured.take(np.flatnonzero(np.isin(classes, names[counts >= FEWEST])))


def _keep(
    pictures: MeasuredDataset,
    classes: np.ndarray,
    found: Mapping[str, AttributionResult],
    options: EvalOptions,
) -> None:
    """Write samples, and a confusion matrix per input."""
    samples, sources = SampleWriter(options.output), sources_of(pictures.rows)
    said: dict[str, dict[str, str]] = {name: {} for name in pictures.ids}
    for name, one in found.items():
        for place, predicted in zip(one.rows, one.said.predicted, strict=True):
            said[pictures.ids[place]][name] = str(predicted)
        matrix.confusion(
            options.output, f"attribution_{name.replace('/', '_')}", one.confusion,
            rows=[*map(str, one.said.classes)], columns=[*map(str, one.said.classes)],
            title=f"Which generator? Input: {_READ.get(name, name)}",
            caption="Differences in size or "
            "compression can also separate the classes.",
        )  # fmt: skip
    for name, source, truth in zip(pictures.ids, sources, classes, strict=True):
        values = {key: float(value == truth) for key, value in said[name].items()}
        samples.query(id=name, group=source, values=values, truth=str(truth), named=said[name])
