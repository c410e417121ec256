"""The noise of a face is told from its texture."""

import numpy as np
import pytest

from tools.faces.noise import noise_level

pytestmark = pytest.mark.fast

KEYPOINTS = np.array([[70, 90], [130, 90], [100, 125], [75, 155], [125, 155]], np.float32)
RNG = np.random.default_rng(0)
PLAIN = np.repeat(np.linspace(60, 180, 220)[:, None], 200, axis=1)[..., None].repeat(3, axis=2)


def noisy(sigma: float, *, times: int = 1) -> np.ndarray:
    """A plain picture with normal noise in every channel, enlarged so many times before."""
    picture = PLAIN.repeat(times, axis=0).repeat(times, axis=1)
    return np.clip(picture + RNG.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def test_more_noise_is_more() -> None:
    """The mean of three channels and the reduced size leave about a quarter of it."""
    levels = [noise_level(noisy(sigma), KEYPOINTS) for sigma in (0, 3, 6, 12)]
    assert levels == sorted(levels, key=lambda it: it or 0.0)
    assert levels[0] == pytest.approx(0, abs=0.35)
    assert levels[3] == pytest.approx(3, abs=1)


def test_texture_is_no_noise() -> None:
    """Sharp lines, as of hair, on half of a face change nothing."""
    striped = noisy(3)
    striped[::4, :100] = 0
    plain = noise_level(noisy(3), KEYPOINTS)
    assert noise_level(striped, KEYPOINTS) == pytest.approx(plain, abs=0.4)


def test_noise_of_large_pictures_is_that_of_what_the_detectors_see() -> None:
    """Reduced to their size, most of it is gone."""
    large = noise_level(noisy(6, times=8), KEYPOINTS * 8)
    assert large is not None
    assert large < (noise_level(noisy(6), KEYPOINTS) or 0) / 2


@pytest.mark.parametrize("keypoints", [KEYPOINTS / 20, np.full((5, 2), np.nan)])
def test_what_cannot_be_measured_is_none(keypoints: np.ndarray) -> None:
    """A face of a few pixels, and one without keypoints."""
    assert noise_level(noisy(3), keypoints) is None
