"""What videos, animations and documents of several pages have in common: frames, some looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.media.images import UNMASK_MARK, Pixels

FRAME_INTERVAL_S = 1.0
"""Seconds between frames: what is shown stays on the screen for a second or more, and detectors
gain little from a second look at nearly the same picture (FaceForensics++ and DeepfakeBench test
on 10 to 32 frames of clips of ten seconds or so)."""

MIN_FRAMES = 8
"""Taken of shorter videos too, where there are so many: a mean over fewer is not worth its name."""

MAX_FRAMES = 300
"""Taken of longer videos: five minutes at full rate, a look every 12 s of an hour. It bounds what
one video costs (as much as so many photographs) and how much of it is held until it is whole."""

MIN_SLIDE_DURATION_S = 0.25
"""Frames that stay so long on average are slides, each a picture of its own, and all are taken."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame: `time_s` from the video's beginning, `number` among those taken, from 0.

    `pixels` are (h, w, 3) uint8 RGB, upright.
    """

    time_s: float
    number: int
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Video:
    """What a video or an animation holds: `frames` from `first_s` on, lasting `duration_s`.

    Counted, not believed: a truncated file's header tells of frames that are gone. `texts` are
    those that the file carries about itself: data, never obeyed. Pages of a document last a second
    each, so that `time_s` + 1 is the number of a page.
    """

    path: Path
    format: str
    frames: int
    first_s: float
    duration_s: float
    texts: Mapping[str, str]

    @property
    def unmask_forgery(self) -> bool:
        """Whether the texts carry the mark of our forgeries."""
        return any(UNMASK_MARK in text for text in self.texts.values())


def sampled_frame_count(video: Video, at_most: int = MAX_FRAMES) -> int:
    """How many frames are looked at: about one a second, of slides and pages each."""
    if video.duration_s >= MIN_SLIDE_DURATION_S * video.frames and video.frames <= MIN_FRAMES * 4:
        return min(video.frames, at_most)
    return min(video.frames, at_most, max(MIN_FRAMES, round(video.duration_s / FRAME_INTERVAL_S)))
