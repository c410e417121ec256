"""Files with absurdly many frames, pages or scans are refused unread; honest ones are read."""

import io
import struct
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evals.suites.resilience.hostile import files, samples
from tests.conftest import Encode
from tools.media.decoder_process.pool import POOL
from tools.media.odd_pictures import part_counts
from tools.media.pictures.decoding import decode_photo
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.animations import probe_animation_bytes
from tools.media.videos.sampling import probe_video, sample_frames

HERE = Path("a")


def _scans(count: int) -> bytes:
    return files._many_scans(samples.pictures()["progressive.jpg"], scans=count, side=9_000)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a decoder process, whose limits would refuse some of the files later."""
    monkeypatch.setattr(POOL, "runs_here", True)


def moving(count: int, format: str, *, side: int = 8) -> bytes:
    """An animation or document whose pages differ."""
    pictures = [
        Image.new("RGB", (side, side), (20 * number % 256, 9, number % 256))
        for number in range(count)
    ]
    buffer = io.BytesIO()
    pictures[0].save(buffer, format, save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        (lambda: files._moving_png(4_000, frames=3_000), "too many frames"),
        (lambda: files._moving_gif(6_000, frames=3_000), "too many frames"),
        (lambda: files._moving_gif(14_000, frames=400), "too many frames"),
        (lambda: files._endless_tiff(pages=50_000), "too many frames"),
        (lambda: _scans(3_000), "too slow"),
    ],
)
def test_bombs_are_refused_by_their_headers(bomb: Callable[[], bytes], reason: str) -> None:
    """In a moment, with the count that was exceeded."""
    data = bomb()
    before = time.process_time()
    assert probe_animation_bytes(data, HERE) is None  # decoding says why
    with pytest.raises(UnreadableImage, match=r"more than [0-9]+ (frames|pages|scans)") as caught:
        decode_photo(data)
    assert caught.value.reason == reason
    assert time.process_time() - before < 2  # decoding them takes 7 s and more


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_short_animations_and_documents_are_read(format: str) -> None:
    """Every frame is counted, and the first one decoded."""
    data = moving(12, format)
    found = probe_animation_bytes(data, HERE)
    assert found is not None and found.frames == 12
    assert decode_photo(data).frames == 12


def test_a_progressive_jpeg_with_many_scans_is_read(astronaut: np.ndarray, encode: Encode) -> None:
    """Its own scans count, and those of a thumbnail or of what stands behind its end do not."""
    data = encode(Image.fromarray(astronaut), "JPEG", progressive=True)
    scans = part_counts.jpeg_scans(data)
    assert 5 <= scans <= 20
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 400) + b"\xff\xda" * 200
    behind = data[:2] + comment + data[2:] + b"\xff\xda\0\2" * 200
    assert part_counts.jpeg_scans(behind) == scans
    np.testing.assert_array_equal(decode_photo(behind).pixels, decode_photo(data).pixels)
    assert part_counts.jpeg_scans(_scans(80)) > 80


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_the_count_of_a_gif_is_that_of_its_decoder(frames: int) -> None:
    """Also with local palettes, comments and bytes between blocks, which Pillow passes over."""
    data = moving(frames, "GIF")
    comment = b"\x21\xfe\x03,,,\x02;;\x00"
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1) * (data[10] >> 7)
    for changed in (data, data[:at] + comment + data[at:], data[:at] + b"\1\2" + data[at:]):
        with Image.open(io.BytesIO(changed)) as image:
            assert image.n_frames == frames  # type: ignore[attr-defined]
        assert part_counts.gif_frames(changed, at_most=1) == min(frames, 2)
    assert part_counts.gif_frames(data[: len(data) // 2], at_most=0) <= frames


def test_pages_of_a_tiff_are_counted_in_both_byte_orders_and_sizes() -> None:
    """A chain that bites its tail or leaves the file ends the count."""
    data = moving(7, "TIFF")
    assert part_counts.tiff_pages(data, at_most=99) == 7
    assert part_counts.tiff_pages(data, at_most=3) == 4
    directory = struct.pack(">HHHIII", 1, 256, 4, 1, 8, 8)
    assert part_counts.tiff_pages(b"MM\0*" + struct.pack(">I", 8) + directory, at_most=9) == 1
    big = struct.pack("<QHHQQQ", 1, 256, 4, 1, 8, 0)
    header = b"II+\0" + struct.pack("<HHQ", 8, 0, 16)
    assert part_counts.tiff_pages(header + big, at_most=9) == 1
    assert part_counts.tiff_pages(header[:-8] + struct.pack("<Q", 2**63), at_most=9) == 1


def test_the_frames_of_an_animation_are_gone_through_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Probing and sampling share the times of its frames, and give the same as each alone."""
    from tools.media.videos import animations

    file = tmp_path / "a.gif"
    file.write_bytes(moving(40, "GIF"))
    calls, real = list[int](), animations._frame_times

    def counting(image: Image.Image) -> dict[int, float]:
        calls.append(1)
        return real(image)

    monkeypatch.setattr(animations, "_frame_times", counting)
    monkeypatch.setattr(animations, "_known_timelines", {})
    video = probe_video(file)
    first = [(it.time_s, it.pixels[0, 0, 0]) for it in sample_frames(video)]
    assert len(calls) == 1 and video.duration_s == pytest.approx(4.0)
    animations._known_timelines.clear()
    assert [(it.time_s, it.pixels[0, 0, 0]) for it in sample_frames(video)] == first
    for number in range(9):  # only the last files are remembered
        file.write_bytes(moving(40 + number, "GIF"))
        assert probe_video(file).frames == 40 + number
    assert len(animations._known_timelines) == animations._MOST_KNOWN
