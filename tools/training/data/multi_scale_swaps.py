"""Multi-scale facial swaps: a forgery and its original blended again, globally or in a window.

Dong et al., CVPR 2023 (arXiv 2210.14457), section 4.3, written from the paper. Global: the face of
one member is blended onto the other within a mask of its landmarks, or the forgery is used as it
is. Partial: one window of the forgery, of one of four sizes, is blended onto the original where the
two differ most (structural dissimilarity). The network thus learns artefacts of all sizes, with
their location as a label.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from tools.forge import blending, masks
from tools.forge.families import dssim_map
from tools.training.data.forgery_pool import difference_mask
from tools.training.data.pairs import DerivedPairs, TrainingImage, TrainingPair

WINDOWS = ((40, 80), (80, 120), (120, 160), (224, 224))
"""Window sides in pixels of a 224 px crop, in which the face fills about three quarters."""

LEAST_CHANGE = 0.004
"""Minimum changed share of the picture's area; below it the unblended pair is used."""


@dataclass(slots=True, eq=False)
class MultiScaleSwaps(DerivedPairs):
    """A source's pairs, a share `partial` of them as windows (0.2 in the paper)."""

    partial: float = 0.2

    def draw(self, index: int, rng: np.random.Generator) -> TrainingPair | None:
        """A re-blended pair; the original pair if blending fails or hardly changes anything."""
        drawn = self.source.draw(index, rng)
        if drawn is None or not drawn.paired or drawn.real.landmarks is None:
            return drawn
        made = _partial(drawn, rng) if rng.random() < self.partial else _global(drawn, rng)
        return drawn if made is None else made


def _global(drawn: TrainingPair, rng: np.random.Generator) -> TrainingPair | None:
    """Half: the original's face on the forgery; a quarter: the reverse; a quarter: no blending."""
    way = rng.random()
    if way < 0.25:
        return None
    area = _face(drawn.real, rng)
    if way < 0.5:
        return _blend(drawn, drawn.real.pixels, drawn.fake.pixels, area, rng)
    return _blend(drawn, drawn.fake.pixels, drawn.real.pixels, area, rng)


def _partial(drawn: TrainingPair, rng: np.random.Generator) -> TrainingPair | None:
    """The window with the largest difference between forgery and original, pasted onto the
    original."""
    unit = masks.eye_distance(_landmarks(drawn.real))
    low, high = WINDOWS[int(rng.integers(len(WINDOWS)))]
    # In a crop of 224 px the eyes are about 72 px apart.
    height, width = (max(3, round(it * unit / 72)) for it in rng.permutation([low, high]))
    face = masks.polygon_mask(drawn.real.pixels.shape, masks.face_outline(_landmarks(drawn.real)))
    strange = dssim_map(drawn.real.pixels, drawn.fake.pixels) * face
    sums = cv2.boxFilter(strange, -1, (width, height), borderType=cv2.BORDER_CONSTANT)
    y, x = np.unravel_index(int(sums.argmax()), sums.shape)
    window = np.zeros_like(face)
    top, left = max(0, y - height // 2), max(0, x - width // 2)
    window[top : y + height // 2 + 1, left : x + width // 2 + 1] = 1
    area = cv2.GaussianBlur(window, (5, 5), 3)
    return _blend(drawn, drawn.real.pixels, drawn.fake.pixels, np.asarray(area), rng)


def _face(look: TrainingImage, rng: np.random.Generator) -> np.ndarray:
    """The convex hull of the landmarks (h, w) float32, blurred; its outline is distorted half the
    time."""
    landmarks = _landmarks(look)
    area = masks.polygon_mask(look.pixels.shape, cv2.convexHull(landmarks)[:, 0])
    if rng.random() < 0.5:
        area = masks.elastic_deform(area, rng=rng, amount_px=0.08 * masks.eye_distance(landmarks))
    return np.asarray(cv2.GaussianBlur(area, (5, 5), 3))


def _blend(
    drawn: TrainingPair,
    below: np.ndarray,
    above: np.ndarray,
    area: np.ndarray,
    rng: np.random.Generator,
) -> TrainingPair | None:
    """Blend `above` onto `below` within `area`; the mask covers what still differs from the
    original."""
    pixels = None
    if rng.random() < 0.5:
        pixels = blending.poisson_blend(below, above, mask=area)
    if pixels is None:
        pixels = blending.alpha_blend(below, above, mask=area)
    if drawn.fake.mask is None:
        return None
    forged = drawn.fake.mask.astype(np.float32)
    # Whichever of the two is the forgery, its mask applies where its pixels remain.
    share = area if above is drawn.fake.pixels else 1 - area
    mask = (forged * share).astype(np.uint8)
    # Gradient-domain blending also shifts colours outside the area; those are artefacts too.
    mask = np.maximum(mask, difference_mask(drawn.real.pixels, pixels))
    if float((mask > 64).mean()) < LEAST_CHANGE:
        return None
    return replace(drawn, fake=replace(drawn.fake, pixels=pixels, mask=mask))


def _landmarks(look: TrainingImage) -> np.ndarray:
    if look.landmarks is None:
        raise ValueError("a face without landmarks cannot be blended")
    return look.landmarks.astype(np.float32)
