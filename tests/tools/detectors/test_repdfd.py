"""RepDFD against a plain computation on transformers' CLIP, and what it refuses."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel

from tests.support.tiny_clip import CONTEXT, WIDTH, tiny_clip
from tools.detectors import IdentityDetector, PixelDetector, scoring
from tools.detectors.clip_heads.repdfd import FACE_WORD, FAKE_PROMPT, REAL_PROMPT, Repdfd
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.faces.alignment import aligned_crop

TOLERANCE = 1e-3
PEOPLE = 24
EMBEDDER = "a" * 64
FACE_ID = 873
"""The number of the word `fe` in CLIP's vocabulary."""
# By hand: int(64 * 0.7) = 44 pixels of picture, (64 - 44) / 2 = 10 of border.
INNER, BORDER = 44, 10


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> tuple[Encoder, CLIPModel]:
    """One tiny CLIP, ours and transformers'."""
    return tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")


@pytest.fixture(scope="module")
def encoder(twins: tuple[Encoder, CLIPModel]) -> Encoder:
    """Our side of it."""
    return twins[0]


@pytest.fixture(scope="module")
def peer(twins: tuple[Encoder, CLIPModel]) -> CLIPModel:
    """The reference."""
    return twins[1]


@pytest.fixture(scope="module")
def judge(encoder: Encoder) -> Repdfd:
    """The detector under test: a strong border, and faces that are loud words."""
    rng = np.random.default_rng(3)
    start = Repdfd.initial(encoder, embedding_size=PEOPLE)
    delta = rng.normal(0, 2, start.delta.shape).astype(np.float32)
    # Narrower than the tower's words: the rest of a word stays zero.
    projection = rng.normal(0, 0.5, (WIDTH - 28, PEOPLE)).astype(np.float32)
    return Repdfd(encoder, delta, projection)


@pytest.fixture(scope="module")
def pictures(astronaut: np.ndarray) -> list[np.ndarray]:
    """Face crops, larger and smaller than the input."""
    return [astronaut[:200, 120:320], astronaut[50:90, 200:240], astronaut[300:500, 100:300]]


@pytest.fixture(scope="module")
def identities() -> np.ndarray:
    """Three people."""
    return np.random.default_rng(5).normal(size=(3, PEOPLE)).astype(np.float32)


def peer_image(peer: CLIPModel, judge: Repdfd, picture: np.ndarray) -> torch.Tensor:
    """Feature (1, d) of the framed picture, by transformers and numpy alone."""
    processor = CLIPImageProcessor(size={"shortest_edge": INNER}, crop_size=INNER)
    inside = processor([Image.fromarray(picture)], return_tensors="pt")["pixel_values"].numpy()[0]
    framed = judge.delta.copy()
    framed[:, BORDER:-BORDER, BORDER:-BORDER] = inside
    return peer.get_image_features(pixel_values=torch.from_numpy(framed)[None]).pooler_output


def peer_text(peer: CLIPModel, tokens: torch.Tensor, word: torch.Tensor | None) -> torch.Tensor:
    """Feature (1, d) of a prompt, its face word given as a vector, by transformers alone."""
    embedding = peer.text_model.embeddings.token_embedding
    weight = embedding.weight.data.clone()
    if word is not None:
        face = int(np.flatnonzero(tokens[0] == FACE_ID)[0])
        embedding.weight.data[tokens[0, face]] = word
    ends = int((tokens == 49407).int().argmax())
    mask = (torch.arange(CONTEXT) <= ends)[None].long()
    feature = peer.get_text_features(input_ids=tokens, attention_mask=mask).pooler_output
    embedding.weight.data.copy_(weight)
    return feature


def expected_score(
    peer: CLIPModel, judge: Repdfd, picture: np.ndarray, identity: np.ndarray
) -> float:
    """exp(s) · (cos(v, fake) − cos(v, real)), step by step."""
    with torch.inference_mode():
        word = torch.zeros(WIDTH)
        word[: len(judge.projection)] = torch.from_numpy(judge.projection @ identity)
        image = peer_image(peer, judge, picture)
        real = peer_text(peer, judge.encoder.tokens([REAL_PROMPT]), None)
        fake = peer_text(peer, judge.encoder.tokens([FAKE_PROMPT]), word)
        cosines = [torch.cosine_similarity(image, text).item() for text in (real, fake)]
        return min(peer.logit_scale.exp().item(), 100) * (cosines[1] - cosines[0])


def test_scores_are_those_of_a_plain_computation(
    judge: Repdfd, peer: CLIPModel, pictures: list[np.ndarray], identities: np.ndarray
) -> None:
    """Border, preprocessing, prompts and softmax agree with transformers' CLIP."""
    assert judge.encoder.tokens([FACE_WORD])[0, 1] == FACE_ID
    expected = [
        expected_score(peer, judge, picture, identity)
        for picture, identity in zip(pictures, identities, strict=True)
    ]
    scores = judge.score(pictures, identities)
    assert np.ptp(scores) > 30 * TOLERANCE
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE)


def test_the_centre_of_the_perturbation_is_not_used(
    judge: Repdfd, pictures: list[np.ndarray], identities: np.ndarray
) -> None:
    """Only the border is learnt: for 224 px that leaves the paper's 77,520 values."""
    changed = judge.delta.copy()
    changed[:, BORDER:-BORDER, BORDER:-BORDER] = 9
    other = replace(judge, delta=changed)
    np.testing.assert_array_equal(
        other.score(pictures, identities), judge.score(pictures, identities)
    )
    changed[:, 0, 0] += 50
    assert (other.score(pictures, identities) != judge.score(pictures, identities)).all()
    # By hand: int(224 * 0.7) = 156.
    assert 3 * (224**2 - int(224 * judge.ratio) ** 2) == 77_520


def test_the_border_can_be_learnt(judge: Repdfd, pictures: list[np.ndarray]) -> None:
    """Gradients reach the border of the perturbation, and nothing of its centre."""
    delta = torch.from_numpy(judge.delta.copy()).requires_grad_()
    judge.encoder.forward(judge.apply_border(pictures, delta)).square().sum().backward()
    assert delta.grad is not None
    assert delta.grad[:, 0, 0].abs().min() > 0
    assert not delta.grad[:, BORDER:-BORDER, BORDER:-BORDER].any()


def test_the_identity_matters(
    judge: Repdfd, pictures: list[np.ndarray], identities: np.ndarray
) -> None:
    """The same picture with another person in its prompt has another score."""
    scores = judge.score([pictures[0]] * 3, identities)
    assert np.diff(np.sort(scores)).min() > TOLERANCE


class Faces:
    """Three faces of one picture, as `run_detector` wants them; the second has no keypoints."""

    POINTS = np.array([[180, 100], [230, 100], [205, 130], [185, 160], [225, 160]], np.float32)

    def __init__(self, pixels: np.ndarray, identities: np.ndarray, query: np.ndarray | None):
        self.pixels, self.embeddings, self.query = pixels, identities, query
        self.face_features = self.image_features = np.empty((0, 0), np.float32)

    def __len__(self) -> int:
        return len(self.embeddings)

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """The same picture; what is known of it differs."""
        yield self.pixels, self.POINTS
        yield self.pixels, None
        yield self.pixels, self.POINTS + 5


def test_candidates_and_query_are_told_apart(
    judge: Repdfd, astronaut: np.ndarray, identities: np.ndarray
) -> None:
    """One is given each face's own identity, one that of who is looked for; without any, NaN."""
    own, asked = judge, replace(judge, identity="query")
    assert (own.name, asked.name) == ("repdfd", "repdfd_query")
    detector: IdentityDetector = asked
    assert isinstance(asked, IdentityDetector)
    assert not isinstance(asked, PixelDetector)
    assert detector.inputs == "face"
    assert asked.sha256 == judge.sha256 != replace(judge, delta=judge.delta + 1).sha256
    assert f"at {INNER} px" in detector.preprocessing
    crops = [
        judge.crop_input(astronaut, Faces.POINTS),
        judge.crop_input(astronaut, Faces.POINTS + 5),
    ]
    rows = np.array([0, 2])
    whole = Faces(astronaut, identities, identities[1])
    for one, expected in (
        (own, judge.score(crops, identities[rows])),
        (asked, judge.score(crops, np.repeat(identities[1:2], 2, axis=0))),
    ):
        logits = scoring.run_detector(one, whole).logits
        np.testing.assert_array_equal(np.isnan(logits), [False, True, False])
        np.testing.assert_allclose(logits[rows], expected, atol=1e-5)
    nobody = scoring.run_detector(asked, Faces(astronaut, identities, None)).logits
    assert np.isnan(nobody).all()
    assert judge.score([], identities[:0]).shape == (0,)


def test_a_face_is_cut_out_as_the_encoder_learnt_it(judge: Repdfd, astronaut: np.ndarray) -> None:
    """Aligned, at the encoder's size and margin; without keypoints there is nothing to cut."""
    encoder, points = judge.encoder, Faces.POINTS
    expected = aligned_crop(astronaut, points, size=64, margin=encoder.face_margin)
    np.testing.assert_array_equal(judge.crop_input(astronaut, points), expected)
    with pytest.raises(ValueError, match="keypoints"):
        judge.crop_input(astronaut, None)


def test_batches_do_not_change_scores(
    judge: Repdfd, pictures: list[np.ndarray], identities: np.ndarray
) -> None:
    """One by one or together; who has no embedding has no score."""
    together = judge.score(pictures, identities)
    np.testing.assert_allclose(judge.score(pictures, identities, batch_size=1), together, atol=1e-4)
    unknown = identities.copy()
    unknown[1, 0] = np.nan
    scores = judge.score(pictures, unknown)
    np.testing.assert_array_equal(np.isnan(scores), [False, True, False])
    np.testing.assert_allclose(scores[[0, 2]], together[[0, 2]], atol=1e-4)
    with pytest.raises(ValueError, match="identities must be"):
        judge.score(pictures, identities[:2])


def test_it_survives_the_disk(
    judge: Repdfd, pictures: list[np.ndarray], identities: np.ndarray, tmp_path: Path
) -> None:
    """Written and read again it scores the same, and knows its embedder."""
    path = tmp_path / "repdfd.safetensors"
    judge.save(path, embedder_sha256=EMBEDDER, sets="made up")
    again = Repdfd.load(path, encoder=judge.encoder)
    np.testing.assert_array_equal(
        again.score(pictures, identities), judge.score(pictures, identities)
    )
    assert again.embedder_sha256 == EMBEDDER


def test_what_does_not_fit_the_encoder_is_refused(judge: Repdfd) -> None:
    """A perturbation of another size, words longer than the tower's."""
    with pytest.raises(SetupError, match="does not frame"):
        replace(judge, delta=np.zeros((3, 32, 32), np.float32))
    with pytest.raises(SetupError, match="does not fit words"):
        replace(judge, projection=np.zeros((WIDTH + 1, PEOPLE), np.float32))
