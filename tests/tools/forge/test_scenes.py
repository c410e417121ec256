"""Forged scenes leave the face untouched; morphs combine two persons."""

from pathlib import Path

import numpy as np
import pytest

from tests.tools.forge.test_forge import SOURCE, SOURCE_LANDMARKS, TARGET, TARGET_LANDMARKS, face
from tools.errors import ToolError
from tools.forge import masks
from tools.forge.forgery import (
    ALL_FAMILIES,
    BACKGROUND,
    FAMILIES,
    FAMILIES_WITH_SOURCE,
    HELD_OUT_FAMILIES,
    REGIONS,
    SCENE_FAMILIES,
    Forgery,
    forge,
    save_forgery,
)
from tools.forge.masks import eye_distance, protected_face_mask
from tools.media.pictures.decoding import read_photo

NEW = (*SCENE_FAMILIES, *HELD_OUT_FAMILIES)
WIDE = 480


def photo() -> tuple[np.ndarray, np.ndarray]:
    """The drawn head in the middle of a wider photograph, so that there is a scene to forge."""
    rng = np.random.default_rng(7)
    wide = rng.normal(120, 30, (WIDE // 8, WIDE // 8, 3)).repeat(8, 0).repeat(8, 1)
    pixels = np.clip(wide + rng.normal(0, 8, wide.shape), 0, 255).astype(np.uint8)
    start = (WIDE - len(TARGET)) // 2
    pixels[start : start + len(TARGET), start : start + len(TARGET)] = TARGET
    return pixels, TARGET_LANDMARKS + start


PIXELS, LANDMARKS = photo()


def forged(family: str, seed: int = 0) -> Forgery:
    """A forgery of the photograph."""
    return forge(
        PIXELS, LANDMARKS, family=family, rng=np.random.default_rng(seed),
        source_pixels=SOURCE, source_landmarks=SOURCE_LANDMARKS,
    )  # fmt: skip


def test_the_families_that_draws_depend_on_stay_as_they_are() -> None:
    """New families have tuples of their own: what was drawn from the old ones is drawn again."""
    assert FAMILIES == (
        "self_blend", "face_swap", "partial_swap", "region_swap", "reenactment", "inpainting",
        "resynthesis",
    )  # fmt: skip
    assert (*FAMILIES, *NEW) == ALL_FAMILIES
    assert BACKGROUND not in REGIONS


@pytest.mark.parametrize("family", NEW)
@pytest.mark.parametrize("seed", range(4))
def test_the_mask_is_the_truth(family: str, seed: int) -> None:
    """Outside of it not one pixel differs, inside most do."""
    forgery = forged(family, seed)
    assert forgery.mask.dtype == np.float32 and forgery.mask.shape == PIXELS.shape[:2]
    assert forgery.mask.min() >= 0 and forgery.mask.max() <= 1
    np.testing.assert_array_equal(forgery.pixels[forgery.mask == 0], PIXELS[forgery.mask == 0])
    inside = forgery.mask > 0.5 * forgery.mask.max()
    assert inside.sum() > 500
    assert (forgery.pixels[inside] != PIXELS[inside]).any(axis=1).mean() > 0.5


@pytest.mark.parametrize("family", SCENE_FAMILIES)
@pytest.mark.parametrize("seed", range(6))
def test_a_forged_scene_leaves_the_face_alone(family: str, seed: int) -> None:
    """Not a pixel of the face, nor of a third of an eye distance around it, is another one."""
    forgery = forged(family, seed)
    outline = masks.polygon_mask(PIXELS.shape, masks.face_outline(LANDMARKS))
    around = masks.dilate_area(outline, radius_px=eye_distance(LANDMARKS) / 3) > 0
    assert around.sum() > 5000
    np.testing.assert_array_equal(forgery.pixels[around], PIXELS[around])
    assert not forgery.mask[protected_face_mask(LANDMARKS, PIXELS.shape) > 0].any()
    assert forgery.regions == (BACKGROUND,)


def test_resynthesis_leaves_nothing_else() -> None:
    """Everything but the face is forged, so the mask holds most of what is not the face."""
    outside = protected_face_mask(LANDMARKS, PIXELS.shape) == 0
    assert (forged("scene_resynthesis").mask[outside] > 0.5).mean() > 0.8


@pytest.mark.parametrize("family", NEW)
def test_the_same_seed_gives_the_same_forgery_and_another_seed_another(family: str) -> None:
    """Ground truth that cannot be made again could not be checked."""
    first, again, other = forged(family, 3), forged(family, 3), forged(family, 4)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.recipe == again.recipe
    assert (first.pixels != other.pixels).any()


def test_a_composite_shows_the_source() -> None:
    """Another source photo gives other pixels in the same place, and leaves the rest."""
    third, third_landmarks = face(9)
    other = forge(
        PIXELS, LANDMARKS, family="scene_composite", rng=np.random.default_rng(0),
        source_pixels=third, source_landmarks=third_landmarks,
    )  # fmt: skip
    same = forged("scene_composite", 0)
    both = (same.mask > 0.9) & (other.mask > 0.9)
    assert both.sum() > 500
    assert np.abs(same.pixels.astype(int) - other.pixels)[both].mean() > 3


def test_a_morph_lies_between_both_persons() -> None:
    """Where the faces differ most it is nearer to either than they are to each other."""
    morph = forged("morph", 2)
    source = masks.face_region_masks(LANDMARKS, PIXELS.shape)
    assert {"nose", "mouth"} <= set(morph.regions)
    assert morph.mask[source["whole face"] == 0].mean() < 0.05
    swap = forge(
        PIXELS, LANDMARKS, family="face_swap", rng=np.random.default_rng(2),
        source_pixels=SOURCE, source_landmarks=SOURCE_LANDMARKS,
    )  # fmt: skip
    inside = (morph.mask > 0.9) & (swap.mask > 0.9)
    target, other, mixed = (
        picture[inside].astype(float) for picture in (PIXELS, swap.pixels, morph.pixels)
    )
    apart = np.abs(target - other).mean()
    assert np.abs(mixed - target).mean() < apart


@pytest.mark.parametrize("family", [family for family in NEW if family in FAMILIES_WITH_SOURCE])
def test_a_source_is_needed(family: str) -> None:
    """Nothing is invented in place of the missing photo."""
    with pytest.raises(ToolError, match="needs a source"):
        forge(PIXELS, LANDMARKS, family=family, rng=np.random.default_rng(0))


@pytest.mark.parametrize("family", NEW)
def test_a_face_outside_of_the_photo_is_refused(family: str) -> None:
    """Without a face there is none to leave alone, and none to morph."""
    with pytest.raises(ToolError, match="nothing to forge"):
        forge(
            PIXELS, LANDMARKS + 2000, family=family, rng=np.random.default_rng(0),
            source_pixels=SOURCE, source_landmarks=SOURCE_LANDMARKS,
        )  # fmt: skip


@pytest.mark.parametrize("family", SCENE_FAMILIES)
def test_a_photo_that_is_all_face_has_no_scene(family: str) -> None:
    """Where nothing but the face is shown nothing else can be forged."""
    left, top = LANDMARKS.min(axis=0).astype(int) + 10
    right, bottom = LANDMARKS.max(axis=0).astype(int) - 10
    with pytest.raises(ToolError, match="nothing to forge"):
        forge(
            PIXELS[top:bottom, left:right], LANDMARKS - [left, top], family=family,
            rng=np.random.default_rng(0),
            source_pixels=SOURCE, source_landmarks=SOURCE_LANDMARKS,
        )  # fmt: skip


@pytest.mark.parametrize("family", NEW)
def test_it_says_of_itself_that_it_is_a_forgery(family: str, tmp_path: Path) -> None:
    """The mark and the recipe are in the file, as in those of every family."""
    path = tmp_path / "forgery.png"
    save_forgery(forged(family), path)
    assert read_photo(path).unmask_forgery
    assert family.encode() in path.read_bytes()
