"""Face detection in a photograph: at several scales, in rotated copies and in tiles.

The detector sees the whole photograph. If no face is surely upright, it also sees the photograph in
the other quarter turns. Large photographs, whose small faces vanish in the reduced copy, are also
searched tile by tile; if still no face is surely upright, rotated crops around weak detections in
tiles are searched too. Works on insightface's SCRFD objects, which `analyser.py` loads; the same
for pocket and full models.
"""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tools.faces.alignment import warp

# Maximum side of the detector's input; SCRFD is trained at 640 px. Smaller photographs are not
# enlarged, which saves most of the time compared with insightface's default.
DETECTION_SIDE_PX = 640
# A second pass at a third of that size finds large faces more reliably.
SECOND_PASS_REDUCTION = 3
LARGE_FACE_PX = 160  # in the first pass, which locates smaller faces more precisely
SAME_FACE_IOU = 0.4  # non-maximum suppression, as in insightface
CONTAINED_BOX_SHARE = 0.8  # share of the smaller box inside the larger one: the same face
DETECTION_THRESHOLD = 0.5
SMALLEST_SIDE_PX = 10  # of the detector's input; smaller inputs cannot contain a face

# An upside-down face is often detected as upright, with the eyes where the mouth is and a lower
# score than in the rotated image. Below the first score, the other quarter turns of the photograph
# are searched too. From the first score on, rotated crops of the face decide whether it is upright:
# all three other turns up to the second score, upside down only above it. From the last score on,
# there is no check. Of 315 upright photographs 98 % need no rotated pass; of their rotated copies
# none is taken for upright (evals/LOG.md).
CHECK_ROTATION_BELOW_SCORE = 0.7
CHECK_SIDEWAYS_BELOW_SCORE = 0.85
UPRIGHT_SCORE = 0.94
TURNED_CROP_PX = 64
FACE_IN_TURNED_CROP_PX = 48
# Rotated passes use copies reduced by this factor, which leaves 6 px between the eyes of the
# smallest usable faces; but no smaller than the minimum side.
TURNED_REDUCTION = 4.0
MIN_ROTATED_SIDE_PX = 320
# Faces found only in rotated passes need a higher score: three more passes must not triple the
# false alarms.
ROTATED_DETECTION_THRESHOLD = 0.8

# Above this reduction a photograph is also searched in tiles. Up to it, the smallest usable faces
# (24 px between the eyes) keep 8 px in the reduced copy and are found there.
LARGEST_REDUCTION = 3.0
# In tiles, the smallest usable faces keep 9.6 px between the eyes.
TILE_REDUCTION = 2.5
TILE_SIDE_PX = 960  # maximum, in pixels of the detector's input
# Faces larger than the overlap may be cut by every tile; the next coarser pass (by 4 or less)
# sees them whole.
TILE_OVERLAP_PX = 96
COARSER_TILES = 4
# Faces found only in tiles must be usable: each of the many tiles may raise a false alarm.
TILE_DETECTION_THRESHOLD = 0.8
SMALLEST_INTEROCULAR_PX = 20.0
# A small rotated face is only a weak detection in an upright tile. If no other pass has found an
# upright face, the strongest weak detections are cropped, rotated and searched together on one
# contact sheet: three turns in a row, several rows and columns (evals/LOG.md). Larger rotated faces
# are found in the rotated passes.
FAINT = 0.05
MOST_SIGNS = 16
SIGN_PX = (2 * SMALLEST_INTEROCULAR_PX, LARGE_FACE_PX * TILE_REDUCTION)
SIGN_CROP_PX = 96
SIGN_ROWS = 6
MOST_FACES = 300
"""Faces of one picture that are measured, the largest ones: each costs time and memory, and a
picture made of faces would have thousands. Crowds in news photographs show fewer than a hundred."""
_MOST_ROTATION_CHECKS = 20  # faces; a picture in which none of these is surely upright lies
BLANK_TILE_STD = 2.0  # grey levels; more uniform tiles (sky, walls, screens) are skipped


@dataclass(frozen=True, slots=True, eq=False)
class FaceDetection:
    """A detection: `box` (4,) as output by the detector, `score` 0..1, `keypoints` (5, 2)."""

    box: np.ndarray
    score: float
    keypoints: np.ndarray


def detect_faces(detector: Any, image: np.ndarray) -> list[FaceDetection]:
    """The faces of an image (h, w, 3) uint8 BGR, sorted from left to right.

    Coordinates are those of the image as given. Rotated faces have rotated keypoints;
    `quarter_turns` gives the rotation.
    """
    found, turn = _in_whole_image(detector, image), 0
    if not _any_upright(detector, image, found):
        found = distinct_faces([*found, *_in_rotated_copies(detector, image)])
        turn = quarter_turns(max(found, key=lambda face: face.score)) if found else 0
    reduction = max(image.shape[:2]) / DETECTION_SIDE_PX
    if reduction > LARGEST_REDUCTION:
        turned = np.ascontiguousarray(np.rot90(image, turn))
        weak = list(_in_tiles(_with_low_threshold(detector), turned, reduction))
        sure = (_unrotated(face, turn, image) for face, is_sure in weak if is_sure)
        found = distinct_faces([*found, *sure])
        if turn == 0 and not _any_upright(detector, image, found):
            rotated = _in_rotated_crops(detector, image, [face for face, _ in weak])
            found = distinct_faces([*found, *rotated])
    inside = [face for face in found if _area(clip_box(face.box, image)) > 0]
    if len(inside) > MOST_FACES:
        inside = sorted(inside, key=lambda face: -_area(face.box))[:MOST_FACES]
    return sorted(inside, key=lambda face: (float(face.box[0]), float(face.box[1])))


def quarter_turns(found: FaceDetection) -> int:
    """Number of `np.rot90` turns (0 to 3) that make the face upright.

    Computed from the direction from the eyes to the mouth; the rotation is stored nowhere else.
    """
    down = found.keypoints[3:5].mean(axis=0) - found.keypoints[:2].mean(axis=0)
    return -round(float(np.arctan2(down[0], down[1]) / (np.pi / 2))) % 4


def clip_box(box: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Clip a box x1 y1 x2 y2 to the image."""
    height, width = image.shape[:2]
    return np.asarray(np.clip(box, 0, [width, height, width, height]), dtype=np.float32)


def _in_whole_image(detector: Any, image: np.ndarray) -> list[FaceDetection]:
    """Faces found in the whole image at the detector's size and at a third of it."""
    longer = max(image.shape[:2])
    side = min(longer, DETECTION_SIDE_PX)
    found = _detect(detector, image, side)
    if side <= LARGE_FACE_PX:
        return found
    large = LARGE_FACE_PX * longer / side
    again = _detect(detector, image, side // SECOND_PASS_REDUCTION)
    return distinct_faces(
        found + [face for face in again if max(face.box[2:] - face.box[:2]) >= large]
    )


def _any_upright(detector: Any, image: np.ndarray, found: Sequence[FaceDetection]) -> bool:
    first = sorted(found, key=lambda face: -face.score)[:_MOST_ROTATION_CHECKS]
    return any(_is_upright(detector, image, face) for face in first)


def _is_upright(detector: Any, image: np.ndarray, face: FaceDetection) -> bool:
    """Whether a face is surely upright: a high score that no rotated crop exceeds."""
    if face.score < CHECK_ROTATION_BELOW_SCORE or quarter_turns(face):
        return False
    if face.score >= UPRIGHT_SCORE:
        return True
    turns = (2,) if face.score >= CHECK_SIDEWAYS_BELOW_SCORE else (2, 1, 3)
    return all(_score_turned(detector, image, face, turn) <= face.score for turn in turns)


def _score_turned(detector: Any, image: np.ndarray, face: FaceDetection, turn: int) -> float:
    """Score of the face in a crop rotated by quarter turns; 0 if no upright face is found."""
    crop = warp(image, _into_crop(face, turn, size=TURNED_CROP_PX), size=TURNED_CROP_PX)
    upright = (it for it in _detect(detector, crop, TURNED_CROP_PX) if not quarter_turns(it))
    return max((it.score for it in upright), default=0.0)


def _into_crop(face: FaceDetection, turn: int, *, size: int) -> np.ndarray:
    """Affine matrix (2, 3) from the image to a crop around a face, rotated by quarter turns."""
    scale = FACE_IN_TURNED_CROP_PX / max(face.box[2:] - face.box[:2])
    cos, sin = scale * np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][turn])
    linear = np.array([[cos, sin], [-sin, cos]])
    moved = size / 2 - linear @ (face.box[:2] + face.box[2:]) / 2
    return np.column_stack([linear, moved])


def _in_rotated_copies(detector: Any, image: np.ndarray) -> Iterator[FaceDetection]:
    """High-scoring faces that are upright in one of the other quarter turns of the image."""
    longer = max(image.shape[:2])
    side = np.clip(longer / TURNED_REDUCTION, MIN_ROTATED_SIDE_PX, DETECTION_SIDE_PX)
    small, reduction = _reduced(image, max(1.0, longer / float(side)))
    for turn in (1, 2, 3):
        for face in _in_whole_image(detector, np.ascontiguousarray(np.rot90(small, turn))):
            if face.score >= ROTATED_DETECTION_THRESHOLD and not quarter_turns(face):
                yield _placed(_unrotated(face, turn, small), scale=reduction)


def _in_tiles(
    detector: Any, image: np.ndarray, reduction: float
) -> Iterator[tuple[FaceDetection, bool]]:
    """Faces found in overlapping tiles, at each reduction finer than that of the whole image.

    Yields each detection and whether it is sure: usable and not cut by its tile.
    """
    finer = TILE_REDUCTION
    while finer < reduction:
        for left, top, right, bottom in _tiles(image, finer, fixed=detector.static_input_size):
            tile, scale = _reduced(image[top:bottom, left:right], finer)
            if cv2.meanStdDev(tile)[1].max() < BLANK_TILE_STD:
                continue
            for face in _detect(detector, tile, max(tile.shape[:2])):
                there = _placed(face, scale=scale, left=left, top=top)
                cut = _is_cut(there.box, (left, top, right, bottom), image, margin=2 * finer)
                yield there, _is_usable(there) and not cut
        finer *= COARSER_TILES


def _with_low_threshold(detector: Any) -> Any:
    """A copy of the detector with a lower threshold; other threads may be using the original."""
    faint = copy.copy(detector)
    faint.det_thresh = FAINT
    return faint


def _in_rotated_crops(
    detector: Any, image: np.ndarray, signs: Sequence[FaceDetection]
) -> Iterator[FaceDetection]:
    """High-scoring rotated faces, found in rotated crops around weak detections."""
    least, most = SIGN_PX
    small = [it for it in signs if least <= max(it.box[2:] - it.box[:2]) <= most]
    maps = [_into_crop(it, 0, size=SIGN_CROP_PX) for it in distinct_faces(small)[:MOST_SIGNS]]
    if not maps:
        return
    crops = [warp(image, each, size=SIGN_CROP_PX) for each in maps]
    sheet = np.zeros((SIGN_ROWS, 3 * -(-len(maps) // SIGN_ROWS), *crops[0].shape), np.uint8)
    for number, crop in enumerate(crops):
        for turn in (1, 2, 3):
            sheet[number % SIGN_ROWS, number // SIGN_ROWS * 3 + turn - 1] = np.rot90(crop, turn)
    rows, columns = sheet.shape[:2]
    picture = sheet.swapaxes(1, 2).reshape(rows * SIGN_CROP_PX, columns * SIGN_CROP_PX, 3)
    for face in _detect(detector, picture, max(picture.shape[:2])):
        corner = face.box.reshape(2, 2).mean(axis=0) // SIGN_CROP_PX
        column, row = (int(it) for it in np.clip(corner, 0, [columns - 1, rows - 1]))
        number, turn = row + SIGN_ROWS * (column // 3), column % 3 + 1
        if face.score < ROTATED_DETECTION_THRESHOLD or quarter_turns(face) or number >= len(maps):
            continue
        left, top = -SIGN_CROP_PX * column, -SIGN_CROP_PX * row
        upright = _unrotated(_placed(face, scale=1, left=left, top=top), turn, crops[number])
        there = _mapped_back(upright, maps[number])
        if _is_usable(there):
            yield there


def _mapped_back(found: FaceDetection, matrix: np.ndarray) -> FaceDetection:
    """A face of a crop in pixels of the image; `matrix` (2, 3) maps image to crop, unrotated."""
    scale, moved = 1 / matrix[0, 0], matrix[:, 2]
    left, top = -scale * moved
    return _placed(found, scale=scale, left=left, top=top)


def _tiles(
    image: np.ndarray, reduction: float, *, fixed: tuple[int, int] | None
) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right, bottom of the fewest overlapping tiles that cover the image."""
    height, width = image.shape[:2]
    widest, highest = fixed or (TILE_SIDE_PX, TILE_SIDE_PX)
    for top, bottom in _spans(height, round(highest * reduction), reduction):
        for left, right in _spans(width, round(widest * reduction), reduction):
            yield left, top, right, bottom


def _spans(length: int, longest: int, reduction: float) -> list[tuple[int, int]]:
    overlap = round(TILE_OVERLAP_PX * reduction)
    number = max(1, -(-(length - overlap) // (longest - overlap)))
    each = -(-(length + (number - 1) * overlap) // number)
    starts = [min(it * (each - overlap), max(0, length - each)) for it in range(number)]
    return [(start, min(length, start + each)) for start in starts]


def _is_usable(found: FaceDetection) -> bool:
    apart = float(np.linalg.norm(found.keypoints[1] - found.keypoints[0]))
    return found.score >= TILE_DETECTION_THRESHOLD and apart >= SMALLEST_INTEROCULAR_PX


def _is_cut(
    box: np.ndarray, tile: tuple[int, int, int, int], image: np.ndarray, *, margin: float
) -> bool:
    """Whether a box touches a tile edge that is not an edge of the image."""
    height, width = image.shape[:2]
    left, top, right, bottom = tile
    return bool(
        (left > 0 and box[0] < left + margin)
        or (top > 0 and box[1] < top + margin)
        or (right < width and box[2] > right - margin)
        or (bottom < height and box[3] > bottom - margin)
    )


def _reduced(image: np.ndarray, by: float) -> tuple[np.ndarray, float]:
    """The image reduced by a factor, and that factor."""
    if by == 1.0:
        return image, by
    height, width = image.shape[:2]
    size = max(1, round(width / by)), max(1, round(height / by))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), by


def _placed(
    found: FaceDetection, *, scale: float, left: float = 0.0, top: float = 0.0
) -> FaceDetection:
    """A face of a reduced part of the image, in pixels of the image."""
    corner = np.array([left, top], np.float32)
    box = found.box * scale + np.tile(corner, 2)
    return FaceDetection(box=box, score=found.score, keypoints=found.keypoints * scale + corner)


def _unrotated(found: FaceDetection, turn: int, image: np.ndarray) -> FaceDetection:
    """A face of an image rotated by `np.rot90`, in pixels of the unrotated image."""
    height, width = image.shape[:2]

    def back(points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        places = {0: (x, y), 1: (width - y, x), 2: (width - x, height - y), 3: (y, height - x)}
        return np.stack(places[turn], axis=1)

    corners = back(found.box.reshape(2, 2))
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
    return FaceDetection(box=box, score=found.score, keypoints=back(found.keypoints))


def distinct_faces(found: list[FaceDetection]) -> list[FaceDetection]:
    """Non-maximum suppression: the highest-scoring box of each face."""
    if not found:
        return []
    ranked = sorted(found, key=lambda face: -face.score)
    boxes = np.array([face.box for face in ranked], np.float64)
    left = np.ones(len(ranked), bool)
    kept: list[FaceDetection] = []
    for number, face in enumerate(ranked):
        if left[number]:
            kept.append(face)
            left[number:] &= ~_same(boxes[number], boxes[number:])
    return kept


def _same(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether a box (4,) is of the same face as each of the others (n, 4)."""
    corners = [np.maximum(others[:, :2], box[:2]), np.minimum(others[:, 2:], box[2:])]
    shared, mine, theirs = (_areas(it) for it in (np.hstack(corners), box[None], others))
    smaller, union = np.minimum(mine, theirs), mine + theirs - shared
    return np.asarray((shared > SAME_FACE_IOU * union) | (shared > CONTAINED_BOX_SHARE * smaller))


def _detect(detector: Any, image: np.ndarray, side: int) -> list[FaceDetection]:
    """Detections in a copy whose longer side is at most `side` px, in pixels of the image."""
    canvas, scale = _canvas(image, side=side, fixed=detector.static_input_size)
    if canvas is None:
        return []
    size = canvas.shape[1], canvas.shape[0]
    boxes, keypoints = detector.detect(canvas, input_size=size)
    return [
        FaceDetection(box=box[:4] / scale, score=float(box[4]), keypoints=points / scale)
        for box, points in zip(boxes, keypoints, strict=True)
    ]


def _canvas(
    image: np.ndarray, *, side: int, fixed: tuple[int, int] | None
) -> tuple[np.ndarray | None, float]:
    """The image reduced to `side` px and padded in black to multiples of 32, and the reduction.

    `fixed` (width, height) is the only input size that some exported detectors accept.
    """
    height, width = image.shape[:2]
    limits = fixed or (side, side)
    scale = min(1.0, limits[0] / width, limits[1] / height)
    new = max(1, round(width * scale)), max(1, round(height * scale))
    if min(new) < SMALLEST_SIDE_PX:
        return None, scale
    columns, rows = fixed or (-(-new[0] // 32) * 32, -(-new[1] // 32) * 32)
    canvas = np.zeros((rows, columns, 3), np.uint8)
    small = image if scale == 1.0 else cv2.resize(image, new, interpolation=cv2.INTER_AREA)
    canvas[: new[1], : new[0]] = small
    return canvas, scale


def _area(box: np.ndarray) -> float:
    return float(_areas(box[None])[0])


def _areas(boxes: np.ndarray) -> np.ndarray:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])
