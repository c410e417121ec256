"""Face quality: whether a face is good enough to be compared and judged, in checkable measures."""

from dataclasses import dataclass

import cv2
import numpy as np

# Minimum (for yaw: maximum) of each measure for a usable face.
QUALITY_LIMITS = {
    # Below 24 px between the eyes a 112 px crop is mostly interpolation (design note §11.2).
    "too small": 24.0,
    # Variance of the Laplacian. Labelled Faces in the Wild, 42 px between the eyes: median 138,
    # above 25 for 99.5 %; blurred by sigma = 2 px, 80 % of them are below.
    "blurred": 25.0,
    # At larger yaw one eye is hidden; embedders and detectors were not trained on such faces.
    "extreme pose": 55.0,
    # Detections are reported from 0.5; on web photographs few below this limit are usable faces.
    "low detector score": 0.55,
}

# Height of the nose tip above the plane of eyes and mouth, divided by the interocular distance
# (from the mean 3D shape of 68 landmarks shipped with insightface).
NOSE_TO_EYES = 0.50


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Measured quality of a face, checked before any conclusion is drawn from it.

    `width_px` and `interocular_px` in pixels of the photograph; `sharpness` is the variance of the
    Laplacian of the grey 112 px crop (0 for a flat image); `yaw_deg` is positive if the nose points
    to the right of the image; `detector_score` 0..1. `problems` are the limits it fails, as keys of
    `QUALITY_LIMITS`.

    Does not show: whether the face is authentic. A good forgery passes; so does a statue.
    """

    width_px: float
    interocular_px: float
    sharpness: float
    yaw_deg: float
    detector_score: float
    problems: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the face passes every limit."""
        return not self.problems


def measure_quality(
    crop: np.ndarray, box: np.ndarray, keypoints: np.ndarray, *, detector_score: float
) -> FaceQuality:
    """Quality of a face from its 112 px crop (112, 112, 3) uint8, box (4,) and keypoints (5, 2)."""
    interocular = float(np.linalg.norm(keypoints[1] - keypoints[0]))
    sharpness = float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
    yaw = yaw_degrees(keypoints)
    failed = {
        # Yaw reduces the interocular distance without making the face smaller.
        "too small": interocular / max(np.cos(np.deg2rad(yaw)), 0.5) < QUALITY_LIMITS["too small"],
        "blurred": sharpness < QUALITY_LIMITS["blurred"],
        "extreme pose": abs(yaw) > QUALITY_LIMITS["extreme pose"],
        "low detector score": detector_score < QUALITY_LIMITS["low detector score"],
    }
    return FaceQuality(
        width_px=float(box[2] - box[0]),
        interocular_px=interocular,
        sharpness=sharpness,
        yaw_deg=yaw,
        detector_score=detector_score,
        problems=tuple(name for name, fails in failed.items() if fails),
    )


def yaw_degrees(keypoints: np.ndarray) -> float:
    """Head yaw from five keypoints, -90..90°, positive if the nose points to the image's right.

    Weak perspective: the interocular distance shrinks with the cosine of yaw, and the nose tip
    moves sideways from the line between eyes and mouth with its sine. Independent of roll and size;
    accurate to about 10°.
    """
    left, right, nose, mouth_left, mouth_right = np.asarray(keypoints, dtype=np.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    length = float(np.linalg.norm(down))
    if length < 1e-6:
        return 0.0
    # Perpendicular to the face's vertical axis, towards the image's right for an upright face.
    across = np.array([down[1], -down[0]]) / length
    sideways = float((nose - eyes) @ across) / NOSE_TO_EYES
    return float(np.rad2deg(np.arctan2(sideways, max(float((right - left) @ across), 0.0))))
