"""Classifiers of transformers: which class is fake, and scores equal to transformers' own.

The checkpoints are tiny and random, of the real classes, saved to disk as published ones are.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from tools.detectors import ImageClassifier, PixelDetector
from tools.detectors.networks.class_labels import (
    CLASSES_FILE,
    ClassMapping,
    label_meaning,
    resolve_classes,
)
from tools.detectors.networks.classifier_folders import classifier_folders
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop

TOLERANCE = 1e-3
REAL_FIRST, FAKE_FIRST = ("Real", "Fake"), ("Deepfake", "Real")
SIDE = 32


def vit(labels: Mapping[str, Any]) -> tuple[Any, Any]:
    """The architecture of the Deep-Fake-Detector-Model."""
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        image_size=SIDE, patch_size=8, **labels,
    )  # fmt: skip
    size = {"height": SIDE, "width": SIDE}
    return transformers.ViTForImageClassification(config), transformers.ViTImageProcessor(size=size)


def convnext(labels: Mapping[str, Any]) -> tuple[Any, Any]:
    """Convolutions, and a processor that crops the centre."""
    config = transformers.ConvNextConfig(
        hidden_sizes=[16, 16, 32, 32], depths=[1, 1, 1, 1], image_size=SIDE, **labels
    )
    processor = transformers.ConvNextImageProcessor(size={"shortest_edge": SIDE}, crop_pct=0.9)
    return transformers.ConvNextForImageClassification(config), processor


def efficientnet(labels: Mapping[str, Any]) -> tuple[Any, Any]:
    """The thesis' family, with batch norms."""
    config = transformers.EfficientNetConfig(
        image_size=SIDE, width_coefficient=0.25, depth_coefficient=0.1, hidden_dim=320, **labels
    )
    size = {"height": SIDE, "width": SIDE}
    processor = transformers.EfficientNetImageProcessor(size=size)
    return transformers.EfficientNetForImageClassification(config), processor


def timm(labels: Mapping[str, Any]) -> tuple[Any, Any]:
    """A network of timm's, whose preprocessing stands in its own config."""
    cfg = {"input_size": [3, SIDE, SIDE], "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.9,
           "interpolation": "bicubic"}  # fmt: skip
    config = transformers.TimmWrapperConfig(
        architecture="resnet10t", do_pooling=True, pretrained_cfg=cfg, **labels
    )
    return transformers.TimmWrapperForImageClassification(config), None


Build = Callable[[Mapping[str, Any]], tuple[Any, Any]]
ARCHITECTURES: tuple[Build, ...] = (vit, convnext, efficientnet, timm)


def write(folder: Path, build: Build, labels: tuple[str, ...], **config: Any) -> Path:
    """A checkpoint on disk whose random weights make pictures differ."""
    torch.manual_seed(0)
    named = {
        "id2label": dict(enumerate(labels)),
        "label2id": {it: i for i, it in enumerate(labels)},
    }
    model, processor = build({**named, **config})
    with torch.no_grad():
        head = model.timm_model.fc if build is timm else model.classifier
        for parameter in head.parameters():
            parameter.normal_(std=0.5)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.fill_(1)
                module.momentum = 1.0
        # What batch norms learn while training; without it nothing comes through to the end.
        model.train()(torch.randn(16, 3, SIDE, SIDE))
        model.eval()
    model.save_pretrained(folder)
    if processor is not None:
        processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Larger, smaller and oblong, one three pixels wide."""
    return [astronaut, astronaut[:20, :25], astronaut[100:400, 50:450], astronaut[:90, 60:63]]


def published(folder: Path, pictures: list[np.ndarray]) -> list[dict[str, float]]:
    """Each label's probability by transformers' own pipeline."""
    pipe = transformers.pipeline("image-classification", model=str(folder), device="cpu")
    answers = pipe([Image.fromarray(picture) for picture in pictures], top_k=None)
    return [{each["label"]: each["score"] for each in answer} for answer in answers]


# -- which class is fake --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "meaning"),
    [
        ("Real", "real"), ("REAL", "real"), ("authentic_photo", "real"),
        ("human", "real"), ("hum", "real"), ("Natural image", "real"), ("unaltered", "real"),
        ("Fake", "fake"), ("Deepfake", "fake"), ("DeepFake", "fake"), ("AI", "fake"),
        ("AI-generated", "fake"), ("AiGenerated", "fake"), ("artificial", "fake"),
        ("Synthetic", "fake"), ("manipulated", "fake"), ("StyleGAN2", "fake"), ("SDXL", "fake"),
        ("LABEL_0", None), ("0", None), ("", None), ("cat", None), ("false", None),
        ("not fake", None), ("non-real", None), ("fake or real", None), ("AI human", None),
        ("Realism", None), ("said", None), ("Ukrainian", None),
    ],
)  # fmt: skip
def test_labels_are_read_by_their_words(label: str, meaning: str | None) -> None:
    """Whole words speak, in any case and spelling; both, neither and negations say nothing."""
    assert label_meaning(label) == meaning


def test_both_orders_and_several_fakes_resolve() -> None:
    """Sister models turn the order around; generators one by one are all of them fake."""
    assert resolve_classes({0: "Real", 1: "Fake"}, source="x") == ClassMapping(
        (1,), (0,), ("Real", "Fake")
    )
    assert resolve_classes({1: "Real", 0: "fake"}, source="x").fake == (0,)
    several = resolve_classes({0: "StyleGAN1", 1: "real", 2: "StyleGAN2", 3: "SDXL"}, source="x")
    assert (several.fake, several.real) == ((0, 2, 3), (1,))


@pytest.mark.parametrize(
    "labels",
    [("LABEL_0", "LABEL_1"), ("real", "cat"), ("fake", "deepfake"), ("real", "real or fake")],
)
def test_what_labels_do_not_say_is_asked(labels: tuple[str, ...]) -> None:
    """Nothing is guessed: the error says where to write what the classes mean."""
    with pytest.raises(SetupError, match=r"repo/x: .*which.*classes\.json.*fake, real or neither"):
        resolve_classes(dict(enumerate(labels)), source="repo/x")


def test_named_classes_win_and_are_checked() -> None:
    """What a person says of a label wins over its words; a label that is not there is a mistake."""
    labels = {0: "A", 1: "B", 2: "no face"}
    named = resolve_classes(labels, {"A": "fake", "B": "real", "no face": "neither"}, source="x")
    assert (named.fake, named.real) == ((0,), (1,))
    assert resolve_classes(
        {0: "Real", 1: "Fake"}, {"Real": "fake", "Fake": "real"}, source="x"
    ).fake == (0,)
    with pytest.raises(SetupError, match="'C' was named 'fake'"):
        resolve_classes(labels, {"C": "fake"}, source="x")
    with pytest.raises(SetupError, match="'A' was named 'forged'"):
        resolve_classes(labels, {"A": "forged"}, source="x")  # type: ignore[dict-item]


def test_one_output_may_stand_for_one_side() -> None:
    """A single logit named fake is taken as it is, one named real is turned around."""
    for label, expected in (("fake", 2.0), ("real", -2.0)):
        classes = resolve_classes({0: label}, source="x")
        detector = ImageClassifier(Path(), classes, "image", "x")
        assert detector.log_odds(np.array([[2.0]])).tolist() == [expected]


def test_one_output_without_a_name_is_asked_for(tmp_path: Path, astronaut: np.ndarray) -> None:
    """Nobody can know what its height says: the advice fits one output, and following it works."""
    folder = write(tmp_path / "single", vit, ("LABEL_0",))
    with pytest.raises(SetupError, match=r'one output.*\{"LABEL_0": "fake"\} or') as told:
        ImageClassifier.from_checkpoint(folder, inputs="image")
    assert "neither" not in str(told.value)
    scores = []
    for side in ("fake", "real"):
        (folder / CLASSES_FILE).write_text(json.dumps({"LABEL_0": side}), "utf-8")
        detector = ImageClassifier.from_checkpoint(folder, inputs="image", device="cpu")
        scores.append(detector.score_images([astronaut])[0])
    assert scores[0] == -scores[1] != 0
    with pytest.raises(SetupError, match="one output"):
        resolve_classes({0: "LABEL_0"}, {"LABEL_0": "neither"}, source="x")


def test_log_odds_by_hand() -> None:
    """Probabilities of one side are summed, other classes left out, what is not finite is NaN."""
    classes = ClassMapping(fake=(0, 3), real=(1,), labels=("gan", "real", "no face", "sd"))
    detector = ImageClassifier(Path(), classes, "face", "x")
    outputs = np.log([[1.0, 2.0, 50.0, 5.0], [1.0, 8.0, 1e-9, 1.0]])
    # (1 + 5) / 2 = 3, (1 + 1) / 8 = 1 / 4.
    assert detector.log_odds(outputs) == pytest.approx(np.log([3, 0.25]))
    assert np.isnan(detector.log_odds(np.array([[np.inf, 0, 0, 0], [0, 0, 0, np.nan]]))).all()


# -- scores ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", ARCHITECTURES)
@pytest.mark.parametrize("labels", [REAL_FIRST, FAKE_FIRST])
def test_scores_are_those_of_transformers(
    tmp_path: Path, pictures: list[np.ndarray], build: Build, labels: tuple[str, ...]
) -> None:
    """From pixels to log-odds, the pipeline of transformers agrees, whichever class comes first."""
    folder = write(tmp_path / "model", build, labels)
    detector: PixelDetector = ImageClassifier.from_checkpoint(folder, inputs="face", device="cpu")
    fake = labels[1] if labels == REAL_FIRST else labels[0]
    expected = [np.log(it[fake] / it["Real"]) for it in published(folder, pictures)]
    scores = detector.score_images(pictures)
    assert scores.dtype == np.float64
    assert np.ptp(scores) > 10 * TOLERANCE  # another picture, another score
    assert np.abs(scores - expected).max() < TOLERANCE


def test_several_fake_classes_are_summed_as_in_the_pipeline(
    tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    """Attribution models are detectors too: the odds of any generator against real."""
    labels = ("real", "StyleGAN1", "StyleGAN2", "SDXL")
    folder = write(tmp_path / "attribution", efficientnet, labels)
    detector = ImageClassifier.from_checkpoint(folder, inputs="image", device="cpu")
    expected = [np.log((1 - it["real"]) / it["real"]) for it in published(folder, pictures)]
    assert np.abs(detector.score_images(pictures) - expected).max() < TOLERANCE


def test_one_logit_is_the_logit_of_the_pipeline(tmp_path: Path, astronaut: np.ndarray) -> None:
    """With one output transformers takes a sigmoid, and so is the logit read."""
    folder = write(tmp_path / "single", vit, ("fake",))
    p = published(folder, [astronaut])[0]["fake"]
    score = ImageClassifier.from_checkpoint(folder, inputs="image", device="cpu").score_images(
        [astronaut]
    )
    assert score[0] == pytest.approx(np.log(p / (1 - p)), abs=TOLERANCE)


def test_batches_do_not_matter(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    """One by one, in pairs or together: the same scores; no pictures, no scores."""
    detector = ImageClassifier.from_checkpoint(
        write(tmp_path / "m", convnext, REAL_FIRST), inputs="face"
    )
    together = detector.score_images(pictures)
    for size in (1, 2, 3):
        assert detector.score_images(pictures, batch_size=size) == pytest.approx(together, abs=1e-4)
    assert detector.score_images([]).shape == (0,)


def test_only_pictures_are_scored(tmp_path: Path) -> None:
    """Floats, grey and empty arrays are the caller's mistake."""
    detector = ImageClassifier.from_checkpoint(
        write(tmp_path / "m", vit, REAL_FIRST), inputs="face"
    )
    for wrong in (np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), np.zeros((0, 9, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8 RGB"):
            detector.score_images([wrong])


# -- what is recorded, what is refused ------------------------------------------------------------


def test_preprocessing_checkpoint_and_name_are_recorded(tmp_path: Path) -> None:
    """The mode is the checkpoint's own file in words; other weights are another checkpoint."""
    first = ImageClassifier.from_checkpoint(
        write(tmp_path / "first", vit, REAL_FIRST), inputs="face"
    )
    again = ImageClassifier.from_checkpoint(
        write(tmp_path / "again", vit, ("Fake", "Real")), inputs="face"
    )
    assert first.name == "first"
    assert first.inputs == "face"
    assert first.preprocessing == (
        "aligned face of margin 1.3 at 384 px; "
        "ViTImageProcessor, size 32×32, resample 2, image_mean 0.5/0.5/0.5, image_std 0.5/0.5/0.5"
    )
    wrapped = ImageClassifier.from_checkpoint(
        write(tmp_path / "timm", timm, REAL_FIRST), inputs="image"
    )
    assert wrapped.preprocessing.startswith("its own processor, input_size 3/32/32, crop_pct 0.9")
    assert len(first.sha256) == 64
    assert first.sha256 != again.sha256


def test_it_is_shown_what_it_looks_at(tmp_path: Path, astronaut: np.ndarray) -> None:
    """Whole pictures as they are, faces aligned and larger than any network's input."""
    folder = write(tmp_path / "m", vit, REAL_FIRST)
    whole, face = (
        ImageClassifier.from_checkpoint(folder, inputs=inputs) for inputs in ("image", "face")
    )
    points = np.array([[195, 108], [249, 108], [222, 135], [198, 165], [246, 165]], np.float32)
    assert whole.crop_input(astronaut, points) is astronaut
    expected = aligned_crop(astronaut, points, size=384, margin=1.3)
    np.testing.assert_array_equal(face.crop_input(astronaut, points), expected)
    with pytest.raises(ValueError, match="keypoints"):
        face.crop_input(astronaut, None)


def test_classes_may_be_named_beside_the_checkpoint(tmp_path: Path, astronaut: np.ndarray) -> None:
    """`classes.json` says what LABEL_0 is; an argument says it too, and turns the score."""
    folder = write(tmp_path / "m", vit, ("LABEL_0", "LABEL_1"))
    with pytest.raises(SetupError, match=r"classes\.json"):
        ImageClassifier.from_checkpoint(folder, inputs="face")
    named = {"LABEL_0": "fake", "LABEL_1": "real"}
    (folder / CLASSES_FILE).write_text(json.dumps(named), "utf-8")
    score = ImageClassifier.from_checkpoint(folder, inputs="face").score_images([astronaut])
    turned = ImageClassifier.from_checkpoint(
        folder, inputs="face", classes={"LABEL_0": "real", "LABEL_1": "fake"}
    ).score_images([astronaut])
    assert score == pytest.approx(-turned)


def test_checkpoints_are_found_on_disk_only(tmp_path: Path) -> None:
    """An id that is not in the cache, and a folder that is not there, are asked for."""
    for missing in ("nobody/no-such-classifier", tmp_path / "nowhere", "not an id!"):
        with pytest.raises(SetupError, match="is on this machine: give the folder"):
            ImageClassifier.from_checkpoint(missing, inputs="face")


def test_an_id_of_the_cache_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the hub's own tools have left on this machine is used under its id."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--somebody--Detector"
    write(repository / "snapshots" / "abc", vit, REAL_FIRST)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc", "utf-8")
    assert ImageClassifier.from_checkpoint("somebody/Detector", inputs="face").name == "Detector"


def test_missing_weights_are_not_made_up(tmp_path: Path, astronaut: np.ndarray) -> None:
    """A checkpoint without its classifying layer would be filled with random numbers."""
    folder = write(tmp_path / "m", vit, REAL_FIRST)
    transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(
        tmp_path / "body"
    )
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / "body" / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(SetupError, match=r"lacks weights: \['classifier"):
        ImageClassifier.from_checkpoint(tmp_path / "body", inputs="face").score_images([astronaut])


def test_pickles_and_code_are_refused(tmp_path: Path, astronaut: np.ndarray) -> None:
    """Weights that are not safetensors, and models that bring their own code, are not run."""
    pickled = write(tmp_path / "pickled", vit, REAL_FIRST)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    own = write(tmp_path / "own", vit, REAL_FIRST)
    config = json.loads((own / "config.json").read_text("utf-8"))
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "evil.Config"}}
    (own / "config.json").write_text(json.dumps(config), "utf-8")
    for folder in (pickled, own):
        with pytest.raises(SetupError, match="cannot be loaded as a classifier"):
            ImageClassifier.from_checkpoint(folder, inputs="face").score_images([astronaut])


def test_damage_is_told(tmp_path: Path, astronaut: np.ndarray) -> None:
    """Broken weights, broken JSON and a missing processor are each named with their file."""
    folder = write(tmp_path / "m", vit, REAL_FIRST)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(SetupError, match="cannot be loaded"):
        ImageClassifier.from_checkpoint(folder, inputs="face").score_images([astronaut])
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(SetupError, match=r"preprocessor_config\.json is missing"):
        _ = ImageClassifier.from_checkpoint(folder, inputs="face").preprocessing
    (folder / "config.json").write_text("{", "utf-8")
    with pytest.raises(SetupError, match=r"config\.json is not JSON"):
        ImageClassifier.from_checkpoint(folder, inputs="face")


def test_folders_say_what_a_classifier_looks_at(tmp_path: Path) -> None:
    """Below `classifiers/face` lie those of faces, below `image` those of whole pictures."""
    for place in ("face/b", "face/a", "image/c", "elsewhere/d"):
        (tmp_path / "classifiers" / place).mkdir(parents=True)
        (tmp_path / "classifiers" / place / "config.json").write_text("{}", "utf-8")
    found = [(inputs, folder.name) for inputs, folder in classifier_folders(tmp_path)]
    assert found == [("face", "a"), ("face", "b"), ("image", "c")]
