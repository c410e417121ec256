"""Scene forgery families: the face and identity stay unchanged, another part is forged.

They imitate the traces of prompt-guided inpainting, compositing and image-to-image generation: a
region that is coarser than the rest, with other noise and colours; pixels of another photograph
with another scale and compression; everything but the face from a decoder. The content of the
region is only a texture: a detector can learn the traces from it, but nothing about what generators
choose to paint.
"""

import cv2
import numpy as np

from tools.forge import blending, masks
from tools.forge.families import (
    ForgeryContext,
    ForgeryFunction,
    add_checkerboard,
    feather_inside,
    imitate_generator_output,
    jitter_light,
)

_TRIES = 12
_LEAST_SHARE = 0.02
"""Minimum share of the image; smaller regions are drawn again."""
_WORKING_PX = 256


def _inpainting(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Repaint a region: from its surroundings, from other parts of the photo, or as a texture."""
    area = _region(scene)
    match scene.choose("how", ("diffused", "borrowed", "textured")):
        case "diffused":
            new = _textured(scene, _diffused(scene.target, area), strength=0.5)
        case "borrowed":
            face = masks.protected_face_mask(scene.landmarks, scene.target.shape)
            new = _moved(scene, scene.target, face, area=area)
        case _:
            new = _textured(scene, _flat(scene.target, area), strength=1.0)
    return _regenerated(scene, new), feather_inside(scene, area, low=0.01, high=0.12)


def _composite(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Insert part of another photo, with its own scale and compression, in the target's colours."""
    if scene.photo is None:
        raise ValueError("a composite was started without a source")
    pixels, landmarks = scene.photo
    area = _region(scene)
    pixels = _recompressed(pixels, quality=int(scene.draw("quality", 55, 96)))
    face = masks.protected_face_mask(landmarks, pixels.shape)
    scale = scene.unit / masks.eye_distance(landmarks) * scene.draw("scale", 0.7, 1.5)
    new = _moved(scene, pixels, face, area=area, scale=scale)
    strength = scene.draw("colour_match", 0.3, 1.0)
    new = blending.match_colour(new, scene.target, area=area, strength=strength)
    return new, feather_inside(scene, area, low=0.01, high=0.1)


def _resynthesis(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Everything but the face as a decoder's output; the original face is pasted back."""
    return _regenerated(scene, scene.target), feather_inside(
        scene, _outside(scene), low=0.05, high=0.3
    )


SCENE_FAMILY_FUNCTIONS: dict[str, ForgeryFunction] = {
    "scene_inpainting": _inpainting,
    "scene_composite": _composite,
    "scene_resynthesis": _resynthesis,
}


# -- areas -----------------------------------------------------------------------------------


def _outside(scene: ForgeryContext) -> np.ndarray:
    """The area that may change; empty if no face is visible to protect."""
    face = masks.protected_face_mask(scene.landmarks, scene.target.shape)
    return 1 - face if face.sum() >= 16 else np.zeros_like(face)


def _region(scene: ForgeryContext) -> np.ndarray:
    """A random part of the outside: a blob, or everything on one side of the face."""
    outside = _outside(scene)
    if not outside.any():
        return outside
    ys, xs = np.nonzero(outside)
    for _ in range(_TRIES):
        if scene.choose("area", ("blob", "blob", "side")) == "side":
            area = np.asarray(_side(scene) * outside)
        else:
            at = int(scene.rng.integers(len(ys)))
            area = np.asarray(_blob(scene, (int(xs[at]), int(ys[at]))) * outside)
        if area.mean() >= _LEAST_SHARE:
            return area
    return area


def _blob(scene: ForgeryContext, centre: tuple[int, int]) -> np.ndarray:
    """A deformed ellipse; semi-axes of 12 to 32 % of the image's shorter side."""
    height, width = scene.target.shape[:2]
    canvas = np.zeros((height, width), np.uint8)
    reach = scene.rng.uniform(0.12, 0.32, 2) * min(height, width)
    axes = (round(float(reach[0])), round(float(reach[1])))
    cv2.ellipse(canvas, centre, axes, float(scene.rng.uniform(0, 180)), 0, 360, 1, -1)
    bend = 0.3 * float(min(reach))
    area = canvas.astype(np.float32)
    bent = masks.elastic_deform(area, rng=scene.rng, amount_px=bend)
    return np.asarray(bent > 0.5, np.float32)


def _side(scene: ForgeryContext) -> np.ndarray:
    """Everything above, below, left or right of the face outline."""
    outline = masks.face_outline(scene.landmarks)
    area = np.zeros(scene.target.shape[:2], np.float32)
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int), 0)
    right, bottom = np.maximum(np.ceil(outline.max(axis=0)).astype(int), 0)
    match scene.choose("side", ("above", "below", "below", "left", "right")):
        case "above":
            area[:top] = 1
        case "below":
            area[bottom:] = 1
        case "left":
            area[:, :left] = 1
        case _:
            area[:, right:] = 1
    return area


# -- pixels ----------------------------------------------------------------------------------


def _regenerated(scene: ForgeryContext, pixels: np.ndarray) -> np.ndarray:
    """Imitate a decoder: coarser, with other noise, sometimes with a grid and a tint."""
    new = imitate_generator_output(scene, pixels)
    if scene.rng.random() < 0.4:
        period = int(scene.rng.choice([2, 4]))
        new = add_checkerboard(new, period=period, amount=scene.draw("grid", 1.5, 6.0))
    if scene.rng.random() < 0.4:
        new = jitter_light(scene, new)
    sigma = scene.draw("noise", 0.0, 4.0)
    noise: np.ndarray = scene.rng.normal(0, sigma, new.shape).astype(np.float32)
    if scene.rng.random() < 0.5:
        # A generator's noise may be coarser than a sensor's.
        noise = cv2.GaussianBlur(noise, (0, 0), 0.8)
    return np.asarray(np.clip(np.rint(new + noise), 0, 255), np.uint8)


def _diffused(target: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The area filled from its edges (Telea, 2004), computed at a reduced size."""
    shrink = min(1.0, _WORKING_PX / max(area.shape))
    size = (max(2, round(area.shape[1] * shrink)), max(2, round(area.shape[0] * shrink)))
    small = cv2.resize(target, size, interpolation=cv2.INTER_AREA)
    hole = (cv2.resize(area, size, interpolation=cv2.INTER_AREA) > 0).astype(np.uint8)
    filled = cv2.inpaint(small, hole, 3, cv2.INPAINT_TELEA)
    restored: np.ndarray = cv2.resize(filled, area.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return restored


def _flat(target: np.ndarray, area: np.ndarray) -> np.ndarray:
    """The area's mean colour everywhere."""
    inside = area > 0
    colour = target[inside].mean(axis=0) if inside.any() else np.zeros(3)
    return np.broadcast_to(np.rint(colour).astype(np.uint8), target.shape)


def _textured(scene: ForgeryContext, pixels: np.ndarray, *, strength: float) -> np.ndarray:
    """Add random coloured structure at several scales, as strong as the photo's own contrast."""
    height, width = pixels.shape[:2]
    spread = max(4.0, float(scene.target.std())) * strength * scene.draw("structure", 0.3, 0.9)
    field = np.zeros((height, width, 3), np.float32)
    for octave in range(1, 6):
        cells = scene.rng.standard_normal((2**octave + 1, 2**octave + 1, 3)).astype(np.float32)
        # Mostly grey: nearby colours differ less than brightness.
        cells = 0.85 * cells.mean(axis=2, keepdims=True) + 0.15 * cells
        smooth = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
        field += 0.7**octave * smooth
    field *= spread / max(1e-6, float(field.std()))
    return np.asarray(np.clip(np.rint(pixels + field), 0, 255), np.uint8)


def _moved(
    scene: ForgeryContext,
    photo: np.ndarray,
    face: np.ndarray,
    *,
    area: np.ndarray,
    scale: float = 1.0,
) -> np.ndarray:
    """Move the photo so that a part without its face covers the area; same size as the target.

    Takes the first random position that hides the face, otherwise the one that shows least of it.
    """
    height, width = area.shape
    ys, xs = np.nonzero(area)
    middle = np.array([xs.mean(), ys.mean()]) if len(xs) else np.array([width, height]) / 2
    turn = -1.0 if scene.choose("mirrored", ("yes", "no")) == "yes" else 1.0
    linear = np.array([[turn * scale, 0.0], [0.0, scale]])
    best, least = np.zeros((2, 3)), np.inf
    for _ in range(_TRIES):
        taken = scene.rng.uniform(0, 1, 2) * photo.shape[1::-1]
        matrix = np.hstack([linear, (middle - linear @ taken)[:, None]])
        shown = cv2.warpAffine(face, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        overlap = float((shown * area).sum())
        if overlap < least:
            best, least = matrix, overlap
        if overlap == 0:
            break
    return cv2.warpAffine(
        photo, best, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def _recompressed(pixels: np.ndarray, *, quality: int) -> np.ndarray:
    """JPEG-compress at this quality and decode: a composite has two compression histories."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise ValueError("OpenCV cannot read back the JPEG that it wrote")
    rgb: np.ndarray = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    return rgb
