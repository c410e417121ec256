"""Face analysis of photographs: detection, landmarks and embeddings.

The only runtime user of insightface. Any model folder in its formats works, this project's pocket
weights as well as `buffalo_l`; only the detector, the recogniser and the 68 landmarks are used.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tools.errors import SetupError
from tools.faces.alignment import (
    crop_matrix,
    estimate_similarity_transform,
    keypoints_from_landmarks,
    transform_points,
    warp,
)
from tools.faces.detection import (
    DETECTION_THRESHOLD,
    FaceDetection,
    clip_box,
    detect_faces,
    quarter_turns,
)
from tools.faces.quality import FaceQuality, measure_quality

EMBEDDING_BATCH = 64  # faces; bounds memory for many photographs
# Mean distance between the detector's and the landmarks' keypoints, divided by the distance from
# an eye to the opposite corner of the mouth; good landmarks differ by 0.05.
MAX_LANDMARK_DISAGREEMENT = 0.3

_ADVICE = "run `unmask models download full`"


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of a photograph; all coordinates are pixels of that photograph.

    `box` (4,) float32 x1 y1 x2 y2, clipped to the photograph; `keypoints` (5, 2) float32: left eye,
    right eye, nose, left and right mouth corner as seen with the face upright; `landmarks` (68, 2)
    float32 in iBUG order, or None if the models have none; `embedding` (d,) float32, unit length.
    Coordinates refer to the photograph as stored, even if a face lies on its side or upside down:
    crops by keypoints come out upright, and the line of the eyes gives the rotation.
    """

    box: np.ndarray
    keypoints: np.ndarray
    landmarks: np.ndarray | None
    quality: FaceQuality
    embedding: np.ndarray


class FaceAnalyser:
    """Detector, landmark model and embedder of one folder, loaded once.

    `pack` is a folder of ONNX files in insightface's formats; `threads` limits the CPU cores (None:
    all). A GPU is used if onnxruntime has CUDA. Raises SetupError if the folder lacks a detector or
    a recogniser.
    """

    def __init__(self, pack: Path, *, threads: int | None = None) -> None:
        models = _load(pack, threads or os.cpu_count() or 1)
        self._detector = models["detection"]
        self._recogniser = models["recognition"]
        self._landmarker = models.get("landmark_2d_68") or models.get("landmark_3d_68")
        # The pocket recogniser was trained on faces aligned by 68 landmarks, which place the face
        # larger than the pocket detector does. buffalo_l's was aligned by its own detector.
        self._refines = "landmark_2d_68" in models

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """The faces of each image (h, w, 3) uint8 RGB, sorted from left to right.

        The faces of all images share the batches of the landmark model and the embedder. Batching
        does not change which faces are found; embeddings agree to about six digits.
        """
        pairs, landmarks, counts = self._locate(images)
        looks = [(image, face.keypoints) for image, face in pairs]
        embeddings = self._embed_crops(self._recognition_crops(looks))
        done = iter(
            _face(image, face, landmarks=points, embedding=vector)
            for (image, face), points, vector in zip(pairs, landmarks, embeddings, strict=True)
        )
        return [[next(done) for _ in range(count)] for count in counts]

    def find_faces(self, image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Keypoints and landmarks of the faces `analyse` finds in an image, without embeddings.

        `image` is (h, w, 3) uint8 RGB. Returns keypoints (5, 2) px and landmarks (68, 2) px of each
        face; landmarks are None if the models have none.
        """
        pairs, landmarks, _ = self._locate([image])
        return [
            (face.keypoints, points) for (_, face), points in zip(pairs, landmarks, strict=True)
        ]

    def embed(self, looks: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """Embeddings (d,) float32 of unit length, one per known face.

        `looks` are images (h, w, 3) uint8 RGB, each with one face's keypoints (5, 2) px from
        `analyse`: no face is detected or aligned again.
        """
        return self._embed_crops([
            np.ascontiguousarray(crop[..., ::-1]) for crop in self._recognition_crops(looks)
        ])  # fmt: skip

    def _locate(
        self, images: Sequence[np.ndarray]
    ) -> tuple[list[tuple[np.ndarray, FaceDetection]], list[np.ndarray | None], list[int]]:
        # insightface's models expect BGR.
        reversed_images = [
            cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR) for image in images
        ]
        found = [detect_faces(self._detector, image) for image in reversed_images]
        pairs = [
            (image, face) for image, faces in zip(reversed_images, found, strict=True)
            for face in faces
        ]  # fmt: skip
        landmarks = self._place(pairs)
        if self._refines:
            pairs = [
                (image, replace(face, keypoints=_refined(face.keypoints, points)))
                for (image, face), points in zip(pairs, landmarks, strict=True)
            ]
        return pairs, landmarks, [len(faces) for faces in found]

    def _place(self, pairs: list[tuple[np.ndarray, FaceDetection]]) -> list[np.ndarray | None]:
        model = self._landmarker
        if model is None or not pairs:
            return [None] * len(pairs)
        side = model.input_size[0]
        matrices = [_landmark_matrix(face, side) for _, face in pairs]
        crops = [
            warp(image, matrix, size=side)
            for (image, _), matrix in zip(pairs, matrices, strict=True)
        ]
        # Some published landmark models were exported with batch size 1.
        batch = 1 if model.session.get_outputs()[0].shape[0] == 1 else EMBEDDING_BATCH
        raw = np.concatenate([
            _run(model, crops[start : start + batch]) for start in range(0, len(crops), batch)
        ])  # fmt: skip
        # Models with more points (1k3d68) output the 68 last, with a depth that we do not use.
        points = raw.reshape(len(crops), -1, model.lmk_dim)[:, -68:, :2]
        points = (points + 1) * (side // 2)
        return [
            transform_points(p, cv2.invertAffineTransform(matrix)).astype(np.float32)
            for p, matrix in zip(points, matrices, strict=True)
        ]

    def _recognition_crops(
        self, looks: Sequence[tuple[np.ndarray, np.ndarray]]
    ) -> list[np.ndarray]:
        side = self._recogniser.input_size[0]
        return [
            warp(np.ascontiguousarray(image), recognition_matrix(keypoints, size=side), size=side)
            for image, keypoints in looks
        ]

    def _embed_crops(self, crops: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Embeddings of BGR crops."""
        vectors: list[np.ndarray] = []
        for start in range(0, len(crops), EMBEDDING_BATCH):
            raw = self._recogniser.get_feat(crops[start : start + EMBEDDING_BATCH])
            norms = np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)
            vectors.extend((raw / norms).astype(np.float32))
        return vectors


def recognition_matrix(keypoints: np.ndarray, *, size: int) -> np.ndarray:
    """Similarity transform (2, 3) to ArcFace's template, like insightface's `norm_crop`."""
    from insightface.utils.face_align import arcface_dst

    target = arcface_dst.astype(np.float64) * size / 112
    return estimate_similarity_transform(keypoints.astype(np.float64), target)


def _load(pack: Path, threads: int) -> dict[str, Any]:
    if not any(pack.glob("*.onnx")):
        raise SetupError(f"no face models in {str(pack)!r}: {_ADVICE}")
    import onnxruntime
    from insightface.app import FaceAnalysis

    sessions = onnxruntime.SessionOptions()
    sessions.intra_op_num_threads = threads
    # Otherwise idle threads keep their cores busy between two photographs.
    sessions.add_session_config_entry("session.intra_op.allow_spinning", "0")
    available = onnxruntime.get_available_providers()
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    tasks = ["detection", "recognition", "landmark_2d_68", "landmark_3d_68"]
    try:
        analysis = FaceAnalysis(
            name=str(pack),
            allowed_modules=tasks,
            providers=[name for name in wanted if name in available],
            sess_options=sessions,
            # Otherwise every new image size loads and keeps another copy of the detector.
            static_shape_sessions=False,
        )
    except AssertionError as error:  # insightface raises this if there is no detector
        raise SetupError(f"no face detector in {str(pack)!r}: {_ADVICE}") from error
    if "recognition" not in analysis.models:
        raise SetupError(f"no face recogniser in {str(pack)!r}: {_ADVICE}")
    analysis.models["detection"].prepare(0, det_thresh=DETECTION_THRESHOLD)
    return dict(analysis.models)


def _run(model: Any, crops: list[np.ndarray]) -> np.ndarray:
    size, mean = tuple(model.input_size), (model.input_mean,) * 3
    blob = cv2.dnn.blobFromImages(crops, 1 / model.input_std, size, mean, swapRB=True)
    output: np.ndarray = model.session.run(model.output_names, {model.input_name: blob})[0]
    return output


def _landmark_matrix(face: FaceDetection, side: int) -> np.ndarray:
    """insightface's landmark crop: centred on the box, 1.5 times as large, and upright.

    Upright to the nearest quarter turn: the models were trained on tilted heads, not on lying ones.
    """
    left, top, right, bottom = face.box
    scale = side / (max(right - left, bottom - top) * 1.5)
    turn = quarter_turns(face) * np.pi / 2
    cos, sin = scale * np.round(np.cos(turn)), scale * np.round(np.sin(turn))
    linear = np.array([[cos, sin], [-sin, cos]])
    moved = side / 2 - linear @ [(left + right) / 2, (top + bottom) / 2]
    return np.column_stack([linear, moved])


def _refined(keypoints: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    """Five keypoints from the landmarks, or the detector's own if the two disagree."""
    if landmarks is None:
        return keypoints
    finer = keypoints_from_landmarks(landmarks)
    apart = np.linalg.norm(finer - keypoints, axis=1).mean()
    unit = np.linalg.norm(keypoints[0] - keypoints[4])  # diagonal: yaw shrinks only part
    return finer if apart < MAX_LANDMARK_DISAGREEMENT * unit else keypoints


def _face(
    image: np.ndarray, found: FaceDetection, *, landmarks: np.ndarray | None, embedding: np.ndarray
) -> Face:
    keypoints = found.keypoints.astype(np.float32)
    crop = warp(image, crop_matrix(keypoints, size=112, margin=1.0), size=112)
    return Face(
        box=clip_box(found.box, image),
        keypoints=keypoints,
        landmarks=landmarks,
        quality=measure_quality(
            crop[..., ::-1], clip_box(found.box, image), keypoints, detector_score=found.score
        ),
        embedding=embedding,
    )
