"""Videos: recognised by content, sampled evenly, upright, and treated as untrusted."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.clips import grey, level, write_clip, write_sound
from tools.media.decoder_process.pool import POOL
from tools.media.hashing import file_sha256
from tools.media.pictures.metadata import UNMASK_MARK
from tools.media.skip_reasons import UnreadableImage
from tools.media.videos.frames import MIN_FRAMES
from tools.media.videos.sampling import (
    MAX_FRAMES,
    frame_at,
    probe_video,
    read_pixels_at,
    recorded_photo,
    sample_frames,
)
from tools.media.videos.signatures import is_video

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("clip.mp4", "libx264", 10),
        ("clip.mov", "libx264", 10),
        ("clip.mkv", "libx264", 10),
        ("clip.webm", "libvpx", 10),
        ("clip.avi", "mpeg4", 10),
        ("motion.avi", "mjpeg", 10),
        ("clip.ts", "libx264", 10),
        ("clip.flv", "libx264", 10),
        ("clip.mpg", "mpeg1video", 25),
    ],
)
def test_every_usual_container_is_sampled(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    """A frame a second from the beginning on, whatever the file is called, and the right ones."""
    path = write_clip(
        tmp_path / name, [grey(it // rate * 20) for it in range(10 * rate)], rate=rate, codec=codec
    ).rename(tmp_path / "no suffix")
    assert is_video(path)
    taken = list(sample_frames(path))
    assert [frame.time_s for frame in taken] == pytest.approx(range(10), abs=0.05)
    assert [frame.number for frame in taken] == list(range(10))
    # The grey level is that of the frame's second: 0, 20, 40 …; codecs err by a few levels.
    assert [level(frame.pixels) for frame in taken] == pytest.approx(
        [20 * second for second in range(10)], abs=6
    )


def test_a_frame_can_be_opened_again(tmp_path: Path) -> None:
    """The frame of a time is, pixel by pixel, the one that was sampled, also far from a key."""
    path = write_clip(
        tmp_path / "a.mp4", [grey(it % 250) for it in range(600)], rate=5, keyframe_every=50
    )
    taken = list(sample_frames(path))
    assert len(taken) == 120
    for frame in taken[::17]:
        np.testing.assert_array_equal(frame_at(path, frame.time_s), frame.pixels)
    for elsewhere in (500.0, 0.07):  # behind the end, between two frames
        with pytest.raises(UnreadableImage) as caught:
            frame_at(path, elsewhere)
        assert "no longer there" in caught.value.detail


def test_a_replaced_file_is_not_what_was_indexed(tmp_path: Path) -> None:
    """A picture and a frame are given only while their file holds what was measured."""
    for name, time_s in (("a.png", None), ("clip.mp4", 0.0)):
        path, other = tmp_path / name, tmp_path / f"other-{name}"
        for each, value in ((path, 40), (other, 200)):
            if time_s is None:
                Image.fromarray(grey(value)).save(each)
            else:
                write_clip(each, [grey(value)] * 3, rate=1)
        recorded = file_sha256(path) + ("" if time_s is None else "@0")
        assert recorded_photo(path, recorded, time_s).pixels.mean() == pytest.approx(40, abs=4)
        other.replace(path)
        with pytest.raises(UnreadableImage, match="replaced by another picture"):
            recorded_photo(path, recorded, time_s)


def test_short_videos_give_eight_frames_or_all(tmp_path: Path) -> None:
    """Two seconds give eight frames; five frames give five."""
    two_seconds = write_clip(tmp_path / "two.mp4", [grey(it) for it in range(60)], rate=30)
    times = [frame.time_s for frame in sample_frames(two_seconds)]
    assert len(times) == MIN_FRAMES
    assert np.diff(times) == pytest.approx([0.25] * 7, abs=0.02)
    five = write_clip(tmp_path / "five.mp4", [grey(it) for it in range(5)])
    assert [frame.time_s for frame in sample_frames(five)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize("keyframe_every", [4, 10_000])
def test_long_videos_are_capped_and_still_even(tmp_path: Path, keyframe_every: int) -> None:
    """Of an hour 300 frames are taken, twelve seconds apart, with keyframes or without."""
    path = write_clip(
        tmp_path / "hour.mp4",
        [grey(it // 12 % 12 * 20, width=32, height=32) for it in range(3600)],
        rate=1,
        keyframe_every=keyframe_every,
        options={"preset": "ultrafast"},
    )
    taken = list(sample_frames(path))
    assert [frame.time_s for frame in taken] == [12.0 * it for it in range(MAX_FRAMES)]
    assert level(taken[7].pixels) == pytest.approx(140, abs=6)
    assert [frame.time_s for frame in sample_frames(path, at_most=4)] == [0, 900, 1800, 2700]


def test_rotation_is_honoured(tmp_path: Path) -> None:
    """A phone's portrait video lies on its side in the file and stands upright here."""
    pictures = [grey(90)] * 9
    # −90° is what phones write: the stored picture is to be turned clockwise.
    path = write_clip(tmp_path / "phone.mp4", pictures, rotation=-90)
    shown = next(iter(sample_frames(path))).pixels
    assert shown.shape == (96, 64, 3)
    assert tuple(shown[5, -5] > 128) == (True, False, False)  # the mark moved to the upper right
    upside_down = write_clip(tmp_path / "down.mp4", pictures, rotation=180)
    assert next(iter(sample_frames(upside_down))).pixels[-5, -5, 0] > 200


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_all_eight_orientations_are_shown(tmp_path: Path, turns: int, mirrored: bool) -> None:
    """The display matrix is honoured in full: turned, mirrored, and both, as ffmpeg shows it."""
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:], picture[32:, :48] = 220, 140, 70
    # The point (x, y) is shown at (ax + cy, bx + dy): what the picture is turned by, and mirrored.
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][turns]
    flip = -1 if mirrored else 1
    matrix = flip * cos, sin * flip, -sin, cos  # mirrored left to right, then turned clockwise
    path = _with_matrix(write_clip(tmp_path / "clip.mp4", [picture] * 9), matrix)
    expected = np.rot90(picture[:, ::-1] if mirrored else picture, -turns)
    shown = next(iter(sample_frames(path))).pixels
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 12


def _with_matrix(path: Path, matrix: tuple[int, int, int, int]) -> Path:
    """The MP4 with another matrix in the header of its track."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of fields
    a, b, c, d = (each * 0x10000 for each in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(data)
    return path


def test_a_truncated_video_gives_what_is_left(tmp_path: Path) -> None:
    """Half a file gives the frames of that half, spread over what is there."""
    whole = write_clip(
        tmp_path / "whole.ts",
        [np.random.default_rng(it).integers(0, 255, (64, 96, 3), np.uint8) for it in range(200)],
    )
    half = tmp_path / "half.ts"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert probe_video(half).frames < 0.7 * probe_video(whole).frames
    times = [frame.time_s for frame in sample_frames(half)]
    assert len(times) >= MIN_FRAMES
    assert 4 <= max(times) <= 12


def test_a_damaged_middle_is_passed_over(tmp_path: Path) -> None:
    """Bytes overwritten inside of a video cost frames, not the video."""
    path = write_clip(
        tmp_path / "a.avi",
        [np.random.default_rng(it).integers(0, 255, (64, 96, 3), np.uint8) for it in range(100)],
        codec="mjpeg",
    )
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = bytes(len(data) // 10)
    path.write_bytes(data)
    assert 5 <= len(list(sample_frames(path))) <= 10


def test_what_is_no_video_says_so(tmp_path: Path) -> None:
    """Sound alone, garbage behind a video's signature and a bare header have their reasons."""

    def reason(path: Path) -> str:
        assert is_video(path)
        with pytest.raises(UnreadableImage) as error:
            probe_video(path)
        return error.value.reason

    assert reason(write_sound(tmp_path / "sound.mp4")) == "no video stream"
    garbage = tmp_path / "garbage.mp4"
    garbage.write_bytes(b"\0\0\0 ftypisom" + np.random.default_rng(0).bytes(5000))
    assert reason(garbage) == "damaged"
    clip = write_clip(tmp_path / "clip.mkv", [grey(0)] * 9)
    clip.write_bytes(clip.read_bytes()[:200])
    assert reason(clip) == "damaged"
    with pytest.raises(UnreadableImage, match="missing"):
        probe_video(tmp_path / "gone.mp4")


def test_pictures_and_texts_are_no_videos(tmp_path: Path) -> None:
    """Photographs, animated ones too, stay pictures; playlists are not even opened."""
    picture = Image.fromarray(grey(1))
    for name in ("a.jpg", "a.png", "a.webp", "a.gif", "a.avif", "a.tiff", "a.jp2"):
        picture.save(tmp_path / name)
        assert not is_video(tmp_path / name)
    picture.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.fromarray(grey(9))])
    assert not is_video(tmp_path / "moving.gif")
    unlucky = bytearray(b"GIF89a".ljust(400, b"\0"))
    unlucky[188] = unlucky[376] = 0x47  # where a transport stream has its marks
    (tmp_path / "unlucky.gif").write_bytes(unlucky)
    assert not is_video(tmp_path / "unlucky.gif")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypMiHE\0\0\0\0mif1heic" + bytes(400))
    assert not is_video(tmp_path / "phone.heic")
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:1,\nclip.ts\n")
    assert not is_video(tmp_path / "list.mp4")
    with pytest.raises(UnreadableImage, match="damaged"):
        probe_video(tmp_path / "list.mp4")
    (tmp_path / "concat").write_text("ffconcat version 1.0\nfile clip.ts\n")
    with pytest.raises(UnreadableImage, match="damaged"):
        probe_video(tmp_path / "concat")
    assert not is_video(tmp_path / "gone")
    assert not is_video(tmp_path)


def test_the_mark_of_our_forgeries_is_seen(tmp_path: Path) -> None:
    """A video whose texts say that Unmask forged it is known as such."""
    pictures = [grey(1)] * 3
    assert probe_video(write_clip(tmp_path / "a.mp4", pictures, title=UNMASK_MARK)).unmask_forgery
    assert not probe_video(write_clip(tmp_path / "b.mp4", pictures, title="holiday")).unmask_forgery


def test_frames_that_are_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit of pictures holds for frames, before any is decoded."""
    monkeypatch.setattr(POOL, "runs_here", True)
    monkeypatch.setattr("tools.media.videos.sampling.FULL_SIZE_MAX_PIXELS", 5000)
    with pytest.raises(UnreadableImage, match="too large"):
        probe_video(write_clip(tmp_path / "a.mp4", [grey(1)] * 3))


def test_a_file_name_that_is_no_text_is_opened(tmp_path: Path) -> None:
    """Names are bytes on a disk, and ffmpeg is not shown them."""
    name = b"http:\xff\xfe.mp4".decode("utf-8", "surrogateescape")
    path = write_clip(tmp_path / "a.mp4", [grey(50)] * 9).rename(tmp_path / name)
    assert len(list(sample_frames(path))) == MIN_FRAMES
    assert level(read_pixels_at(path, 0.0)) == pytest.approx(50, abs=6)
