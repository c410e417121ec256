"""Opens videos and animations and takes evenly spaced frames out of them; the home of PyAV.

Like pictures, videos are known by their bytes, not by their names. The pixels that leave here are
(h, w, 3) uint8 RGB, upright and with square pixels. One frame is held at a time. No other file is
opened for a video, whatever it says: playlists and references to elsewhere are no videos here.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tools.media import animations
from tools.media.frames import MAX_FRAMES, Video, VideoFrame, sampled_frame_count
from tools.media.images import (
    FULL_SIZE_MAX_PIXELS,
    Photo,
    Pixels,
    UnreadableImage,
    metadata_texts,
    perceptual_hash,
    read_bytes,
    read_photo,
)

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame as Decoded
    from av.video.stream import VideoStream

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


def probe_video(path: Path) -> Video:
    """Read through a video without decoding it, or an animation; `UnreadableImage` when it is none.

    Its reasons, beside those of pictures: "no video stream" (sound only).
    """
    if animations.file_may_be_animated(path):
        return animations.probe_animation(path)
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


def video_metadata_texts(path: Path) -> dict[str, str]:
    """The texts that a video carries about itself, without reading through it."""
    if animations.file_may_be_animated(path):
        return metadata_texts(read_bytes(path))
    with _opened(path) as (container, stream):
        return _texts(container, stream)


def sample_frames(video: Path | Video, *, at_most: int = MAX_FRAMES) -> Iterator[VideoFrame]:
    """Evenly spaced frames in order, as many as `sampled_frame_count` says.

    What cannot be decoded is passed over, so that a damaged video gives fewer frames, or none.
    Raises `UnreadableImage` when it cannot be opened, or when its frames are too large.
    """
    video = probe_video(video) if isinstance(video, Path) else video
    if animations.file_may_be_animated(video.path):
        yield from animations.sample_frames(video, at_most=at_most)
        return
    wanted = sampled_frame_count(video, at_most)
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
    """The frame that `sample_frames` took at a time, decoded again: (h, w, 3) uint8 RGB.

    Raises `UnreadableImage`, also when there is no such frame any more.
    """
    if animations.file_may_be_animated(path):
        return animations.frame_at(path, time_s)
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
    return frame_to_photo(probe_video(path), frame_at(path, time_s), image_id=image_id)


def frame_to_photo(video: Video, pixels: Pixels, *, image_id: str) -> Photo:
    """One frame's pixels as a picture: a frame has the format and the marks of its video."""
    return Photo(
        id=image_id,
        pixels=pixels,
        format=video.format,
        frames=1,
        perceptual_hash=perceptual_hash(pixels),
        unmask_forgery=video.unmask_forgery,
    )


def read_pixels_at(path: Path, time_s: float | None) -> Pixels:
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
            stream.codec_context.options = {"max_pixels": str(FULL_SIZE_MAX_PIXELS)}
            stream.codec_context.thread_type = "AUTO"  # by slices alone most videos use one core
            stream.codec_context.thread_count = _DECODING_THREADS
            _refuse_too_large(stream.codec_context.width, stream.codec_context.height)
            yield container, stream
    except FileNotFoundError as error:
        raise UnreadableImage("missing") from error
    except MemoryError as error:  # ffmpeg's own is one, too
        raise UnreadableImage("unreadable", "out of memory") from error
    except av.FFmpegError as error:
        raise UnreadableImage("damaged", str(error)) from error
    except OSError as error:  # of the file system: a disk that fails, too many open files
        raise UnreadableImage("unreadable", error.strerror or str(error)) from error


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
    if width * height > FULL_SIZE_MAX_PIXELS:
        size = f"frames of {width} × {height} pixels, at most {FULL_SIZE_MAX_PIXELS}"
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
    """RGB, with square pixels, turned and mirrored as the file says that it is to be shown."""
    width, height = decoded.width, decoded.height
    aspect = float(stream.sample_aspect_ratio or 1)
    wide = round(width * aspect) if 0.1 < aspect < 10 else width
    _refuse_too_large(wide, height)
    pixels = decoded.reformat(width=wide, height=height, format="rgb24").to_ndarray()
    return _shown(np.asarray(pixels, np.uint8), _display_matrix(decoded))


def _display_matrix(decoded: "Decoded") -> tuple[int, int, int, int]:
    """a, b, c, d of ISO 14496-12's matrix: a stored point (x, y) is shown at (ax + cy, bx + dy)."""
    from av.sidedata.sidedata import Type

    # PyAV's stubs know one key of it only.
    side = cast("Mapping[object, Any]", decoded.side_data).get(Type.DISPLAYMATRIX)
    if side is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(side), np.int32)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])


def _shown(pixels: Pixels, matrix: tuple[int, int, int, int]) -> Pixels:
    """Pixels in the one of the eight orientations that a matrix is nearest to."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):  # rows become columns
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
