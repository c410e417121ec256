"""Face alignment: upright, tight face crops from five keypoints.

The template and margin are those of GenD (WACV 2026, `detector.py`). They use the same five points
as insightface's detectors, so pocket and full checkpoints share one crop.
"""

import cv2
import numpy as np

from tools.media.pictures.perceptual_hash import perceptual_hash

# Left eye, right eye, nose, left and right mouth corner, as fractions of the crop (GenD).
KEYPOINT_TEMPLATE = np.array(
    [[0.34, 0.46], [0.66, 0.46], [0.50, 0.64], [0.37, 0.82], [0.63, 0.82]], dtype=np.float64
)


def keypoints_from_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Five keypoints (5, 2) float32 from 68 iBUG landmarks (68, 2), in the same pixels."""
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    return np.stack([*eyes, landmarks[30], landmarks[48], landmarks[54]]).astype(np.float32)


def box_from_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """The face box x1 y1 x2 y2 (4,) float32 implied by 68 iBUG landmarks (68, 2).

    It spans from ear to ear and from the chin to the middle of the forehead, as WIDER FACE
    annotates and SCRFD detects. Landmarks end at the eyebrows, so the eyebrow points are also
    raised by 0.6 of the distance from the mouth to the eyes, in the direction that is up for this
    face.
    """
    eyes, mouth = landmarks[36:48].mean(axis=0), landmarks[48:60].mean(axis=0)
    forehead = landmarks[17:27] + 0.6 * (eyes - mouth)
    points = np.concatenate([landmarks, forehead])
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32)


def aligned_crop(
    pixels: np.ndarray, keypoints: np.ndarray, *, size: int, margin: float = 1.3
) -> np.ndarray:
    """The upright face crop: (size, size, 3) uint8 RGB from an image (h, w, 3) uint8 RGB.

    `keypoints` (5, 2) are in pixels of the image. `margin` 1.0 is the template itself, 1.3 adds 15
    % of context on every side. Areas outside the image are mirrored, because a black border would
    show a detector where the photograph was cut. Raises ValueError if the keypoints are not a
    finite (5, 2) array.
    """
    matrix = crop_matrix(keypoints, size=size, margin=margin)
    return warp(pixels, matrix, size=size, border=cv2.BORDER_REFLECT_101)


def face_hash(pixels: np.ndarray, keypoints: np.ndarray) -> int:
    """64-bit perceptual hash of the aligned face: copies of one face agree in most bits.

    `keypoints` (5, 2) are in pixels of the image.

    Does not show: that two faces belong to one person; pose and light change it as much as
    identity.
    """
    return perceptual_hash(aligned_crop(pixels, keypoints, size=128, margin=1.0))


def warp(
    pixels: np.ndarray, matrix: np.ndarray, *, size: int, border: int = cv2.BORDER_CONSTANT
) -> np.ndarray:
    """Resample an image by the affine `matrix` (2, 3) to (size, size, 3) uint8, without aliasing.

    `border` is OpenCV's border mode outside the image; the default is black.
    """
    scale = _scale(matrix)
    if scale < 0.5:
        # A bilinear warp reads four pixels only, so a strong reduction would alias: average the
        # pixels first, by an area reduction of the part that the crop sees.
        pixels, matrix = _reduce(pixels, matrix, size=size, scale=scale)
    crop: np.ndarray = cv2.warpAffine(
        pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border
    )
    return crop


def crop_matrix(keypoints: np.ndarray, *, size: int, margin: float = 1.3) -> np.ndarray:
    """Similarity transform (2, 3) float64 from image pixels to pixels of the aligned crop."""
    points = np.asarray(keypoints, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"keypoints must be (5, 2) finite numbers, not {points.shape}")
    target = (KEYPOINT_TEMPLATE * size + size * (margin - 1) / 2) / margin
    # Least median of squares ignores one outlying keypoint. OpenCV seeds its random generator on
    # every call, so the same points give the same crop.
    matrix, _ = cv2.estimateAffinePartial2D(points, target, method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all() or _scale(matrix) < 1e-6:
        matrix = estimate_similarity_transform(points, target)
    return np.asarray(matrix, dtype=np.float64)


def estimate_similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least-squares similarity (2, 3) from source (n, 2) to target (n, 2) (Umeyama, 1991).

    If all points coincide, scale and rotation are undefined: the points are moved to the target's
    centre.
    """
    source_centre, target_centre = source.mean(axis=0), target.mean(axis=0)
    source_rest, target_rest = source - source_centre, target - target_centre
    spread = float((source_rest**2).sum())
    if spread < 1e-12:
        linear = np.eye(2)
    else:
        # In the plane, rotation and scale are one complex number, a regression coefficient.
        a = float((source_rest * target_rest).sum()) / spread
        cross = source_rest[:, 0] * target_rest[:, 1] - source_rest[:, 1] * target_rest[:, 0]
        b = float(cross.sum()) / spread
        linear = np.array([[a, -b], [b, a]])
    return np.hstack([linear, (target_centre - linear @ source_centre)[:, None]])


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply an affine matrix (2, 3) to points (n, 2)."""
    moved: np.ndarray = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _scale(matrix: np.ndarray) -> float:
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def _reduce(
    pixels: np.ndarray, matrix: np.ndarray, *, size: int, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """The part of the image under the crop, area-averaged, and the matrix for that part."""
    height, width = pixels.shape[:2]
    inverse = cv2.invertAffineTransform(matrix)
    corners = transform_points(
        np.array([[0, 0], [size, 0], [0, size], [size, size]], float), inverse
    )
    left, top = np.clip(np.floor(corners.min(axis=0)) - 2, 0, [width - 1, height - 1]).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 2, [left + 1, top + 1], [width, height])
    part = pixels[top : int(bottom), left : int(right)]
    shrink = min(1.0, scale * 1.5)
    shrunk = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
    small = cv2.resize(part, shrunk, interpolation=cv2.INTER_AREA)
    factor = np.array([part.shape[1] / shrunk[0], part.shape[0] / shrunk[1]])
    # Pixel centres: x_full = (x_small + 0.5) * factor - 0.5 + left.
    shift = factor / 2 - 0.5 + np.array([left, top])
    linear = matrix[:, :2] * factor
    return small, np.hstack([linear, (matrix[:, :2] @ shift + matrix[:, 2])[:, None]])
