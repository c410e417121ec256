"""Score gallery faces against a query: identity, forgery, and both relative to each other.

The only place where features become scores; investigations, calibration and evaluations all use it.
Score names are those of `tools.verdict.evidence.MEASURES`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tools.detectors import FeatureDetector
from tools.faces.analyser import Face
from tools.gallery.records import (
    AnalysedImage,
    FaceRecord,
    FrameRecord,
    ImageRecord,
    PictureLayouts,
)
from tools.media.pictures.perceptual_hash import hash_distance
from tools.search.query import Query
from tools.search.same_photograph.decision import Alignment

Floats = NDArray[np.float32]


class PictureSource(Protocol):
    """Measured pictures and their files: a `Gallery`, or photos that are not stored anywhere."""

    def image(self, image_id: str) -> ImageRecord:
        """A picture, a frame or a video."""

    def images(self, ids: Iterable[str]) -> Mapping[str, ImageRecord]:
        """Several of them by id."""

    def paths_of(self, image_id: str, *, gone: bool = False) -> list[Path]:
        """The files that hold it, or with `gone` held it."""

    def holds(self, path: Path, image_id: str) -> bool:
        """Whether a file still holds what was measured."""

    def frames_of(self, video_id: str) -> list[FrameRecord]:
        """The frames taken from a video."""

    def faces_of(self, image_id: str) -> list[FaceRecord]:
        """The faces in a picture or frame, from left to right."""

    def layouts(self) -> PictureLayouts:
        """The perceptual hashes of all pictures and frames, and of the faces in them."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceColumns:
    """Measurements of n gallery faces from the record store, as columns.

    `embeddings` (n, e) L2-normalised; `face_features` and `image_features` (n, d), a row of NaN
    where not measured; `face_hashes` 64-bit or None; `interocular_px` (n,);
    `unmask_marks` whether the file carries our forgery mark.
    """

    embeddings: Floats
    face_features: Floats
    image_features: Floats
    face_hashes: Sequence[int | None]
    interocular_px: Sequence[float]
    unmask_marks: Sequence[bool]

    def __len__(self) -> int:
        return len(self.embeddings)


def to_columns(pictures: PictureSource, records: Sequence[FaceRecord]) -> FaceColumns:
    """Convert the records of n faces to columns."""
    images = pictures.images(record.image_id for record in records)
    ordered = [images[record.image_id] for record in records]
    return FaceColumns(
        embeddings=_rows([record.face.embedding for record in records]),
        face_features=_rows([record.features for record in records]),
        image_features=_rows([image.features for image in ordered]),
        face_hashes=[record.face_hash for record in records],
        interocular_px=[record.face.quality.interocular_px for record in records],
        unmask_marks=[image.unmask_forgery for image in ordered],
    )


def _rows(vectors: Sequence[np.ndarray | None]) -> np.ndarray:
    """Stack vectors as rows (n, d) float32; a missing vector becomes a row of NaN."""
    width = next((len(vector) for vector in vectors if vector is not None), 0)
    missing = np.full(width, np.nan, np.float32)
    filled = [missing if vector is None else vector for vector in vectors]
    return np.array(filled, dtype=np.float32).reshape(len(vectors), width)


def score_faces(
    query: Query, faces: FaceColumns, *, detectors: Sequence[FeatureDetector]
) -> list[dict[str, float | None]]:
    """One dict of raw scores per face; None is *not measured*."""
    if not len(faces):
        return []  # without rows, the columns would not have the query's width
    columns = {"cosine_similarity": np.asarray(faces.embeddings @ query.template, np.float64)}
    columns |= detector_scores(faces, detectors=detectors)
    columns |= _relative_scores(query, faces, columns, detectors=detectors)
    columns["interocular_px"] = np.asarray(faces.interocular_px, float)
    columns["unmask_mark"] = np.asarray(faces.unmask_marks, float)
    return [
        {name: _known(column[row]) for name, column in columns.items()} for row in range(len(faces))
    ]


def first_stage_names(detectors: Sequence[FeatureDetector]) -> frozenset[str]:
    """Names of the scores that the pixels of a face decide, its identity aside."""
    return frozenset({f"{it.inputs}/{it.name}" for it in detectors} | _RELATIVE)


_RELATIVE = {
    "query/face_feature_cosine", "query/face_hash_distance", "query/face_linear_difference",
}  # fmt: skip


def detector_scores(
    faces: FaceColumns, *, detectors: Sequence[FeatureDetector]
) -> dict[str, NDArray[np.float64]]:
    """Every detector's score (n,) under the name `<input>/<detector>`; higher is more forged."""
    return {
        f"{detector.inputs}/{detector.name}": detector.score(
            faces.face_features if detector.inputs == "face" else faces.image_features
        )
        for detector in detectors
    }


def _relative_scores(
    query: Query,
    faces: FaceColumns,
    columns: dict[str, NDArray[np.float64]],
    *,
    detectors: Sequence[FeatureDetector],
) -> dict[str, NDArray[np.float64]]:
    relative = {
        "query/face_feature_cosine": (
            l2_normalise(faces.face_features) @ l2_normalise(query.features).T
        ).max(1),
        "query/face_hash_distance": np.array(
            [_nearest_hash(face_hash, query.face_hashes) for face_hash in faces.face_hashes]
        ),
    }
    for detector in detectors:
        if (detector.inputs, detector.name) == ("face", "unifd_linear"):
            own = float(np.mean(detector.score(query.features)))
            relative["query/face_linear_difference"] = columns["face/unifd_linear"] - own
    return relative


class EmbeddedFace(Protocol):
    """A face with the measurements of its crop: an `AnalysedFace` or a `FaceRecord`."""

    @property
    def face(self) -> Face:
        """Position, quality and embedding of the face."""

    @property
    def features(self) -> Floats | None:
        """Encoder features of the crop (d,), not normalised; None if it could not be cropped."""

    @property
    def face_hash(self) -> int | None:
        """Perceptual hash of the crop."""


def scores_without_query(
    image: AnalysedImage | ImageRecord, face: EmbeddedFace, *, detectors: Sequence[FeatureDetector]
) -> dict[str, float | None]:
    """Raw scores of one face that need no query."""
    if face.features is None or image.features is None:
        authenticity: dict[str, float | None] = {}
    else:
        columns = FaceColumns(
            embeddings=face.face.embedding[None],
            face_features=face.features[None],
            image_features=image.features[None],
            face_hashes=[face.face_hash],
            interocular_px=[face.face.quality.interocular_px],
            unmask_marks=[image.unmask_forgery],
        )
        measured = detector_scores(columns, detectors=detectors)
        authenticity = {name: float(column[0]) for name, column in measured.items()}
    return authenticity | {
        "interocular_px": face.face.quality.interocular_px,
        "unmask_mark": float(image.unmask_forgery),
    }


def pair_scores(
    first: EmbeddedFace, second: EmbeddedFace, *, alignment: Alignment | None = None
) -> dict[str, float | None]:
    """Compare two faces, with the score names of `tools.verdict.evidence.MEASURES`; symmetric.

    `alignment` is the alignment of their pictures, which proves whether they are the same
    photograph.
    """
    known = first.features is not None and second.features is not None
    features = l2_normalise(_rows([first.features, second.features])) if known else None
    return {
        "cosine_similarity": float(first.face.embedding @ second.face.embedding),
        "query/face_feature_cosine": None if features is None else float(features[0] @ features[1]),
        "query/same_photograph": None if alignment is None else float(alignment.proven),
    }


def l2_normalise(features: Floats) -> Floats:
    """Rows scaled to unit length; a row of NaN stays NaN."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


def _nearest_hash(face_hash: int | None, others: Sequence[int]) -> float:
    if face_hash is None:
        return float("nan")
    return float(min(hash_distance(face_hash, other) for other in others))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
