"""Which pictures are decoded without a process of their own."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from evals.suites.resilience.hostile.samples import encoded, pictures
from tools.media.decoder_process.plain_pictures import MOST_PIXELS, is_plain

pytestmark = pytest.mark.fast

PLAIN = {
    "baseline.jpg", "progressive.jpg", "several.jpg", "plain.png", "palette.png", "deep.png",
    "lossy.webp", "lossless.webp",
}  # fmt: skip


def test_still_jpeg_png_and_webp_are_plain() -> None:
    """Animations of these formats and all other formats are not."""
    assert {name for name, data in pictures().items() if is_plain(data)} == PLAIN


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_large_pictures_are_not_plain(format: str) -> None:
    """Up to 25 megapixels by the header."""
    side = int(MOST_PIXELS**0.5)
    for extra, plain in ((0, True), (1, False)):
        assert is_plain(encoded(format, Image.new("L", (side, side + extra)), quality=1)) == plain


def test_a_jpeg_of_many_scans_is_not_plain() -> None:
    """A decoder works through each."""
    data = encoded("JPEG", progressive=True)
    begin = data.index(b"\xff\xda")
    assert not is_plain(data[:begin] + data[begin : begin + 20] * 60 + data[begin:])


@given(st.data())
@settings(deadline=None)  # machines may be busy
def test_any_bytes_have_an_answer(draw: st.DataObject) -> None:
    """Cut off or changed anywhere."""
    data = bytearray(draw.draw(st.sampled_from(SMALL)))
    for place in draw.draw(st.lists(st.integers(0, len(data) - 1), max_size=8)):
        data[place] = draw.draw(st.integers(0, 255))
    assert is_plain(bytes(data[: draw.draw(st.integers(0, len(data)))])) in (True, False)


def _small(format: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8)).save(target, format)
    return target.getvalue()


SMALL = [_small(format) for format in ("JPEG", "PNG", "WEBP")]
