"""Aligned face crops are upright, and alike for any size of photograph."""

import cv2
import numpy as np
import pytest

from tools.faces.alignment import (
    KEYPOINT_TEMPLATE,
    aligned_crop,
    crop_matrix,
    estimate_similarity_transform,
    keypoints_from_landmarks,
    transform_points,
)

pytestmark = pytest.mark.fast


def rotated_template(degrees: float, *, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """The five template points turned, scaled and moved."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(KEYPOINT_TEMPLATE @ rotation.T * scale + np.array(shift))


def test_the_template_lands_where_gend_puts_it() -> None:
    """With margin 1.3, a keypoint lands at (template * s + 0.15 s) / 1.3."""
    matrix = crop_matrix(rotated_template(25, scale=90, shift=(40, 70)), size=130)
    left_eye = transform_points(rotated_template(25, scale=90, shift=(40, 70))[:1], matrix)[0]
    assert left_eye == pytest.approx([(0.34 + 0.15) * 100, (0.46 + 0.15) * 100], abs=1e-3)


def test_one_wild_keypoint_does_not_move_the_crop() -> None:
    """The fit is by the median: a misplaced mouth corner leaves the crop where it was."""
    points = rotated_template(0, scale=100, shift=(10, 10))
    wild = points.copy()
    wild[4] += 60
    assert crop_matrix(wild, size=112) == pytest.approx(crop_matrix(points, size=112), abs=1e-3)


def test_similarity_inverts_a_known_motion() -> None:
    """Rotation, scale and shift are recovered from the points alone."""
    moved = rotated_template(-17, scale=3.0, shift=(5, -2))
    assert transform_points(
        moved, estimate_similarity_transform(moved, KEYPOINT_TEMPLATE)
    ) == pytest.approx(KEYPOINT_TEMPLATE, abs=1e-9)


def test_equal_keypoints_still_give_a_crop() -> None:
    """A degenerate detection gives some crop of the asked size, not an exception."""
    pixels = np.full((20, 20, 3), 77, np.uint8)
    crop = aligned_crop(pixels, np.full((5, 2), 9.0), size=32)
    assert crop.shape == (32, 32, 3)
    assert (crop == 77).all()


@pytest.mark.parametrize("points", [np.zeros((4, 2)), np.full((5, 2), np.nan)])
def test_keypoints_that_are_none_are_refused(points: np.ndarray) -> None:
    """Missing or not-a-number keypoints raise instead of cropping at random."""
    with pytest.raises(ValueError, match="keypoints"):
        aligned_crop(np.zeros((9, 9, 3), np.uint8), points, size=32)


def test_outside_of_the_photo_there_is_no_black() -> None:
    """A face at the edge is completed by mirroring, never by a black border."""
    pixels = np.full((60, 60, 3), 200, np.uint8)
    crop = aligned_crop(pixels, rotated_template(10, scale=60, shift=(25, 25)), size=64)
    assert crop.min() == 200


def test_the_crop_does_not_depend_on_the_resolution() -> None:
    """The same picture eight times as large gives nearly the same crop (no aliasing)."""
    rng = np.random.default_rng(3)
    small = cv2.GaussianBlur(rng.integers(0, 256, (100, 100, 3), dtype=np.uint8), (0, 0), 2)
    points = rotated_template(12, scale=60, shift=(25, 15))
    large = cv2.resize(small, (800, 800), interpolation=cv2.INTER_CUBIC)
    # Fine grain that a plain bilinear reduction would alias into the crop.
    large = np.where((np.indices((800, 800)).sum(0) % 2 == 0)[..., None], large, large // 2)
    flat = cv2.resize(large, (100, 100), interpolation=cv2.INTER_AREA)
    crop = aligned_crop(large, points * 8 + 3.5, size=56)
    reference = aligned_crop(flat, points, size=56)
    assert np.abs(crop.astype(int) - reference).mean() < 1.0


def test_five_points_are_means_of_the_landmarks() -> None:
    """Eyes are the means of their six points; nose tip and mouth corners are single points."""
    landmarks = np.arange(136, dtype=np.float32).reshape(68, 2)
    expected = [[77, 78], [89, 90], [60, 61], [96, 97], [108, 109]]
    assert keypoints_from_landmarks(landmarks).tolist() == expected
