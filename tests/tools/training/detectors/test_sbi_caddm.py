"""SBI and CADDM: training data, boxes, training, and their detector folders."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

from tools.detectors.folders import DetectorDescription, StoredDetector
from tools.detectors.kinds import load_detector
from tools.detectors.networks.artefact_module import (
    ArtefactNetwork,
    ArtefactOutput,
    anchors,
    artefact_losses,
    decode_boxes,
)
from tools.detectors.networks.caddm import Caddm
from tools.encoder.clip import Encoder
from tools.training.data.multi_scale_swaps import MultiScaleSwaps
from tools.training.data.pairs import CropSample, TrainingImage, TrainingPair
from tools.training.data.self_blends import SelfBlends, self_blend
from tools.training.detectors.sbi_caddm import (
    ArtefactLearner,
    boxes_of_mask,
    image_tower_weights,
    source_of,
)
from tools.training.loops.background import prefetch
from tools.training.loops.detector_training import NetworkTraining, TrainingOptions, split_by_group

ENCODER = Path("tools/checkpoints/weights/encoder")
# iBUG's 68 points of the portrait's face, roughly: enough for hulls and windows.
ANGLE = np.linspace(0, np.pi, 17)
LANDMARKS = np.concatenate([
    np.stack([222 - 62 * np.cos(ANGLE), 120 + 75 * np.sin(ANGLE)], axis=1),
    np.stack([np.linspace(172, 272, 10), np.full(10, 92)], axis=1),
    np.stack([np.full(4, 222), np.linspace(105, 135, 4)], axis=1),
    np.stack([np.linspace(208, 236, 5), np.full(5, 140)], axis=1),
    *(
        np.stack([x + 12 * np.cos(t), 108 + 5 * np.sin(t)], axis=1)
        for x in (195, 249)
        for t in [np.linspace(0, 2 * np.pi, 7)[:-1]]
    ),
    np.stack([
        222 + 26 * np.cos(np.linspace(0, 2 * np.pi, 21)[:-1]),
        165 + 9 * np.sin(np.linspace(0, 2 * np.pi, 21)[:-1]),
    ], axis=1),
]).astype(np.float32)  # fmt: skip
POINTS = np.array([[195, 108], [249, 108], [222, 135], [198, 165], [246, 165]], np.float32)


class MadePairs:
    """Pairs of a portrait, of several made-up persons, whose forgery has a darker square."""

    def __init__(self, persons: int = 6, *, dark: float = 0.45) -> None:
        self.persons, self.dark = persons, dark
        self.portrait = np.asarray(skimage.data.astronaut())[:300, 60:360]

    def __len__(self) -> int:
        return 2 * self.persons

    def group(self, index: int) -> str:
        """Two pairs each."""
        return f"person {index // 2}"

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair:
        """The square lies over the left eye, or over the mouth."""
        real = np.clip(self.portrait.astype(int) + 3 * index, 0, 255).astype(np.uint8)
        mask = np.zeros(real.shape[:2], np.uint8)
        rows, columns = ((95, 125), (110, 150)) if index % 2 else ((150, 180), (130, 190))
        mask[rows[0] : rows[1], columns[0] : columns[1]] = 255
        fake = np.where(mask[..., None] > 0, real * self.dark, real).astype(np.uint8)
        shift = np.array([60, 0], np.float32)
        points, landmarks = POINTS - shift, LANDMARKS - shift
        empty = np.zeros_like(mask)
        return TrainingPair(
            TrainingImage(real, points, landmarks, empty),
            TrainingImage(fake, points, landmarks, mask),
            "face_swap",
            paired=True,
        )


def test_anchors_are_those_of_the_paper() -> None:
    """168 of them on maps of 7, 5, 3 and 1 cells, two orientations each, all inside the crop."""
    base = anchors()
    assert base.shape == (168, 4)
    corners = torch.cat([base[:, :2] - base[:, 2:] / 2, base[:, :2] + base[:, 2:] / 2], dim=1)
    assert corners.min() >= -1e-6 and corners.max() <= 1 + 1e-6
    assert torch.allclose(base[-1], torch.tensor([0.5, 0.5, 1.0, 1.0]))
    inner = base[2 * (7 * 3 + 3)]
    assert torch.allclose(inner, torch.tensor([0.5, 0.5, 40 / 224, 80 / 224]), atol=1e-3)


def test_a_network_that_learnt_one_box_finds_it_again() -> None:
    """Losses and decoding speak the same language: moves that are learnt come out as the box."""
    box = torch.tensor([[0.3, 0.2, 0.62, 0.71]])
    moves = torch.zeros(1, 168, 4, requires_grad=True)
    artefacts = torch.zeros(1, 168, 2, requires_grad=True)
    optimiser = torch.optim.Adam([moves, artefacts], lr=0.1)
    for _ in range(150):
        losses = artefact_losses(ArtefactOutput(torch.zeros(1, 2), moves, artefacts), [box])
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimiser.step()
    said = ArtefactOutput(torch.zeros(1, 2), moves.detach(), artefacts.detach())
    (found,) = decode_boxes(said, least=0.5, most=8)
    assert torch.allclose(found[0, :4], box[0], atol=0.02)
    assert found[0, 4] > 0.9


def test_authentic_pictures_teach_that_there_is_nothing() -> None:
    """Without a box every anchor that counts pulls towards nothing, and no location is learnt."""
    said = ArtefactOutput(torch.zeros(2, 2), torch.zeros(2, 168, 4), torch.zeros(2, 168, 2))
    said.box_logits.requires_grad_()
    losses = artefact_losses(said, [torch.zeros(0, 4), torch.zeros(0, 4)])
    assert losses["location"] == 0
    losses["confidence"].backward()
    assert said.box_logits.grad[..., 1].min() >= 0 and said.box_logits.grad[..., 1].max() > 0


def test_a_self_blend_differs_from_its_photograph_within_its_mask_only() -> None:
    """Where the mask is zero, both members are the same to the last bit."""
    rng = np.random.default_rng(3)
    look = MadePairs().draw(0, rng).real
    changed = 0
    for _ in range(12):
        drawn = self_blend(look, rng)
        assert drawn is not None and drawn.fake.mask is not None
        differs = (drawn.real.pixels != drawn.fake.pixels).any(axis=2)
        assert not differs[drawn.fake.mask == 0].mean() > 0.001  # a mask below 1/255 rounds to 0
        changed += differs.sum() > 100
    assert changed >= 10


def test_self_blends_need_no_forgery() -> None:
    """The forged member of a source takes no part: another one gives the same self-blends."""
    one, other = SelfBlends(MadePairs(dark=0.1)), SelfBlends(MadePairs(dark=0.9))
    first = one.draw(3, np.random.default_rng(5))
    second = other.draw(3, np.random.default_rng(5))
    assert first is not None and second is not None
    assert np.array_equal(first.fake.pixels, second.fake.pixels)


def test_multi_scale_swaps_keep_a_window_of_the_forgery_and_say_where() -> None:
    """Outside of the mask the picture is its original; inside something of the forgery stays."""
    rng, made = np.random.default_rng(1), MultiScaleSwaps(MadePairs(), partial=1.0)
    sizes = []
    for _ in range(20):
        drawn = made.draw(2, rng)
        assert drawn.fake.mask is not None
        differs = np.abs(drawn.fake.pixels.astype(int) - drawn.real.pixels).max(axis=2) > 12
        assert differs[drawn.fake.mask == 0].mean() < 0.002
        assert differs.any()
        sizes.append(int(differs.sum()))
    assert max(sizes) > 1.5 * min(sizes)


def test_boxes_of_a_crop_are_the_whole_and_what_was_changed() -> None:
    """CADDM is told of both; of an authentic crop there is nothing to tell."""
    mask = np.zeros((128, 128), np.float32)
    mask[32:64, 16:96] = 1
    look = MadePairs().draw(0, np.random.default_rng(0)).real
    image = np.zeros((128, 128, 3), np.uint8)
    forged = boxes_of_mask(CropSample(image, True, "face_swap", "a", mask, look))
    assert np.allclose(forged, [[0, 0, 1, 1], [0.125, 0.25, 0.75, 0.5]])
    assert len(boxes_of_mask(CropSample(image, False, "authentic", "a", mask * 0, look))) == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A short training on made pairs, begun with the pocket tower, saved on a shelf."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("trained")
    learner = ArtefactLearner("caddm")
    learner.load_backbone(image_tower_weights(ENCODER))
    options = TrainingOptions(epochs=14, pairs=5, rate=2e-3, held_out=0.17, patience=99, judged=4)
    source = source_of("caddm", MadePairs(), partial=0.5)
    outcome = NetworkTraining(learner, source, options, folder=folder / "run", name="test").train()
    learner.save(folder / "caddm", trained_on="made pairs", families=["face_swap"], name="caddm")
    return folder, outcome.figures


def test_a_short_training_tells_persons_apart_that_it_never_saw(
    trained: tuple[Path, dict[str, float]],
) -> None:
    """Of the person held out, forged crops score above authentic ones."""
    assert trained[1]["held_out_auc"] > 0.8


def test_what_was_saved_is_what_was_learnt(trained: tuple[Path, dict[str, float]]) -> None:
    """The detector from the shelf tells forged from authentic and puts its boxes on the crop."""
    folder = trained[0] / "caddm"
    shelved = StoredDetector(folder, DetectorDescription.load(folder))
    detector = load_detector(shelved, Encoder.load(ENCODER, threads=1))
    assert isinstance(detector, Caddm)
    drawn = MadePairs().draw(4, np.random.default_rng(0))
    crops = [detector.crop_input(it.pixels, it.keypoints) for it in (drawn.real, drawn.fake)]
    authentic, forged = detector.score_images(crops)
    assert forged > authentic
    batched = detector.score_images([*crops, *crops], batch_size=3)
    assert np.allclose(batched[:2], batched[2:], atol=1e-4)
    for found in detector.boxes(crops):
        assert found.shape[1] == 5 and ((found >= 0) & (found <= 1)).all()


def test_a_training_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    """The second run begins where the first was stopped, and refuses another training's work."""
    options = TrainingOptions(epochs=2, pairs=3, held_out=0.17, judged=2, patience=99)

    def run(options: TrainingOptions) -> NetworkTraining:
        torch.manual_seed(0)
        return NetworkTraining(
            ArtefactLearner("sbi"), MadePairs(), options, folder=tmp_path, name="resumed"
        )

    class StoppedError(Exception):
        """As if the process had been killed."""

    def stop(done: float, found: object) -> None:
        if steps:
            raise StoppedError
        steps.append(done)

    steps: list[float] = []
    with pytest.raises(StoppedError):
        run(options).train(stop)
    again = run(options)
    assert again.step > 0
    assert len(again.train().curve) == 2
    with pytest.raises(Exception, match="another training"):
        run(TrainingOptions(epochs=2, pairs=3, held_out=0.17, judged=2, seed=9))


def test_what_ended_is_not_gone_on_with(tmp_path: Path) -> None:
    """Patience ended a training, the job was killed later: the same again learns nothing more."""
    options = TrainingOptions(epochs=10, pairs=3, held_out=0.17, judged=2, patience=1)

    def run() -> NetworkTraining:
        torch.manual_seed(0)
        return NetworkTraining(
            ArtefactLearner("sbi"), MadePairs(), options, folder=tmp_path, name="ended"
        )

    first, judged = run(), list[float]()
    outcome = first.train()
    assert first.waited == 1 and len(outcome.curve) < 10
    again = run()
    assert again.train(lambda done, found: judged.append(done)).curve == outcome.curve
    assert (again.step, judged) == (first.step, [])
    weights = first.learner.state_dict()
    assert all(torch.equal(it, weights[name]) for name, it in again.learner.state_dict().items())


@pytest.mark.parametrize(("epochs", "times"), [(3, 3), (12, 10)])
def test_a_training_is_judged_once_an_epoch_and_ten_times_at_most(
    epochs: int, times: int, tmp_path: Path
) -> None:
    """Patience is counted in these moments, as the options say."""
    options = TrainingOptions(epochs=epochs, pairs=10, held_out=0.17, judged=2, patience=99)
    run = NetworkTraining(
        ArtefactLearner("sbi"), MadePairs(), options, folder=tmp_path, name="judged"
    )
    assert len(run.train().curve) == times


def test_no_person_is_learnt_from_and_judged_by() -> None:
    """Pairs of one person are all on one side."""
    source = MadePairs(persons=9)
    learnt, held = split_by_group(source, share=0.3, seed=1)
    assert not {source.group(it) for it in learnt} & {source.group(it) for it in held}
    assert sorted(learnt + held) == list(range(18))


def test_a_thread_that_makes_batches_ends_when_nobody_wants_them() -> None:
    """Its failure is raised where the batches are used, and it leaves no thread behind."""
    import threading
    import time

    before = set(threading.enumerate())
    items = prefetch(iter(range(10**9)))
    assert [next(items), next(items)] == [0, 1]
    items.close()
    deadline = time.monotonic() + 5
    while (left := {*threading.enumerate()} - before) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert list(prefetch(iter([1, 2, 3]))) == [1, 2, 3]

    def failing() -> object:
        yield 1
        raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        list(prefetch(failing()))


def test_any_timm_network_can_be_the_backbone() -> None:
    """A network without a tower of ours gives the same kinds of outputs."""
    said = ArtefactNetwork("resnet18", module=True).eval()(torch.zeros(2, 3, 128, 128))
    assert said.logits.shape == (2, 2)
    assert said.box_offsets is not None and said.box_offsets.shape == (2, 168, 4)
