"""Data URIs and thumbnails: pictures embedded in pages, so that no file is exposed or fetched."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

THUMBNAIL_PX = 220


def data_uri(pixels: np.ndarray, *, quality: int = 85) -> str:
    """(h, w, 3) uint8 RGB as a JPEG data URI, without metadata."""
    data = base64.b64encode(jpeg_bytes(pixels, quality=quality))
    return "data:image/jpeg;base64," + data.decode("ascii")


def jpeg_bytes(pixels: np.ndarray, *, quality: int = 85) -> bytes:
    """(h, w, 3) uint8 RGB as a JPEG file without metadata."""
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def thumbnail(pixels: np.ndarray, *, longest_px: int = THUMBNAIL_PX) -> np.ndarray:
    """The whole picture with its longer side at most `longest_px`; never enlarged."""
    scale = min(1.0, longest_px / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def draw_box(pixels: np.ndarray, box: np.ndarray, *, longest_px: int = THUMBNAIL_PX) -> np.ndarray:
    """The whole picture, scaled down, with the face's box (x1, y1, x2, y2 px) drawn."""
    small = np.ascontiguousarray(thumbnail(pixels, longest_px=longest_px))
    scale = small.shape[1] / pixels.shape[1]
    left, top, right, bottom = (round(float(edge) * scale) for edge in box)
    cv2.rectangle(small, (left, top), (right, bottom), (255, 196, 0), 2)
    return small


def draw_numbered_boxes(
    pixels: np.ndarray,
    boxes: Sequence[Sequence[float]],
    *,
    numbers: Sequence[int] = (),
    longest_px: int = 1600,
) -> np.ndarray:
    """The whole picture with the faces' boxes (x1, y1, x2, y2 px) numbered from 1 in order.

    Only the boxes with these `numbers` are drawn, all without any.
    """
    small = np.ascontiguousarray(thumbnail(pixels, longest_px=longest_px))
    scale = small.shape[1] / pixels.shape[1]
    unit = max(1.0, max(small.shape[:2]) / 640)
    line = max(2, round(2 * unit))
    for number, box in enumerate(boxes, start=1):
        if numbers and number not in numbers:
            continue
        left, top, right, bottom = (round(float(edge) * scale) for edge in box)
        cv2.rectangle(small, (left, top), (right, bottom), _AMBER, line)
        _label(small, str(number), (left, top, right, bottom), unit)
    return small


_AMBER, _DARK = (255, 196, 0), (20, 20, 20)


def _label(pixels: np.ndarray, text: str, box: tuple[int, int, int, int], unit: float) -> None:
    """A dark number on a plate in the boxes' colour, outside the box: it would hide a small face.

    Above the box or, at the upper edge of the picture, below or beside it.
    """
    font, size, line = cv2.FONT_HERSHEY_SIMPLEX, 0.6 * unit, max(1, round(1.5 * unit))
    (width, height), _ = cv2.getTextSize(text, font, size, line)
    pad = round(4 * unit)
    left, top = _free_corner(box, (width + 2 * pad, height + 2 * pad), pixels.shape)
    plate = (left + width + 2 * pad, top + height + 2 * pad)
    cv2.rectangle(pixels, (left, top), plate, _AMBER, cv2.FILLED)
    cv2.putText(
        pixels, text, (left + pad, top + height + pad), font, size, _DARK, line, cv2.LINE_AA
    )


def _free_corner(
    box: tuple[int, int, int, int], plate: tuple[int, int], shape: tuple[int, ...]
) -> tuple[int, int]:
    """The upper left corner of a plate (w, h) beside a box, inside the picture (h, w, …)."""
    (left, top, right, bottom), (width, height) = box, plate
    across = min(max(0, left), max(0, shape[1] - width - 1))
    if top - height >= 0:
        return across, top - height
    if bottom + height < shape[0]:
        return across, bottom
    return min(max(0, right), max(0, shape[1] - width - 1)), 0
