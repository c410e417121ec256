"""Pictures with descriptions that are true because we edited them so."""

from dataclasses import dataclass

import cv2
import numpy as np

from assistant.chat_model.looking.attributes import PICTURE_GROUPS
from assistant.training.looking import edits
from assistant.training.looking.drawing import chance
from assistant.training.looking.interfaces import screenshot
from assistant.training.looking.photographs import VALIDATION, Photograph, Photographs

UNKNOWN = -1
STRONG_JPEG, GOOD_JPEG = (6, 22), (65, 97)
SOFT, BLURRED = (1.2, 2.2), (3.5, 8.0)
"""Gaussian widths in px of a picture of 512 px."""
_SHARP_ENOUGH = 60.0
"""Variance of the Laplacian from which an untouched photograph counts as sharp."""


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A picture (h, w, 3) uint8 RGB and the class of each group, -1 where it is open."""

    pixels: np.ndarray
    labels: np.ndarray
    source: str


def described(photographs: Photographs, split: str, number: int, *, seed: int = 0) -> Described:
    """Picture `number` of a split: a photograph, up to three edits, and what is true of it."""
    rows = photographs.listed[split]
    rng = np.random.default_rng([seed, len(rows), number])
    source, name = rows[number % len(rows)]
    truth = dict.fromkeys(PICTURE_GROUPS, UNKNOWN)
    base = photographs.read(source, name)
    pixels, boxes = _cropped(base, rng)
    count, countable, grey = len(boxes), base.countable, base.is_grey
    is_collage = chance(rng, 0.13)
    if is_collage:
        parts = [pixels]
        countable = countable and _stays_whole(source, count)
        for _ in range(int(rng.integers(1, 4))):
            row = rows[int(rng.integers(len(rows)))]
            other = photographs.read(*row)
            parts.append(other.pixels)
            grey = grey and other.is_grey
            countable = countable and other.countable and _stays_whole(row[0], len(other.boxes))
            count += len(other.boxes)
        pixels = edits.collage(parts, rng)
        boxes = np.zeros((0, 4), np.float32)
    _count(truth, boxes, count, countable, pixels.shape[1])
    pixels = _sharpness(pixels, truth, rng, known=not is_collage)
    truth |= {"collage": int(is_collage)}
    for name_, share, edit in (
        ("text", 0.2, edits.with_text),
        ("watermark", 0.2, edits.with_watermark),
        ("frame", 0.15, edits.framed),
    ):
        happens = chance(rng, share)
        truth[name_] = int(happens)
        pixels = edit(pixels, rng) if happens else pixels
    if is_collage and not truth["frame"]:
        truth["frame"] = UNKNOWN  # gaps look like one
    if truth["frame"]:
        truth["position"] = UNKNOWN
    pixels = _colour(pixels, truth, rng, grey=grey)
    pixels = _screen(pixels, truth, rng)
    pixels = _jpeg(pixels, truth, rng)
    return Described(pixels, np.array([*truth.values()], np.int8), source)


def _stays_whole(source: str, faces: int) -> bool:
    """Whether a collage's square cuts through no face: LFW's are in the middle."""
    return source in ("lfw", VALIDATION) or faces == 0


def _cropped(base: Photograph, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random part that cuts through no face, at a random size."""
    height, width = base.pixels.shape[:2]
    pixels, boxes = base.pixels, base.boxes
    for _ in range(6 if chance(rng, 0.75) else 0):
        size = (np.array([width, height]) * rng.uniform(0.5, 1.0, 2)).astype(int)
        left, top = (rng.uniform(0, 1, 2) * ([width, height] - size)).astype(int)
        right, bottom = left + size[0], top + size[1]
        kept = (boxes[:, :2] >= [left, top]).all(1) & (boxes[:, 2:] <= [right, bottom]).all(1)
        outside = (boxes[:, :2] >= [right, bottom]).any(1) | (boxes[:, 2:] <= [left, top]).any(1)
        if (kept | outside).all() and (kept.any() or len(boxes) == 0):
            pixels = pixels[top:bottom, left:right]
            boxes = boxes[kept] - np.array([left, top] * 2, np.float32)
            break
    longest = max(pixels.shape[:2])
    scale = min(1.0, float(rng.uniform(320, 800)) / longest)
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if chance(rng, 0.5):
        wide = pixels.shape[1] / scale
        boxes = np.stack([wide - boxes[:, 2], boxes[:, 1], wide - boxes[:, 0], boxes[:, 3]], axis=1)
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels), boxes * scale


def _count(truth: dict[str, int], boxes: np.ndarray, count: int, countable: bool,
           width: int) -> None:  # fmt: skip
    if not countable:
        return
    truth["faces"] = min(count, 3)
    if len(boxes):
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        largest = boxes[int(areas.argmax())]
        where = float(largest[0] + largest[2]) / 2 / width
        if min(abs(where - 1 / 3), abs(where - 2 / 3)) > 0.04:
            truth["position"] = 0 if where < 1 / 3 else 1 if where < 2 / 3 else 2


def _sharpness(pixels: np.ndarray, truth: dict[str, int], rng: np.random.Generator, *,
               known: bool) -> np.ndarray:  # fmt: skip
    drawn = rng.random()
    if drawn < 0.2:
        truth["sharpness"] = 1
        return edits.blurred(pixels, rng, sigma=float(rng.uniform(*SOFT)))
    if drawn < 0.4:
        truth["sharpness"] = 2
        return edits.blurred(pixels, rng, sigma=float(rng.uniform(*BLURRED)))
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if known and float(cv2.Laplacian(grey, cv2.CV_64F).var()) >= _SHARP_ENOUGH:
        truth["sharpness"] = 0
    return pixels


def _colour(pixels: np.ndarray, truth: dict[str, int], rng: np.random.Generator, *,
            grey: bool) -> np.ndarray:  # fmt: skip
    drawn = rng.random()
    overlaid = truth["text"] or truth["watermark"] or truth["frame"]
    if drawn < 0.16:
        truth["colour"] = 1
        return edits.greyed(pixels, rng)
    if drawn < 0.3:
        truth["colour"] = 2
        return edits.toned(pixels, rng)
    if grey:
        truth["colour"] = UNKNOWN if overlaid else 1
    else:
        truth["colour"] = 0
    return pixels


def _screen(pixels: np.ndarray, truth: dict[str, int], rng: np.random.Generator) -> np.ndarray:
    shown, again = chance(rng, 0.22), chance(rng, 0.13)
    truth["screenshot"], truth["rephotographed"] = int(shown), int(again)
    if shown:
        pixels = screenshot(pixels, rng)
        # The interface has text, lines and colours of its own.
        for name in ("text", "frame", "collage", "sharpness", "position", "colour"):
            truth[name] = UNKNOWN
        truth["watermark"] = UNKNOWN
        if truth["faces"] > 0:
            truth["faces"] = UNKNOWN  # they may have become tiny
    if again:
        pixels = edits.photographed_again(pixels, rng)
        truth["frame"] = truth["sharpness"] = truth["position"] = UNKNOWN
        if truth["colour"]:
            truth["colour"] = UNKNOWN
    return pixels


def _jpeg(pixels: np.ndarray, truth: dict[str, int], rng: np.random.Generator) -> np.ndarray:
    strong = chance(rng, 0.25)
    truth["compression"] = int(strong)
    longest = max(pixels.shape[:2])
    if longest > 768:  # what is shown: the blocks have their size there
        scale = 768 / longest
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    low, high = STRONG_JPEG if strong else GOOD_JPEG
    return edits.compressed(pixels, int(rng.integers(low, high)))
