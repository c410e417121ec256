"""Keypoints for DFDC's face crops, which come without labels, from the pocket detector.

The crops are cut so close that a detector made for photographs looks at a small copy of them;
the keypoints of the authentic member serve both members of a pair, so both get the same crop.
"""

import csv
from pathlib import Path

import cv2
import numpy as np

from tools.errors import SetupError
from tools.training.forgery_pool import read_rgb

_SIDE_PX = 160
_MIRRORED_SHARE = 0.2  # of the crop, put around it on all sides when the first look finds nothing


def dfdc_keypoints(data: Path, *, split: str, detector: Path) -> dict[str, np.ndarray]:
    """Keypoints (5, 2) float32 in pixels by the authentic file's name; faceless crops are absent.

    `detector` is an ONNX file in SCRFD's format. Raises SetupError where it is missing.
    """
    from insightface.model_zoo import get_model

    if not detector.is_file():
        raise SetupError(f"{detector} is missing: run `python -m tools.training.detector` first")
    model = get_model(str(detector), providers=["CPUExecutionProvider"])
    model.prepare(-1, input_size=(_SIDE_PX, _SIDE_PX), det_thresh=0.3)
    with (data / "dfdc" / "pairs.csv").open() as lines:
        names = [row["real"] for row in csv.DictReader(lines) if row["split"] == split]
    found = {name: _keypoints(model, read_rgb(data / "dfdc" / "real" / name)) for name in names}
    return {name: points for name, points in found.items() if points is not None}


def _keypoints(model: object, crop: np.ndarray) -> np.ndarray | None:
    """The most certain face of a square crop, with and then without its own surroundings."""
    side = crop.shape[0]
    around = round(_MIRRORED_SHARE * side)
    mirrored = cv2.copyMakeBorder(crop, around, around, around, around, cv2.BORDER_REFLECT_101)
    for picture, offset in ((crop, 0), (mirrored, around)):
        small = cv2.resize(picture, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
        blue_first = np.ascontiguousarray(small[..., ::-1])
        boxes, keypoints = model.detect(blue_first, input_size=(_SIDE_PX, _SIDE_PX))  # type: ignore[attr-defined]
        if len(boxes):
            best = keypoints[int(boxes[:, 4].argmax())]
            points: np.ndarray = best * (len(picture) / _SIDE_PX) - offset
            return points.astype(np.float32)
    return None
