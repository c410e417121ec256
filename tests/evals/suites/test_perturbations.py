"""Image perturbations: published parameters, increasing strength, reproducible."""

import itertools

import cv2
import numpy as np
import pytest

from evals.suites.robustness.perturbations import (
    ATTACKS,
    CADDM_SIX,
    KEEP_SHAPE,
    LEVELS,
    apply_attack,
    blur,
    contrast,
    example_grid,
    pixelation,
    saturation,
)

pytestmark = pytest.mark.fast

RNG = np.random.default_rng(0)


def flat(red: int, green: int, blue: int) -> np.ndarray:
    """A picture of one colour, (16, 16, 3)."""
    return np.full((16, 16, 3), (red, green, blue), np.uint8)


def small(astronaut: np.ndarray, side: int) -> np.ndarray:
    """The portrait, `side` pixels wide and high."""
    return np.asarray(cv2.resize(astronaut, (side, side), interpolation=cv2.INTER_AREA))


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean squared difference in grey levels, at the size of the second."""
    sized = cv2.resize(first, second.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return float(np.sqrt(np.mean((sized.astype(float) - second) ** 2)))


@pytest.mark.parametrize("side", [128, 300])
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_level_is_stronger_than_the_one_before(
    attack: str, side: int, astronaut: np.ndarray
) -> None:
    """The distance from the original grows from level to level, also below 256 px."""
    picture = small(astronaut, side)
    distances = [
        distance(apply_attack(picture, attack, level, seed=0, picture="a"), picture)
        for level in LEVELS
    ]
    assert distances[0] > 1
    assert all(b > a for a, b in itertools.pairwise(distances)), distances


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("shape", [(90, 61), (1, 1)])
def test_pictures_stay_pictures(attack: str, shape: tuple[int, int]) -> None:
    """Whatever comes in, (h, w, 3) uint8 comes out and the original is left as it was."""
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    before = picture.copy()
    for level in LEVELS:
        found = apply_attack(picture, attack, level, seed=0, picture="a")
        assert found.dtype == np.uint8
        assert found.ndim == 3
        assert found.shape[2] == 3
        if attack in KEEP_SHAPE:
            assert found.shape == picture.shape
    assert (picture == before).all()


def test_an_attack_is_the_same_every_time(astronaut: np.ndarray) -> None:
    """Seed and picture's name decide what is drawn; another of either draws differently."""
    picture = small(astronaut, 64)
    for attack in ATTACKS:
        first = apply_attack(picture, attack, 3, seed=0, picture="a")
        assert (first == apply_attack(picture, attack, 3, seed=0, picture="a")).all()
    noisy = apply_attack(picture, "noise", 3, seed=0, picture="a")
    assert (noisy != apply_attack(picture, "noise", 3, seed=1, picture="a")).any()
    assert (noisy != apply_attack(picture, "noise", 3, seed=0, picture="b")).any()


def test_saturation_moves_chroma_towards_grey() -> None:
    """Y = 0.299 · 255 = 76.245 of pure red; with c − 0.5 times 0.4 all channels move by that.

    Red: 76.245 + 0.4 · (255 − 76.245) = 147.747; others: 76.245 − 0.4 · 76.245 = 45.747.
    At level 5 nothing of the chroma is left: grey 76.
    """
    assert saturation(flat(255, 0, 0), 1, RNG)[0, 0].tolist() == [148, 46, 46]
    assert saturation(flat(255, 0, 0), 5, RNG)[0, 0].tolist() == [76, 76, 76]


def test_contrast_scales_all_values() -> None:
    """0.85 · (200, 100, 10) = (170, 85, 8.5), rounded to even; 0.35 · 200 = 70."""
    assert contrast(flat(200, 100, 10), 1, RNG)[0, 0].tolist() == [170, 85, 8]
    assert contrast(flat(200, 100, 10), 5, RNG)[0, 0].tolist() == [70, 35, 4]


@pytest.mark.parametrize(("side", "block_side"), [(64, 2), (128, 4), (256, 8), (512, 16), (20, 1)])
def test_blocks_cover_the_same_share_at_every_size(side: int, block_side: int) -> None:
    """16 squares of 8 px per 256 px: of 20 px 0.625, so one; overlaps can only make it less."""
    changed = (
        apply_attack(np.zeros((side, side, 3), np.uint8), "block", 1, seed=0, picture="a") > 0
    )[..., 0].sum()
    assert block_side**2 <= changed <= 16 * block_side**2
    assert changed > 0.6 * 16 * block_side**2


def test_blocks_of_a_milder_level_stay() -> None:
    """A stronger level only adds squares, so levels of one picture can be compared."""
    black = np.zeros((128, 128, 3), np.uint8)
    mild, strong = (
        apply_attack(black, "block", level, seed=0, picture="a") > 0 for level in (1, 5)
    )
    assert (strong | ~mild).all()
    assert strong.sum() > 2 * mild.sum()


def test_noise_has_the_variance_of_its_level() -> None:
    """On mid grey, σ of luma is 255 · √0.001 · 255/219 = 9.39 grey levels at level 1."""
    grey = np.full((200, 200, 3), 128, np.uint8)
    noisy = apply_attack(grey, "noise", 1, seed=0, picture="a")
    luma = cv2.cvtColor(noisy.astype(np.float32), cv2.COLOR_RGB2YCrCb)[..., 0]
    assert luma.std() == pytest.approx(9.39, rel=0.03)


def test_blur_spreads_a_point_as_far_as_its_kernel() -> None:
    """Level 1 has 7 px: three on either side of a white point, and nothing beyond."""
    point = np.zeros((31, 31, 3), np.uint8)
    point[15, 15] = 255
    touched = np.flatnonzero(blur(point, 1, RNG)[15, :, 0])
    assert (touched.min(), touched.max()) == (12, 18)


def test_pixelation_keeps_nothing_finer_than_its_step() -> None:
    """Stripes one pixel wide come back as one grey after being halved (linear, 0 and 254: 127)."""
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2] = 254
    assert (pixelation(stripes, 1, RNG) == 127).all()


def test_the_six_of_the_literature_are_among_the_attacks(astronaut: np.ndarray) -> None:
    """CADDM's average runs over six of them; the strip shows every one beside the original."""
    assert set(CADDM_SIX) < set(ATTACKS)
    picture = small(astronaut, 32)
    shown = example_grid(picture)
    assert shown.shape == (32 * len(ATTACKS), 32 * (1 + len(LEVELS)), 3)
    assert (shown[:32, :32] == picture).all()
