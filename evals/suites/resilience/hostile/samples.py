"""Small valid files of every supported format, from which hostile ones are made.

The picture has no face, so that the time of a file is that of reading it.
"""

import io
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = (96, 64)
_VIDEOS: Mapping[str, tuple[str, str]] = {
    "mp4": ("mp4", "libx264"),
    "mkv": ("matroska", "libx264"),
    "webm": ("webm", "libvpx"),
    "avi": ("avi", "mpeg4"),
    "ts": ("mpegts", "libx264"),
    "flv": ("flv", "libx264"),
    "mpg": ("mpeg", "mpeg1video"),
}


def picture(size: tuple[int, int] = SIDE, *, seed: int = 0) -> Image.Image:
    """A smooth picture with some noise, RGB."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).integers(0, 24, (height, width, 3))
    bands = np.stack([columns * 200 // width, rows * 200 // height, (rows + columns) % 200], -1)
    return Image.fromarray((bands + noise).clip(0, 255).astype(np.uint8))


def encoded(format: str, image: Image.Image | None = None, **options: Any) -> bytes:
    """A picture file in a format of Pillow."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    target = io.BytesIO()
    (image or picture()).save(target, format, **options)
    return target.getvalue()


def pictures() -> dict[str, bytes]:
    """Files of every picture format that is read, by a name with its ending."""
    return {
        "baseline.jpg": encoded("JPEG"),
        "progressive.jpg": encoded("JPEG", progressive=True),
        "several.jpg": _several("MPO"),
        "plain.png": encoded("PNG"),
        "palette.png": encoded("PNG", picture().quantize(32)),
        "deep.png": encoded("PNG", _deep_picture()),
        "moving.png": _several("PNG"),
        "lossy.webp": encoded("WEBP"),
        "lossless.webp": encoded("WEBP", lossless=True),
        "moving.webp": _several("WEBP"),
        "plain.gif": encoded("GIF"),
        "moving.gif": _several("GIF"),
        "plain.heic": encoded("HEIF"),
        "plain.avif": encoded("AVIF"),
        "plain.tif": encoded("TIFF"),
        "lzw.tif": encoded("TIFF", compression="tiff_lzw"),
        "jpeg.tif": encoded("TIFF", compression="jpeg"),
        "pages.tif": _several("TIFF"),
        "plain.bmp": encoded("BMP"),
        "plain.jp2": encoded("JPEG2000"),
        "plain.ppm": encoded("PPM"),
    }


def _deep_picture() -> Image.Image:
    grey = np.random.default_rng(0).integers(0, 65536, SIDE[::-1], np.uint16)
    return Image.fromarray(grey)


def _several(format: str) -> bytes:
    """Three pictures in a file; new ones each time, because Pillow keeps options in a picture."""
    others = [picture(seed=seed) for seed in (1, 2)]
    return encoded(format, save_all=True, append_images=others)


def videos() -> dict[str, bytes]:
    """Clips of two seconds in every container that is read, by a name with its ending."""
    return {f"clip.{name}": _clip(*kind) for name, kind in _VIDEOS.items()}


def _clip(container: str, codec: str, *, frames: int = 20, rate: int = 25) -> bytes:
    import av

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip"
        with av.open(str(path), "w", format=container) as file:
            stream: Any = file.add_stream(codec, rate=Fraction(rate))
            stream.width, stream.height, stream.pix_fmt = *SIDE, "yuv420p"
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(np.asarray(picture(seed=number)), format="rgb24")
                file.mux(stream.encode(frame))
            file.mux(stream.encode())
        return path.read_bytes()
