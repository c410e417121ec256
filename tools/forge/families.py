"""Face forgery families: each turns a context into new pixels and a mask.

Clean-room implementation from the published descriptions of multi-scale facial swaps (CADDM, CVPR
2023) and self-blended images (CVPR 2022); none of their code was used. Lengths are drawn in units
of the interocular distance, so that a forgery looks alike in small and large photos.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from tools.forge import blending, masks

Value = str | float | int


@dataclass(frozen=True, slots=True, eq=False)
class ForgeryContext:
    """Input of a family: the target, the source warped to it, and the drawn parameters.

    `source` is None for families that use only the target's own pixels. `photo` is the original
    source with its landmarks; None if `source` is sufficient.
    """

    target: np.ndarray
    landmarks: np.ndarray
    source: np.ndarray | None
    rng: np.random.Generator
    drawn: dict[str, Value]
    photo: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def unit(self) -> float:
        """The interocular distance in px."""
        return masks.eye_distance(self.landmarks)

    def draw(self, name: str, low: float, high: float) -> float:
        """Draw a uniform number and record it in the recipe."""
        value = round(float(self.rng.uniform(low, high)), 4)
        self.drawn[name] = value
        return value

    def choose(self, name: str, options: tuple[str, ...]) -> str:
        """Choose one of the options and record it in the recipe."""
        value = options[int(self.rng.integers(len(options)))]
        self.drawn[name] = value
        return value


def face_mask(scene: ForgeryContext) -> np.ndarray:
    """Mask of the inner face with a random outline, size and softness."""
    landmarks = scene.landmarks
    outline = masks.face_outline(landmarks)
    if scene.choose("forehead", ("with", "with", "without")) == "without":
        outline = cv2.convexHull(landmarks.astype(np.float32))[:, 0]
    centre = outline.mean(axis=0)
    reach = scene.draw("reach", 0.88, 1.08)
    area = masks.polygon_mask(scene.target.shape, centre + reach * (outline - centre))
    bend = scene.draw("bend", 0.0, 0.08) * scene.unit
    area = masks.elastic_deform(area, rng=scene.rng, amount_px=bend)
    return feather_inside(scene, area, low=0.02, high=0.16)


def feather_inside(
    scene: ForgeryContext, area: np.ndarray, *, low: float, high: float
) -> np.ndarray:
    """Soften the area inwards by a random width, in interocular distances."""
    return masks.feather(area, sigma_px=scene.draw("softness", low, high) * scene.unit)


def _recoloured(scene: ForgeryContext, area: np.ndarray) -> np.ndarray:
    """The warped source in the target's colours, sometimes as coarse as a generator's output."""
    if scene.source is None:
        raise ValueError("a swap was started without a source")
    strength = scene.draw("colour_match", 0.6, 1.0)
    new = blending.match_colour(scene.source, scene.target, area=area, strength=strength)
    return imitate_generator_output(scene, new) if scene.rng.random() < 0.5 else new


def imitate_generator_output(scene: ForgeryContext, pixels: np.ndarray) -> np.ndarray:
    """Imitate a generator whose faces are coarser than the photo's.

    Autoencoder outputs of 64 to 256 px are pasted into frames with faces one to four times larger.
    """
    factor = scene.draw("coarseness", 1.25, 3.0)
    up = {"bilinear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}
    name = scene.choose("upsampling", tuple(up))
    coarse = blending.coarsen(pixels, factor=factor, interpolation=up[name])
    return blending.sharpen(coarse, amount=scene.draw("sharpening", 0.0, 0.8))


def _face_swap(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    mask = face_mask(scene)
    return _recoloured(scene, mask), mask


def _partial_swap(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Swap the window, of random size, where source and target differ most."""
    face = masks.polygon_mask(scene.target.shape, masks.face_outline(scene.landmarks))
    new = _recoloured(scene, face)
    width = round(scene.draw("window_width", 0.7, 1.7) * scene.unit)
    height = round(scene.draw("window_height", 0.5, 1.3) * scene.unit)
    difference = dssim_map(scene.target, new) * face
    content = cv2.boxFilter(difference, -1, (width, height), borderType=cv2.BORDER_CONSTANT)
    # Randomised, otherwise the same feature would win in every photo.
    content *= cv2.resize(
        scene.rng.uniform(0.5, 1.0, (5, 5)).astype(np.float32), content.shape[::-1]
    )
    y, x = np.unravel_index(int(content.argmax()), content.shape)
    window = np.zeros_like(face)
    top, left = max(0, y - height // 2), max(0, x - width // 2)
    window[top : y + height // 2 + 1, left : x + width // 2 + 1] = 1
    return new, feather_inside(scene, window * face, low=0.01, high=0.1)


def dssim_map(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """DSSIM map (h, w) in 0..1 of the grey images: (1 − SSIM) / 2, Gaussian window of σ 1.5."""
    a = cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32)
    b = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY).astype(np.float32)

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(x, (11, 11), 1.5)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    ssim = ssim / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    dissimilarity: np.ndarray = np.clip((1 - ssim) / 2, 0, 1)
    return dissimilarity


_FEATURES = ("eyes", "mouth", "nose", "eyes and eyebrows", "nose and mouth")


def _region_swap(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Swap features of another person's face, within the outlines of their landmarks."""
    names = {
        "eyes": ("left eye", "right eye"),
        "mouth": ("mouth",),
        "nose": ("nose",),
        "eyes and eyebrows": ("left eye", "right eye", "eyebrows"),
        "nose and mouth": ("nose", "mouth"),
    }[scene.choose("features", _FEATURES)]
    shape = scene.target.shape
    areas = [masks.face_part_mask(scene.landmarks, shape, name=name) for name in names]
    area = masks.dilate_area(
        np.maximum.reduce(areas), radius_px=scene.draw("reach", 0.05, 0.15) * scene.unit
    )
    return _recoloured(scene, area), feather_inside(scene, area, low=0.02, high=0.08)


def _self_blend(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Paste the photo onto itself, slightly moved, recoloured or coarsened."""
    mask = face_mask(scene) * float(scene.rng.choice([0.5, 0.75, 1.0, 1.0]))
    new = jitter_light(scene, scene.target)
    match scene.choose("texture", ("coarse", "sharp", "same")):
        case "coarse":
            new = blending.coarsen(
                new, factor=scene.draw("factor", 1.5, 3.5), interpolation=cv2.INTER_LINEAR
            )
        case "sharp":
            new = blending.sharpen(new, amount=scene.draw("sharpening", 0.5, 1.5))
    centre = masks.face_outline(scene.landmarks).mean(axis=0)
    matrix = cv2.getRotationMatrix2D(
        (float(centre[0]), float(centre[1])),
        scene.draw("turn_deg", -3, 3),
        scene.draw("scale", 0.95, 1.05),
    )
    matrix[0, 2] += scene.draw("dx", -0.1, 0.1) * scene.unit
    matrix[1, 2] += scene.draw("dy", -0.06, 0.06) * scene.unit
    size = scene.target.shape[1::-1]
    moved = cv2.warpAffine(
        new, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return moved, mask


def jitter_light(scene: ForgeryContext, pixels: np.ndarray) -> np.ndarray:
    """Random gain, offset and gamma, slightly different per channel."""
    gain = scene.draw("gain", 0.88, 1.12) * scene.rng.uniform(0.97, 1.03, 3)
    shift = scene.draw("shift", -10, 10) + scene.rng.uniform(-6, 6, 3)
    curve = 255 * (np.linspace(0, 1, 256) ** scene.draw("gamma", 0.85, 1.18))
    table = np.clip(curve[:, None] * gain + shift, 0, 255).astype(np.uint8)
    tinted: np.ndarray = cv2.LUT(pixels, table[:, None, :])
    return tinted


def _reenactment(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Move the mouth, jaw or brows to another expression, using the photo's own pixels."""
    moved = scene.landmarks.copy()
    up = moved[27] - moved[8]
    up = up / max(1.0, float(np.linalg.norm(up)))
    size = scene.unit * scene.draw("size", 0.08, 0.2)
    match scene.choose("expression", ("open", "smile", "press", "aside")):
        case "open":
            moved[55:60] -= size * up
            moved[65:68] -= size * up
            moved[5:12] -= 0.6 * size * up
        case "smile":
            moved[[48, 60]] += size * up * 0.8 - size * np.array([0.6, 0.0], np.float32)
            moved[[54, 64]] += size * up * 0.8 + size * np.array([0.6, 0.0], np.float32)
        case "press":
            middle = moved[48:68].mean(axis=0)
            moved[48:68] = middle + (moved[48:68] - middle) * np.array([1.15, 0.55], np.float32)
        case "aside":
            moved[48:68] += scene.rng.choice([-1, 1]) * size * np.array([1.0, 0.2], np.float32)
    if scene.rng.random() < 0.5:
        moved[17:27] += 0.5 * size * up
    new = blending.warp_face(scene.target, scene.landmarks, moved, shape=scene.target.shape)
    if scene.rng.random() < 0.6:
        new = imitate_generator_output(scene, new)
    lower = np.concatenate([moved[2:15], moved[[31, 35]], scene.landmarks[2:15]])
    area = masks.polygon_mask(scene.target.shape, cv2.convexHull(lower.astype(np.float32))[:, 0])
    if (moved[17:27] != scene.landmarks[17:27]).any():
        area = masks.polygon_mask(scene.target.shape, masks.face_outline(moved))
    return new, feather_inside(scene, area, low=0.03, high=0.12)


def _inpainting(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Inpaint a patch of the face from its surroundings, or smooth it like a beauty filter."""
    face = masks.polygon_mask(scene.target.shape, masks.face_outline(scene.landmarks))
    if scene.choose("how", ("paint", "smooth")) == "smooth":
        sigma = scene.draw("sigma", 0.05, 0.12) * scene.unit
        new = cv2.bilateralFilter(scene.target, -1, scene.draw("contrast", 25, 60), sigma)
        return new, feather_inside(scene, face, low=0.05, high=0.15)
    ys, xs = np.nonzero(masks.erode_area(face, radius_px=0.15 * scene.unit))
    if len(ys) == 0:
        return scene.target, np.zeros_like(face)
    patch = np.zeros(scene.target.shape[:2], np.uint8)
    for _ in range(int(scene.rng.integers(1, 4))):
        at = int(scene.rng.integers(len(ys)))
        axes = tuple(round(float(a) * scene.unit) for a in scene.rng.uniform(0.15, 0.4, 2))
        cv2.ellipse(
            patch, (int(xs[at]), int(ys[at])), axes, scene.rng.uniform(0, 180), 0, 360, 1, -1
        )
    radius = max(2, round(0.08 * scene.unit))
    new = cv2.inpaint(scene.target, patch, radius, cv2.INPAINT_TELEA)
    area = masks.dilate_area(patch.astype(np.float32), radius_px=1)
    return new, feather_inside(scene, area, low=0.01, high=0.03)


def _resynthesis(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """The face as a decoder's output: coarse, resampled, with a faint upsampling grid."""
    mask = face_mask(scene)
    new = imitate_generator_output(scene, scene.target)
    if scene.rng.random() < 0.5:
        period = int(scene.rng.choice([2, 4]))
        new = add_checkerboard(new, period=period, amount=scene.draw("grid", 1.5, 6.0))
    return jitter_light(scene, new) if scene.rng.random() < 0.3 else new, mask


def add_checkerboard(pixels: np.ndarray, *, period: int, amount: float) -> np.ndarray:
    """Checkerboard artefact of transposed convolutions (Odena et al., 2016), in grey levels."""
    height, width = pixels.shape[:2]
    wave_y = np.where(np.arange(height) % period < period // 2, 1.0, -1.0)
    wave_x = np.where(np.arange(width) % period < period // 2, 1.0, -1.0)
    grid = amount / 2 * (wave_y[:, None] * wave_x[None, :])
    marked: np.ndarray = np.clip(np.round(pixels + grid[..., None]), 0, 255).astype(np.uint8)
    return marked


ForgeryFunction = Callable[[ForgeryContext], tuple[np.ndarray, np.ndarray]]

FACE_FAMILY_FUNCTIONS: dict[str, ForgeryFunction] = {
    "self_blend": _self_blend,
    "face_swap": _face_swap,
    "partial_swap": _partial_swap,
    "region_swap": _region_swap,
    "reenactment": _reenactment,
    "inpainting": _inpainting,
    "resynthesis": _resynthesis,
}
