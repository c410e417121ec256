"""Norm tuning of the tower: pairs, training, and the detector that ships."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.tiny_clip import tiny_tower
from tools.detectors.clip_heads.tower_head import TowerHead
from tools.detectors.folders import find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.training.data import harmless_edits
from tools.training.tower import tuned
from tools.training.tower.tuned import HELD, SHARES, HeldOut, PairReader, TunedTop

STEPS = 60


def _write_pairs(folder: Path, name: str, count: int) -> None:
    """Smooth pictures; each forgery is its original with stripes in the middle."""
    rng = np.random.default_rng([*name.encode()])
    stripes = np.tile(np.where(np.arange(112) // 28 % 2, 60, -60), (112, 1))[..., None]
    pairs = []
    for _ in range(count):
        small = rng.integers(60, 196, (4, 4, 3), np.uint8)
        real = cv2.resize(small, (224, 224), interpolation=cv2.INTER_CUBIC)
        fake = real.astype(int)
        fake[56:168, 56:168] += stripes
        pairs.append([real, np.clip(fake, 0, 255).astype(np.uint8)])
    np.savez(folder / f"{name}-000.npz", crops=np.array(pairs), family=np.array(["made"] * count))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TowerHead, TunedTop]:
    """A run of some steps on a tiny tower, from a head that knows nothing."""
    work = tmp_path_factory.mktemp("run")
    for name in (*SHARES, *HELD):
        _write_pairs(work, name, 24)
    slots = np.array([3, 7, 11, 15, 19, 23])
    tower = tiny_tower(work / "part")
    linear = TowerHead(tower, slots, np.zeros((6, 16)), 0.0, "plain", "0")
    top = TunedTop(linear)
    batches = tuned.ahead(tower, PairReader(work, np.random.default_rng(0)))
    tuned.train(top, batches, work, done=lambda step: step / STEPS, rates=(0.02, 0.02))
    return work, linear, top


def test_a_pair_has_one_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Authentic and forged in turn; outside the forged place both stay equal but for JPEG."""
    monkeypatch.setattr(harmless_edits, "EDITED_ALONE", 0.0)
    for name in SHARES:
        _write_pairs(tmp_path, name, 2)
    drawn = PairReader(tmp_path, np.random.default_rng(0)).batch().astype(int)
    apart = np.abs(drawn[0::2] - drawn[1::2])
    assert np.median(apart[:, :40]) <= 2
    assert all(it[96:128, 96:128].mean() > 8 for it in apart)


def test_tuning_learns_what_the_plain_head_does_not_know(
    trained: tuple[Path, TowerHead, TunedTop],
) -> None:
    """On pairs that it never saw; norms of the upper blocks move."""
    work, linear, top = trained
    held = HeldOut.judged(work, HELD[0], top, linear)
    figures = held.figures()
    assert figures["pairs"] == 24
    assert figures["began"] == {"auc": 0.5, "ranked": 0.0}
    assert figures["tuned"]["ranked"] > 0.9  # type: ignore[index]
    assert figures["tuned"]["auc"] > 0.6  # type: ignore[index]
    began = TunedTop(linear)
    assert all((a - b).abs().max() > 0 for a, b in zip(top.norms, began.norms, strict=True))
    assert (work / tuned.LOG).read_text("utf-8").count("\n") >= 1


def test_a_finished_run_is_not_trained_again(
    trained: tuple[Path, TowerHead, TunedTop],
) -> None:
    """The checkpoint holds the time that was spent."""
    work, linear, top = trained
    again = TunedTop(linear)
    batches = tuned.ahead(linear.tower, PairReader(work, np.random.default_rng(0)))
    tuned.train(again, batches, work, done=tuned.by_clock(work, 60.0))
    assert all((a == b).all() for a, b in zip(top.norms, again.norms, strict=True))


def test_the_saved_detector_scores_as_the_trained_one(
    trained: tuple[Path, TowerHead, TunedTop], tmp_path: Path
) -> None:
    """On one scale: mean 0 and deviation 1 on the authentic pictures."""
    work, linear, top = trained
    held = [HeldOut.judged(work, name, top, linear) for name in HELD]
    tuned.save_head(top, tmp_path / "clip_tuned", held)
    found = next(iter(find_stored_detectors([tmp_path])))
    head = load_detector(found, None, tower=linear.tower)  # type: ignore[arg-type]
    assert isinstance(head, TowerHead)
    rng = np.random.default_rng(7)
    with np.load(work / f"{HELD[0]}-000.npz") as chunk:
        crops = np.concatenate([tuned.with_history(pair, rng) for pair in chunk["crops"]])
    scores = head.score_images(list(crops))
    assert np.corrcoef(scores, held[0].tuned)[0, 1] > 0.999
    both = np.concatenate([it.tuned[0::2] for it in held])
    expected = (held[0].tuned - both.mean()) / both.std()
    np.testing.assert_allclose(scores, expected, atol=0.05 * np.abs(expected).max())
