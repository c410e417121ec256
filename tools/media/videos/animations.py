"""Decodes animated images and multi-page documents frame by frame, as if they were videos.

GIF, WebP, PNG and AVIF can be animated; TIFF and HEIF can hold several pages. The extra images in a
camera's JPEG (MPO) are not frames: they are depth maps, gain maps and previews.
"""

import bisect
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from tools.media.decoder_process.plain_pictures import is_plain
from tools.media.decoder_process.pool import POOL
from tools.media.odd_pictures import camera_raw
from tools.media.pictures.decoding import FULL_SIZE_MAX_PIXELS
from tools.media.pictures.metadata import metadata_texts
from tools.media.pictures.opening import open_image, read_bytes, translate_decoder_errors
from tools.media.pictures.pixels import Pixels, apply_exif_orientation, to_rgb
from tools.media.skip_reasons import RETRIED_REASONS, UnreadableImage
from tools.media.videos.frames import MAX_FRAMES, MIN_FRAMES, Video, VideoFrame, sampled_frame_count

MULTIPAGE_FORMATS = frozenset(("TIFF", "HEIF"))
"""Formats whose frames are pages: they have a number, not a time."""

_MOVING = frozenset(("GIF", "WEBP", "PNG", "AVIF"))
_SIGNATURES = (b"GIF8", b"\x89PNG", b"II*\0", b"MM\0*")
_BRANDS = (b"ftypavi", b"ftyphei", b"ftypmif1", b"ftypmsf1", b"ftyphev")
_MAX_FRAMES_IN_FULL = 4 * MIN_FRAMES
"""Animations with at most this many frames are decoded whole: one frame may be shown only
briefly."""

_DEFAULT_DURATION_S = 0.1  # browsers' default for a missing or implausible frame duration
_MIN_DURATION_S = 0.011
_SUBFILE_TYPE, _REDUCED_OR_MASK = 254, 0b101


def may_be_animated(head: bytes) -> bool:
    """Whether the bytes start with the signature of a format that can hold several frames."""
    webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    return webp or head.startswith(_SIGNATURES) or head[4:12].startswith(_BRANDS)


def file_may_be_animated(path: Path) -> bool:
    """Like `may_be_animated`, for a file; False if unreadable (decoding it reports the reason)."""
    try:
        with path.open("rb") as file:
            return may_be_animated(file.read(16))
    except OSError:
        return False


def probe_animation_bytes(data: bytes, path: Path) -> Video | None:
    """The animation or document in a file's bytes; None if they hold a single image.

    Also None if the bytes cannot be opened: `decode_photo` repairs them or reports why not. Raises
    `UnreadableImage` on a system failure (I/O, memory).
    """
    if not may_be_animated(data) or is_plain(data):
        return None
    told, _ = POOL.call("tools.media.videos.animations:animation_for_parent", data)
    return Video(path=path, **told["video"]) if told["video"] else None


def animation_for_parent(data: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """In the decoder process: the fields of the animation, or None."""
    found = None
    if camera_raw.read_camera_raw(data) is None:
        try:
            found = _animation_in(data, Path())
        except UnreadableImage as error:
            if error.reason in RETRIED_REASONS:
                raise
    yield {"video": None if found is None else found.to_json()}, b""


def _animation_in(data: bytes, path: Path) -> Video | None:
    with open_image(data) as image:
        timeline = _timeline(image, data)
        if list(timeline.starts_s) == [0]:
            return None
        return Video(
            path=path,
            format=image.format or "",
            frames=len(timeline.starts_s),
            first_s=0.0,
            duration_s=timeline.end_s,
            texts=metadata_texts(data),
        )


def probe_animation(path: Path) -> Video:
    """The animation in a file; a file with a single image counts as one frame of 1 s."""
    data = read_bytes(path)
    found = probe_animation_bytes(data, path)
    if found is None:
        with open_image(data) as image:
            return Video(path, image.format or "", 1, 0.0, 1.0, metadata_texts(data))
    return found


def sample_frames(video: Video, *, at_most: int = MAX_FRAMES) -> Iterator[VideoFrame]:
    """Yield evenly spaced frames in order, including the first and last; short animations in full.

    Frames that cannot be decoded are skipped. Raises `UnreadableImage` if no frame can be decoded,
    or on a system failure.
    """
    given, problem = 0, None
    wanted = sampled_frame_count(video, at_most)
    if video.frames <= _MAX_FRAMES_IN_FULL:
        wanted = min(video.frames, at_most)
    data = read_bytes(video.path)
    with open_image(data) as image:
        for number, time_s in _spread(list(_timeline(image, data).starts_s.items()), wanted):
            try:
                pixels = _pixels(image, number)
            except UnreadableImage as error:
                if error.reason in RETRIED_REASONS:
                    raise
                problem = error
                continue
            yield VideoFrame(time_s=time_s, number=given, pixels=pixels)
            given += 1
    if problem is not None and not given:
        raise problem


def frame_at(path: Path, time_s: float) -> Pixels:
    """Decode again the frame that `sample_frames` took at `time_s`: (h, w, 3) uint8 RGB."""
    data = read_bytes(path)
    with open_image(data) as image:
        for number, at in _timeline(image, data).starts_s.items():
            if abs(at - time_s) < 5e-4:
                return _pixels(image, number)
    raise UnreadableImage("damaged", "the frame is no longer there")


def _spread(places: list[tuple[int, float]], wanted: int) -> list[tuple[int, float]]:
    if wanted >= len(places):
        return places
    starts = [time for _, time in places]
    step = starts[-1] / max(1, wanted - 1)
    targets = (number * step for number in range(wanted))
    shown = dict.fromkeys(bisect.bisect_right(starts, target + 1e-6) - 1 for target in targets)
    return [places[each] for each in shown]


@dataclass(frozen=True, slots=True)
class _Timeline:
    """Start of each frame in s, by its index in the file; without thumbnails and masks."""

    starts_s: Mapping[int, float]
    end_s: float


_MOST_KNOWN = 4
_known_timelines: dict[bytes, _Timeline] = {}


def _timeline(image: Image.Image, data: bytes) -> _Timeline:
    """When the frames of a file are shown.

    Going through all frames costs as much as decoding them, so that of the last files is kept.
    """
    digest = hashlib.sha256(data).digest()
    found = _known_timelines.get(digest)
    if found is None:
        starts_s = _frame_times(image)
        timeless = len(starts_s) == 1 or image.format in MULTIPAGE_FORMATS
        last_s = 1.0 if timeless else _frame_duration_s(image)
        found = _known_timelines[digest] = _Timeline(starts_s, max(starts_s.values()) + last_s)
        while len(_known_timelines) > _MOST_KNOWN:
            _known_timelines.pop(next(iter(_known_timelines)), None)
    return found


def _frame_times(image: Image.Image) -> dict[int, float]:
    with translate_decoder_errors():
        number = int(getattr(image, "n_frames", 1))
    if number == 1 or image.format not in MULTIPAGE_FORMATS | _MOVING:
        return {0: 0.0}
    times: dict[int, float] = {}
    time_s = 0.0
    for each in range(number):
        try:
            with translate_decoder_errors():
                image.seek(each)
        except UnreadableImage as error:
            if error.reason == "unreadable" or not times:
                raise
            break  # a truncated file still holds the frames before this one
        if image.format in MULTIPAGE_FORMATS and _is_thumbnail(image):
            continue
        times[each] = round(time_s, 3)
        time_s += 1.0 if image.format in MULTIPAGE_FORMATS else _frame_duration_s(image)
    return times or {0: 0.0}


def _is_thumbnail(image: Image.Image) -> bool:
    kind = getattr(image, "tag_v2", {}).get(_SUBFILE_TYPE, 0)
    return isinstance(kind, int) and bool(kind & _REDUCED_OR_MASK)


def _frame_duration_s(image: Image.Image) -> float:
    """How long the current frame is shown, in s; WebP and AVIF know this only after decoding."""
    if image.format in ("WEBP", "AVIF"):
        with translate_decoder_errors():
            image.load()
    duration_ms = image.info.get("duration", 0)
    seconds = duration_ms / 1000 if isinstance(duration_ms, (int, float)) else 0.0
    return seconds if seconds >= _MIN_DURATION_S else _DEFAULT_DURATION_S


def _pixels(image: Image.Image, number: int) -> Pixels:
    if image.width * image.height > FULL_SIZE_MAX_PIXELS:
        size = f"frames of {image.width} × {image.height} pixels, at most {FULL_SIZE_MAX_PIXELS}"
        raise UnreadableImage("too large", size)
    with translate_decoder_errors():
        image.seek(number)
        image.load()
    return to_rgb(apply_exif_orientation(image))
