"""Harmless edits of a photograph: colours, filters, watermarks, resizing.

The verdict rule is fitted on these as well as on unedited photographs, so that an agency's
watermark or a median filter does not look like a forgery.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

Pixels = np.ndarray
Edit = Callable[[Pixels, np.random.Generator], Pixels]


def _watermarked(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    marked, size = pixels.copy(), pixels.shape[1] / 400
    for down in range(0, pixels.shape[0], max(12, round(60 * size))):
        for right in range(-60, pixels.shape[1], max(40, round(160 * size))):
            at = right + down % 47, down
            cv2.putText(
                marked, "(c) agency", at, cv2.FONT_HERSHEY_SIMPLEX, size, (255, 255, 255), 1,
                cv2.LINE_AA,
            )  # fmt: skip
    share = rng.uniform(0.25, 0.5)
    return cv2.addWeighted(marked, share, pixels, 1 - share, 0)


def _captioned(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    bar, size = pixels.copy(), width / 350
    top = round(height * rng.uniform(0.82, 0.9))
    bar[top:] = rng.integers(0, 60)
    text = "breaking news: seen yesterday"
    white, font = (255, 255, 255), cv2.FONT_HERSHEY_DUPLEX
    return cv2.putText(bar, text, (4, height - 6), font, size, white, 1, cv2.LINE_AA)


def _saturated(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    return _whole(grey + (pixels - grey) * float(rng.choice([0.4, 1.6, 2.0])))


def _grey(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)


def _sepia(pixels: Pixels, _: np.random.Generator) -> Pixels:
    tone = np.array([[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]])
    return _whole(pixels @ tone.T)


def _other_light(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return _whole(pixels * rng.uniform(0.75, 1.3) + rng.uniform(-25, 25))


def _other_gamma(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return _whole(255 * (pixels / 255) ** float(rng.choice([0.7, 1.4])))


def _other_white(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return _whole(pixels * rng.uniform(0.88, 1.12, 3))


def _equalised(pixels: Pixels, _: np.random.Generator) -> Pixels:
    light, *colours = cv2.split(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB))
    light = cv2.createCLAHE(2.0, (4, 4)).apply(light)
    return cv2.cvtColor(cv2.merge([light, *colours]), cv2.COLOR_LAB2RGB)


def _median(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return cv2.medianBlur(pixels, int(rng.choice([3, 5])))


def _denoised(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return cv2.fastNlMeansDenoisingColored(pixels, None, 5, 5, 5, 11)


def _smoothed(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return cv2.bilateralFilter(pixels, 7, 40, 5)


def _blurred(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.6, 1.6))


def _sharpened(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    amount = rng.uniform(0.5, 1.2)
    return cv2.addWeighted(pixels, 1 + amount, cv2.GaussianBlur(pixels, (0, 0), 1.5), -amount, 0)


def _noisy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return _whole(pixels + rng.normal(0, rng.uniform(3, 9), pixels.shape))


def _vignetted(pixels: Pixels, _: np.random.Generator) -> Pixels:
    down, right = (np.linspace(-1, 1, side) for side in pixels.shape[:2])
    return _whole(pixels * (1 - 0.35 * np.hypot(down[:, None], right) ** 2 / 2)[..., None])


def _upscaled(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    times = float(rng.choice([1.5, 2.0, 3.0]))
    return cv2.resize(pixels, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)


def _downscaled(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    times = rng.uniform(0.6, 0.85)
    return cv2.resize(pixels, None, fx=times, fy=times, interpolation=cv2.INTER_AREA)


def _compressed(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 60))]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)
    return cv2.cvtColor(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)), cv2.COLOR_BGR2RGB)


def _bordered(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    edge = round(pixels.shape[0] * rng.uniform(0.05, 0.2))
    colour = (int(rng.integers(0, 256)),) * 3
    return cv2.copyMakeBorder(pixels, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=colour)


def _cropped(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    edges = rng.uniform(0.02, 0.14, 4)
    top, bottom = round(height * edges[0]), height - round(height * edges[1])
    return pixels[top:bottom, round(width * edges[2]) : width - round(width * edges[3])]


def _mirrored(pixels: Pixels, _: np.random.Generator) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


def _turned(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.choice([-4, -2, 2, 4])), 1.06)
    turned = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    return _whole(turned)


def _whole(pixels: np.ndarray) -> Pixels:
    return np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8)


EDITS: Mapping[str, Edit] = {
    "watermark": _watermarked,
    "caption": _captioned,
    "saturation": _saturated,
    "grey": _grey,
    "sepia": _sepia,
    "light": _other_light,
    "gamma": _other_gamma,
    "white balance": _other_white,
    "local contrast": _equalised,
    "median filter": _median,
    "denoising": _denoised,
    "smoothing": _smoothed,
    "blur": _blurred,
    "sharpening": _sharpened,
    "noise": _noisy,
    "vignette": _vignetted,
    "enlarged": _upscaled,
    "reduced": _downscaled,
    "compressed": _compressed,
    "border": _bordered,
    "crop": _cropped,
    "mirror": _mirrored,
    "rotation": _turned,
}
"""By name: (pixels (h, w, 3) uint8 RGB, rng) -> pixels. No edit changes what is depicted."""

_PLACED = ("caption", "enlarged", "reduced", "border", "crop", "mirror", "rotation")
FILTERS = tuple(sorted(set(EDITS) - set(_PLACED)))
"""Edits that leave every pixel in its place, so that a face crop can have them as well."""
HELD_OUT = FILTERS[3::4]
"""Edits that no detector learns, by their place in the alphabet: stand-ins for unknown filters."""
TAUGHT = tuple(name for name in FILTERS if name not in HELD_OUT)


def edited(pixels: Pixels, name: str, rng: np.random.Generator) -> Pixels:
    """The picture (h, w, 3) uint8 RGB after the edit `name` of `EDITS`."""
    return EDITS[name](np.ascontiguousarray(pixels), rng)


EDITED, EDITED_ALONE = 0.35, 0.2
"""Shares of training pairs with one edit of both, and with an edit of the authentic one alone."""


def edited_pair(
    authentic: Pixels, forged: Pixels, rng: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """A forgery and its original (h, w, 3) uint8 RGB, of which some have an edit of `TAUGHT`.

    If both have one, it is exactly the same edit: a filter must not tell them apart.
    """
    drawn = rng.random()
    if drawn >= EDITED + EDITED_ALONE:
        return authentic, forged
    name, seed = TAUGHT[int(rng.integers(len(TAUGHT)))], int(rng.integers(1 << 31))
    changed = edited(authentic, name, np.random.default_rng(seed))
    if drawn >= EDITED:
        return changed, forged
    return changed, edited(forged, name, np.random.default_rng(seed))
