"""Opens videos and animations and samples evenly spaced frames; the only runtime user of PyAV.

All of that happens in a process that has limits (`tools.media.decoder_process`).

Videos, like images, are recognised by their bytes, not their names. Pixels are returned as (h, w,
3) uint8 RGB, upright and with square pixels. Only one frame is held at a time. A video never causes
another file to be opened: playlists and external references are refused.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tools.media.decoder_process.pool import POOL
from tools.media.pictures.decoding import FULL_SIZE_MAX_PIXELS, Photo, read_photo
from tools.media.pictures.metadata import metadata_texts
from tools.media.pictures.opening import read_bytes
from tools.media.pictures.perceptual_hash import perceptual_hash
from tools.media.pictures.pixels import Pixels
from tools.media.skip_reasons import REPLACED, UnreadableImage
from tools.media.videos import animations
from tools.media.videos.frames import MAX_FRAMES, Video, VideoFrame, sampled_frame_count
from tools.media.videos.signatures import video_sha256

if TYPE_CHECKING:
    from av.container.input import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame as Decoded
    from av.video.stream import VideoStream

_SEEK_FROM_S = 4.0
"""Minimum gap in s for seeking; keyframes lie 1 to 10 s apart, so shorter seeks gain nothing."""

_DECODING_THREADS = 4  # each holds one or two frames in memory

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
"""Accepted containers, by ffmpeg's names. Its other formats (playlists, devices, image sequences,
scripts) are left out because some of them open other files."""


def probe_video(path: Path) -> Video:
    """Count a video's frames by demuxing without decoding; also accepts animations.

    Raises `UnreadableImage`, with the reasons for images and "no video stream" (audio only).
    """
    told, _ = POOL.call("tools.media.videos.sampling:video_for_parent", arguments=_file(path))
    return Video(path=path, **told)


def video_metadata_texts(path: Path) -> dict[str, str]:
    """A video's own metadata texts, without reading the whole file."""
    told, _ = POOL.call("tools.media.videos.sampling:texts_for_parent", arguments=_file(path))
    return dict(told)


def sample_frames(video: Path | Video, *, at_most: int = MAX_FRAMES) -> Iterator[VideoFrame]:
    """Yield evenly spaced frames in order; `sampled_frame_count` gives their number.

    Frames that cannot be decoded are skipped, so a damaged video yields fewer frames, or none.
    Raises `UnreadableImage` if the video cannot be opened or its frames are too large.
    """
    video = probe_video(video) if isinstance(video, Path) else video
    arguments = {**_file(video.path), "video": video.to_json(), "at_most": at_most}
    frames = POOL.stream(
        "tools.media.videos.sampling:frames_for_parent",
        arguments=arguments,
        renewed=not animations.file_may_be_animated(video.path),
    )
    for told, pixels in frames:
        yield VideoFrame(told["time_s"], told["number"], _unpacked(told, pixels))


def frame_at(path: Path, time_s: float) -> Pixels:
    """Decode again the frame that `sample_frames` took at `time_s`: (h, w, 3) uint8 RGB.

    Raises `UnreadableImage`, also if there is no longer a frame at that time.
    """
    arguments = {**_file(path), "time_s": time_s}
    return _unpacked(
        *POOL.call("tools.media.videos.sampling:frame_for_parent", arguments=arguments)
    )


def photo_at(path: Path, time_s: float, *, image_id: str) -> Photo:
    """The frame at `time_s` as a `Photo` with its id in the gallery."""
    return frame_to_photo(probe_video(path), frame_at(path, time_s), image_id=image_id)


def frame_to_photo(video: Video, pixels: Pixels, *, image_id: str) -> Photo:
    """One frame's pixels as a `Photo`, with the format and forgery mark of its video."""
    return Photo(
        id=image_id,
        pixels=pixels,
        format=video.format,
        frames=1,
        perceptual_hash=perceptual_hash(pixels),
        unmask_forgery=video.unmask_forgery,
    )


def recorded_photo(path: Path, image_id: str, time_s: float | None) -> Photo:
    """A picture or frame of the gallery, if its file still holds what was indexed.

    Raises `UnreadableImage`; its reason is `REPLACED` if the file has another content now: the
    measurements are not about what lies there.
    """
    if time_s is None:
        photo = read_photo(path)
        if photo.id != image_id:
            raise UnreadableImage(REPLACED, path=path)
        return photo
    if video_sha256(path) != image_id.partition("@")[0]:
        raise UnreadableImage(REPLACED, path=path)
    return photo_at(path, time_s, image_id=image_id)


def read_pixels_at(path: Path, time_s: float | None) -> Pixels:
    """The pixels of a photograph (`time_s` None), or of a video's frame at `time_s`."""
    return read_photo(path).pixels if time_s is None else frame_at(path, time_s)


def _file(path: Path) -> dict[str, Any]:
    return {"path": str(path.absolute())}  # the process may have been started in another folder


def _unpacked(told: Mapping[str, Any], pixels: bytearray) -> Pixels:
    return np.frombuffer(pixels, np.uint8).reshape(told["shape"])


# -- in the decoder process ---------------------------------------------------------------------


def video_for_parent(_: bytes, *, path: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What `probe_video` returns."""
    yield _probe(Path(path)).to_json(), b""


def texts_for_parent(_: bytes, *, path: str) -> Iterator[tuple[dict[str, Any], bytes]]:
    """What `video_metadata_texts` returns."""
    if animations.file_may_be_animated(Path(path)):
        yield dict(metadata_texts(read_bytes(Path(path)))), b""
        return
    with _opened(Path(path)) as (container, stream):
        yield _texts(container, stream), b""


def frames_for_parent(
    _: bytes, *, path: str, video: dict[str, Any], at_most: int
) -> Iterator[tuple[dict[str, Any], memoryview]]:
    """What `sample_frames` yields."""
    for frame in _sample(Video(path=Path(path), **video), at_most):
        told = {"time_s": frame.time_s, "number": frame.number, "shape": frame.pixels.shape}
        yield told, np.ascontiguousarray(frame.pixels).data


def frame_for_parent(
    _: bytes, *, path: str, time_s: float
) -> Iterator[tuple[dict[str, Any], memoryview]]:
    """What `frame_at` returns."""
    pixels = np.ascontiguousarray(_frame_at(Path(path), time_s))
    yield {"shape": pixels.shape}, pixels.data


def _probe(path: Path) -> Video:
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


def _sample(video: Video, at_most: int) -> Iterator[VideoFrame]:
    if animations.file_may_be_animated(video.path):
        yield from animations.sample_frames(video, at_most=at_most)
        return
    wanted = sampled_frame_count(video, at_most)
    step = video.duration_s / wanted
    half_a_frame = video.duration_s / video.frames / 2
    targets = [video.first_s + number * step - half_a_frame for number in range(wanted)]
    with _opened(video.path) as (container, stream):
        taken = (
            _strictly_later(_decoded(container, stream))
            if wanted == video.frames
            else _frames_at(targets, container, stream, jumping=step >= _SEEK_FROM_S)
        )
        for number, (time_s, decoded) in enumerate(taken):
            yield VideoFrame(time_s=time_s, number=number, pixels=_upright(decoded, stream))


def _frame_at(path: Path, time_s: float) -> Pixels:
    if animations.file_may_be_animated(path):
        return animations.frame_at(path, time_s)
    tolerance = 5e-4  # times are kept to the millisecond
    with _opened(path) as (container, stream):
        _seek(time_s, container, stream)
        for found_s, decoded in _decoded(container, stream):
            if abs(found_s - time_s) <= tolerance:
                return _upright(decoded, stream)
            if found_s > time_s:
                break
    with _opened(path) as (container, stream):  # seeking failed: decode from the start
        for found_s, decoded in _decoded(container, stream):
            if abs(found_s - time_s) <= tolerance:
                return _upright(decoded, stream)
    raise UnreadableImage("damaged", "the frame is no longer there")


# -- PyAV ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(path: Path) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """The container and its first video stream; closed on exit."""
    import av

    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none"}
    try:
        # By descriptor: a path may be undecodable, or look like a URL to ffmpeg.
        with (
            os.fdopen(os.open(path, os.O_RDONLY), "rb") as file,
            av.open(file, "r", options=options, metadata_errors="replace") as container,
        ):
            stream = _video_stream(container)
            stream.codec_context.options = {"max_pixels": str(FULL_SIZE_MAX_PIXELS)}
            stream.codec_context.thread_type = "AUTO"  # slice threads alone mostly use one core
            stream.codec_context.thread_count = _DECODING_THREADS
            _refuse_too_large(stream.codec_context.width, stream.codec_context.height)
            yield container, stream
    except FileNotFoundError as error:
        raise UnreadableImage("missing") from error
    except MemoryError as error:  # also raised for ffmpeg's own out-of-memory error
        raise UnreadableImage("unreadable", "out of memory") from error
    except av.FFmpegError as error:
        raise UnreadableImage("damaged", str(error)) from error
    except OSError as error:  # of the file system: failing disk, too many open files
        raise UnreadableImage("unreadable", error.strerror or str(error)) from error


def _video_stream(container: "InputContainer") -> "VideoStream":
    from av.stream import Disposition

    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue  # a song's cover art is not a video
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
    """The packets that hold frames, up to the point where the file is truncated."""
    import av

    with contextlib.suppress(av.FFmpegError, EOFError):
        for packet in container.demux(stream):
            if packet.size:  # the last packet is empty: it flushes the decoder
                yield packet


def _frames_at(
    targets: Sequence[float],
    container: "InputContainer",
    stream: "VideoStream",
    *,
    jumping: bool,
) -> "Iterator[tuple[float, Decoded]]":
    """For each target time (ascending), the first frame at or after it; seeks if `jumping`."""
    coming = _decoded(container, stream)
    last = -np.inf
    for target in targets:
        if target <= last:
            continue
        if jumping and np.isfinite(last):
            _seek(target, container, stream)
            coming = _decoded(container, stream)
        for time_s, decoded in coming:
            if time_s <= last:
                jumping = False  # no keyframe in between: decoding on is as fast
            elif time_s >= target:
                last = time_s
                yield time_s, decoded
                break
        else:
            return


def _strictly_later(
    decoded: "Iterable[tuple[float, Decoded]]",
) -> "Iterator[tuple[float, Decoded]]":
    """All frames whose time is later than that of the previous frame."""
    last = -np.inf
    for time_s, each in decoded:
        if time_s > last:
            last = time_s
            yield time_s, each


def _decoded(
    container: "InputContainer", stream: "VideoStream"
) -> "Iterator[tuple[float, Decoded]]":
    """Yield (time in s, frame) from the current position; damaged frames are skipped.

    A decoder fills the missing parts of a damaged frame with invented pixels, which are no
    evidence.
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


def _seek(time_s: float, container: "InputContainer", stream: "VideoStream") -> None:
    """Seek to the keyframe before a time; stay if the file cannot be sought."""
    import av

    if stream.time_base is None:
        return
    at = round(time_s / stream.time_base) + (stream.start_time or 0)
    with contextlib.suppress(av.FFmpegError):
        container.seek(at, stream=stream, backward=True)


def _seconds(each: "Packet[VideoStream] | Decoded", stream: "VideoStream") -> float | None:
    """Presentation time of a packet or frame in s from the start, rounded to 1 ms."""
    at = each.pts if each.pts is not None else each.dts
    if at is None or stream.time_base is None:
        return None
    return round(float((at - (stream.start_time or 0)) * stream.time_base), 3)


def _rate(stream: "VideoStream") -> float:
    return float(stream.average_rate or 25)


def _upright(decoded: "Decoded", stream: "VideoStream") -> Pixels:
    """RGB with square pixels, rotated and mirrored by the file's display matrix."""
    width, height = decoded.width, decoded.height
    aspect = float(stream.sample_aspect_ratio or 1)
    wide = round(width * aspect) if 0.1 < aspect < 10 else width
    _refuse_too_large(wide, height)
    # Each frame would start as many threads as there are cores, which live as long as the frame.
    pixels = decoded.reformat(width=wide, height=height, format="rgb24", threads=1).to_ndarray()
    return _shown(np.asarray(pixels, np.uint8), _display_matrix(decoded))


def _display_matrix(decoded: "Decoded") -> tuple[int, int, int, int]:
    """a, b, c, d of the ISO 14496-12 matrix: (x, y) as stored is shown at (ax + cy, bx + dy)."""
    from av.sidedata.sidedata import Type

    # PyAV's stubs declare only one of its keys.
    side = cast("Mapping[object, Any]", decoded.side_data).get(Type.DISPLAYMATRIX)
    if side is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(side), np.int32)
    return int(matrix[0]), int(matrix[1]), int(matrix[3]), int(matrix[4])


def _shown(pixels: Pixels, matrix: tuple[int, int, int, int]) -> Pixels:
    """Pixels in that one of the eight orientations that is nearest to the matrix."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):  # rows become columns
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
