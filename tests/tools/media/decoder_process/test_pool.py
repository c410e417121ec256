"""The decoder process: limited, replaced when it dies, and not started for plain pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.clips import grey, write_clip
from tools.media.decoder_process import pool as pools
from tools.media.decoder_process.pool import DecoderPool
from tools.media.pictures.decoding import decode_photo
from tools.media.pictures.metadata import metadata_texts
from tools.media.skip_reasons import UnreadableImage, remedy
from tools.media.videos.sampling import sample_frames

pytestmark = pytest.mark.fast

FAULTS = "tests.tools.media.decoder_process.decoder_faults"
Encode = Callable[..., bytes]


@pytest.fixture(scope="module")
def pool() -> Iterator[DecoderPool]:
    """One pool for all tests: each leaves it usable for the next."""
    made = DecoderPool()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("fault", "reason", "detail"),
    [
        ("fill_memory", "too large", "GB of memory"),
        ("crash", "damaged", "crashed"),
        ("be_killed", "unreadable", "the system ended"),
        ("spin", "too slow", "1 s of processor time"),
    ],
)
def test_a_decoder_that_fails_gives_a_reason(
    pool: DecoderPool, monkeypatch: pytest.MonkeyPatch, fault: str, reason: str, detail: str
) -> None:
    """Whatever happens to it, the file has one plain reason, and the next file is read."""
    monkeypatch.setattr(pools, "cpu_limit_s", lambda _: 1)
    with pytest.raises(UnreadableImage) as caught:
        pool.call(f"{FAULTS}:{fault}")
    assert caught.value.reason == reason and detail in caught.value.detail
    assert remedy(reason) != remedy("never heard of")
    assert pool.call(f"{FAULTS}:speak", b"abc") == ({"length": 3}, b"cba")


def test_nothing_is_left_on_the_disk(pool: DecoderPool, tmp_path: Path) -> None:
    """A decoder may create a name, but not write a byte."""
    told, _ = pool.call(f"{FAULTS}:write_a_file", arguments={"to": str(tmp_path / "x")})
    assert told == {"error": "OSError", "left": 0}


def test_a_process_is_used_again_until_it_is_abandoned(pool: DecoderPool) -> None:
    """Answers come one by one; who stops listening takes the process down with them."""
    told = list(pool.stream(f"{FAULTS}:count", arguments={"to": 5}))
    assert [(it["number"], len(body)) for it, body in told] == [(it, it) for it in range(5)]
    (other,) = pool.stream(f"{FAULTS}:count", arguments={"to": 1})
    assert other[0]["process"] == told[0][0]["process"]
    abandoned = pool.stream(f"{FAULTS}:count", arguments={"to": 10**6})
    next(abandoned)
    abandoned.close()
    (fresh,) = pool.stream(f"{FAULTS}:count", arguments={"to": 1})
    assert fresh[0]["process"] != told[0][0]["process"]


def test_a_plain_photo_needs_no_process(
    astronaut: np.ndarray, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JPEG, PNG and WebP are decoded here; other formats elsewhere, to the same pixels."""
    asked: list[str] = []
    stream = DecoderPool.stream

    def noting(self: DecoderPool, function: str, *rest: object, **more: object) -> Iterator[object]:
        asked.append(function)
        return stream(self, function, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(DecoderPool, "stream", noting)
    image = Image.fromarray(astronaut)
    for format in ("JPEG", "PNG", "WEBP"):
        data = encode(image, format)
        decode_photo(data), metadata_texts(data)
    assert asked == []
    assert np.array_equal(decode_photo(encode(image, "BMP")).pixels, astronaut)
    assert asked == ["tools.media.pictures.decoding:photo_for_parent"]


def test_a_long_video_holds_no_more_threads_than_a_short_one(tmp_path: Path) -> None:
    """Every frame once started threads that lived as long as the frame."""
    path = write_clip(tmp_path / "a.mp4", [grey(it) for it in range(80)], rate=2, keyframe_every=4)
    threads = []
    for _ in sample_frames(path):
        children = Path("/proc/self/task").glob("*/children")
        pids = {pid for it in children for pid in it.read_text().split()}
        threads.append(max(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids))
    assert len(threads) == 40
    assert max(threads[20:]) <= max(threads[:5]) + 1
