"""Opens videos safely and takes evenly spaced frames out of them; the home of PyAV.

Like pictures, videos are known by their bytes, not by their names. The pixels that leave here are
(h, w, 3) uint8 RGB, upright and with square pixels. One frame is held at a time. No other file is
opened for a video, whatever it says: playlists and references to elsewhere are no videos here.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.images import (
    WHOLE_PIXELS,
    UNMASK_MARK,
    Photo,
    Pixels,
    UnreadableImage,
    perceptual_hash,
    read_photo,
)
from tools.video_files import is_video as is_video

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame as Decoded
    from av.video.stream import VideoStream

EVERY_S = 1.0
"""Seconds between frames: what is shown stays on the screen for a second or more, and detectors
gain little from a second look at nearly the same picture (FaceForensics++ and DeepfakeBench test
on 10 to 32 frames of clips of ten seconds or so)."""

LEAST_FRAMES = 8
"""Taken of shorter videos too, where there are so many: a mean over fewer is not worth its name."""

MOST_FRAMES = 300
"""Taken of longer videos: five minutes at full rate, a look every 12 s of an hour. It bounds what
one video costs (as much as so many photographs) and how much of it is held until it is whole."""

_SEEK_FROM_S = 4.0
"""Gaps from here on are jumped over; keyframes lie 1 to 10 s apart: shorter jumps gain nothing."""

_DECODING_THREADS = 4  # each holds a frame or two

FORMATS = {
    "mov,mp4,m4a,3gp,3g2,mj2": "MP4",
    "matroska,webm": "Matroska",
    "avi": "AVI",
    "flv": "FLV",
    "asf": "ASF",
    "ogg": "Ogg",
    "mpeg": "MPEG-PS",
    "mpegts": "MPEG-TS",
    "mxf": "MXF",
}
"""The containers that are opened, by ffmpeg's names; the rest of its formats (playlists, devices,
pictures, scripts) is left out, because some of them open other files."""


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
    """What a video file holds: `frames` from `first_s` on, lasting `duration_s`, of its pictures.

    Counted, not believed: a truncated file's header tells of frames that are gone. `texts` are
    those that the file carries about itself: data, never obeyed.
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
        return _marked(self.texts)


def look(path: Path) -> Video:
    """Read through a video without decoding it; `UnreadableImage` when it is none.

    Its reasons, beside those of pictures: "no video stream" (sound only).
    """
    with _opened(path) as (container, stream):
        times = [_seconds(packet, stream) for packet in _packets(container, stream)]
        known = [time for time in times if time is not None] or [0.0]
        if not times:
            raise UnreadableImage("damaged", "no frame is left")
        spread = max(known) - min(known)
        one = spread / (len(times) - 1) if spread else 1.0 / _rate(stream)
        return Video(
            path=path,
            format=_format(container),
            frames=len(times),
            first_s=min(known),
            duration_s=one * len(times),
            texts=_texts(container, stream),
        )


def texts_of(path: Path) -> dict[str, str]:
    """The texts that a video carries about itself, without reading through it."""
    with _opened(path) as (container, stream):
        return _texts(container, stream)


def frames(video: Path | Video, *, at_most: int = MOST_FRAMES) -> Iterator[VideoFrame]:
    """Evenly spaced frames in order: about one a second, `LEAST_FRAMES` of short videos.

    What cannot be decoded is passed over, so that a damaged video gives fewer frames, or none.
    Raises `UnreadableImage` when it cannot be opened, or when its frames are too large.
    """
    video = look(video) if isinstance(video, Path) else video
    wanted = min(video.frames, at_most, max(LEAST_FRAMES, round(video.duration_s / EVERY_S)))
    step = video.duration_s / wanted
    half_a_frame = video.duration_s / video.frames / 2
    targets = [video.first_s + number * step - half_a_frame for number in range(wanted)]
    with _opened(video.path) as (container, stream):
        taken = (
            _later_and_later(_decoded(container, stream))
            if wanted == video.frames
            else _at(targets, container, stream, jumping=step >= _SEEK_FROM_S)
        )
        for number, (time_s, decoded) in enumerate(taken):
            yield VideoFrame(time_s=time_s, number=number, pixels=_upright(decoded, stream))


def frame_at(path: Path, time_s: float) -> Pixels:
    """The frame that `frames` took at a time, decoded again: (h, w, 3) uint8 RGB.

    Raises `UnreadableImage`, also when there is no such frame any more.
    """
    tolerance = 5e-4  # times are kept to the millisecond
    with _opened(path) as (container, stream):
        _jump(time_s, container, stream)
        for found_s, decoded in _decoded(container, stream):
            if abs(found_s - time_s) <= tolerance:
                return _upright(decoded, stream)
            if found_s > time_s:
                break
    with _opened(path) as (container, stream):  # the jump went wrong: from the beginning
        for found_s, decoded in _decoded(container, stream):
            if abs(found_s - time_s) <= tolerance:
                return _upright(decoded, stream)
    raise UnreadableImage("damaged", "the frame is no longer there")


def photo_at(path: Path, time_s: float, *, image_id: str) -> Photo:
    """A frame as the picture that it is in a gallery, under its id there."""
    pixels = frame_at(path, time_s)
    with _opened(path) as (container, stream):
        marked = _marked(_texts(container, stream))
        return _photo(pixels, image_id, format=_format(container), marked=marked)


def as_photo(video: Video, pixels: Pixels, *, image_id: str) -> Photo:
    """One frame's pixels as a picture: a frame has the format and the marks of its video."""
    return _photo(pixels, image_id, format=video.format, marked=video.unmask_forgery)


def _photo(pixels: Pixels, image_id: str, *, format: str, marked: bool) -> Photo:
    return Photo(
        id=image_id,
        pixels=pixels,
        format=format,
        frames=1,
        perceptual_hash=perceptual_hash(pixels),
        unmask_forgery=marked,
    )


def _marked(texts: Mapping[str, str]) -> bool:
    return any(UNMASK_MARK in text for text in texts.values())


def picture_at(path: Path, time_s: float | None) -> Pixels:
    """The picture of a file: of a photograph as a whole, of a video the frame at `time_s`."""
    return read_photo(path).pixels if time_s is None else frame_at(path, time_s)


# -- PyAV ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(path: Path) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """The container and its first stream of moving pictures; closed afterwards."""
    import av

    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none"}
    try:
        # By descriptor: a name may be no text, or look like an address to ffmpeg.
        with (
            os.fdopen(os.open(path, os.O_RDONLY), "rb") as file,
            av.open(file, "r", options=options, metadata_errors="replace") as container,
        ):
            stream = _moving(container)
            stream.codec_context.options = {"max_pixels": str(WHOLE_PIXELS)}
            stream.codec_context.thread_type = "AUTO"  # by slices alone most videos use one core
            stream.codec_context.thread_count = _DECODING_THREADS
            _refuse_too_large(stream.codec_context.width, stream.codec_context.height)
            yield container, stream
    except FileNotFoundError as error:
        raise UnreadableImage("missing") from error
    except PermissionError as error:
        raise UnreadableImage("unreadable", error.strerror or str(error)) from error
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise UnreadableImage("damaged", str(error)) from error


def _moving(container: "InputContainer") -> "VideoStream":
    from av.stream import Disposition

    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue  # the cover of a song is no video
        if stream.codec_context is None:
            raise UnreadableImage("damaged", "no decoder knows its pictures")
        return stream
    raise UnreadableImage("no video stream")


def _format(container: "InputContainer") -> str:
    return FORMATS.get(container.format.name, container.format.name)


def _texts(container: "InputContainer", stream: "VideoStream") -> dict[str, str]:
    sources = (container.metadata, stream.metadata)
    return {name: text for source in sources for name, text in source.items() if text.strip()}


def _refuse_too_large(width: int, height: int) -> None:
    if width * height > WHOLE_PIXELS:
        size = f"frames of {width} × {height} pixels, at most {WHOLE_PIXELS}"
        raise UnreadableImage("too large", size)


def _packets(container: "InputContainer", stream: "VideoStream") -> "Iterator[Packet[VideoStream]]":
    """The packets that hold frames, up to where the file is broken off."""
    import av

    with contextlib.suppress(av.FFmpegError, EOFError):
        for packet in container.demux(stream):
            if packet.size:  # the last, empty one flushes the decoder
                yield packet


def _at(
    targets: Sequence[float],
    container: "InputContainer",
    stream: "VideoStream",
    *,
    jumping: bool,
) -> "Iterator[tuple[float, Decoded]]":
    """The first frame at or after each of the rising times, `jumping` to where it must be."""
    coming = _decoded(container, stream)
    last = -np.inf
    for target in targets:
        if target <= last:
            continue
        if jumping and np.isfinite(last):
            _jump(target, container, stream)
            coming = _decoded(container, stream)
        for time_s, decoded in coming:
            if time_s <= last:
                jumping = False  # there is no keyframe between: going on is as fast
            elif time_s >= target:
                last = time_s
                yield time_s, decoded
                break
        else:
            return


def _later_and_later(
    decoded: "Iterable[tuple[float, Decoded]]",
) -> "Iterator[tuple[float, Decoded]]":
    """All frames, save those that no time tells from the one before."""
    last = -np.inf
    for time_s, each in decoded:
        if time_s > last:
            last = time_s
            yield time_s, each


def _decoded(
    container: "InputContainer", stream: "VideoStream"
) -> "Iterator[tuple[float, Decoded]]":
    """Frames with their times, from where the container stands; damaged ones are passed over.

    A decoder fills what is missing in a damaged frame with pixels of its own making: those are no
    evidence of anything.
    """
    import av

    count = 0
    with contextlib.suppress(av.FFmpegError, EOFError):
        for packet in container.demux(stream):
            try:
                found = packet.decode()
            except av.FFmpegError:
                continue
            for each in found:
                time_s = _seconds(each, stream)
                count += 1
                if not each.is_corrupt:
                    yield count / _rate(stream) if time_s is None else time_s, each


def _jump(time_s: float, container: "InputContainer", stream: "VideoStream") -> None:
    """Go to the keyframe before a time; where the file has no way to, stay."""
    import av

    if stream.time_base is None:
        return
    at = round(time_s / stream.time_base) + (stream.start_time or 0)
    with contextlib.suppress(av.FFmpegError):
        container.seek(at, stream=stream, backward=True)


def _seconds(each: "Packet[VideoStream] | Decoded", stream: "VideoStream") -> float | None:
    """When a packet or frame is shown, in seconds from the beginning, to the millisecond."""
    at = each.pts if each.pts is not None else each.dts
    if at is None or stream.time_base is None:
        return None
    return round(float((at - (stream.start_time or 0)) * stream.time_base), 3)


def _rate(stream: "VideoStream") -> float:
    return float(stream.average_rate or 25)


def _upright(decoded: "Decoded", stream: "VideoStream") -> Pixels:
    """RGB, with square pixels, turned as the file says that it is to be shown."""
    width, height = decoded.width, decoded.height
    aspect = float(stream.sample_aspect_ratio or 1)
    wide = round(width * aspect) if 0.1 < aspect < 10 else width
    _refuse_too_large(wide, height)
    pixels = decoded.reformat(width=wide, height=height, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, k=round(decoded.rotation / 90)))
