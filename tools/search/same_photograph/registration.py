"""Warp two aligned photographs into one frame, at the resolution of the coarser one."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tools.faces.alignment import transform_points

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SharedFrame:
    """A frame of `size` (width, height) px that two photographs are warped into.

    `first` and `second` are affine maps (2, 3) from each photograph's pixels.
    """

    first: np.ndarray
    second: np.ndarray
    size: tuple[int, int]

    def show(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, Bools]:
        """Both photographs (h, w, 3) uint8 RGB in the frame, and a mask (h, w) of the overlap."""
        inside = [
            warp_into_frame(np.full(pixels.shape[:2], 255, np.uint8), matrix, self.size) > 250
            for pixels, matrix in ((first, self.first), (second, self.second))
        ]
        return (
            warp_into_frame(first, self.first, self.size),
            warp_into_frame(second, self.second, self.size),
            inside[0] & inside[1],
        )

    def ellipse(self, box: np.ndarray, matrix: np.ndarray, *, margin: float) -> Bools:
        """Mask of the ellipse in a box x1 y1 x2 y2 (4,) px, enlarged by `margin`."""
        turns = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        radii = (box[2:] - box[:2]) / 2 * margin
        outline = (box[:2] + box[2:]) / 2 + np.stack([np.cos(turns), np.sin(turns)], 1) * radii
        mask = np.zeros(self.size[::-1], np.uint8)
        cv2.fillPoly(mask, [np.round(transform_points(outline, matrix)).astype(np.int32)], 1)
        return mask.astype(bool)


def overlap_frame(
    matrix: np.ndarray, first: tuple[int, int], second: tuple[int, int], *, most_px: int
) -> SharedFrame | None:
    """The frame of the area that both photographs show; None if that is almost nothing.

    `matrix` maps the second photograph's pixels to the first's; sizes are (width, height) px.
    """
    width, height = second
    corners = transform_points(
        np.array([[0, 0], [width, 0], [width, height], [0, height]], float), matrix
    )
    box = np.concatenate([corners.min(axis=0).clip(0), corners.max(axis=0).clip(max=first)])
    return box_frame(matrix, box, most_px=most_px)


def box_frame(matrix: np.ndarray, box: np.ndarray, *, most_px: int) -> SharedFrame | None:
    """The frame of a box x1 y1 x2 y2 (4,) px of the first photograph; None if it is tiny."""
    enlarged = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    sides = box[2:] - box[:2]
    if sides.min() <= 0:
        return None
    scale = min(1 / max(enlarged, 1.0), most_px / float(sides.max()))
    width, height = (max(1, round(float(side) * scale)) for side in sides)
    if min(width, height) < _LEAST_PX:
        return None
    ours = np.hstack([np.eye(2) * scale, (-box[:2] * scale)[:, None]])
    return SharedFrame(ours, compose(ours, matrix), (width, height))


_LEAST_PX = 24


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine map (2, 3) that applies `inner` first and `outer` to the result."""
    moved = np.asarray(outer[:, :2] @ inner)
    moved[:, 2] += outer[:, 2]
    return moved


def warp_into_frame(pixels: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Warp a picture by an affine map, without aliasing; black outside the picture."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.7:
        height, width = pixels.shape[:2]
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
        factor = np.array([width / smaller[0], height / smaller[1]])
        # Pixel centres: x_full = (x_small + 0.5) * factor - 0.5.
        shift = matrix[:, :2] @ (factor / 2 - 0.5) + matrix[:, 2]
        matrix = np.hstack([matrix[:, :2] * factor, shift[:, None]])
    found: np.ndarray = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR)
    return found
