"""GenD's recipe on any encoder: what is tuned, what stays frozen, and the effect of training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.made.pairs import MadePairs, samples
from tests.support.tiny_clip import tiny_clip
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import PixelDetector
from tools.detectors.clip_heads.norm_tuned import (
    NormTunedDetector,
    copy_image_tower,
    norm_parameters,
    normalised_features,
)
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.training.detectors.norm_tuning import NormTuning, alignment, uniformity
from tools.training.loops.detector_training import NetworkTraining, TrainingOptions

STEPS = 3


@pytest.fixture(scope="module", params=["pocket", "vit"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A convolutional tower with BatchNorms, and a ViT with LayerNorms."""
    if request.param == "vit":
        return tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")[0]
    return Encoder.load(WEIGHTS_DIR / "encoder", threads=1, device="cpu")


def stepped(encoder: Encoder, *, steps: int = STEPS) -> NormTuning:
    """A learner after a few steps on four pairs, at a high rate."""
    learner, pairs = NormTuning(encoder), samples(encoder)
    optimiser = torch.optim.AdamW(learner.groups(TrainingOptions(rate=0.02)))
    for _ in range(steps):
        learner.train()
        optimiser.zero_grad()
        torch.stack(list(learner.losses(pairs).values())).sum().backward()
        optimiser.step()
    return learner


def test_at_zero_steps_it_sees_what_the_encoder_sees(encoder: Encoder) -> None:
    """Before any learning the tower's features are the encoder's own, brought to length one."""
    pairs = samples(encoder)
    plain = encoder.encode_images([sample.image for sample in pairs])
    expected = plain / np.linalg.norm(plain, axis=1, keepdims=True)
    learner = NormTuning(encoder)
    with torch.inference_mode():
        np.testing.assert_allclose(learner.features(pairs).numpy(), expected, atol=1e-5)
        detector = learner.detector(encoder)
        batch = encoder.preprocess([sample.image for sample in pairs])
        np.testing.assert_allclose(
            normalised_features(detector.tower, batch).numpy(), expected, atol=1e-5
        )


def test_the_shared_encoder_is_left_alone(encoder: Encoder, tmp_path: Path) -> None:
    """Learning, making the detector and loading it change no number of the encoder's."""
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    path = tmp_path / "model.safetensors"
    learner = stepped(encoder)
    learner.detector(encoder).save(path, encoder_sha256=encoder.sha256)
    loaded = NormTunedDetector.load(path, encoder=encoder)
    loaded.score_images([sample.image for sample in samples(encoder)])
    after = encoder.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any(it.requires_grad for it in encoder.model.parameters())


def test_nothing_but_normalisation_and_the_head_is_learnt(encoder: Encoder) -> None:
    """Every scale and shift moved, every other number and all running statistics did not."""
    tuned = stepped(encoder).detector(encoder).tower.state_dict()
    plain = copy_image_tower(encoder)
    norms = set(norm_parameters(plain))
    same = {name for name, it in plain.state_dict().items() if torch.equal(it, tuned[name])}
    assert norms
    assert not same & norms
    assert same | norms == set(tuned)
    learnt = sum(value.numel() for value in NormTuning(encoder).state_dict().values())
    assert learnt < 0.05 * sum(value.numel() for value in tuned.values())


def test_it_survives_the_disk(encoder: Encoder, tmp_path: Path) -> None:
    """What was optimised is what scores, from the file too; another encoder's is refused."""
    learner, pairs, path = stepped(encoder), samples(encoder), tmp_path / "model.safetensors"
    with torch.inference_mode():
        expected = learner.eval().logits(pairs).numpy()
    made = learner.detector(encoder)
    made.save(path, encoder_sha256=encoder.sha256)
    loaded = NormTunedDetector.load(path, encoder=encoder)
    pictures = [sample.image for sample in pairs]
    for detector in (made, loaded):
        scores = detector.score_images(pictures)
        np.testing.assert_allclose(scores, expected, atol=1e-4)
        np.testing.assert_allclose(detector.score_images(pictures, batch_size=3), scores, atol=1e-4)
    assert (made.sha256, len(loaded.sha256)) == ("", 64)
    assert isinstance(loaded, PixelDetector)
    assert np.ptp(expected) > 0.01
    made.save(path, encoder_sha256="f" * 64)
    with pytest.raises(SetupError, match="trained on the encoder"):
        NormTunedDetector.load(path, encoder=encoder)


def test_a_head_of_another_width_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    """Tensors that do not fit the encoder's are named and never half used."""
    made, path = NormTuning(encoder).detector(encoder), tmp_path / "model.safetensors"
    wide = torch.zeros(2, encoder.dimension + 1)
    replace(made, weight=wide).save(path, encoder_sha256=encoder.sha256)
    with pytest.raises(SetupError, match="does not fit its encoder: weight"):
        NormTunedDetector.load(path, encoder=encoder)


def test_gradients_reach_the_picture(encoder: Encoder) -> None:
    """Its logits are differentiable, so heat maps can ask what raised them."""
    detector = NormTuning(encoder).detector(encoder)
    batch = encoder.preprocess([samples(encoder)[-1].image]).requires_grad_()
    detector.logits(batch)[0, 1].backward()
    assert batch.grad is not None
    assert batch.grad.abs().max() > 0


def test_the_losses_are_those_of_the_paper() -> None:
    """By hand, of (1, 0), (0, 1) and (-1, 0): squared distances 2, 4 and 2."""
    features = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    expected = np.log((2 * np.exp(-4) + np.exp(-8)) / 3)
    assert float(uniformity(features)) == pytest.approx(expected, abs=1e-6)
    assert float(alignment(features, torch.tensor([0, 0, 1]))) == pytest.approx(2)
    assert float(alignment(features, torch.tensor([1, 0, 1]))) == pytest.approx(4)
    assert float(alignment(features[:2], torch.tensor([0, 1]))) == 0


def test_a_short_training_tells_unseen_persons_apart(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From chance to nearly all, in two epochs; who judged was not learnt from."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        encoder = tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")[0]
    options = TrainingOptions(epochs=2, pairs=8, rate=2e-3, judged=12)
    run = NetworkTraining(NormTuning(encoder), MadePairs(20), options, folder=tmp_path, name="gend")
    outcome = run.train()
    assert outcome.figures["held_out_auc"] > 0.9
    seen = {MadePairs(20).group(index) for index in outcome.held_out}
    assert 0 < len(seen) < 20


def test_an_encoder_without_a_tower_is_a_setup_error(tmp_path: Path) -> None:
    """What cannot be tuned is told before anything is learnt."""
    encoder = tiny_clip(tmp_path / "encoder")[0]
    encoder.model = torch.nn.Linear(2, 2)
    with pytest.raises(SetupError, match="no image tower"):
        NormTuning(encoder)
