"""Whole-image networks: what they learn from a folder per class, store and show."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from tools.detectors.folders import find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.detectors.networks.architectures import ARCHITECTURES, build_network
from tools.detectors.networks.class_labels import ClassMapping
from tools.detectors.networks.classifier import ClassifierNetwork, resize_exactly, save_classifier
from tools.detectors.protocol import PixelDetector
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.media.pictures.decoding import read_photo
from tools.training.data.class_folders import (
    SPLIT,
    ClassFolderDataset,
    read_class_folders,
    seen_in_training,
    split_by_group,
)
from tools.training.detectors.classifier import main, train
from tools.training.detectors.classifier_card import ClassifierEvaluation
from tools.training.detectors.classifier_run import ClassifierOptions, ClassifierRun

CLASSES = {"authentic": (200, 90, 90), "reenactment": (90, 200, 90), "stylegan": (90, 90, 200)}
COLOURS = list(CLASSES.values())
QUICK = ClassifierOptions(
    "small_cnn", height=24, width=20, batch=8, rate=3e-3, epochs=5, threads=1, device="cpu"
)


def write(folder: Path, pixels: np.ndarray, name: str) -> None:
    """One PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(folder / name), pixels[:, :, ::-1])


def noise(rng: np.random.Generator, colour: tuple[int, int, int]) -> np.ndarray:
    """(24, 20, 3) uint8 around a colour."""
    return np.clip(rng.normal(colour, 40, (24, 20, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of coloured noise: two pictures of each of twelve persons in every class."""
    root, rng = tmp_path_factory.mktemp("classes"), np.random.default_rng(0)
    for label, colour in CLASSES.items():
        for number in range(24):
            write(root / label, noise(rng, colour), f"person{number // 2:02d}__{number % 2}.png")
    return root


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the trained network lies."""
    return tmp_path_factory.mktemp("shelf") / "noise"


@pytest.fixture(scope="module")
def trained(folder: Path, out: Path) -> ClassifierEvaluation:
    """The small network, trained on them."""
    return train(read_class_folders(folder), QUICK, out=out)


@pytest.fixture(scope="module")
def detector(trained: ClassifierEvaluation, out: Path) -> PixelDetector:
    """The same, from the shelf."""
    (found,) = find_stored_detectors([out.parent])
    read = load_detector(found, Encoder.load(Path("tools/checkpoints/weights/encoder"), threads=1))
    assert isinstance(read, PixelDetector)
    return read


def test_coloured_noise_is_told_apart(trained: ClassifierEvaluation) -> None:
    """Classes that differ are named on persons that were not learnt, better than the majority."""
    assert trained.figures["accuracy"] > 0.9
    assert trained.figures["macro f1"] > 0.9
    assert trained.figures["auc fake against real"] > 0.9
    assert trained.figures["majority accuracy"] < 0.5
    assert trained.confusion.sum() == trained.figures["pictures"]


@pytest.mark.parametrize("network", sorted(set(ARCHITECTURES) - {"small_cnn"}))
def test_each_of_timms_learns(network: str, folder: Path, tmp_path: Path) -> None:
    """A step on one batch moves every weight of each family, and makes that batch's loss less."""
    parts = split_by_group(read_class_folders(folder).pictures, seed=0)
    options = replace(QUICK, network=network, height=36, width=34, rate=1e-3)
    run = ClassifierRun(parts, {it: at for at, it in enumerate(CLASSES)}, options, folder=tmp_path)
    first = {name: it.clone() for name, it in run.network.named_parameters()}
    pixels = np.stack([cv2.resize(noise(np.random.default_rng(1), it), (34, 36)) for it in COLOURS])
    losses = [run.learn(pixels, torch.tensor([0, 1, 2])) for _ in range(3)]
    assert all(not torch.equal(it, first[name]) for name, it in run.network.named_parameters())
    assert losses[-1] < losses[0]


def test_fake_pictures_score_higher(detector: PixelDetector) -> None:
    """The log-odds are of all that is fake: positive for both generators, negative for real."""
    rng = np.random.default_rng(5)
    scores = detector.score_images([noise(rng, colour) for colour in COLOURS])
    assert scores.dtype == np.float64
    assert scores[0] < 0 < min(scores[1:])


def test_attribution_is_a_distribution(detector: ClassifierNetwork) -> None:
    """A row a picture, summing to one, and the log-odds follow from it; none for no picture."""
    rng = np.random.default_rng(6)
    pictures = [noise(rng, colour) for colour in COLOURS]
    said = detector.attribute(pictures)
    assert detector.classes.labels == tuple(CLASSES)
    assert said.sum(axis=1) == pytest.approx(1)
    assert said.argmax(axis=1).tolist() == [0, 1, 2]
    odds = np.log((said[:, 1] + said[:, 2]) / said[:, 0])
    assert detector.score_images(pictures) == pytest.approx(odds, abs=1e-4)
    assert detector.score_images([]).shape == (0,)


@pytest.mark.parametrize("binary", [False, True])
def test_the_order_of_the_labels_flips_nothing(binary: bool, tmp_path: Path) -> None:
    """Fake named first or last: with the outputs in that order too the scores are the same."""
    rng = np.random.default_rng(7)
    pictures = [noise(rng, colour) for colour in COLOURS]
    network = build_network("small_cnn", outputs=1 if binary else 2, height=24, width=20)
    state = network.state_dict()
    turned = dict(state)
    for name in () if binary else ("head.1.weight", "head.1.bias"):
        turned[name] = state[name].flip(0)
    found = []
    for number, (weights, labels) in enumerate([(state, "real fake"), (turned, "fake real")]):
        classes = {label: label for label in labels.split()}
        kept = save_classifier(tmp_path / str(number), weights, settings(classes, binary), **SAID)
        found.append(ClassifierNetwork.load(kept).score_images(pictures))
    assert np.allclose(found[0], found[1], atol=1e-6)
    assert abs(found[0]).min() > 1e-4


SAID = {"licence": "none", "trained_on": "nothing"}


def settings(classes: Mapping[str, str], binary: bool = False) -> dict[str, object]:
    """Of a small network for small pictures."""
    return {
        "network": "small_cnn", "classes": classes, "binary": binary, "height": 24, "width": 20,
    }  # fmt: skip


def test_what_is_read_back_scores_the_same(tmp_path: Path) -> None:
    """Weights, classes and size survive the shelf: not a bit of the scores changes."""
    torch.manual_seed(3)
    network = build_network("small_cnn", outputs=3, height=24, width=20).eval()
    classes = ClassMapping(fake=(1, 2), real=(0,), labels=tuple(CLASSES))
    ours = ClassifierNetwork(network, "small_cnn", classes, 24, 20, "it", "")
    named = {"authentic": "real", "reenactment": "fake", "stylegan": "fake"}
    kept = save_classifier(tmp_path / "it", network.state_dict(), settings(named), **SAID)
    rng = np.random.default_rng(8)
    pictures = [noise(rng, (120, 120, 120)), np.full((50, 70, 3), 90, np.uint8)]
    again = ClassifierNetwork.load(kept)
    assert again.name == "it"
    assert again.sha256 == kept.sha256
    assert np.array_equal(ours.score_images(pictures), again.score_images(pictures))
    assert np.array_equal(ours.attribute(pictures), again.attribute(pictures))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """A folder whose description and weights do not fit is named, not half read."""
    state = build_network("small_cnn", outputs=3, height=24, width=20).state_dict()
    kept = save_classifier(
        tmp_path / "it", state, settings({"real": "real", "fake": "fake"}), **SAID
    )
    with pytest.raises(SetupError, match="does not hold such a network"):
        ClassifierNetwork.load(kept)


def test_a_resumed_training_is_an_unbroken_one(folder: Path, tmp_path: Path) -> None:
    """Interrupted after its second epoch and started again: the same weights, bit for bit."""
    found = read_class_folders(folder)

    def interrupt(done: float, figures: Mapping[str, float]) -> None:
        if figures["epoch"] == 2:
            raise KeyboardInterrupt

    options = replace(QUICK, epochs=4)
    whole = train(found, options, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(found, options, out=tmp_path / "broken", progress=interrupt)
    seen: list[float] = []
    again = train(
        found, options, out=tmp_path / "broken", progress=lambda _, it: seen.append(it["epoch"])
    )
    assert seen == [3, 4]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken")]
    assert weights[0] == weights[1]
    assert again.at.best_loss == whole.at.best_loss
    with pytest.raises(SetupError, match="another training"):
        train(found, replace(options, rate=1e-4), out=tmp_path / "broken")


def test_a_training_that_gets_no_better_ends(folder: Path, tmp_path: Path) -> None:
    """It stops long before its epochs are over, at the weights that were best."""
    options = replace(QUICK, rate=3.0, epochs=40, patience=2)
    at = train(read_class_folders(folder), options, out=tmp_path / "it").at
    assert at.ended_by == "patience"
    assert at.best_step < at.step < 40 * 6


def test_the_warmth_lies_on_the_patch(tmp_path: Path) -> None:
    """Where fakes are told by a patch that may be anywhere, Grad-CAM is warmest on it."""
    rng, rows, corners = np.random.default_rng(10), [], {}
    for number in range(48):
        label = ("real", "fake")[number % 2]
        pixels = rng.integers(60, 190, (64, 48, 3)).astype(np.uint8)
        top, left = int(rng.integers(0, 40)), int(rng.integers(0, 24))
        if label == "fake":
            pixels[top : top + 24, left : left + 24] = (250, 20, 20)
        write(tmp_path / label, pixels, f"{number}.png")
        rows.append((tmp_path / label / f"{number}.png", label, str(number)))
        corners[str(number)] = top, left
    options = replace(QUICK, height=64, width=48, epochs=8, rate=1e-2, mirrored=False)
    train(read_class_folders(tmp_path), options, out=tmp_path / "out" / "it")
    (found,) = find_stored_detectors([tmp_path / "out"])
    network = ClassifierNetwork.load(found)
    test = split_by_group(in_folders_without(tmp_path, "out").pictures, seed=0)["test"]
    hits = []
    for picture in (it for it in test if it.label == "fake"):
        pixels = read_photo(picture.path).pixels
        heat = network.heatmap(pixels)
        assert heat.shape == pixels.shape[:2]
        assert heat.dtype == np.float32
        top, left = corners[picture.group]
        inside = np.zeros(heat.shape, bool)
        inside[top : top + 24, left : left + 24] = True
        hits.append(heat[inside].mean() > heat[~inside].mean() + 1)
    assert hits
    assert np.mean(hits) > 0.7


def in_folders_without(root: Path, name: str) -> ClassFolderDataset:
    """The classes of a folder, without one."""
    found = read_class_folders(root)
    kept = tuple(it for it in found.pictures if it.label != name)
    return replace(found, pictures=kept)


@pytest.mark.parametrize("network", ARCHITECTURES)
def test_every_family_has_a_heat_map(network: str, astronaut: np.ndarray) -> None:
    """At the thesis' size, which is not square, and at the picture's own size."""
    torch.manual_seed(4)
    built = build_network(network, outputs=3, height=218, width=178).eval()
    for name, parameter in built.named_parameters():
        # Timm sets last layers of a ViT to zero: then nothing raises a score.
        if name.startswith("head."):
            nn.init.normal_(parameter, std=0.1)
    it = ClassifierNetwork(
        built, network, ClassMapping((1, 2), (0,), ("r", "f", "g")), 218, 178, "", ""
    )
    heat = it.heatmap(astronaut[:300, :400])
    assert heat.shape == (300, 400)
    assert np.isfinite(heat).all()
    assert heat.min() >= -1
    assert heat.max() > 0
    assert it.attribute([astronaut]).shape == (1, 3)
    assert not any(module._forward_hooks for module in built.modules())


def test_a_vit_starts_from_timms_weights(tmp_path: Path) -> None:
    """Positions are resized to our pictures, the last layer is new, all else is as published."""
    name = "vit_tiny_patch16_224"
    published = timm.create_model(name, pretrained=False, num_classes=7).state_dict()
    save_file(published, tmp_path / "model.safetensors")
    ours = build_network(
        name, outputs=2, height=218, width=178, start=tmp_path / "model.safetensors"
    ).state_dict()
    assert torch.equal(ours["blocks.11.mlp.fc1.weight"], published["blocks.11.mlp.fc1.weight"])
    assert ours["pos_embed"].shape[1] == 13 * 11 + 1
    assert ours["head.weight"].shape[0] == 2
    with pytest.raises(SetupError, match="is not safetensors"):
        build_network(name, outputs=2, height=218, width=178, start=tmp_path / "model.bin")
    with pytest.raises(SetupError, match="unknown network"):
        build_network("resnet51", outputs=2, height=218, width=178)


def test_the_card_says_all_of_it(trained: ClassifierEvaluation, folder: Path, out: Path) -> None:
    """Confusion, figures, hyper-parameters and the split; the split knows what was learnt."""
    card = (out / "CARD.md").read_text("utf-8")
    split = json.loads((out / SPLIT).read_text("utf-8"))
    for told in ("accuracy", "macro f1", "| rate | 0.003 |", "| seed | 0 |", split["digest"]):
        assert told in card
    assert f"| authentic | {' | '.join(map(str, trained.confusion[0]))} |" in card
    parts, learnt = (
        split_by_group(read_class_folders(folder).pictures, seed=0),
        seen_in_training(out),
    )
    assert all(learnt(it.sha256) for it in parts["learn"] + parts["judge"])
    assert not any(learnt(it.sha256) for it in parts["test"])
    assert not seen_in_training(folder)(parts["learn"][0].sha256)


def test_binary_from_the_command_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--binary` makes one fake class of both generators, by AdaGrad, named real and fake."""
    told = ["--height", "24", "--width", "20", "--batch", "8", "--rate", "0.05", "--epochs", "6"]
    main([
        "small_cnn", str(folder), "--out", str(tmp_path / "it"), "--binary", *told,
        "--device", "cpu", "--threads", "1", "--no-track",
    ])  # fmt: skip
    assert "test accuracy" in capsys.readouterr().out
    (found,) = find_stored_detectors([tmp_path])
    network = ClassifierNetwork.load(found)
    assert network.classes.labels == ("real", "fake")
    rng = np.random.default_rng(11)
    pictures = [noise(rng, colour) for colour in COLOURS]
    scores = network.score_images(pictures)
    assert scores[0] < min(scores[1:])
    assert network.attribute(pictures)[:, 1] == pytest.approx(1 / (1 + np.exp(-scores)))
    assert "AdaGrad, binary cross-entropy" in (tmp_path / "it" / "CARD.md").read_text("utf-8")


def test_what_is_tracked(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A training is in MLflow's local store: options, curve, what the test part said, the card."""
    from mlflow import MlflowClient

    told = ["--height", "24", "--width", "20", "--batch", "8", "--rate", "0.003", "--epochs", "2"]
    told += ["--device", "cpu", "--threads", "1"]
    main(["small_cnn", str(folder), "--out", str(tmp_path / "it"), *told])
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    shown = capsys.readouterr().out
    assert f"tracked: mlflow ui --backend-store-uri {uri}" in shown
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("unmask/classifiers")
    assert experiment is not None
    (kept,) = client.search_runs([experiment.experiment_id])
    assert (kept.data.params["rate"], kept.data.params["epochs"]) == ("0.003", "2")
    accuracy = kept.data.metrics["test accuracy"]
    assert f"test accuracy: {accuracy:.4g}" in shown
    assert len(client.get_metric_history(kept.info.run_id, "curve/judged accuracy")) == 2
    files = {it.path for it in client.list_artifacts(kept.info.run_id)}
    assert files == {"detector.json", "CARD.md", "split.json"}


def test_nothing_is_tracked_unasked(folder: Path, tmp_path: Path) -> None:
    """With --no-track there is no store."""
    told = ["--height", "24", "--width", "20", "--epochs", "1", "--device", "cpu", "--no-track"]
    main(["small_cnn", str(folder), "--out", str(tmp_path / "it"), *told, "--threads", "1"])
    assert {it.name for it in tmp_path.iterdir()} == {"it"}


def test_pictures_are_checked() -> None:
    """Another array than a picture is refused; one of that size is left as it is."""
    picture = np.arange(24 * 20 * 3, dtype=np.uint8).reshape(24, 20, 3)
    assert np.array_equal(resize_exactly(picture, height=24, width=20), picture)
    assert resize_exactly(picture, height=12, width=40).shape == (12, 40, 3)
    with pytest.raises(ValueError, match="uint8 RGB"):
        resize_exactly(picture.astype(float), height=24, width=20)
