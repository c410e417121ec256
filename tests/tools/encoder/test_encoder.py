"""The encoder: features of pictures and texts, and the checkpoints it refuses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as reference
from open_clip.transform import image_transform
from PIL import Image
from safetensors.torch import save_file

from tools.checkpoints.table import UNIFD_ENCODER
from tools.encoder.clip import CONFIG, WEIGHTS, Encoder, build_model, model_config
from tools.encoder.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing, center_crop
from tools.errors import SetupError

pytestmark = pytest.mark.fast

TINY: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8},
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 49408,
            "width": 64,
            "heads": 2,
            "layers": 1,
        },
    },
    "preprocess_cfg": {"interpolation": "bicubic", "resize_mode": "shortest"},
    "face_margin": 1.2,
}


def write_checkpoint(folder: Path, config: dict[str, Any] = TINY) -> Path:
    """A checkpoint with random weights."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    save_file(build_model(config).state_dict(), folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config), "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny checkpoint."""
    return write_checkpoint(tmp_path_factory.mktemp("encoders") / "tiny")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    """A tiny encoder, loaded as any other."""
    return Encoder.load(folder, threads=1, device="cpu")


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Pictures of different sizes and contents."""
    return [astronaut, astronaut[:70, :200], astronaut[::-1], astronaut[200:209, 100:103]]


def test_a_checkpoint_says_its_sizes_and_margin(encoder: Encoder) -> None:
    """Dimension, input size and face margin come from the checkpoint's own config."""
    assert (encoder.dimension, encoder.image_size, encoder.face_margin) == (24, 32, 1.2)


@pytest.mark.parametrize("mode", ["resize", "official"])
def test_a_batch_gives_what_single_pictures_give(
    encoder: Encoder, pictures: list[np.ndarray], mode: Any
) -> None:
    """Neither the company in a batch nor the size of batches changes a picture's features."""
    together = encoder.encode_images(pictures, mode=mode, batch_size=3)
    alone = [encoder.encode_images([picture], mode=mode)[0] for picture in pictures]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_features_are_not_normalised_and_differ(
    encoder: Encoder, pictures: list[np.ndarray]
) -> None:
    """Another picture has other features, whose length is kept."""
    features = encoder.encode_images(pictures)
    assert features.shape == (4, 24)
    assert features.dtype == np.float32
    lengths = np.linalg.norm(features, axis=1)
    assert np.ptp(lengths) > 1e-4
    assert np.abs(features[0] - features[2]).max() > 1e-3


def test_modes_look_at_different_pixels(encoder: Encoder, astronaut: np.ndarray) -> None:
    """`official` sees the centre only: what happens at the border does not reach it."""
    changed = astronaut.copy()
    changed[:60] = 255
    official = [encoder.encode_images([image], mode="official") for image in (astronaut, changed)]
    resized = [encoder.encode_images([image], mode="resize") for image in (astronaut, changed)]
    np.testing.assert_array_equal(*official)
    assert np.abs(resized[0] - resized[1]).max() > 1e-3


def test_no_pictures_and_no_texts_are_no_rows(encoder: Encoder) -> None:
    """Nothing in, nothing out, with the right number of columns."""
    assert encoder.encode_images([]).shape == (0, 24)
    assert encoder.encode_texts([]).shape == (0, 24)


def test_texts_have_length_one_and_differ(encoder: Encoder) -> None:
    """Text features are directions, other words point elsewhere, and long texts are cut."""
    texts = ["an authentic photo", "a deepfake", "word " * 100]
    features = encoder.encode_texts(texts, batch_size=2)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert (features[0] @ features[1:].T).max() < 0.999


def test_features_have_gradients_for_localisers(encoder: Encoder, astronaut: np.ndarray) -> None:
    """`forward` can be differentiated by its input, though the weights are frozen."""
    batch = encoder.preprocess([astronaut]).requires_grad_()
    encoder.forward(batch).sum().backward()
    assert batch.grad is not None
    assert float(batch.grad.abs().max()) > 0
    assert not any(weight.requires_grad for weight in encoder.model.parameters())


@pytest.mark.parametrize("shape", [(224, 224), (500, 333), (100, 300), (301, 100), (31, 17)])
def test_the_official_crop_is_torchvisions(shape: tuple[int, int]) -> None:
    """`official` is UniFD's CenterCrop(224), to the pixel, with black around small pictures."""
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    expected = reference.center_crop(Image.fromarray(pixels), [224, 224])
    np.testing.assert_array_equal(center_crop(pixels, 224), np.asarray(expected))


@pytest.mark.parametrize("shape", [(512, 512), (301, 457), (90, 61), (1200, 300)])
@pytest.mark.parametrize("resize_mode", ["shortest", "squash"])
def test_resizing_is_that_of_open_clip(
    astronaut: np.ndarray, shape: tuple[int, int], resize_mode: str
) -> None:
    """Both resize modes give open_clip's own preprocessing, to two of 255 levels.

    Pillow rounds its two passes at another precision than torch, so that a pixel in a hundred
    differs by a level or two.
    """
    pixels = np.asarray(Image.fromarray(astronaut).resize(shape[::-1]))
    ours = Preprocessing(size=96, resize_mode=resize_mode)
    theirs = image_transform(96, False, mean=CLIP_MEAN, std=CLIP_STD, resize_mode=resize_mode)
    levels = (ours.normalise(ours.batch([pixels]))[0] - theirs(Image.fromarray(pixels))) * 255
    levels = levels.abs() * torch.tensor(CLIP_STD).view(3, 1, 1)
    assert float(levels.max()) < 2.01
    assert float((levels > 0.5).float().mean()) < 0.02


def test_a_crop_of_the_input_size_is_left_alone(astronaut: np.ndarray) -> None:
    """Face crops that were made at the input size are not resampled a second time."""
    crop = astronaut[100:196, 100:196]
    batch = Preprocessing(size=96).batch([crop])
    np.testing.assert_array_equal(batch[0].permute(1, 2, 0).numpy(), crop)


def test_arrays_of_any_layout_are_taken(encoder: Encoder, astronaut: np.ndarray) -> None:
    """Mirrored views and read-only arrays encode like plain copies of them."""
    mirrored = astronaut[:, ::-1]
    frozen = mirrored.copy()
    frozen.setflags(write=False)
    features = encoder.encode_images([mirrored, frozen, mirrored.copy()])
    np.testing.assert_allclose(features[:2], features[[2, 2]], atol=1e-6)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_picture_is_refused(encoder: Encoder, image: np.ndarray) -> None:
    """Grey, transparent, floating-point or empty arrays are a caller's mistake, not guessed at."""
    with pytest.raises(ValueError, match="uint8 RGB"):
        encoder.encode_images([image])


def test_an_unknown_mode_is_refused(encoder: Encoder, astronaut: np.ndarray) -> None:
    """A misspelt mode is never quietly taken for another one."""
    with pytest.raises(ValueError, match="mode"):
        encoder.encode_images([astronaut], mode="offical")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interpolation": "nearest"}, "nearest"),
        ({"resize_mode": "longest"}, "longest"),
        ({"size": 224}, "224"),
    ],
)
def test_preprocessing_that_cannot_be_reproduced_is_refused(
    change: dict[str, Any], message: str
) -> None:
    """A checkpoint is never fed pictures that were prepared in another way than in its training."""
    with pytest.raises(SetupError, match=message):
        Preprocessing.from_config(change, size=32)


def test_a_folder_without_a_checkpoint_is_a_setup_error(folder: Path, tmp_path: Path) -> None:
    """The message names the missing file and a command; a pickle beside it is not read."""
    with pytest.raises(SetupError, match=r"open_clip_config\.json.*unmask models verify"):
        Encoder.load(tmp_path)
    (tmp_path / CONFIG).write_bytes((folder / CONFIG).read_bytes())
    (tmp_path / "open_clip_pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(SetupError, match=r"model\.safetensors is missing"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "other architecture"])
def test_weights_that_do_not_fit_are_a_setup_error(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    """Half a download, or the weights of another network, are never loaded in part."""
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    weights = (folder / WEIGHTS).read_bytes()
    if damage == "cut":
        weights = weights[: len(weights) // 2]
    else:
        config["model_cfg"]["vision_cfg"]["layers"] = 3
    (tmp_path / CONFIG).write_text(json.dumps(config), "utf-8")
    (tmp_path / WEIGHTS).write_bytes(weights)
    with pytest.raises(SetupError, match="does not match"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_config_that_says_nothing_is_a_setup_error(tmp_path: Path, text: str) -> None:
    """Broken JSON, another JSON value and an empty object are all told to the person."""
    (tmp_path / CONFIG).write_text(text, "utf-8")
    (tmp_path / WEIGHTS).write_bytes(b"")
    with pytest.raises(SetupError, match=r"JSON|model_cfg"):
        Encoder.load(tmp_path)


def test_text_towers_from_a_hub_are_refused() -> None:
    """Nothing is ever fetched because a config asks for it."""
    config = json.loads(json.dumps(TINY))
    config["model_cfg"]["text_cfg"]["hf_model_name"] = "somebody/something"
    with pytest.raises(SetupError, match="hub"):
        build_model(config)


@pytest.mark.parametrize("change", ["config", "weights"])
def test_another_config_or_weight_is_another_checkpoint(
    folder: Path, encoder: Encoder, tmp_path: Path, change: str
) -> None:
    """The sha256 that binds galleries and heads covers the preprocessing and the weights."""
    assert Encoder.load(folder, device="cpu").sha256 == encoder.sha256
    other = json.loads(json.dumps(TINY))
    other["face_margin"] = 1.3 if change == "config" else TINY["face_margin"]
    copy = write_checkpoint(tmp_path / "copy", other)
    if change == "weights":
        weights = bytearray((copy / WEIGHTS).read_bytes())
        weights[-1] ^= 1
        (copy / WEIGHTS).write_bytes(weights)
    assert Encoder.load(copy, device="cpu").sha256 != encoder.sha256


def test_openais_weights_with_plain_gelu_are_refused() -> None:
    """The architecture that open_clip only warns about is an error here."""
    with pytest.raises(SetupError, match="QuickGELU mismatch"):
        model_config({"model_name": "ViT-L-14", "pretrained_tag": "openai"})


def test_the_full_profile_builds_clip_with_quickgelu() -> None:
    """The config we write beside OpenAI's weights is ViT-L/14 with the activation they need.

    Built without memory for its values; their number must fill the pinned file.
    """
    config = json.loads(UNIFD_ENCODER.generated_files[CONFIG])
    with torch.device("meta"):
        model = build_model(config)
    activations = {type(part).__name__ for part in model.modules() if "GELU" in repr(part)[:10]}
    values = sum(value.numel() for value in model.state_dict().values())
    assert activations == {"QuickGELU"}
    assert model_config(config)["embed_dim"] == 768
    # A safetensors file is its values and a header of some kilobytes.
    assert UNIFD_ENCODER.size_bytes is not None
    assert 0 < UNIFD_ENCODER.size_bytes - 4 * values < 100_000


def test_importing_the_encoder_is_light() -> None:
    """Torch and open_clip are loaded when a checkpoint is, not before."""
    code = (
        "import sys, tools.encoder.clip; "
        "print([m for m in ('torch', 'open_clip') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
