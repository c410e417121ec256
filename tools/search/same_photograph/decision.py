"""Decide whether two pictures are the same photograph, and whether the face was changed.

Local features find the map of one picture onto the other
(`tools.search.same_photograph.local_features`); then the aligned pixels must agree outside the face
(`tools.search.same_photograph.pixel_agreement`). After a crop, mirroring, border, watermark, line
of text, screenshot or mild retouching, most places still agree; in another photograph of the same
person in the same clothes they do not, however similar it looks. Only overlays may explain places
that differ: lettering, or a bar from side to side. A large place with other content means another
photograph, as in a burst.

Figures: `python -m evals run same_photograph`.

Does not show: which of the two pictures came first. Frames of one video, a moment apart before a
still background, can pass as the same photograph.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.faces.alignment import transform_points
from tools.search.same_photograph.face_change import ChangeMap, FaceChange, face_change
from tools.search.same_photograph.local_features import (
    FeatureMatch,
    LocalFeatures,
    local_features,
    match_features,
)
from tools.search.same_photograph.pixel_agreement import WINDOW_PX, local_correlation
from tools.search.same_photograph.registration import (
    Bools,
    SharedFrame,
    box_frame,
    compose,
    overlap_frame,
)

Box = np.ndarray
"""x1 y1 x2 y2 (4,), in pixels of its picture."""

AGREEMENT_CORRELATION = 0.7
"""Correlation from which the pixels of a place agree."""

MIN_AGREEING_SHARE, MIN_REPEATED_SHARE, MIN_SHARE_PRODUCT = 0.42, 0.18, 0.145
"""Thresholds of proof: share of agreeing places, share of keypoints found again, their product.

Of 2,500 pairs of different photographs of one person (LFW, training persons), the nearest had
0.84 with 0.15 and 0.44 with 0.21; a banner of text leaves 0.55 with 0.50, an agency's name all over
a photograph 0.68 with 0.25.
"""

MIN_AGREEING_SHARE_INSIDE, MIN_REPEATED_SHARE_INSIDE = 0.72, 0.42
"""The same thresholds within the agreeing box, if a page or border replaced its surroundings."""

MIN_AREA_INSIDE = 0.15
"""Minimum share of the overlap that this box must cover."""

FEW_INLIERS, MIN_SHARE_FEW_INLIERS = 15, 0.8
"""With fewer inliers the map can be chance, so nearly every place must agree."""

MIN_SHARE_AROUND_FACE = 0.3
"""Minimum share around the face; a still background does not prove that the person is the same."""

GREY_DIFFERENCE_THRESHOLD = 0.2
"""Grey values differ from this many standard deviations, after fitting brightness and contrast."""

STROKE_PX = 9
"""Thinner differing places may be strokes of a watermark or a headline."""

MAX_CHANGED_SHARE = 0.03
"""Maximum size of one place with other content, as a share of the comparable area without the face.

A second shot of a burst, in which the person has not moved and somebody behind them has left, has
0.05; photographs with a watermark or text (LFW, training persons) have at most 0.02.
"""

MIN_INFORMATIVE_WINDOWS = 3.0
"""Minimum informative area outside the face, in correlation windows."""

OVERLAP_PX, FACE_PX = 256, 160
_FACE_MARGIN, _AROUND_FACE = 1.05, 2.0
_LEAST_ROW_SHARE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The alignment of two pictures and the decision based on it.

    `matrix` (2, 3) maps pixels of the second picture to those of the first; with `mirrored` it also
    flips them. `inliers` is the number of keypoints that agree with it. `agreeing_share` is the
    share of the overlapping area outside the faces that agrees. `face_difference` is how much more
    the face differs than its surroundings (0: alike; near 1: another face), `face_change` the same
    for colours (log ratio), `face_coarse` the share of that change which a strong blur leaves, and
    `face_flat` the share of the face that is flat in one picture only
    (`tools.search.same_photograph.face_change`), and `change_map` where it changed; None unless
    proven. `differs` is the box of the
    largest place that differs, in pixels of the first picture. `reason`
    explains why it was not proven, and is empty if it was.
    """

    proven: bool
    mirrored: bool = False
    matrix: np.ndarray | None = None
    inliers: int = 0
    agreeing_share: float | None = None
    face_difference: float | None = None
    face_change: float | None = None
    face_coarse: float | None = None
    face_flat: float | None = None
    change_map: ChangeMap | None = None
    differs: Box | None = None
    reason: str = ""


def same_photograph(
    first: np.ndarray,
    second: np.ndarray,
    *,
    first_face: Box | None = None,
    second_face: Box | None = None,
) -> Alignment:
    """Align two pictures (h, w, 3) uint8 RGB; the faces, if known, may differ."""
    return align_features(
        local_features(first), local_features(second),
        first_face=first_face, second_face=second_face,
    )  # fmt: skip


def align_features(
    first: LocalFeatures,
    second: LocalFeatures,
    *,
    first_face: Box | None = None,
    second_face: Box | None = None,
) -> Alignment:
    """`same_photograph` for computed features; face boxes are in pixels of the given sizes."""
    ours = None if first_face is None else np.asarray(first_face, float) * first.scale
    theirs = None if second_face is None else np.asarray(second_face, float) * second.scale
    direct = _align(first, second, ours, theirs)
    if direct.proven:
        return _at_given_sizes(direct, first, second)
    flipped = _align(first, second.mirrored(), ours, _flipped(theirs, second))
    better = max(direct, replace(flipped, mirrored=True), key=lambda it: (it.proven, it.inliers))
    return _at_given_sizes(better, first, second)


def _flipped(box: Box | None, picture: LocalFeatures) -> Box | None:
    if box is None:
        return None
    width = picture.pixels.shape[1]
    return np.array([width - box[2], box[1], width - box[0], box[3]])


def _at_given_sizes(found: Alignment, first: LocalFeatures, second: LocalFeatures) -> Alignment:
    if found.matrix is None:
        return found
    matrix = found.matrix
    if found.mirrored:
        flip = np.array([[-1, 0, second.pixels.shape[1] - 1], [0, 1, 0]], float)
        matrix = compose(matrix, flip)
    given = np.hstack([matrix[:, :2] * second.scale, matrix[:, 2:]]) / first.scale
    differs = None if found.differs is None else found.differs / first.scale
    return replace(found, matrix=given, differs=differs)


def _align(
    first: LocalFeatures, second: LocalFeatures, first_face: Box | None, second_face: Box | None
) -> Alignment:
    """Align; all coordinates are in pixels of the working sizes."""
    matched = match_features(first, second)
    if matched is None:
        return Alignment(False, reason="too few details of the two pictures match")
    frame = overlap_frame(
        matched.matrix, first.pixels.shape[1::-1], second.pixels.shape[1::-1], most_px=OVERLAP_PX
    )
    if frame is None:
        return Alignment(False, reason="the two pictures hardly overlap")
    faces = first_face, second_face
    places = _places(frame, first, second, faces)
    shared, reason = _shared_part(places, frame, first, second, matched)
    around = None if reason else _around_face(first, second, matched, faces, within=shared)
    if around is not None and around.share_outside < MIN_SHARE_AROUND_FACE:
        reason = "what surrounds the face differs"
    part = places.within(frame.first, shared)
    if not reason and part.changed > MAX_CHANGED_SHARE:
        reason = "a place outside the face shows something else"
    close_up = None if reason else around
    face = FaceChange() if close_up is None else close_up.face_change()
    return Alignment(
        proven=not reason,
        matrix=matched.matrix,
        inliers=len(matched.inliers),
        agreeing_share=part.share_outside,
        face_difference=None if close_up is None else close_up.face_difference,
        face_change=face.change,
        face_coarse=face.coarse,
        face_flat=face.flat,
        change_map=face.places,
        differs=_largest_difference(part, frame),
        reason=reason,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Correlation of every pixel of a frame, where it is informative, and where the faces are.

    `apart` is the difference of grey values in standard deviations, after fitting brightness and
    contrast. `first` and `second` (h, w, 3) are the pictures in the frame, `shown` is where both
    are.
    """

    correlation: NDArray[np.float32]
    informative: Bools
    face: Bools
    apart: NDArray[np.float32]
    first: np.ndarray
    second: np.ndarray
    shown: Bools

    def within(self, matrix: np.ndarray, part: Box | None) -> "_Places":
        """Restrict to a box of the first picture, which `matrix` maps to this frame."""
        if part is None:
            return self
        left, top, right, bottom = (
            np.round(transform_points(part.reshape(2, 2), matrix)).astype(int).flat
        )
        inside = np.zeros_like(self.face)
        inside[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
        return replace(self, informative=self.informative & inside, shown=self.shown & inside)

    @property
    def outside(self) -> Bools:
        return self.informative & ~self.face

    @property
    def agreeing(self) -> Bools:
        return self.informative & (self.correlation > AGREEMENT_CORRELATION)

    @property
    def share_outside(self) -> float:
        return _share(self.agreeing, self.outside) or 0.0

    @property
    def changed(self) -> float:
        """The largest place outside the face that differs, as a share of the comparable area.

        Excludes strokes and rows that hardly agree anywhere (bars from side to side).
        """
        rows = _agree((self.agreeing & ~self.face).sum(1), self.outside.sum(1))
        differing = (
            self.outside & ~self.agreeing & (self.apart > GREY_DIFFERENCE_THRESHOLD) & rows[:, None]
        )
        kernel = np.ones((STROKE_PX, STROKE_PX), np.uint8)
        thick = cv2.morphologyEx(differing.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        count, _, stats, _ = cv2.connectedComponentsWithStats(thick)
        largest = int(stats[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0
        return largest / max(1, int(self.outside[rows].sum()))

    @property
    def face_difference(self) -> float | None:
        """How much lower the face's correlation is than that of most of its surroundings."""
        inside = self.correlation[self.informative & self.face]
        around = self.correlation[self.outside]
        if len(inside) < WINDOW_PX**2 or len(around) < WINDOW_PX**2:
            return None
        return float(np.median(around) - np.quantile(inside, 0.1))

    def face_change(self) -> FaceChange:
        """The same for colours, and what kind of change it is."""
        return face_change(self.first, self.second, shown=self.shown, face=self.face)


def _share(some: Bools, of: Bools) -> float | None:
    count = int(of.sum())
    return int((some & of).sum()) / count if count else None


_Faces = tuple[Box | None, Box | None]


def _places(
    frame: SharedFrame, first: LocalFeatures, second: LocalFeatures, faces: _Faces
) -> _Places:
    ours, theirs, both = frame.show(first.pixels, second.pixels)
    found = local_correlation(ours, theirs, both)
    face: Bools = np.zeros(both.shape, bool)
    for box, matrix in zip(faces, (frame.first, frame.second), strict=True):
        if box is not None:
            face |= frame.ellipse(box, matrix, margin=_FACE_MARGIN)
    fitted = found.informative & ~face & (found.correlation > AGREEMENT_CORRELATION)
    return _Places(
        found.correlation, found.informative, face, found.apart(fitted), ours, theirs, both
    )


def _around_face(
    first: LocalFeatures,
    second: LocalFeatures,
    matched: FeatureMatch,
    faces: _Faces,
    *,
    within: Box | None,
) -> _Places | None:
    """A close-up of the face and its surroundings; None if no face is known or it is tiny."""
    box, theirs = faces
    if box is None and theirs is not None:
        corners = transform_points(theirs.reshape(2, 2), matched.matrix)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    if box is None:
        return None
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * _AROUND_FACE
    limits = first.pixels.shape[1::-1]
    wide = np.concatenate([(middle - half).clip(0), (middle + half).clip(max=limits)])
    frame = box_frame(matched.matrix, wide, most_px=FACE_PX)
    if frame is None:
        return None
    return _places(frame, first, second, faces).within(frame.first, within)


def _shared_part(
    places: _Places,
    frame: SharedFrame,
    first: LocalFeatures,
    second: LocalFeatures,
    matched: FeatureMatch,
) -> tuple[Box | None, str]:
    """The box of the shared photograph, in pixels of the first picture, or the reason for none.

    Neither box nor reason means the whole overlap.
    """
    height, width = places.face.shape
    if places.outside.sum() < MIN_INFORMATIVE_WINDOWS * WINDOW_PX**2:
        return None, "too little outside the face can be compared"
    inside = _agreeing_box(places)
    if inside is not None:
        left, top, right, bottom = inside
        part = np.s_[top:bottom, left:right]
        enough = (right - left) * (bottom - top) >= MIN_AREA_INSIDE * width * height
        share = _share(places.agreeing[part], places.outside[part]) or 0.0
        repeated, count = _repeated(inside, frame, first, second, matched)
        least = MIN_AGREEING_SHARE_INSIDE if count >= FEW_INLIERS else MIN_SHARE_FEW_INLIERS
        if enough and share >= least and repeated >= MIN_REPEATED_SHARE_INSIDE:
            corners = np.array([[left, top], [right, bottom]], float)
            return transform_points(corners, cv2.invertAffineTransform(frame.first)).ravel(), ""
    share = places.share_outside
    repeated, count = _repeated((0, 0, width, height), frame, first, second, matched)
    if count < FEW_INLIERS and share < MIN_SHARE_FEW_INLIERS:
        return None, "too few details of the two pictures match"
    enough = share >= MIN_AGREEING_SHARE and repeated >= MIN_REPEATED_SHARE
    if enough and share * repeated >= MIN_SHARE_PRODUCT:
        return None, ""
    return None, "the aligned pictures differ in too many places"


def _repeated(
    box: tuple[int, int, int, int],
    frame: SharedFrame,
    first: LocalFeatures,
    second: LocalFeatures,
    matched: FeatureMatch,
) -> tuple[float, int]:
    """Share and number of the keypoints in a box of the frame that were found in both pictures."""
    counts = [
        _count(transform_points(points, matrix), box)
        for points, matrix in (
            (matched.inliers, frame.first), (first.points, frame.first),
            (second.points, frame.second),
        )
    ]  # fmt: skip
    return counts[0] / max(1, min(counts[1:])), counts[0]


def _count(points: np.ndarray, box: tuple[int, int, int, int]) -> int:
    return int(((points >= box[:2]) & (points < box[2:])).all(axis=1).sum())


def _agreeing_box(places: _Places) -> tuple[int, int, int, int] | None:
    """The box that remains after trimming sides whose rows or columns do not agree."""
    agreeing, outside = places.agreeing & ~places.face, places.outside
    left, top, bottom, right = 0, 0, *places.face.shape
    for _ in range(3):
        for axis in (1, 0):
            part = np.s_[top:bottom, left:right]
            kept = _rows_that_agree(agreeing[part].sum(axis), outside[part].sum(axis))
            if kept is None:
                return None
            if axis == 1:
                top, bottom = top + kept[0], top + kept[1]
            else:
                left, right = left + kept[0], left + kept[1]
    return left, top, right, bottom


def _rows_that_agree(
    agreeing: NDArray[np.int_], informative: NDArray[np.int_]
) -> tuple[int, int] | None:
    rows = np.flatnonzero(_agree(agreeing, informative))
    return (int(rows[0]), int(rows[-1]) + 1) if len(rows) else None


def _agree(agreeing: NDArray[np.int_], informative: NDArray[np.int_]) -> Bools:
    """Which rows (or columns) agree, by the share of agreeing places, with their neighbours'."""
    smoothed = [np.convolve(counts, np.ones(7), "same") for counts in (agreeing, informative)]
    found: Bools = (smoothed[1] > 0) & (smoothed[0] >= _LEAST_ROW_SHARE * smoothed[1])
    return found


def _largest_difference(places: _Places, frame: SharedFrame) -> Box | None:
    """The box of the largest connected place that differs, in pixels of the first picture."""
    differing = places.informative & (places.correlation <= AGREEMENT_CORRELATION)
    count, _, stats, _ = cv2.connectedComponentsWithStats(differing.astype(np.uint8))
    if count < 2:
        return None
    left, top, width, height, area = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())]
    if area < WINDOW_PX**2:
        return None
    corners = np.array([[left, top], [left + width, top + height]], float)
    back = transform_points(corners, cv2.invertAffineTransform(frame.first))
    return np.asarray(back, np.float32).ravel()
