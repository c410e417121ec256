"""The blocks of JPEG in a face are told from its texture."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.support.cases import astronaut_pixels
from tools.faces.blocking import BLOCKING_LIMIT, blocking_level

pytestmark = pytest.mark.fast

FACE = np.array([173, 62, 278, 196], np.float32)
"""The astronaut's face, in pixels."""


def compressed(quality: int) -> np.ndarray:
    """The photograph, through JPEG of this quality."""
    file = io.BytesIO()
    Image.fromarray(astronaut_pixels()).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def test_stronger_compression_is_more() -> None:
    """From about one, as on the original, to beyond what clears a face."""
    levels = [blocking_level(it, FACE) or 0 for it in map(compressed, (90, 40, 20, 10))]
    assert levels == sorted(levels)
    assert (blocking_level(astronaut_pixels(), FACE) or 9) < levels[0] < 3
    assert levels[-1] > BLOCKING_LIMIT


def test_blocks_may_begin_anywhere() -> None:
    """A cropped picture keeps them, at other places; a resized one does not."""
    picture = compressed(10)
    assert blocking_level(picture[3:, 5:], FACE - [5, 3, 5, 3]) == pytest.approx(
        blocking_level(picture, FACE), rel=0.15
    )
    resized = np.asarray(Image.fromarray(picture).resize((400, 400), Image.Resampling.BICUBIC))
    assert (blocking_level(resized, FACE * 400 / 512) or 9) < BLOCKING_LIMIT


@pytest.mark.parametrize("box", [FACE / 4, FACE + 1000, FACE * np.nan])
def test_what_cannot_be_measured_is_none(box: np.ndarray) -> None:
    """A face of a few pixels, outside the picture, or without a place."""
    assert blocking_level(astronaut_pixels(), box) is None
