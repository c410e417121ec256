"""Parity of the encoder with another CLIP implementation: same weights, same features.

transformers' `CLIPModel` is the reference. A mistake in the activation, the preprocessing, the
pooling or the tokens would leave features that look plausible and are wrong.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel

from tests.support.tiny_clip import CONTEXT, SIZE, as_clip_model, random_weights, write_encoder
from tools.checkpoints.table import WEIGHTS_DIR
from tools.encoder.clip import Encoder

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    """Random weights, of a spread at which the activations' shapes matter."""
    return random_weights(0.05)


@pytest.fixture(scope="module")
def encoder(weights: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """The encoder under test."""
    return write_encoder(tmp_path_factory.mktemp("parity") / "quick", weights, quick_gelu=True)


@pytest.fixture(scope="module")
def peer(weights: dict[str, torch.Tensor]) -> CLIPModel:
    """transformers' CLIP holding the same weights; its activation is QuickGELU by default."""
    return as_clip_model(weights)


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Larger, smaller and oblong pictures."""
    return [astronaut, astronaut[:40, :50], astronaut[100:400, 50:500]]


def peer_features(peer: CLIPModel, pictures: list[np.ndarray]) -> np.ndarray:
    """Image features by transformers alone, its own preprocessing included."""
    processor = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE)
    batch = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
    with torch.inference_mode():
        return peer.get_image_features(**batch).pooler_output.numpy()


def test_pictures_get_the_features_of_transformers(
    encoder: Encoder, peer: CLIPModel, pictures: list[np.ndarray]
) -> None:
    """From pixels to features, preprocessing included, both implementations agree.

    Both resize 8-bit pictures with torch, so the inputs are equal and no tolerance is spent on
    them; Pillow's resize differs by a level or two (see test_encoder).
    """
    ours, theirs = encoder.encode_images(pictures), peer_features(peer, pictures)
    assert np.abs(theirs).mean() > 0.1
    assert np.abs(ours - theirs).max() < TOLERANCE


def test_texts_get_the_features_of_transformers(encoder: Encoder, peer: CLIPModel) -> None:
    """The same tokens give the same text features, once both are scaled to length one."""
    texts = ["a photo of a face", "a deepfake, the mouth was replaced"]
    tokens = encoder._tokenizer(texts)
    # The reference is told where each text ends, as its own tokenizer would.
    ends = (tokens == 49407).int().argmax(dim=1)
    mask = torch.arange(CONTEXT)[None] <= ends[:, None]
    with torch.inference_mode():
        theirs = peer.get_text_features(input_ids=tokens, attention_mask=mask.long()).pooler_output
    expected = torch.nn.functional.normalize(theirs, dim=1).numpy()
    ours = encoder.encode_texts(texts)
    assert np.abs(ours[0] - ours[1]).max() > 100 * TOLERANCE
    assert np.abs(ours - expected).max() < TOLERANCE


def test_plain_gelu_would_be_noticed(
    weights: dict[str, torch.Tensor], peer: CLIPModel, pictures: list[np.ndarray], tmp_path: Path
) -> None:
    """With the wrong activation the agreement is gone, by far more than the tolerance."""
    wrong = write_encoder(tmp_path / "plain", weights, quick_gelu=False)
    difference = np.abs(wrong.encode_images(pictures) - peer_features(peer, pictures)).max()
    assert difference > 10 * TOLERANCE


def test_the_pocket_encoder_without_open_clip_is_open_clips(pictures: list[np.ndarray]) -> None:
    """Its image half is built by hand, because open_clip takes seconds to import."""
    ours = Encoder.load(WEIGHTS_DIR / "encoder")
    assert not hasattr(ours.model, "logit_scale")
    with torch.inference_mode():
        theirs = ours._whole_model.encode_image(ours.preprocess(pictures)).numpy()
    np.testing.assert_allclose(ours.encode_images(pictures), theirs, atol=1e-5)
    assert ours.encode_texts(["a face"]).shape == (1, ours.dimension)
