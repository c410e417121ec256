"""Inner-outer face consistency: do the inner face and the head around it belong to one person?

A face swap replaces the inner face and keeps the head, so the two depict different persons
(ICT-Ref: Dong et al., "Protecting Celebrities from DeepFake with Identity Consistency Transformer",
CVPR 2022). The removed part is filled with grey and gets a soft edge, because a hard edge would
dominate the embedding.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.faces.alignment import aligned_crop, crop_matrix, transform_points
from tools.faces.analyser import Face, FaceAnalyser
from tools.forge.masks import dilate_area, eye_distance

Floats = NDArray[np.float32]
FaceInImage = tuple[np.ndarray, Face]
"""A picture (h, w, 3) uint8 RGB with a face in it."""

VIEW_PX, VIEW_MARGIN = 176, 1.4
"""Size and margin of the aligned view that is split: slightly more than embedders see."""

_INNER = range(17, 68)  # brows, eyes, nose and mouth of iBUG's 68
_GREY = 127.0


@dataclass(frozen=True, slots=True, eq=False)
class FaceParts:
    """Two views (s, s, 3) uint8 RGB of one upright face, each with one part greyed out.

    `keypoints` (5, 2) px are those of the face, the same in both views.
    """

    inner: np.ndarray
    outer: np.ndarray
    keypoints: np.ndarray


def split_inner_outer(pixels: np.ndarray, face: Face) -> FaceParts:
    """Split the face in a picture (h, w, 3) uint8 RGB into its inner part and its surroundings."""
    matrix = crop_matrix(face.keypoints, size=VIEW_PX, margin=VIEW_MARGIN)
    view = aligned_crop(pixels, face.keypoints, size=VIEW_PX, margin=VIEW_MARGIN)
    keypoints = transform_points(face.keypoints, matrix).astype(np.float32)
    landmarks = None if face.landmarks is None else transform_points(face.landmarks, matrix)
    area = _inner_area(keypoints, landmarks)[..., None]
    return FaceParts(inner=_mixed(view, area), outer=_mixed(view, 1 - area), keypoints=keypoints)


@dataclass(frozen=True, slots=True)
class InnerOuterDistances:
    """Squared distances between unit embeddings of inner and outer faces: 0..4 each.

    `d1` is between the hit's inner and outer face. For the query photo with the nearest inner face,
    `e2` is the distance between the inner faces and `d2` between the outer faces. For the query
    photo with the nearest outer face, `e3` is the distance between the outer faces and `d3` between
    the inner faces.
    """

    d1: float
    d2: float
    d3: float
    e2: float
    e3: float

    @property
    def score(self) -> float:
        """ICT-Ref's fusion: distances to a query photo get more weight the nearer that photo is."""
        second, third = _trust(self.e2), _trust(self.e3)
        return (2 - second - third) * self.d1 + second * self.d2 + third * self.d3


def _trust(distance: float) -> float:
    return 0.75 / (1 + float(np.exp((distance - 0.5) / 0.5)))


@dataclass(frozen=True, slots=True, eq=False)
class PartEmbeddings:
    """Embeddings (n, e) float32 of the inner and outer faces of n pictures."""

    inner: Floats
    outer: Floats


def embed_parts(looks: Sequence[FaceInImage], *, faces: FaceAnalyser) -> PartEmbeddings:
    """Split faces into inner and outer face and embed both."""
    apart = [split_inner_outer(pixels, face) for pixels, face in looks]
    views = [(view, it.keypoints) for it in apart for view in (it.inner, it.outer)]
    embedded = np.stack(faces.embed(views))
    return PartEmbeddings(embedded[::2], embedded[1::2])


def inner_outer_distances(
    hit: FaceInImage, photos: Sequence[FaceInImage], *, faces: FaceAnalyser
) -> InnerOuterDistances | None:
    """How well inner and outer face match; None without query photos."""
    if not photos:
        return None
    return compare_parts(embed_parts([hit], faces=faces), embed_parts(photos, faces=faces))


def compare_parts(hit: PartEmbeddings, photos: PartEmbeddings) -> InnerOuterDistances:
    """How well the inner and outer face of one hit match, given those of the query photos.

    Does not show: a fully synthetic head (both parts are of one face), a changed expression
    (identity stays), or who made it. The embedder was not trained on halves of faces, so the
    distances vary widely for authentic photos too.
    """
    to_inner, to_outer = (
        _squared(hit.inner[0], photos.inner), _squared(hit.outer[0], photos.outer),
    )  # fmt: skip
    by_inner, by_outer = int(to_inner.argmin()), int(to_outer.argmin())
    return InnerOuterDistances(
        d1=float(_squared(hit.inner[0], hit.outer[:1])[0]),
        d2=float(to_outer[by_inner]),
        d3=float(to_inner[by_outer]),
        e2=float(to_inner[by_inner]),
        e3=float(to_outer[by_outer]),
    )


def _squared(one: Floats, others: Floats) -> Floats:
    squared: Floats = np.asarray(((others - one) ** 2).sum(axis=1), np.float32)
    return squared


def _inner_area(keypoints: np.ndarray, landmarks: np.ndarray | None) -> np.ndarray:
    """Mask (s, s) float32 in 0..1: from the brows to below the mouth, with a soft edge."""
    points = keypoints if landmarks is None else landmarks[_INNER]
    # The five keypoints lack the brows, which lie about half an eye distance above the eyes.
    if landmarks is None:
        unit = float(np.linalg.norm(keypoints[1] - keypoints[0]))
        points = np.concatenate([keypoints, keypoints[:2] - [0.0, 0.45 * unit]])
    else:
        unit = eye_distance(landmarks)
    area = np.zeros((VIEW_PX, VIEW_PX), np.float32)
    hull = cv2.convexHull(np.round(points).astype(np.int32))
    cv2.fillConvexPoly(area, hull, 1.0)
    return np.asarray(
        cv2.GaussianBlur(dilate_area(area, radius_px=0.25 * unit), (0, 0), 0.08 * unit)
    )


def _mixed(view: np.ndarray, shown: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = np.rint(view * shown + _GREY * (1 - shown)).astype(np.uint8)
    return mixed
