"""Pictures whose faces are difficult on purpose, from NASA's portrait that scikit-image brings.

Crowds made by copying, a face on a sheet of paper, extreme poses, halves and mirrored halves, and
textures that look like faces.
"""

import cv2
import numpy as np
from PIL import Image

from evals.suites.resilience.hostile.samples import encoded


def face_pictures() -> dict[str, bytes]:
    """Files by name; the crowds have 1,600 and 400 faces, the last four pictures none."""
    from skimage.data import astronaut

    portrait = np.ascontiguousarray(astronaut())  # type: ignore[no-untyped-call]
    face = portrait[20:220, 120:320]
    made = {
        "crowd-1600.jpg": _crowd(face, 40, 64),
        "crowd-400.jpg": _crowd(face, 20, 100),
        "crowd-turned.jpg": np.rot90(_crowd(face, 20, 90)),
        "on-paper.jpg": _on_paper(portrait),
        "upside-down.jpg": np.rot90(portrait, 2),
        "squeezed.jpg": cv2.resize(portrait, (160, 512)),
        "seen-from-the-side.jpg": _tilted(portrait),
        "half.jpg": np.hstack([portrait[:, :222], np.full((512, 290, 3), 90, np.uint8)]),
        "mirrored-half.jpg": np.hstack([portrait[:, :222], portrait[:, 221::-1]]),
        "tiny.jpg": cv2.resize(portrait, (40, 40), interpolation=cv2.INTER_AREA),
        "dots-and-a-line.png": _dots_and_a_line(),
        "face-like-noise.png": _noise(),
        "eyes-everywhere.png": np.tile(face[70:110, 60:150], (20, 10, 1)),
        "skin.png": np.tile(face[120:140, 50:70], (25, 25, 1)),
    }  # fmt: skip
    return {name: _encoded(name, pixels) for name, pixels in made.items()}


def _encoded(name: str, pixels: np.ndarray) -> bytes:
    format = "PNG" if name.endswith("png") else "JPEG"
    return encoded(format, Image.fromarray(np.ascontiguousarray(pixels)))


def _crowd(face: np.ndarray, side: int, face_px: int) -> np.ndarray:
    small = cv2.resize(face, (face_px, face_px), interpolation=cv2.INTER_AREA)
    apart = cv2.copyMakeBorder(small, *(face_px // 5,) * 4, cv2.BORDER_REPLICATE)
    return np.tile(apart, (side, side, 1))


def _on_paper(portrait: np.ndarray) -> np.ndarray:
    """The portrait, printed and photographed at an angle: dots, paper and shadow."""
    dots = (np.indices((512, 512)).sum(0) % 4 < 2)[..., None] * 30
    printed = np.clip(portrait.astype(int) * 0.8 + 40 - dots, 0, 255).astype(np.uint8)
    corners = np.array([[0, 0], [511, 0], [511, 511], [0, 511]], np.float32)
    places = np.array([[160, 90], [620, 150], [560, 640], [120, 560]], np.float32)
    turned = cv2.getPerspectiveTransform(corners, places)
    table = np.full((720, 760, 3), (120, 90, 60), np.uint8)
    return cv2.warpPerspective(
        printed, turned, (760, 720), table, borderMode=cv2.BORDER_TRANSPARENT
    )


def _tilted(portrait: np.ndarray) -> np.ndarray:
    corners = np.array([[0, 0], [511, 0], [511, 511], [0, 511]], np.float32)
    places = np.array([[200, 150], [330, 0], [330, 511], [200, 360]], np.float32)
    return cv2.warpPerspective(portrait, cv2.getPerspectiveTransform(corners, places), (512, 512))


def _dots_and_a_line() -> np.ndarray:
    canvas = np.full((300, 300, 3), 220, np.uint8)
    for centre in ((100, 110), (200, 110)):
        cv2.circle(canvas, centre, 18, (20, 20, 20), -1)
    cv2.ellipse(canvas, (150, 200), (50, 18), 0, 0, 180, (30, 20, 20), 6)
    return canvas


def _noise() -> np.ndarray:
    """Noise of the coarseness of a face, in the colours of skin."""
    rng = np.random.default_rng(3)
    coarse = cv2.resize(rng.normal(0, 1, (24, 24)), (480, 480), interpolation=cv2.INTER_CUBIC)
    colours = np.array([190, 140, 115]) + coarse[..., None] * np.array([35, 30, 28])
    return np.asarray(np.clip(colours, 0, 255), np.uint8)
