"""Read training pictures cropped around the face, at no higher resolution than needed."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tools.faces.alignment import transform_points
from tools.media.pictures.decoding import read_photo
from tools.media.pictures.perceptual_hash import hash_distance
from tools.training.data.pairs import TrainingImage
from tools.training.fitting.data.faces import ScannedImage

CROP_CONTEXT = 1.0
"""Margin kept on every side of the face, in face boxes."""
FACE_TO_CROP, WHOLE_TO_CROP = 1.5, 3.0
"""Maximum face width and maximum longer side of a whole picture, in sides of the detector's crop;
half of this would cause aliasing in the crop."""
COPIED_PX = 1_000_000
"""Photographs with more pixels are cached as smaller copies during a job: decoding them is slow."""

MAX_HASH_DISTANCE = 16
"""Maximum layout difference of a forgery and its original; unrelated pictures have about 32."""

CropBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class WorkingImageReader:
    """Reads pictures for a detector with crops of `crop_px`; `whole` ones, or around the face.

    `copies` is a folder for copies of large photographs.
    """

    copies: Path
    crop_px: int
    whole: bool = False

    def look(self, picture: ScannedImage, *, like: ScannedImage | None = None) -> TrainingImage:
        """The working picture with its face, framed as `like` if the two are aligned.

        Raises UnreadableImage if the file is missing or damaged. Without a face, the keypoints are
        NaN.
        """
        frame, scale = self.frame(like or picture)
        name = "-".join(map(str, (picture.id[:32], *frame)))
        copy = self.copies / f"{name}.png"
        if copy.is_file():
            pixels = read_photo(copy).pixels
        else:
            pixels = _reduced(read_photo(picture.path).pixels, frame, scale)
            if picture.height * picture.width > COPIED_PX:
                _keep(pixels, copy)
        face = like or picture
        matrix = np.array([[scale, 0, -frame[0] * scale], [0, scale, -frame[1] * scale]])
        points, marks = (
            None if it is None else transform_points(it, matrix).astype(np.float32)
            for it in (face.keypoints, face.landmarks)
        )
        return TrainingImage(pixels, np.full((5, 2), np.nan) if points is None else points, marks)

    def frame(self, picture: ScannedImage) -> tuple[CropBox, float]:
        """The used part of the photograph, x0 y0 x1 y1 px, and the reduction factor."""
        height, width = picture.height, picture.width
        if self.whole or picture.box is None:
            return (0, 0, width, height), self._scale(WHOLE_TO_CROP, max(height, width))
        across, down = picture.box[2:] - picture.box[:2]
        reach = CROP_CONTEXT * max(across, down)
        x0, y0 = (max(0, int(edge - reach)) for edge in picture.box[:2])
        x1, y1 = min(width, int(picture.box[2] + reach) + 1), int(picture.box[3] + reach) + 1
        return (x0, y0, x1, min(height, y1)), self._scale(FACE_TO_CROP, max(across, down, 1))

    def _scale(self, wanted: float, found_px: float) -> float:
        return float(min(1.0, wanted * self.crop_px / found_px))


def same_framing(one: ScannedImage, other: ScannedImage) -> bool:
    """Whether two photographs show the same scene in the same place: a forgery and its original.

    They must have one size, similar layouts, and most keypoints within a quarter of the distance
    between the eyes: in data sets of aligned faces, equal names alone are not enough.
    """
    if (one.height, one.width) != (other.height, other.width):
        return False
    if hash_distance(one.layout, other.layout) > MAX_HASH_DISTANCE:
        return False
    if one.keypoints is None or other.keypoints is None:
        return one.keypoints is other.keypoints
    apart = np.median(np.linalg.norm(one.keypoints - other.keypoints, axis=1))
    return bool(apart < 0.25 * np.linalg.norm(one.keypoints[1] - one.keypoints[0]))


def _reduced(pixels: np.ndarray, frame: CropBox, scale: float) -> np.ndarray:
    x0, y0, x1, y1 = frame
    part = pixels[y0:y1, x0:x1]
    if scale >= 1.0:
        return np.ascontiguousarray(part)
    size = max(2, round((x1 - x0) * scale)), max(2, round((y1 - y0) * scale))
    return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA))


def _keep(pixels: np.ndarray, copy: Path) -> None:
    """Write a copy atomically."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    written, data = cv2.imencode(
        ".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    if written:
        partial = copy.with_suffix(".new")
        partial.write_bytes(data.tobytes())
        partial.replace(copy)
