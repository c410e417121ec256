"""RepDFD's training: the identity in the prompt, and what the border learns."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.made.pairs import MadePairs, samples
from tests.support.tiny_clip import tiny_clip
from tools.encoder.clip import Encoder
from tools.training.data.pairs import CropSample
from tools.training.detectors.repdfd import (
    IdentityTrainingImage,
    PairsWithIdentities,
    Reprogramming,
)
from tools.training.loops.detector_training import NetworkTraining, TrainingOptions

PEOPLE = 16


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A tiny CLIP, always the same."""
    return tiny_clip(tmp_path_factory.mktemp("clip") / "encoder")[0]


def embed(looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """An identity of length one that only this picture has."""
    drawn = [np.random.default_rng(int(pixels.sum())).normal(size=PEOPLE) for pixels, _ in looks]
    return [(it / np.linalg.norm(it)).astype(np.float32) for it in drawn]


def own(pixels: np.ndarray) -> np.ndarray:
    """The identity of one picture."""
    return embed([(pixels, np.empty(0))])[0]


def identities(source: PairsWithIdentities, index: int) -> tuple[np.ndarray, np.ndarray]:
    """What stands in the prompts of a pair, after the crops were cut."""
    drawn = source.draw(index, np.random.default_rng(1))
    assert drawn is not None
    assert isinstance(drawn.real, IdentityTrainingImage)
    assert isinstance(drawn.fake, IdentityTrainingImage)
    return drawn.real.identity, drawn.fake.identity


def test_a_candidate_is_asked_with_its_own_identity() -> None:
    """As published: each picture's own embedding, the forgery's too."""
    source = PairsWithIdentities(MadePairs(), embed)
    plain = source.source.draw(4, np.random.default_rng())
    real, fake = identities(source, 4)
    np.testing.assert_array_equal(real, own(plain.real.pixels))
    np.testing.assert_array_equal(fake, own(plain.fake.pixels))


def test_a_query_is_another_photograph_of_the_same_person() -> None:
    """Both members are asked with one authentic photograph that is not the one they show."""
    source = PairsWithIdentities(MadePairs(each=3), embed, "query")
    real, fake = identities(source, 4)
    np.testing.assert_array_equal(real, fake)
    others = [own(MadePairs(each=3).draw(at, np.random.default_rng()).real.pixels) for at in (3, 5)]
    assert any(np.array_equal(real, other) for other in others)


@pytest.mark.parametrize(("family", "each"), [("face_swap", 3), ("inpainting", 1)])
def test_where_no_photograph_of_the_depicted_person_is_known(family: str, each: int) -> None:
    """A swap depicts somebody else, and one photograph has no other: the face's own stands in."""
    source = PairsWithIdentities(MadePairs(each=each, family=family), embed, "query")
    plain = source.source.draw(0, np.random.default_rng())
    real, fake = identities(source, 0)
    np.testing.assert_array_equal(fake, own(plain.fake.pixels))
    assert np.array_equal(real, own(plain.real.pixels)) == (each == 1)


def known(encoder: Encoder) -> list[CropSample]:
    """Crops whose looks know their identity."""
    found = samples(encoder)
    source = PairsWithIdentities(MadePairs(), embed)
    pairs = [source.draw(index, np.random.default_rng()) for index in range(len(found) // 2)]
    looks = [it.real for it in pairs if it] + [it.fake for it in pairs if it]
    return [replace(one, look=look) for one, look in zip(found, looks, strict=True)]


def test_a_learner_and_its_detector_are_one_function(encoder: Encoder) -> None:
    """What was optimised is what scores; only the border was, and the encoder is left alone."""
    learner = Reprogramming.initial(encoder, embedding_size=PEOPLE, whose="query")
    before = {name: value.clone() for name, value in encoder.model.state_dict().items()}
    pairs = known(encoder)
    optimiser = torch.optim.AdamW(learner.groups(TrainingOptions()))
    for _ in range(2):
        optimiser.zero_grad()
        torch.stack(list(learner.losses(pairs).values())).sum().backward()
        optimiser.step()
    judge = learner.detector()
    with torch.inference_mode():
        expected = learner.logits(pairs).numpy()
    given = np.stack(
        [it.look.identity for it in pairs if isinstance(it.look, IdentityTrainingImage)]
    )
    scores = judge.score([sample.image for sample in pairs], given)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert (judge.name, judge.identity) == ("repdfd_query", "query")
    assert np.abs(judge.delta[:, 0]).min() > 0
    after = encoder.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [name for name, _ in learner.named_parameters()] == ["delta"]


def test_a_copy_learns_apart_and_shares_the_encoder(encoder: Encoder) -> None:
    """The running average of a training has a border of its own, and no second encoder."""
    learner = Reprogramming.initial(encoder, embedding_size=PEOPLE, whose="candidate")
    twin = copy.deepcopy(learner)
    with torch.no_grad():
        twin.delta += 1
    assert not learner.delta.any()
    assert twin.detector().encoder is learner.detector().encoder is encoder


def test_looks_without_an_identity_are_refused(encoder: Encoder) -> None:
    """A pair that nobody gave an identity is a mistake of the caller's."""
    learner = Reprogramming.initial(encoder, embedding_size=PEOPLE, whose="candidate")
    with pytest.raises(ValueError, match="WithIdentities"):
        learner.logits(samples(encoder))


def test_a_short_training_beats_no_border(encoder: Encoder, tmp_path: Path) -> None:
    """On persons never seen the learnt border tells more pairs apart than none at all."""
    source = PairsWithIdentities(MadePairs(20), embed)
    learner = Reprogramming.initial(encoder, embedding_size=PEOPLE, whose="candidate")
    options = TrainingOptions(epochs=6, pairs=8, judged=20, rate=1e-2)
    outcome = NetworkTraining(learner, source, options, folder=tmp_path, name="repdfd").train()
    assert outcome.figures["held_out_auc"] > 0.9
    assert outcome.curve[-1]["told"] < outcome.curve[0]["told"]
