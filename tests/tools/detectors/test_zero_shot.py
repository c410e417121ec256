"""Zero-shot prompts: by hand, against transformers' CLIP, and with the pocket encoder."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import CLIPModel

from prompts.zero_shot import COMPUTER_GENERATED, NATURAL, PROMPT_SETS
from tests.tools.encoder.test_parity import (
    CONTEXT,
    encoder,
    peer,
    peer_features,
    pictures,
    weights,
)
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import FeatureDetector, ZeroShot
from tools.detectors.clip_heads.zero_shot import prompts_sha256
from tools.encoder.clip import Encoder

__all__ = ["encoder", "peer", "pictures", "weights"]  # fixtures of the parity tests

TOLERANCE = 1e-3


class Spelt:
    """Texts that name their own feature: "3,4" becomes (0.6, 0.8)."""

    sha256 = "e" * 64

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Rows of length one."""
        rows = np.array([[float(value) for value in text.split(",")] for text in texts])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def spelt(real: tuple[str, ...] = ("1,0",), fake: tuple[str, ...] = ("0,1", "3,4")) -> ZeroShot:
    """One authentic direction, two forged ones."""
    return ZeroShot.from_prompts(Spelt(), real=real, fake=fake, inputs="face")


def test_scores_are_differences_of_mean_cosines() -> None:
    """Length does not matter, several wordings are averaged, and more fake is higher."""
    detector: FeatureDetector = spelt()
    # (0, 2): fake (1 + 0.8) / 2 = 0.9, real 0. (5, 0): fake (0 + 0.6) / 2 = 0.3, real 1.
    # (-1, 0): fake (0 - 0.6) / 2 = -0.3, real -1.
    scores = detector.score(np.array([[0, 2], [5, 0], [-1, 0]], np.float32))
    assert scores.dtype == np.float64
    assert scores == pytest.approx([0.9, -0.7, 0.7], abs=1e-6)


def test_what_was_not_measured_has_no_score() -> None:
    """A row of NaN, or without a direction, scores NaN and leaves the others alone."""
    scores = spelt().score(np.array([[np.nan, np.nan], [0, 1], [0, 0]], np.float32))
    assert np.isnan(scores).tolist() == [True, False, True]
    # (0, 1): fake (1 + 0.8) / 2 = 0.9, real 0.
    assert scores[1] == pytest.approx(0.9)
    assert spelt().score(np.empty((0, 2), np.float32)).shape == (0,)


def test_what_it_asks_names_it() -> None:
    """Its checkpoint is the encoder and the texts: other words, or other sides, are another."""
    one = spelt()
    assert isinstance(one, FeatureDetector)
    assert one.sha256 == prompts_sha256("e" * 64, real=("1,0",), fake=("0,1", "3,4"))
    names = {one.sha256, spelt(fake=("0,1",)).sha256, spelt(("0,1",), ("1,0", "3,4")).sha256}
    names |= {prompts_sha256("f" * 64, real=("1,0",), fake=("0,1", "3,4"))}
    assert len(names) == 4


def test_features_of_another_encoder_are_refused() -> None:
    """A wrong width is a bug of the caller's, and so is a class without words."""
    with pytest.raises(ValueError, match=r"must be \(n, 2\)"):
        spelt().score(np.zeros((3, 5), np.float32))
    with pytest.raises(ValueError, match="at least one each"):
        ZeroShot(np.empty((0, 2)), np.ones((1, 2)), "face")


@pytest.mark.parametrize("name", PROMPT_SETS)
def test_scores_are_those_of_transformers(
    encoder: Encoder, peer: CLIPModel, pictures: list[np.ndarray], name: str
) -> None:
    """From pixels and words to scores, CLIP by transformers with the same weights agrees."""
    chosen = PROMPT_SETS[name]
    detector = ZeroShot.from_prompts(encoder, real=chosen.real, fake=chosen.fake, inputs="image")
    ours = detector.score(encoder.encode_images(pictures))
    rows = unit(peer_features(peer, pictures))
    fake, real = (
        unit(texts_of(peer, encoder, texts)).astype(np.float64)
        for texts in (chosen.fake, chosen.real)
    )
    expected = (rows @ fake.T).mean(axis=1) - (rows @ real.T).mean(axis=1)
    assert np.ptp(expected) > 2 * TOLERANCE  # pictures do get different scores
    assert np.abs(ours - expected).max() < TOLERANCE


def texts_of(peer: CLIPModel, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    """Text features by transformers, from the same tokens."""
    tokens = encoder._tokenizer(list(texts))
    ends = (tokens == 49407).int().argmax(dim=1)
    mask = torch.arange(CONTEXT)[None] <= ends[:, None]
    with torch.inference_mode():
        found = peer.get_text_features(input_ids=tokens, attention_mask=mask.long())
    return found.pooler_output.numpy()


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length one."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_prompt_sets_ask_different_things_of_both_classes() -> None:
    """No text stands for both classes, none is said twice, and each set says where it is from."""
    for chosen in PROMPT_SETS.values():
        texts = [*chosen.real, *chosen.fake]
        assert len(set(texts)) == len(texts)
        assert chosen.real
        assert chosen.fake
        assert chosen.origin


def test_answers_are_within_the_words_that_are_read() -> None:
    """CLIP reads 77 tokens and drops the rest; the answer, at a question's end, must be read."""
    shipped = Encoder.load(WEIGHTS_DIR / "encoder")
    for chosen in PROMPT_SETS.values():
        features = shipped.encode_texts([*chosen.real, *chosen.fake])
        assert len(np.unique(features.round(5), axis=0)) == len(features)
    for question in (COMPUTER_GENERATED, NATURAL):
        assert len(re.findall(r"\w+|[^\w\s]", question)) < 30


def test_the_pocket_encoder_learnt_what_its_captions_say(astronaut: np.ndarray) -> None:
    """Words and pictures both reach the score: other texts and other pictures change it."""
    shipped = Encoder.load(WEIGHTS_DIR / "encoder")
    features = shipped.encode_images([astronaut[:240, 120:360], astronaut[200:500, 50:300]])
    scores = {
        name: ZeroShot.from_prompts(shipped, real=it.real, fake=it.fake, inputs="image").score(
            features
        )
        for name, it in PROMPT_SETS.items()
    }
    assert all(abs(pair[0] - pair[1]) > 1e-4 for pair in scores.values())
    assert len({round(float(pair[0]), 5) for pair in scores.values()}) == len(PROMPT_SETS)
