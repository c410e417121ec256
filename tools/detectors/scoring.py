"""Runs any detector on faces and images in batches: logits and calibrated probabilities."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tools.detectors.calibration import Calibration
from tools.detectors.protocol import (
    AnyDetector,
    DetectorInputs,
    DetectorScores,
    FeatureDetector,
    IdentityDetector,
    PixelDetector,
    qualified_name,
)

BATCH_SIZE = 32
"""Images held in memory at once."""


def run_detector(
    detector: AnyDetector, views: DetectorInputs, *, calibration: Calibration | None = None
) -> DetectorScores:
    """Score every row with a detector; NaN if its input is missing.

    A `calibration` of another detector, checkpoint or preprocessing is ignored: no probabilities.
    """
    logits = _logits(detector, views)
    fits = calibration is not None and calibration.matches_detector(detector)
    probabilities = (
        calibration.probabilities(logits)
        if calibration is not None and fits
        else np.full(len(logits), np.nan)
    )
    return DetectorScores(
        qualified_name(detector), logits, probabilities, detector.preprocessing, detector.sha256
    )


def _logits(detector: AnyDetector, views: DetectorInputs) -> np.ndarray:
    if isinstance(detector, PixelDetector):
        return _score_pixels(detector, views)
    if isinstance(detector, IdentityDetector):
        return _score_pixels(detector, views)
    features = views.face_features if detector.inputs == "face" else views.image_features
    # Empty if no image was measured.
    return detector.score(features) if features.size else np.full(len(views), np.nan)


def _score_pixels(detector: PixelDetector | IdentityDetector, views: DetectorInputs) -> np.ndarray:
    logits = np.full(len(views), np.nan)
    for start, pictures in _batches(detector, views):
        rows = np.array([start + at for at, picture in enumerate(pictures) if picture is not None])
        seen = [picture for picture in pictures if picture is not None]
        if not seen:
            continue
        if isinstance(detector, PixelDetector):
            logits[rows] = detector.score_images(seen)
        else:
            logits[rows] = detector.score(seen, _identities(detector, views)[rows])
    return logits


def _batches(
    detector: PixelDetector | IdentityDetector, views: DetectorInputs
) -> Iterator[tuple[int, list[np.ndarray | None]]]:
    crops, start = (_crop(detector, *look) for look in views.images_with_keypoints()), 0
    while batch := list(islice(crops, BATCH_SIZE)):
        yield start, batch
        start += len(batch)


def _crop(
    detector: PixelDetector | IdentityDetector,
    pixels: np.ndarray | None,
    keypoints: np.ndarray | None,
) -> np.ndarray | None:
    if pixels is None or (detector.inputs == "face" and keypoints is None):
        return None
    return detector.crop_input(pixels, keypoints if detector.inputs == "face" else None)


def _identities(detector: IdentityDetector, views: DetectorInputs) -> np.ndarray:
    if detector.identity == "candidate":
        return views.embeddings
    width = views.embeddings.shape[1]
    asked = np.full(width, np.nan, np.float32) if views.query is None else views.query
    return np.broadcast_to(asked, (len(views), width))


__all__ = ["BATCH_SIZE", "FeatureDetector", "run_detector"]
