"""Find unlabelled faces in LFW: `python -m tools.training.data.find_unlabelled`.

Every tenth LFW photograph shows further people. A partly trained detector already finds them; the
detector's loss ignores what it finds beside the labelled face in the rest of the training.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from tools.faces.alignment import box_from_landmarks
from tools.training.data.labelled_faces import load_labelled_faces

CERTAIN = 0.6  # score above which a detection beside the labelled face counts as a face


def main() -> None:
    """Write `rows` (k,) of the training photographs and `boxes` (k, 4), slightly enlarged."""
    from insightface.model_zoo.scrfd import SCRFD

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--model", type=Path, default=Path("tools/checkpoints/weights/faces/detection.onnx")
    )
    parser.add_argument("--output", type=Path, default=Path("unlabelled.npz"))
    options = parser.parse_args()
    detector = SCRFD(str(options.model), static_shape_sessions=False)
    detector.prepare(0, det_thresh=CERTAIN)
    faces = load_labelled_faces(options.data, "train")
    rows, boxes = [], []
    for row, (photo, landmarks) in enumerate(zip(faces.photos, faces.landmarks, strict=True)):
        canvas = cv2.copyMakeBorder(photo[..., ::-1], 0, 6, 0, 6, cv2.BORDER_CONSTANT)
        labelled = box_from_landmarks(landmarks)
        for found in detector.detect(canvas, input_size=(224, 224))[0][:, :4]:
            centre = (found[:2] + found[2:]) / 2
            if (centre < labelled[:2]).any() or (centre > labelled[2:]).any():
                margin = 0.15 * np.tile(found[2:] - found[:2], 2) * [-1, -1, 1, 1]
                rows.append(row)
                boxes.append(found + margin)
    np.savez(options.output, rows=np.array(rows), boxes=np.array(boxes, np.float32))
    print(f"{len(rows)} unlabelled faces in {len(set(rows))} of {len(faces)} photographs")


if __name__ == "__main__":
    main()
