"""Forgeries and their ground truth, on two made-up photographs with known landmarks."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tools.errors import ToolError
from tools.forge import masks
from tools.forge.forgery import FAMILIES, REGIONS, SWAPS, UNMASK_MARK, Forgery, forge, save_forgery
from tools.media.pictures.decoding import read_photo

pytestmark = pytest.mark.fast


def face(seed: int, *, size: int = 240) -> tuple[np.ndarray, np.ndarray]:
    """A drawn head with skin texture and its 68 landmarks, different for every seed."""
    rng = np.random.default_rng(seed)
    centre, unit = np.array([size / 2, size / 2]) + rng.uniform(-6, 6, 2), size / 5
    around = np.linspace(np.pi, 0, 17)
    jaw = np.stack([1.15 * np.cos(around), 1.5 * np.sin(around) + 0.1], axis=1)
    brows = [[x, -0.55] for x in (-0.9, -0.7, -0.5, -0.35, -0.2, 0.2, 0.35, 0.5, 0.7, 0.9)]
    nose = [[0, y] for y in (-0.2, 0, 0.2, 0.4)] + [[x, 0.5] for x in (-0.2, -0.1, 0, 0.1, 0.2)]
    eye = np.array([[-0.2, 0], [-0.1, -0.08], [0.1, -0.08], [0.2, 0], [0.1, 0.08], [-0.1, 0.08]])
    ring = np.linspace(np.pi, -np.pi, 20, endpoint=False)
    mouth = np.stack([0.4 * np.cos(ring), 0.95 - 0.15 * np.sin(ring)], axis=1)
    parts = [jaw, brows, nose, eye - [0.5, 0.25], eye + np.array([0.5, -0.25]), mouth]
    landmarks = (centre + unit * np.concatenate([np.asarray(part) for part in parts])).astype(
        np.float32
    )
    texture = cv2.GaussianBlur(rng.normal(0, 40, (size, size, 3)), (0, 0), 1.5)
    photo = np.clip(110 + 20 * rng.uniform(-1, 1, 3) + texture, 0, 255).astype(np.uint8)
    cv2.fillPoly(photo, [masks.face_outline(landmarks).astype(np.int32)], (190, 150, 130))
    for indices in (range(36, 42), range(42, 48), range(48, 68), range(17, 22), range(22, 27)):
        colour = tuple(int(c) for c in rng.integers(20, 120, 3))
        cv2.fillPoly(photo, [landmarks[list(indices)].astype(np.int32)], colour)
    grain = rng.normal(0, 9, photo.shape)
    return np.clip(photo + cv2.GaussianBlur(grain, (0, 0), 0.8), 0, 255).astype(np.uint8), landmarks


TARGET, TARGET_LANDMARKS = face(1)
SOURCE, SOURCE_LANDMARKS = face(2)


def forged(family: str, seed: int = 0) -> Forgery:
    """A forgery of the target."""
    return forge(
        TARGET,
        TARGET_LANDMARKS,
        family=family,
        rng=np.random.default_rng(seed),
        source_pixels=SOURCE,
        source_landmarks=SOURCE_LANDMARKS,
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(4))
def test_nothing_changes_outside_of_the_mask_and_something_does_inside(
    family: str, seed: int
) -> None:
    """The mask is the truth about where: outside not one pixel differs, inside most do."""
    forgery = forged(family, seed)
    assert forgery.mask.dtype == np.float32
    assert forgery.mask.shape == TARGET.shape[:2]
    assert forgery.mask.min() >= 0 and forgery.mask.max() <= 1
    outside = forgery.mask == 0
    np.testing.assert_array_equal(forgery.pixels[outside], TARGET[outside])
    inside = forgery.mask > 0.5 * forgery.mask.max()
    assert inside.sum() > 50
    assert (forgery.pixels[inside] != TARGET[inside]).any(axis=1).mean() > 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_forgery_and_another_seed_another(family: str) -> None:
    """Ground truth that cannot be made again could not be checked."""
    first, again, other = forged(family, 3), forged(family, 3), forged(family, 4)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert first.recipe == again.recipe
    assert (first.pixels != other.pixels).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_regions_named_are_those_that_the_mask_covers(family: str) -> None:
    """A name stands for an area of the face, and the mask must lie on it."""
    regions = masks.face_region_masks(TARGET_LANDMARKS, TARGET.shape)
    assert tuple(regions) == REGIONS
    forgery = forged(family, 1)
    assert forgery.regions
    for name, area in regions.items():
        share = float((forgery.mask * area).sum() / area.sum())
        assert (share > 0.05) if name in forgery.regions else (share < 0.65), name


def test_a_mask_of_the_mouth_is_called_the_mouth() -> None:
    """Left, right, up and down are not mixed up."""
    regions = masks.face_region_masks(TARGET_LANDMARKS, TARGET.shape)
    for name in ("mouth", "left eye", "right eye", "nose"):
        mask = masks.face_part_mask(TARGET_LANDMARKS, TARGET.shape, name=name)
        assert name in masks.regions_covered(mask, regions)
    mouth = masks.face_part_mask(TARGET_LANDMARKS, TARGET.shape, name="mouth")
    assert masks.regions_covered(mouth, regions) == ("mouth",)


def test_a_face_swap_shows_the_face_of_the_source() -> None:
    """What is swapped in comes from the source, so another source gives another face."""
    third, third_landmarks = face(9)
    rng = np.random.default_rng(5)
    other = forge(
        TARGET,
        TARGET_LANDMARKS,
        family="face_swap",
        rng=rng,
        source_pixels=third,
        source_landmarks=third_landmarks,
    )
    same = forged("face_swap", 5)
    assert ((same.mask > 0.9) == (other.mask > 0.9)).mean() > 0.999
    assert np.abs(same.pixels.astype(int) - other.pixels).max() > 30


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_saved_forgery_says_so_in_its_metadata(suffix: str, tmp_path: Path) -> None:
    """Whoever opens the file later can tell that we made it, and so can our own reader."""
    path = tmp_path / f"forgery{suffix}"
    forgery = forged("face_swap")
    save_forgery(forgery, path)
    with Image.open(path) as image:
        assert str(image.getexif()[0x010E]).startswith(UNMASK_MARK)
        text: object = image.info.get("comment", image.info.get("Description"))
        assert UNMASK_MARK in (text.decode() if isinstance(text, bytes) else str(text))
    assert read_photo(path).unmask_forgery


def test_a_png_keeps_every_pixel(tmp_path: Path) -> None:
    """The mask stays true for the saved file only if the file is lossless."""
    path = tmp_path / "forgery.png"
    forgery = forged("self_blend")
    save_forgery(forgery, path)
    np.testing.assert_array_equal(read_photo(path).pixels, forgery.pixels)


def test_a_format_without_room_for_the_mark_is_refused(tmp_path: Path) -> None:
    """A forgery must not leave without its mark."""
    with pytest.raises(ToolError, match=r"\.jpg or \.png"):
        save_forgery(forged("self_blend"), tmp_path / "forgery.bmp")


def test_an_unknown_family_is_named_in_the_error() -> None:
    """The caller learns what there is."""
    with pytest.raises(ToolError, match=r"'morphing'.*face_swap"):
        forged("morphing")


@pytest.mark.parametrize("family", SWAPS)
def test_a_swap_without_a_source_is_refused(family: str) -> None:
    """Nothing is invented in place of the missing person."""
    with pytest.raises(ToolError, match="needs a source"):
        forge(TARGET, TARGET_LANDMARKS, family=family, rng=np.random.default_rng(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_face_outside_of_the_photo_is_refused(family: str) -> None:
    """No forgery is claimed where none can be."""
    with pytest.raises(ToolError, match="nothing to forge"):
        forge(
            TARGET,
            TARGET_LANDMARKS + 1000,
            family=family,
            rng=np.random.default_rng(0),
            source_pixels=SOURCE,
            source_landmarks=SOURCE_LANDMARKS,
        )
