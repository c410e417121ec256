"""Generator attribution on features with a known answer."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import f1_score
from torch import nn

from evals.datasets.manifest import Manifest, ManifestRow
from evals.options import EvalOptions
from evals.protocol.measured import MeasuredDataset
from evals.protocol.probes import Predictions, cross_val_predict_proba
from evals.suites.attribution.networks import AttributionNetwork
from evals.suites.attribution.suite import (
    AttributionResult,
    attribute_with_network,
    class_of,
    confusion,
    macro_f1,
    majority,
    sample_classes,
)
from tools.detectors.networks.class_labels import ClassMapping
from tools.detectors.networks.classifier import ClassifierNetwork
from tools.media.hashing import file_sha256

CLASSES = np.repeat(["gan", "real", "sd"], 30)
SOURCES = np.array([f"s{place}" for place in range(90)])


def _attributed(features: np.ndarray) -> AttributionResult:
    said = cross_val_predict_proba(features, CLASSES.tolist(), sources=SOURCES.tolist())
    return AttributionResult(CLASSES, SOURCES, said, np.arange(len(CLASSES)))


def test_a_trace_of_each_generator_names_them_all() -> None:
    """Features that say the class: accuracy, macro F1, every recall and every AUC are 1."""
    traces = np.eye(3)[np.unique(CLASSES, return_inverse=True)[1]]
    noise = np.random.default_rng(0).normal(size=(90, 3))
    found = _attributed(traces + 0.01 * noise).figures()
    assert found["accuracy"] == found["macro f1"] == 1.0
    assert found["accuracy_95"] == (1.0, 1.0)
    assert found["recall"] == {"gan": 1.0, "real": 1.0, "sd": 1.0}
    assert found["auc against real"] == {"gan": 1.0, "sd": 1.0}


def test_noise_is_named_as_chance_has_it() -> None:
    """Features without a trace: 1/3 lies in the interval of the accuracy."""
    low, high = _attributed(np.random.default_rng(1).normal(size=(90, 8))).figures()["accuracy_95"]  # type: ignore[misc]
    assert low <= 1 / 3 <= high


def test_what_one_generator_leaves_tells_it_alone() -> None:
    """A trace of `gan` only: it is told from real, `sd` is not."""
    features = np.random.default_rng(2).normal(size=(90, 4))
    features[:30, 0] += 20
    aucs = _attributed(features).figures()["auc against real"]
    assert aucs["gan"] == 1.0  # type: ignore[index]
    assert 0.25 < aucs["sd"] < 0.75  # type: ignore[index]


def test_counts_recall_and_f1_by_hand() -> None:
    """Five pictures with known names.

    truth a a a b b, named a a b b a: confusion [[2, 1], [1, 1]]; recall a 2/3, b 1/2;
    F1 a 2·2/(3+3) = 2/3, b 2·1/(2+2) = 1/2, macro 7/12; accuracy 3/5.
    """
    truth = np.array(["a", "a", "a", "b", "b"])
    named = np.array(["a", "a", "b", "b", "a"])
    said = Predictions(np.array(["a", "b"]), np.eye(2)[(named == "b").astype(int)])
    one = AttributionResult(truth, np.array(["1", "2", "3", "4", "5"]), said, np.arange(5))
    assert one.confusion.tolist() == [[2, 1], [1, 1]]
    found = one.figures()
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["recall"] == {"a": pytest.approx(2 / 3), "b": 0.5}
    assert found["macro f1"] == pytest.approx(7 / 12)
    assert found["auc against real"] == {}


def test_macro_f1_is_scikit_learns() -> None:
    """The same number as scikit-learn's on random names."""
    rng = np.random.default_rng(3)
    true, named = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    ours = macro_f1(confusion(true, named, 4))
    assert ours == pytest.approx(f1_score(true, named, average="macro"))


def test_the_majority_by_hand() -> None:
    """Three of four are x: accuracy 3/4; F1 of x 2·3/(3+4) = 6/7, of y 0, macro 3/7."""
    found = majority(np.array(["x", "x", "x", "y"]))
    assert found == {"accuracy": 0.75, "macro f1": pytest.approx(3 / 7)}


def test_classes_are_methods_and_all_that_is_real(tmp_path: Path) -> None:
    """Authentic pictures are one class whatever their folder; unknown labels are in none."""
    rows = (
        ManifestRow("a.jpg", "test", "real", method="ffhq"),
        ManifestRow("b.jpg", "test", "fake", method="gan"),
        ManifestRow("c.jpg", "test", "fake"),
        ManifestRow("d.jpg", "test", "unknown"),
    )
    kept = sample_classes(Manifest("test", tmp_path, rows), seed=0).rows
    assert [class_of(row) for row in kept] == ["real", "gan", "unnamed method"]


class ByColour(nn.Module):
    """Names the class of whichever colour is strongest: red, green or blue."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(10.0))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) to (n, 3)."""
        return self.scale * pictures.mean(dim=(2, 3))


def _network(learnt: set[str]) -> AttributionNetwork:
    classes = ClassMapping(fake=(0, 1), real=(2,), labels=("gan", "sd", "authentic"))
    it = ClassifierNetwork(ByColour(), "small_cnn", classes, 8, 8, "colours", "")
    return AttributionNetwork("image/colours", it, learnt.__contains__)


def _measured(folder: Path, colours: Mapping[str, tuple[int, int, int]]) -> MeasuredDataset:
    """A picture of each name's colour; its class is the name before the dot."""
    for name, colour in colours.items():
        Image.new("RGB", (8, 8), colour).save(folder / f"{name}.png")
    methods = {name: name.partition(".")[0] for name in colours}
    rows = tuple(
        ManifestRow(
            f"{name}.png", "t", "real" if methods[name] == "real" else "fake", method=methods[name]
        )
        for name in colours
    )
    count = len(rows)
    return MeasuredDataset(
        folder, rows, tuple(colours), (None,) * count, (None,) * count, np.zeros((count, 2)),
        (False,) * count, (),
    )  # fmt: skip


RED, GREEN, BLUE = (250, 10, 10), (10, 250, 10), (10, 10, 250)


def test_a_network_names_what_it_learnt_and_nothing_else(tmp_path: Path) -> None:
    """Its authentic class is `real`; a method that it never learnt is always named wrongly."""
    pictures = _measured(
        tmp_path, {"gan.1": RED, "gan.2": GREEN, "real.1": BLUE, "sd.1": GREEN, "flux.1": RED}
    )
    classes = np.array([class_of(row) for row in pictures.rows])
    one, notes = attribute_with_network(_network(set()), pictures, classes, EvalOptions(tmp_path))
    assert one is not None
    assert one.said.classes.tolist() == ["flux", "gan", "real", "sd"]
    assert one.said.predicted.tolist() == ["gan", "sd", "real", "sd", "gan"]
    found = one.figures()
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["recall"] == {"flux": 0.0, "gan": 0.5, "real": 1.0, "sd": 1.0}
    assert notes["classes it never learnt"] == "flux"
    assert notes["majority"] == majority(classes)


def test_a_network_is_not_asked_about_what_it_learnt(tmp_path: Path) -> None:
    """Pictures of its training are left out and counted; a class without pictures has no recall."""
    pictures = _measured(tmp_path, {"gan.1": RED, "real.1": BLUE, "real.2": (240, 9, 9)})
    classes = np.array([class_of(row) for row in pictures.rows])
    learnt = {file_sha256(tmp_path / "gan.1.png")}
    one, notes = attribute_with_network(_network(learnt), pictures, classes, EvalOptions(tmp_path))
    assert one is not None
    assert one.rows.tolist() == [1, 2]
    assert one.figures()["recall"] == {"real": 0.5}
    assert notes["left out as learnt"] == 1
    all_of_it = {file_sha256(file) for file in tmp_path.iterdir()}
    none, notes = attribute_with_network(
        _network(all_of_it), pictures, classes, EvalOptions(tmp_path)
    )
    assert none is None
    assert notes == {"left out as learnt": 3}
