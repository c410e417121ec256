"""Frame sampling for videos, animations and multi-page documents: data types and limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.media.pictures.metadata import UNMASK_MARK
from tools.media.pictures.pixels import Pixels

FRAME_INTERVAL_S = 1.0
"""Sampling interval in seconds: shots usually last a second or more, and detectors gain little from
nearly identical frames (FaceForensics++ and DeepfakeBench test on 10 to 32 frames of clips of about
ten seconds)."""

MIN_FRAMES = 8
"""Minimum number of frames, also for shorter videos if they have that many: a mean over fewer
frames is not meaningful."""

MAX_FRAMES = 300
"""Maximum number of frames: five minutes at the full rate, or one frame every 12 s of an hour. It
limits the cost of one video (as much as 300 photographs) and how much of it is held in memory until
the video is complete."""

MIN_SLIDE_DURATION_S = 0.25
"""If frames last at least this long on average, they are slides: separate pictures, all sampled."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One sampled frame: `time_s` from the start of the video, `number` among the samples, from 0.

    `pixels` are (h, w, 3) uint8 RGB, upright.
    """

    time_s: float
    number: int
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Video:
    """A video or animation: its number of `frames`, the time of the first, and its duration.

    Frames and times are counted in the stream, not read from the header: a truncated file's header
    still lists the missing frames. `texts` are the file's own metadata: data, never obeyed. Each
    page of a document lasts one second, so page number = `time_s` + 1.
    """

    path: Path
    format: str
    frames: int
    first_s: float
    duration_s: float
    texts: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Its fields without the path, for `Video(path=…, **fields)`."""
        return {
            "format": self.format,
            "frames": self.frames,
            "first_s": self.first_s,
            "duration_s": self.duration_s,
            "texts": dict(self.texts),
        }

    @property
    def unmask_forgery(self) -> bool:
        """Whether the metadata carry the mark of our own forgeries."""
        return any(UNMASK_MARK in text for text in self.texts.values())


def sampled_frame_count(video: Video, at_most: int = MAX_FRAMES) -> int:
    """How many frames are sampled: about one per second, or every slide or page."""
    if video.duration_s >= MIN_SLIDE_DURATION_S * video.frames and video.frames <= MIN_FRAMES * 4:
        return min(video.frames, at_most)
    return min(video.frames, at_most, max(MIN_FRAMES, round(video.duration_s / FRAME_INTERVAL_S)))
