"""Pictures as data URIs for pages: embedded, so that no file is exposed and nothing is fetched."""

import base64

import cv2
import numpy as np

THUMBNAIL_PX = 220


def data_uri(pixels: np.ndarray, *, quality: int = 85) -> str:
    """(h, w, 3) uint8 RGB as a JPEG inside the page; metadata never travels along."""
    _, data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def shrunk(pixels: np.ndarray, *, longest_px: int = THUMBNAIL_PX) -> np.ndarray:
    """The whole picture with its longer side at most `longest_px`; never enlarged."""
    scale = min(1.0, longest_px / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def with_box(pixels: np.ndarray, box: np.ndarray, *, longest_px: int = THUMBNAIL_PX) -> np.ndarray:
    """The whole picture, small, with the face's box (x1, y1, x2, y2 px) drawn."""
    small = np.ascontiguousarray(shrunk(pixels, longest_px=longest_px))
    scale = small.shape[1] / pixels.shape[1]
    left, top, right, bottom = (round(float(edge) * scale) for edge in box)
    cv2.rectangle(small, (left, top), (right, bottom), (255, 196, 0), 2)
    return small
