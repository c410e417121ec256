"""Prompt tuning: CoOp's context, the adapter and the linear probe, scored, trained and resumed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import CLIPModel

from tests.support.tiny_clip import DIMENSION, tiny_clip
from tools.detectors.clip_heads.prompt_tuning import (
    ADAPTER_PROMPTS,
    ClipAdapter,
    Coop,
    LinearProbe,
    PromptTunedDetector,
    prompt_features,
)
from tools.encoder.clip import Encoder
from tools.errors import SetupError
from tools.training.detectors import prompt_learners as learners
from tools.training.detectors import prompt_tuning as training
from tools.training.detectors.prompt_learners import CoopLearner, word_spread
from tools.training.detectors.prompt_tuning import (
    RECIPES,
    LabelledFeatures,
    PromptTuningOptions,
    fit_prompts,
    held_out,
)

RNG = np.random.default_rng(11)
TOLERANCE = 1e-3
ENCODER = "e" * 64

COOP = Coop(np.array([[1.0, 0, 0], [0, 2.0, 0]]), np.zeros((4, 8)), scale=10.0, inputs="face")
PROBE = LinearProbe(np.array([[1.0, 0, 2], [3, 1, 0]]), np.array([0.5, -0.25]), inputs="face")
ADAPTER = ClipAdapter(
    down=np.array([[1.0, 0, 0]]), up=np.array([[0.0], [2], [-1]]),
    texts=np.array([[1.0, 0, 0], [0, 1, 0]]), scale=10.0, inputs="face",
)  # fmt: skip
TUNED: tuple[PromptTunedDetector, ...] = (COOP, PROBE, ADAPTER)
FAST = PromptTuningOptions(epochs=12, rate=0.05, warm_up=0, context=4, patience=12)


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


def silent(line: str) -> None:
    """Progress that nobody needs."""


def made_up(*, persons: int = 40, rows: int = 6, gap: float = 1.5) -> LabelledFeatures:
    """Separable features: each person has an offset of their own, forgeries one in common."""
    rng = np.random.default_rng(2)
    direction = rng.normal(size=DIMENSION) / np.sqrt(DIMENSION)
    labels = np.tile(np.arange(rows) % 2, persons)
    groups = np.repeat([f"person {number}" for number in range(persons)], rows)
    offsets = np.repeat(rng.normal(0, 0.2, (persons, DIMENSION)), rows, axis=0)
    noise = rng.normal(0, 0.3, (len(labels), DIMENSION))
    features = 0.5 + offsets + noise + np.where(labels, gap, -gap)[:, None] * direction
    return LabelledFeatures.from_rows(features, labels, groups)


def test_coop_scores_by_hand() -> None:
    """For (3, 4, 0) the cosines are 0.6 and 0.8, so 10 · 0.2; lengths do not matter."""
    np.testing.assert_allclose(COOP.score(np.array([[3.0, 4, 0], [30, 40, 0]])), [2, 2], atol=1e-5)


def test_the_linear_probe_scores_by_hand() -> None:
    """For (1, 1, 1): 3 + 1 + 0 − 0.25 = 3.75 against 1 + 0 + 2 + 0.5 = 3.5, so 0.25."""
    np.testing.assert_allclose(PROBE.score(np.array([[1.0, 1, 1]])), [0.25])


def test_the_adapter_scores_by_hand() -> None:
    """For (2, 1, 0): relu(2) = 2, up gives (0, 4, −2) and relu (0, 4, 0).

    0.4 · (0, 4, 0) + 0.6 · (2, 1, 0) = (1.2, 2.2, 0); 10 · (2.2 − 1.2) / √(1.44 + 4.84).
    """
    np.testing.assert_allclose(ADAPTER.score(np.array([[2.0, 1, 0]])), [10 / 6.28**0.5], atol=1e-5)


@pytest.mark.parametrize("tuned", TUNED)
def test_what_was_not_measured_has_no_score(tuned: PromptTunedDetector) -> None:
    """A row with NaN scores NaN; no rows, no scores; features of another encoder are refused."""
    features = np.array([[1, 2, 3], [np.nan] * 3, [1, np.nan, 3], [3, 1, 2]], np.float32)
    scores = tuned.score(features)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(np.isnan(scores), [False, True, True, False])
    assert tuned.score(features[:0]).shape == (0,)
    with pytest.raises(ValueError, match="features must be"):
        tuned.score(np.zeros((2, 5)))


@pytest.mark.parametrize("tuned", TUNED)
def test_they_survive_the_disk(tuned: PromptTunedDetector, tmp_path: Path) -> None:
    """Written and read again they score the same; another encoder's are refused."""
    path, features = tmp_path / "head.safetensors", RNG.normal(size=(20, 3))
    tuned.save(path, encoder_sha256=ENCODER, sets="made up")
    again = type(tuned).load(path, inputs="image", encoder_sha256=ENCODER)
    assert (again.name, again.inputs, again.preprocessing) == (tuned.name, "image", "resize")
    np.testing.assert_allclose(again.score(features), tuned.score(features), atol=1e-5)
    with pytest.raises(SetupError, match="trained on the encoder"):
        type(tuned).load(path, inputs="face", encoder_sha256="f" * 64)


@pytest.mark.parametrize(
    ("tuned", "reason"),
    [
        (replace(COOP, texts=np.ones((3, 3))), "has 3 classes"),
        (replace(PROBE, bias=np.ones(1)), "has 1 classes"),
        (replace(ADAPTER, up=np.ones((2, 1))), "not an adapter"),
    ],
)
def test_inconsistent_files_are_setup_errors(
    tuned: PromptTunedDetector, reason: str, tmp_path: Path
) -> None:
    """A head that names three classes, or whose parts do not fit, is never half used."""
    tuned.save(tmp_path / "head.safetensors", encoder_sha256=ENCODER)
    with pytest.raises(SetupError, match=reason):
        type(tuned).load(tmp_path / "head.safetensors", inputs="face", encoder_sha256=ENCODER)


@pytest.mark.parametrize(
    ("position", "context", "prompts"),
    [
        ("end", "a photo of", ["a photo of real.", "a photo of fake."]),
        ("front", "is how it looks", ["real is how it looks.", "fake is how it looks."]),
        ("front", "deepfakes everywhere", ["authentic picture deepfakes everywhere."]),
    ],
)  # fmt: skip
def test_a_context_of_real_words_is_the_prompt(
    encoder: Encoder,
    peer: CLIPModel,
    position: Any,
    context: str,
    prompts: list[str],
) -> None:
    """With real tokens as its context, CoOp's encoding is open_clip's and transformers' own."""
    tokens = encoder.tokens([context])
    words = tokens[0, 1 : int(tokens[0].argmax())]
    names = ("real", "fake") if len(prompts) == 2 else ("authentic picture",)
    ours = prompt_features(
        encoder, encoder.token_embeddings(words[None])[0], words=names, position=position
    )
    np.testing.assert_allclose(ours.numpy(), encoder.encode_texts(prompts), atol=1e-5)
    tokens = encoder.tokens(prompts)
    ends = tokens.argmax(dim=1)
    mask = torch.arange(tokens.shape[1])[None] <= ends[:, None]
    with torch.inference_mode():
        theirs = peer.get_text_features(input_ids=tokens, attention_mask=mask.long()).pooler_output
    expected = torch.nn.functional.normalize(theirs, dim=1).numpy()
    np.testing.assert_allclose(ours.numpy(), expected, atol=TOLERANCE)


def test_coop_reproduces_a_softmax_of_transformers(
    encoder: Encoder,
    peer: CLIPModel,
    astronaut: np.ndarray,
) -> None:
    """From pixels to p(fake): our features and learnt context against transformers' CLIP."""
    words = encoder.tokens(["a picture of a person"])
    context = encoder.token_embeddings(words[:, 1 : int(words[0].argmax())])[0]
    texts = prompt_features(encoder, context, position="end").numpy()
    tuned = Coop(texts, context.numpy(), encoder.logit_scale, inputs="image", position="end")
    pictures = [astronaut, astronaut[::-1], astronaut[100:300, 80:240]]
    ours = 1 / (1 + np.exp(-tuned.score(encoder.encode_images(pictures))))
    tokens = encoder.tokens([f"a picture of a person {word}." for word in ("real", "fake")])
    ends = tokens.argmax(dim=1)
    mask = torch.arange(tokens.shape[1])[None] <= ends[:, None]
    with torch.inference_mode():
        batch = encoder.preprocess(pictures)
        found = peer(input_ids=tokens, attention_mask=mask.long(), pixel_values=batch)
        expected = found.logits_per_image.softmax(dim=1)[:, 1].numpy()
    np.testing.assert_allclose(ours, expected, atol=TOLERANCE)


def test_a_context_that_does_not_fit_is_refused(encoder: Encoder) -> None:
    """The text tower reads so many tokens and no more; positions are the two known ones."""
    width = encoder.text_width
    assert len(prompt_features(encoder, torch.zeros(73, width))) == 2
    with pytest.raises(SetupError, match="does not fit"):
        prompt_features(encoder, torch.zeros(75, width))
    with pytest.raises(ValueError, match="position must be"):
        prompt_features(encoder, torch.zeros(2, width), position="middle")  # type: ignore[arg-type]


def test_no_person_is_on_both_sides() -> None:
    """Held-out rows are of other persons, about a fifth, the same for equal seeds."""
    data = made_up()
    held = held_out(data, share=0.2, seed=3)
    assert not set(data.groups[held]) & set(data.groups[~held])
    assert 0.15 < held.mean() <= 0.2
    np.testing.assert_array_equal(held, held_out(data, share=0.2, seed=3))
    assert (held != held_out(data, share=0.2, seed=4)).any()


def test_persons_that_cannot_be_divided_are_refused() -> None:
    """One person, or forgeries of one person only, leave nothing to hold out."""
    data = made_up(persons=4)
    alone = replace(data, groups=np.full(len(data.groups), "one"))
    with pytest.raises(SetupError, match="cannot be divided"):
        held_out(alone, share=0.2, seed=0)
    rare = replace(data, forged=data.forged & (data.groups == "person 1"))
    with pytest.raises(SetupError, match="cannot be divided"):
        held_out(rare, share=0.2, seed=0)


def test_rows_without_a_measurement_are_left_out_and_counted() -> None:
    """NaN is no feature; arrays that do not belong together are refused."""
    features = np.ones((4, 2))
    features[1, 0] = np.nan
    data = LabelledFeatures.from_rows(
        features, np.array([0, 1, 1, 0]), np.array(["a", "b", "c", "d"])
    )
    assert (data.dropped, data.groups.tolist(), data.forged.tolist()) == (
        1, ["a", "c", "d"], [False, True, False],
    )  # fmt: skip
    with pytest.raises(SetupError, match="do not belong together"):
        LabelledFeatures.from_rows(features, np.zeros(3), np.zeros(4))


@pytest.mark.parametrize("kind", ["coop", "clip_adapter", "linear_probe"])
def test_learning_separates(kind: Any, encoder: Encoder, tmp_path: Path) -> None:
    """The loss falls, persons never seen are told apart, and the file scores the same."""
    data = made_up()
    found = fit_prompts(kind, data, encoder=encoder, options=FAST, progress=silent)
    assert found.losses[-1][0] < 0.7 * found.losses[0][0]
    assert found.figures["auc"] > 0.9
    assert found.figures["persons_learnt"] + found.figures["persons_held_out"] == 40
    path = tmp_path / "head.safetensors"
    found.detector.save(path, encoder_sha256=encoder.sha256)
    again = type(found.detector).load(path, inputs="face", encoder_sha256=encoder.sha256)
    np.testing.assert_allclose(
        again.score(data.features), found.detector.score(data.features), atol=1e-4
    )


@pytest.mark.parametrize("kind", ["coop", "clip_adapter", "linear_probe"])
def test_a_learner_and_its_detector_are_one_function(kind: Any, encoder: Encoder) -> None:
    """What was optimised is what scores: logits of torch and scores of numpy agree."""
    data = made_up(persons=3)
    model = training.learner(kind, encoder, context=4, position="front", seed=5)
    with torch.inference_mode():
        logits = model(torch.from_numpy(data.features)).numpy()
    scores = model.detector("face").score(data.features)
    np.testing.assert_allclose(scores, logits[:, 1] - logits[:, 0], atol=TOLERANCE)


@pytest.mark.parametrize("share", [0.1, 2])
def test_a_context_begins_as_large_as_the_words_beside_it(
    share: float, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As published where words are no larger than CLIP's, else as large as they are."""
    spread = word_spread(encoder)
    monkeypatch.setattr(learners, "CLIP_SPREAD", share * spread)
    model = training.learner("coop", encoder, context=16, position="front", seed=0)
    assert isinstance(model, CoopLearner)
    expected = max(1, share) * spread
    assert float(model.context.detach().std()) == pytest.approx(expected, rel=0.1)


def test_an_adapter_reads_the_published_prompts(encoder: Encoder) -> None:
    """Its class features are those of "a real photo." and "a fake photo."."""
    model = training.learner("clip_adapter", encoder, context=4, position="front", seed=0)
    adapter = model.detector("face")
    assert isinstance(adapter, ClipAdapter)
    np.testing.assert_allclose(adapter.texts, encoder.encode_texts(ADAPTER_PROMPTS), atol=1e-6)


@pytest.mark.parametrize("kind", ["coop", "linear_probe"])
def test_a_broken_training_goes_on(kind: Any, encoder: Encoder, tmp_path: Path) -> None:
    """Killed after two epochs and started again, it ends with the weights of an unbroken one."""
    data, path = made_up(persons=10), tmp_path / "run.pt"
    options = replace(FAST, epochs=4)
    whole = fit_prompts(kind, data, encoder=encoder, options=options, progress=silent)

    class Killed(BaseException):
        """A stand-in for a power cut."""

    def until_the_second(line: str) -> None:
        if line.startswith("epoch 2"):
            raise Killed

    with pytest.raises(Killed):
        fit_prompts(
            kind, data, encoder=encoder, options=options, checkpoint=path,
            progress=until_the_second,
        )  # fmt: skip
    epochs: list[str] = []
    again = fit_prompts(
        kind, data, encoder=encoder, options=options, checkpoint=path, progress=epochs.append
    )
    assert [line[:7] for line in epochs] == ["epoch 3", "epoch 4"]
    assert again.losses == whole.losses
    np.testing.assert_array_equal(
        again.detector.score(data.features), whole.detector.score(data.features)
    )
    with pytest.raises(SetupError, match="another training"):
        fit_prompts(
            kind, data, encoder=encoder, options=replace(options, seed=1), checkpoint=path,
            progress=silent,
        )  # fmt: skip


def test_training_stops_when_nothing_is_gained(encoder: Encoder) -> None:
    """Labels without meaning: the held-out loss soon rises, and the best weights are kept."""
    data = made_up(persons=20)
    data = replace(data, forged=np.random.default_rng(1).random(len(data.forged)) < 0.5)
    options = replace(FAST, epochs=60, rate=0.2, patience=3)
    found = fit_prompts("linear_probe", data, encoder=encoder, options=options, progress=silent)
    held = [loss for _, loss in found.losses]
    assert len(held) < 60
    assert len(held) - 1 - int(np.argmin(held)) == 3


def test_features_of_another_encoder_cannot_be_learnt(encoder: Encoder) -> None:
    """Lengths that do not agree are a mistake of the person's, told before any epoch."""
    data = replace(made_up(), features=np.zeros((240, 7), np.float32))
    with pytest.raises(SetupError, match="not those of the encoder"):
        fit_prompts("coop", data, encoder=encoder)


def test_recipes_are_the_published_ones() -> None:
    """SGD at 2e-3 with a warm-up and 16 words for CoOp; 3e-3 and nothing else for the probe."""
    coop, probe = RECIPES["coop"], RECIPES["linear_probe"]
    assert (coop.rate, coop.batch, coop.context, coop.position) == (2e-3, 16, 16, "front")
    assert (probe.rate, probe.momentum, probe.warm_up) == (3e-3, 0, 0)


def test_the_command_writes_weights_and_a_card(
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From a file of features to a head, its card, and a checkpoint to go on from."""
    data, out = made_up(persons=12), tmp_path / "heads" / "face_coop.safetensors"
    stored = {"features": data.features, "labels": data.forged, "groups": data.groups}
    np.savez(tmp_path / "made.npz", **stored, encoder_sha256=np.array(encoder.sha256))
    arguments = ["coop", str(tmp_path / "made.npz"), "--out", str(out), "--epochs", "2"]
    arguments += ["--encoder", str(encoder.folder), "--context", "4", "--source", "made-up points"]
    monkeypatch.setattr("sys.argv", ["prompt_tuning", *arguments])
    training.main()
    assert "AUC" in capsys.readouterr().out
    card = out.with_suffix(".card.md").read_text("utf-8")
    for needed in ("made-up points", "Licence", "Limits", "data_sha256", "auc", encoder.sha256):
        assert needed in card
    assert load_file(out)["context"].shape == (4, encoder.text_width)
    loaded = Coop.load(out, inputs="face", encoder_sha256=encoder.sha256)
    assert np.isfinite(loaded.score(data.features)).all()
    stored["encoder_sha256"] = np.array("another")
    np.savez(tmp_path / "made.npz", **stored)
    with pytest.raises(SystemExit, match="another encoder"):
        training.main()
