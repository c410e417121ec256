"""How well are faces detected and landmarks placed?

Data: the `val` persons of `data/lfw` (1,211 photographs, none of these people used in training),
each with one labelled face; insightface's group photograph `t1`; scikit-image's pictures without a
face. Protocol: the shipped weights through `FaceAnalyser`, as in the application. A labelled face
is *found* if a detection overlaps the box implied by its landmarks by half (intersection over
union). Errors are mean distances to the labels as shares of the distance between the eyes' centres,
over the faces found. Interval: 95 %, Wilson.

Does not show: faces in profile, in the dark or below 20 px (Labelled Faces in the Wild has few, and
a detector made the selection), nor differences between groups of people. False positives on
photographs with people are not counted, because not all of their faces are labelled. The landmark
labels come from another model.
"""

import math
from typing import Any

import numpy as np

from evals.options import EvalOptions
from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import box_from_landmarks, keypoints_from_landmarks
from tools.faces.analyser import Face, FaceAnalyser
from tools.training.data.labelled_faces import LandmarkTrainingFaces, load_labelled_faces

PACK = WEIGHTS_DIR / "faces"
BATCH = 64

# Nose tips of the six faces in `t1`, labelled by hand.
T1_NOSES = np.array([[110, 340], [318, 219], [513, 363], [782, 430], [940, 146], [1166, 348]])

# Without `camera`, whose man has a face, in profile.
WITHOUT_FACES = (
    "brick", "cat", "cell", "checkerboard", "clock", "coffee", "coins", "colorwheel", "grass",
    "gravel", "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket",
    "text",
)  # fmt: skip


def run(options: EvalOptions) -> dict[str, object]:
    """Recall, errors of keypoints and landmarks, and false positives by picture."""
    if not (options.data / "lfw" / "labels.npz").is_file():
        raise SetupError(f"no labelled faces in {str(options.data)!r}: pass --data DIR")
    analyser = FaceAnalyser(PACK)
    false = {name: _count(analyser, name) for name in WITHOUT_FACES}
    return {
        **labelled_figures(analyser, load_labelled_faces(options.data, "val", limit=options.limit)),
        **_group_photograph(analyser),
        "pictures_without_faces": len(false),
        "false_positives": sum(false.values()),
        "false_positives_per_picture": sum(false.values()) / len(false),
        "false_positives_on": {name: count for name, count in false.items() if count},
    }


def labelled_figures(analyser: FaceAnalyser, faces: LandmarkTrainingFaces) -> dict[str, object]:
    """How many labelled faces are found, and their placement errors."""
    overlaps, keypoint_errors, landmark_errors = [], [], []
    for rows in np.array_split(np.arange(len(faces)), math.ceil(len(faces) / BATCH)):
        found = analyser.analyse(list(faces.photos[rows]))
        for row, candidates in zip(rows, found, strict=True):
            truth = faces.landmarks[row]
            face, overlap = _best(candidates, np.clip(box_from_landmarks(truth), 0, 218))
            overlaps.append(overlap)
            if face is None or overlap < 0.5:
                continue
            eyes = keypoints_from_landmarks(truth)
            unit = float(np.linalg.norm(eyes[1] - eyes[0]))
            keypoint_errors.append(_mean_distance(face.keypoints, eyes) / unit)
            if face.landmarks is not None:
                landmark_errors.append(_mean_distance(face.landmarks, truth) / unit)
    hits = sum(overlap >= 0.5 for overlap in overlaps)
    return {
        "images": len(faces),
        "found": hits / len(faces),
        "found_interval": wilson(hits, len(faces)),
        "mean_overlap": float(np.mean(overlaps)),
        "keypoint_error": _mean(keypoint_errors),
        "landmark_error": _mean(landmark_errors),
        "landmark_error_p95": float(np.percentile(landmark_errors or [math.nan], 95)),
    }


def wilson(hits: int, trials: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson, 1927)."""
    z, share = 1.959964, hits / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    scale = 1 + z * z / trials
    return (middle - half) / scale, (middle + half) / scale


def _group_photograph(analyser: FaceAnalyser) -> dict[str, object]:
    from insightface.data import get_image

    (faces,) = analyser.analyse([np.ascontiguousarray(get_image("t1")[..., ::-1])])
    inside = np.array([
        [(face.box[:2] <= nose).all() and (nose <= face.box[2:]).all() for face in faces]
        for nose in T1_NOSES
    ]).reshape(len(T1_NOSES), len(faces))  # fmt: skip
    return {
        "t1_found": int(inside.any(axis=1).sum()),
        "t1_others": int((~inside.any(axis=0)).sum()),
    }


def _count(analyser: FaceAnalyser, name: str) -> int:
    import skimage.data

    data: Any = skimage.data  # its functions have no annotations
    picture = np.asarray(getattr(data, name)())
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    (faces,) = analyser.analyse([np.ascontiguousarray(picture[..., :3].astype(np.uint8))])
    return len(faces)


def _best(candidates: list[Face], truth: np.ndarray) -> tuple[Face | None, float]:
    scored = [(intersection_over_union(face.box, truth), face) for face in candidates]
    overlap, face = max(scored, key=lambda pair: pair[0], default=(0.0, None))
    return face, overlap


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> float:
    """Shared over joint area of two boxes x1 y1 x2 y2, 0..1."""
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(float(width), 0.0) * max(float(height), 0.0)
    areas = float(np.prod(a[2:] - a[:2])) + float(np.prod(b[2:] - b[:2]))
    return shared / (areas - shared) if areas > shared else 0.0


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean())


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
