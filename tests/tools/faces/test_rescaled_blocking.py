"""The blocks of JPEG in a face that was resized are told from resizing alone."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.support.cases import astronaut_pixels
from tools.faces.rescaled_blocking import RESCALED_LIMIT, rescaled_blocking_level

pytestmark = pytest.mark.fast

FACE = np.array([173, 62, 278, 196], np.float32)
"""The astronaut's face, in pixels."""


def resized(times: float, *, quality: int | None, shift: int = 0) -> float:
    """The level in the photograph after JPEG of this quality, a cut of the edge, and resizing."""
    picture = Image.fromarray(astronaut_pixels())
    if quality is not None:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        picture = Image.open(file).convert("RGB")
    picture = picture.crop((shift, shift, *picture.size))
    size = round(picture.width * times), round(picture.height * times)
    pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
    level = rescaled_blocking_level(pixels, (FACE - shift) * times)
    assert level is not None
    return level


@pytest.mark.parametrize("times", [0.7, 0.85, 1.3])
def test_strong_compression_shows_after_resizing(times: float) -> None:
    """Wherever the blocks begin."""
    assert resized(times, quality=10) > RESCALED_LIMIT
    assert resized(times, quality=10, shift=3) > RESCALED_LIMIT


@pytest.mark.parametrize("times", [0.5, 0.7, 0.85, 1.0, 1.15, 1.25, 1.3, 1.5, 2.0])
@pytest.mark.parametrize("quality", [None, 90, 75])
def test_resizing_and_mild_compression_do_not(times: float, quality: int | None) -> None:
    """Interpolation leaves waves too, and so does what a messenger does to every picture."""
    assert resized(times, quality=quality) < RESCALED_LIMIT


@pytest.mark.parametrize("box", [FACE / 4, FACE + 1000, FACE * np.nan])
def test_what_cannot_be_measured_is_none(box: np.ndarray) -> None:
    """A face of a few pixels, outside the picture, or without a place."""
    assert rescaled_blocking_level(astronaut_pixels(), box) is None
