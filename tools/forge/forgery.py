"""Makes forgeries with ground truth: the changed pixels, the mask and the recipe.

Face families follow the operations of deepfakes (swap a face or a part of it, move it, resynthesise
it) and known training targets of detectors (self-blending). Scene families leave the face and the
identity unchanged and forge another part of the image. They imitate the traces of real generators;
success on them proves nothing about any particular generator.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tools.errors import ToolError
from tools.forge import blending, masks
from tools.forge.families import FACE_FAMILY_FUNCTIONS, ForgeryContext, ForgeryFunction, Value
from tools.forge.masks import BACKGROUND as BACKGROUND
from tools.forge.masks import REGIONS as REGIONS
from tools.forge.morphing import morph
from tools.forge.scenes import SCENE_FAMILY_FUNCTIONS

FAMILIES = (
    "self_blend",
    "face_swap",
    "partial_swap",
    "region_swap",
    "reenactment",
    "inpainting",
    "resynthesis",
)
# Families that insert another person's pixels, so they need a source.
SWAPS = ("face_swap", "partial_swap", "region_swap")
SCENE_FAMILIES = ("scene_inpainting", "scene_composite", "scene_resynthesis")
"""The face stays unchanged; another part of the image is forged."""

HELD_OUT_FAMILIES = ("morph",)
"""No shipped model was trained on these."""

ALL_FAMILIES = (*FAMILIES, *SCENE_FAMILIES, *HELD_OUT_FAMILIES)
FAMILIES_WITH_SOURCE = (*SWAPS, "scene_composite", "morph")
"""Families that need another person's photo."""

FAMILY_FUNCTIONS: Mapping[str, ForgeryFunction] = {
    **FACE_FAMILY_FUNCTIONS,
    **SCENE_FAMILY_FUNCTIONS,
    "morph": morph,
}
UNMASK_MARK = "Forgery made by Unmask"


@dataclass(frozen=True, slots=True)
class ForgeryRecipe:
    """How a forgery was made: family, blending method, seed and drawn parameters."""

    family: str
    blend: str
    seed: int
    parameters: dict[str, Value]

    def to_json(self) -> str:
        """The recipe as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True, eq=False)
class Forgery:
    """A forged photo with its ground truth.

    `pixels` (h, w, 3) uint8 RGB; `mask` (h, w) float32, the share of each pixel that does not come
    from the target photo (exactly 0 where the target is unchanged); `regions` are the names of the
    parts of the face that the mask changes, left and right as seen in the image, or `BACKGROUND`
    alone for a forged scene. A swap depicts the person of the source on the body of the target, a
    morph depicts both.
    """

    pixels: np.ndarray
    mask: np.ndarray
    regions: tuple[str, ...]
    recipe: ForgeryRecipe


def forge(
    target_pixels: np.ndarray,
    target_landmarks: np.ndarray,
    *,
    family: str,
    rng: np.random.Generator,
    source_pixels: np.ndarray | None = None,
    source_landmarks: np.ndarray | None = None,
) -> Forgery:
    """Make a forgery of one family from an authentic photo; equal `rng` states give equal results.

    Pixels are (h, w, 3) uint8 RGB and landmarks (68, 2) in iBUG order, in px. Families in
    `FAMILIES_WITH_SOURCE` need a source: a photo of another person with its landmarks. Raises
    ToolError for an unknown family, a missing source, a face that is too small or too far outside
    the photo, and, for scene families, a photo filled by the face.
    """
    if family not in ALL_FAMILIES:
        raise ToolError(f"no family of forgeries is called {family!r}; there are {ALL_FAMILIES}")
    landmarks = np.asarray(target_landmarks, np.float32)
    source = photo = None
    if family in FAMILIES_WITH_SOURCE:
        if source_pixels is None or source_landmarks is None:
            raise ToolError(f"{family!r} needs a source photo with landmarks")
        there = np.asarray(source_landmarks, np.float32)
        photo = source_pixels, there
    if family in SWAPS and photo is not None:
        source = blending.warp_face(*photo, landmarks, shape=target_pixels.shape)
    # The recipe's seed alone reproduces the forgery, independent of earlier draws.
    seed = int(rng.integers(2**31))
    drawing = np.random.default_rng(seed)
    scene = ForgeryContext(target_pixels, landmarks, source, drawing, {}, photo)
    new, mask = FAMILY_FUNCTIONS[family](scene)
    pixels, mask, blend = _blend(scene, new, mask)
    changed = (pixels != target_pixels).any(axis=2)
    mask = np.where(changed, np.clip(mask, 0, 1), 0).astype(np.float32)
    if float(mask.sum()) < 16:
        raise ToolError(f"nothing to forge by {family!r}: the face is too small or out of frame")
    covered: tuple[str, ...] = (BACKGROUND,)
    if family not in SCENE_FAMILIES:
        regions = masks.face_region_masks(landmarks, target_pixels.shape)
        covered = masks.regions_covered(mask, regions)
    return Forgery(pixels, mask, covered, ForgeryRecipe(family, blend, seed, scene.drawn))


def save_forgery(forgery: Forgery, path: Path, *, quality: int = 92) -> None:
    """Save as JPEG or PNG with metadata that mark the image as a forgery made by Unmask.

    The mark and the recipe are written to EXIF ImageDescription and to the JPEG comment or PNG
    text. Raises ToolError for another suffix: other formats would lose the mark.
    """
    from PIL import ExifTags, Image
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(forgery.pixels)
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = f"{UNMASK_MARK} ({forgery.recipe.family})"
    exif[ExifTags.Base.Software] = "Unmask"
    match path.suffix.lower():
        case ".jpg" | ".jpeg":
            comment = f"{UNMASK_MARK} {forgery.recipe.to_json()}".encode("ascii")
            image.save(path, "JPEG", quality=quality, exif=exif, comment=comment)
        case ".png":
            text = PngInfo()
            text.add_text("Description", UNMASK_MARK)
            text.add_text("Recipe", forgery.recipe.to_json())
            image.save(path, "PNG", exif=exif, pnginfo=text)
        case suffix:
            raise ToolError(f"forgeries are saved as .jpg or .png, not {suffix!r}")


def _blend(
    scene: ForgeryContext, new: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """Blend by alpha; 40 % of forgeries with a source are blended in the gradient domain."""
    if scene.photo is not None and scene.rng.random() < 0.4:
        # Gradient-domain blending hides the seam; a wide alpha ramp would show the target.
        firm = np.minimum(1, mask * 3).astype(np.float32)
        cloned = blending.poisson_blend(scene.target, new, mask=firm)
        if cloned is not None:
            return cloned, firm, "poisson"
    return blending.alpha_blend(scene.target, new, mask=mask), mask, "alpha"
