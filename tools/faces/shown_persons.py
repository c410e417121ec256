"""Show the persons in a video in one picture: a face of each, in as few frames as possible."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tools.faces.analyser import Face
from tools.media.pictures.decoding import Photo

FRAME_PX = 960
"""Longest side of a frame in the picture of all persons."""

Persons = tuple[tuple["Shown", ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One face in one picture, or in the frame of a video at `time_s`."""

    path: Path
    photo: Photo
    face: Face
    time_s: float | None = None


def in_order(persons: Sequence[Sequence[Shown]]) -> tuple[Persons, tuple[Shown, ...]]:
    """The persons in counting order, and one look at each in as few frames as possible.

    The frame that shows most persons comes first; within a frame they are ordered left to right.
    """
    left = dict(enumerate(persons))
    counted: list[tuple[int, Shown]] = []
    while left:
        frames: dict[float | None, list[tuple[int, Shown]]] = {}
        for number, looks in left.items():
            for look in {it.time_s: it for it in reversed(looks)}.values():
                frames.setdefault(look.time_s, []).append((number, look))
        most = max(frames.values(), key=len)
        counted += sorted(most, key=lambda it: float(it[1].face.box[0]))
        for number, _ in most:
            del left[number]
    return tuple(tuple(persons[number]) for number, _ in counted), tuple(it for _, it in counted)


def in_one_picture(looks: Sequence[Shown]) -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """Tile the frames of the looks, each once: (h, w, 3) uint8 RGB; with the faces' boxes in it.

    Boxes are x1, y1, x2, y2 px, in the order of the looks.
    """
    frames = {look.time_s: look.photo.pixels for look in looks}
    scale = min(1.0, *(FRAME_PX / max(it.shape[:2]) for it in frames.values()))
    small = [_scaled(it, scale) for it in frames.values()]
    height, width = (max(it.shape[side] for it in small) for side in (0, 1))
    columns = int(np.ceil(np.sqrt(len(small))))
    canvas = np.zeros((-(-len(small) // columns) * height, columns * width, 3), np.uint8)
    corners = dict[float | None, tuple[int, int]]()
    for place, (time_s, picture) in enumerate(zip(frames, small, strict=True)):
        left, top = place % columns * width, place // columns * height
        canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        corners[time_s] = left, top
    boxes = (look.face.box * scale + np.tile(corners[look.time_s], 2) for look in looks)
    return canvas, [tuple(float(edge) for edge in box) for box in boxes]


def _scaled(pixels: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1.0:
        return pixels
    size = [max(1, round(edge * scale)) for edge in (pixels.shape[1], pixels.shape[0])]
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
