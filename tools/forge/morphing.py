"""Face morphing: one face made from two persons, which matches either of them.

Clean-room implementation of the landmark-based recipe in the survey of Venkatesh, Ramachandra, Raja
& Busch, "Face Morphing Attack Generation & Detection" (IEEE TTS 2021): both faces are warped to
their average landmarks, the textures are mixed, and the result is pasted into one of the two
photographs (a "spliced" morph).
"""

from dataclasses import replace

import numpy as np

from tools.faces.alignment import estimate_similarity_transform, transform_points
from tools.forge import blending
from tools.forge.families import ForgeryContext, face_mask, imitate_generator_output


def morph(scene: ForgeryContext) -> tuple[np.ndarray, np.ndarray]:
    """Average target and source in shape and texture, with the target's position and colours."""
    if scene.photo is None:
        raise ValueError("a morph was started without a source")
    pixels, there = scene.photo
    shape, here = scene.target.shape, scene.landmarks
    placed = transform_points(
        there, estimate_similarity_transform(there.astype(float), here.astype(float))
    )
    weight = scene.draw("shape_share", 0.35, 0.65)
    average = ((1 - weight) * here + weight * placed).astype(np.float32)
    mask = face_mask(replace(scene, landmarks=average))
    one = blending.warp_face(scene.target, here, average, shape=shape)
    other = blending.warp_face(pixels, there, average, shape=shape)
    other = blending.match_colour(other, one, area=mask, strength=1.0)
    share = scene.draw("texture_share", 0.35, 0.65)
    mixed = (1 - share) * one.astype(np.float32) + share * other
    new = np.rint(mixed).astype(np.uint8)
    # Some morphs are retouched by a generator afterwards, which hides double contours.
    return imitate_generator_output(scene, new) if scene.rng.random() < 0.3 else new, mask
