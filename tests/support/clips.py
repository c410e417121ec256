"""Tiny videos for tests, written with PyAV."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np


def write_clip(
    path: Path,
    pictures: Sequence[np.ndarray],
    *,
    rate: int = 10,
    codec: str = "libx264",
    rotation: float | None = None,
    keyframe_every: int = 12,
    options: dict[str, str] | None = None,
    title: str | None = None,
) -> Path:
    """Write pictures (h, w, 3) uint8 RGB of one size as a video of `rate` frames/s."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if title is not None:
            container.metadata["title"] = title
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """One second of silence in a video container."""
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16000)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        for _ in range(16):
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def grey(value: int, *, width: int = 96, height: int = 64) -> np.ndarray:
    """A uniformly grey picture with a red mark in its upper left corner."""
    picture = np.full((height, width, 3), value, np.uint8)
    picture[:20, :20] = (255, 0, 0)
    return picture


def level(pixels: np.ndarray) -> float:
    """The grey level of a picture made by `grey`, after decoding."""
    return float(np.median(pixels))
