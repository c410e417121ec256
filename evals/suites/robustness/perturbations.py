"""Image perturbations for robustness: seven attacks from the literature and four everyday ones.

Each is a pure function `(pixels, level, rng) -> pixels` on (h, w, 3) uint8 RGB, level 1 (mild) to 5
(strong), applied to the whole picture before face detection. The first six, with their parameters,
are DeeperForensics' (Jiang et al., CVPR 2020; `perturbation/distortions.py` of its repository),
over which CADDM (CVPR 2023) averages; each function states its differences. Their "JPEG" only
pixelates, so it is called `pixelation` here and `jpeg` is JPEG.

Does not show: attacks that know the detector, beauty filters, or any platform's processing.
"""

import io
import zlib
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
from PIL import Image

LEVELS = (1, 2, 3, 4, 5)

Attack = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]

SATURATION = (0.4, 0.3, 0.2, 0.1, 0.0)
CONTRAST = (0.85, 0.725, 0.6, 0.475, 0.35)
BLOCKS = (16, 32, 48, 64, 80)
VARIANCE = (0.001, 0.002, 0.005, 0.01, 0.05)
BLUR_KERNEL = (7, 9, 13, 17, 21)
PIXEL_SIDE = (2, 3, 4, 5, 6)
JPEG_QUALITY = (90, 70, 50, 30, 20)
WEBP_QUALITY = (90, 70, 50, 30, 10)
RESIZED_TO = (0.75, 0.6, 0.5, 0.4, 0.3)
# Display zoom, gamma and colour warmth, and the JPEG quality of the forwarded screenshot.
SCREENS = (
    (0.9, 1.02, 0.01, 92),
    (0.75, 1.05, 0.02, 85),
    (0.6, 1.08, 0.03, 80),
    (0.5, 1.11, 0.04, 75),
    (0.4, 1.14, 0.05, 70),
)
# Qualities of three consecutive JPEGs, and the scale of the second.
CHAINS = (
    ((95, 90, 85), 0.95),
    ((85, 80, 75), 0.85),
    ((75, 70, 60), 0.75),
    ((65, 55, 45), 0.65),
    ((50, 40, 30), 0.5),
)


def saturation(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Chroma c of YCbCr becomes 0.5 + (c − 0.5) · p; at level 5 the picture is grey.

    DeeperForensics' CS; rounded, while the original truncates.
    """
    ycc = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
    ycc[..., 1:] = 0.5 + (ycc[..., 1:] - 0.5) * SATURATION[level - 1]
    return _eight_bit(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB) * 255)


def contrast(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Every value times p: DeeperForensics' CC, which darkens; rounded instead of truncated."""
    return _eight_bit(pixels.astype(np.float32) * CONTRAST[level - 1])


def block(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """p grey squares at random places; a stronger level keeps those of the milder ones.

    DeeperForensics' BW draws `min(h, w) // 256 · p` squares of 8 px: none on a picture below 256
    px, and a decreasing share of a larger one. Here it is always p squares with a side of 8 px per
    256 px of the shorter side, rounded and at least one: identical at 256 px, and the same share of
    the picture at any size.
    """
    height, width = pixels.shape[:2]
    side = max(1, round(8 * min(height, width) / 256))
    found = pixels.copy()
    for down, across in rng.random((BLOCKS[-1], 2))[: BLOCKS[level - 1]]:
        top, left = int(down * (height - side + 1)), int(across * (width - side + 1))
        found[top : top + side, left : left + side] = 128
    return found


def noise(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise of variance p on each channel of YCbCr: DeeperForensics' GNC.

    Channels are on the studio scale (luma 16..235 of 255, chroma 16..240), as in the original:
    σ is 255 · √p · 255/219 grey levels of luma, 9 at level 1 and 66 at level 5.
    """
    ycc = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2YCrCb)
    deviation = np.sqrt(VARIANCE[level - 1]) * 255 / np.array([219, 224, 224], np.float32)
    ycc += rng.standard_normal(ycc.shape, np.float32) * deviation.astype(np.float32)
    return _eight_bit(cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB) * 255)


def blur(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Gaussian blur with a kernel of p px and σ = p / 6: DeeperForensics' GB."""
    side = BLUR_KERNEL[level - 1]
    return np.asarray(cv2.GaussianBlur(pixels, (side, side), side / 6))


def pixelation(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Downscaled by p and upscaled again, linearly: DeeperForensics' "JPEG"."""
    height, width = pixels.shape[:2]
    divisor = PIXEL_SIDE[level - 1]
    small = cv2.resize(pixels, (max(1, width // divisor), max(1, height // divisor)))
    return np.asarray(cv2.resize(small, (width, height)))


def jpeg(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """JPEG at quality p with Pillow, chroma at half resolution."""
    return _through(pixels, "JPEG", JPEG_QUALITY[level - 1])


def webp(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Lossy WebP at quality p."""
    return _through(pixels, "WEBP", WEBP_QUALITY[level - 1])


def resizing(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Area-downscaled to p of its sides, and kept at that size, as uploads are."""
    return _scaled(pixels, RESIZED_TO[level - 1], cv2.INTER_AREA)


def screenshot(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Displayed zoomed, captured and forwarded; changes the picture's shape.

    The display resamples linearly at a subpixel offset, with a slightly wrong gamma and a warm
    colour shift. The capture is lossless PNG; the messenger converts it to JPEG.
    """
    zoom, gamma, warmth, quality = SCREENS[level - 1]
    height, width = (max(1, round(side * zoom)) for side in pixels.shape[:2])
    shift = rng.random(2) - 0.5
    onto = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]], np.float64)
    # Smoothed first: a display's own scaling does not alias.
    smooth = cv2.GaussianBlur(pixels, (0, 0), max(0.35 / zoom, 0.01))
    shown = cv2.warpAffine(
        smooth, onto, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    light = (shown.astype(np.float32) / 255) ** gamma
    light *= np.array([1.0, 1 - warmth / 2, 1 - warmth], np.float32)
    return _through(_eight_bit(light * 255), "JPEG", quality)


def reencoding(pixels: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Three consecutive JPEGs at falling quality, the second of a downscaled picture."""
    (first, second, third), scale = CHAINS[level - 1]
    height, width = pixels.shape[:2]
    small = _scaled(_through(pixels, "JPEG", first), scale, cv2.INTER_AREA)
    again = cv2.resize(
        _through(small, "JPEG", second), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return _through(again, "JPEG", third)


CADDM_SIX = ("saturation", "contrast", "block", "noise", "blur", "pixelation")
"""The six attacks over which CADDM's table averages."""

ATTACKS: Mapping[str, Attack] = {
    "saturation": saturation,
    "contrast": contrast,
    "block": block,
    "noise": noise,
    "blur": blur,
    "pixelation": pixelation,
    "jpeg": jpeg,
    "webp": webp,
    "resizing": resizing,
    "screenshot": screenshot,
    "reencoding": reencoding,
}
KEEP_SHAPE = tuple(name for name in ATTACKS if name not in {"resizing", "screenshot"})


def apply_attack(
    pixels: np.ndarray, attack: str, level: int, *, seed: int, picture: str
) -> np.ndarray:
    """One picture under one attack; equal seed and picture name give equal random draws.

    All levels of an attack use the same draws: a stronger level amplifies the milder one.
    """
    drawn = [seed, zlib.crc32(picture.encode()), zlib.crc32(attack.encode())]
    return ATTACKS[attack](pixels, level, np.random.default_rng(drawn))


def example_grid(pixels: np.ndarray, attacks: Sequence[str] = tuple(ATTACKS)) -> np.ndarray:
    """Examples as one picture: a row per attack, with the original and five levels from left to
    right."""
    size = (pixels.shape[1], pixels.shape[0])
    rows = []
    for name in attacks:
        changed = [apply_attack(pixels, name, level, seed=0, picture="strip") for level in LEVELS]
        rows.append(np.hstack([pixels, *(np.asarray(cv2.resize(it, size)) for it in changed)]))
    return np.vstack(rows)


def _scaled(pixels: np.ndarray, scale: float, interpolation: int) -> np.ndarray:
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=interpolation))


def _through(pixels: np.ndarray, format: str, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, quality=quality)
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))


def _eight_bit(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return found
