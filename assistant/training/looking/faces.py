"""Aligned faces, authentic or altered, and which cells and parts were altered."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from assistant.chat_model.looking.attributes import FACE_PARTS
from assistant.chat_model.looking.views import FACE_MARGIN, SIDE
from assistant.training.looking.edits import compressed
from assistant.training.looking.photographs import (
    CALIBRATION,
    LEFT_OUT,
    TEST,
    TRAIN,
    VALIDATION,
    shuffled,
    split_of,
)
from tools.errors import ToolError
from tools.faces.alignment import crop_matrix, keypoints_from_landmarks, transform_points, warp
from tools.faces.analyser import FaceAnalyser
from tools.forge.forgery import FAMILIES_WITH_SOURCE, forge
from tools.forge.masks import face_region_masks
from tools.training.data.bare_repository import BareRepository

CELLS = 14
EDITED = "miguel-kjh+fake-face-detector"
FAMILIES = ("region_swap", "region_swap", "face_swap", "reenactment", "inpainting", "self_blend",
            "resynthesis")  # fmt: skip
HELD_OUT_FAMILY = "partial_swap"
COVERED = 0.5
"""A part counts as altered if this share of its area was."""
UNKNOWN = -1
_LOW, _HIGH = 6, 16
"""Differences in grey levels that count as no change and as a full one, of video pairs."""


@dataclass(frozen=True, slots=True, eq=False)
class AlteredFace:
    """A face (224, 224, 3) uint8 RGB; `cells` (14, 14) float16 is how much of each was altered.

    `parts` (3,) int8: eyes, nose, mouth altered (1), untouched (0) or unknown (-1). Cells are NaN
    where only the parts are known. `source` and `family` say where it comes from.
    """

    view: np.ndarray
    cells: np.ndarray
    parts: np.ndarray
    source: str
    family: str


@dataclass(frozen=True, eq=False)
class AlteredFaces:
    """Faces of three sources: LFW with our forge, videos with their originals, edited by hand."""

    data: Path
    copies: Path | None
    faces: FaceAnalyser

    def draw(self, split: str, number: int, *, seed: int = 1) -> list[AlteredFace]:
        """One or two faces: an authentic one and its forgery, or a single one."""
        rng = np.random.default_rng([seed, len(split), number])
        if split == LEFT_OUT:
            return self._edited(number, rng)
        if number % 3 == 2:
            return self._video(split, number // 3, rng)
        return self._forged(split, number - number // 3, rng)

    @cached_property
    def _photographs(self) -> dict[str, list[tuple[str, np.ndarray]]]:
        found: dict[str, list[tuple[str, np.ndarray]]] = {}
        with np.load(self.data / "lfw" / "labels.npz") as labels:
            rows = zip(labels["path"], labels["split"], labels["landmarks68"], strict=True)
            for path, own, landmarks in rows:
                split = split_of("lfw", str(path)) if own == "train" else VALIDATION
                found.setdefault(split, []).append((str(path), landmarks.astype(np.float32)))
        return {it: shuffled(rows) for it, rows in found.items()}

    def _forged(self, split: str, number: int, rng: np.random.Generator) -> list[AlteredFace]:
        rows = self._photographs[split]
        path, landmarks = rows[number % len(rows)]
        family = FAMILIES[int(rng.integers(len(FAMILIES)))]
        if split in (TEST, VALIDATION) and number % 4 == 0:
            family = HELD_OUT_FAMILY
        other, there = rows[int(rng.integers(len(rows)))]
        swap = family in FAMILIES_WITH_SOURCE
        pixels = self._lfw(path)
        try:
            forged = forge(
                pixels, landmarks, family=family, rng=rng,
                source_pixels=self._lfw(other) if swap else None,
                source_landmarks=there if swap else None,
            )  # fmt: skip
        except ToolError:
            return []
        return self._pair(pixels, forged.pixels, forged.mask, landmarks, rng, "lfw", family)

    def _lfw(self, path: str) -> np.ndarray:
        return _decoded((self.data / "lfw" / "images" / path).read_bytes())

    @cached_property
    def _videos(self) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {TRAIN: [], CALIBRATION: [], TEST: []}
        with (self.data / "dfdc" / "pairs.csv").open(newline="", encoding="utf-8") as rows:
            for row in csv.DictReader(rows):
                split = TEST if row["split"] == "val" else split_of("dfdc", row["real"])
                # The set's own `val` originals test; the tenths only separate calibration.
                split = split if split != TEST or row["split"] == "val" else TRAIN
                found[split].append((row["fake"], row["real"]))
        found[VALIDATION] = found[TEST]
        return found

    def _video(self, split: str, number: int, rng: np.random.Generator) -> list[AlteredFace]:
        rows = self._videos[split]
        fake, real = rows[number % len(rows)]
        one = _decoded((self.data / "dfdc" / "real" / real).read_bytes())
        other = _decoded((self.data / "dfdc" / "fake" / fake).read_bytes())
        located = [points for _, points in self.faces.find_faces(one) if points is not None]
        if one.shape != other.shape or not located:
            return []
        landmarks = max(located, key=lambda it: float(np.ptp(it, axis=0).prod()))
        difference = np.abs(one.astype(np.float32) - other).mean(axis=2)
        if float(np.concatenate([difference[:12].ravel(), difference[-12:].ravel()]).mean()) > 6:
            return []  # not aligned
        soft = cv2.GaussianBlur(difference, (0, 0), 3)
        mask = np.clip((soft - _LOW) / (_HIGH - _LOW), 0, 1)
        return self._pair(one, other, mask, landmarks, rng, "dfdc", "dfdc_swap")

    def _pair(self, real: np.ndarray, fake: np.ndarray, mask: np.ndarray, landmarks: np.ndarray,
              rng: np.random.Generator, source: str, family: str) -> list[AlteredFace]:  # fmt: skip
        chain = _chain(rng)
        points = keypoints_from_landmarks(landmarks)
        matrix = crop_matrix(points, size=SIDE, margin=FACE_MARGIN)
        regions = face_region_masks(transform_points(landmarks, matrix), (SIDE, SIDE))
        eyes = np.maximum.reduce([regions[it] for it in ("left eye", "right eye", "eyebrows")])
        where = {"eyes": eyes, "nose": regions["nose"], "mouth": regions["mouth"]}
        grey = np.repeat((mask * 255).astype(np.uint8)[..., None], 3, axis=2)
        altered = warp(grey, matrix, size=SIDE)[..., 0] / np.float32(255)
        found = []
        for pixels, changed, its in (
            (real, np.zeros_like(altered), "authentic"), (fake, altered, family),
        ):  # fmt: skip
            view = warp(pixels, matrix, size=SIDE, border=cv2.BORDER_REFLECT_101)
            cells = cv2.resize(changed, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
            shares = [float((changed * where[it]).sum() / max(1, where[it].sum()))
                      for it in FACE_PARTS]  # fmt: skip
            parts = [1 if it >= COVERED else 0 if it < 0.15 else UNKNOWN for it in shares]
            view, cells = chain(view, cells.astype(np.float16))
            found.append(AlteredFace(view, cells, np.array(parts, np.int8), source, its))
        return found

    @cached_property
    def _edits(self) -> BareRepository:
        if self.copies is None:
            raise ValueError("the faces edited by hand lie in a clone")
        return BareRepository(self.copies / EDITED / "repo")

    @cached_property
    def _by_hand(self) -> list[str]:
        paths = sorted(it for it in self._edits.files
                       if it.endswith(".jpg") and "/Database_" in f"/{it}")  # fmt: skip
        return shuffled(paths)

    def _edited(self, number: int, rng: np.random.Generator) -> list[AlteredFace]:
        path = self._by_hand[number]
        pixels = _decoded(next(iter(self._edits.blobs([path]))) or b"")
        located = [points for _, points in self.faces.find_faces(pixels) if points is not None]
        if not located:
            return []
        landmarks = max(located, key=lambda it: float(np.ptp(it, axis=0).prod()))
        matrix = crop_matrix(keypoints_from_landmarks(landmarks), size=SIDE, margin=FACE_MARGIN)
        view = warp(pixels, matrix, size=SIDE, border=cv2.BORDER_REFLECT_101)
        named = re.search(r"_([01]{4})\.jpg$", path)
        digits = "0000" if named is None else named[1]
        parts = [int("1" in digits[:2]), int(digits[2]), int(digits[3])]
        cells = np.full((CELLS, CELLS), np.nan, np.float16)
        family = "authentic" if "/real/" in path else "photoshop"
        if family == "photoshop" and named is None:
            return []
        return [AlteredFace(view, cells, np.array(parts, np.int8), "edited", family)]


def _chain(rng: np.random.Generator) -> Callable[[np.ndarray, np.ndarray],
                                                 tuple[np.ndarray, np.ndarray]]:  # fmt: skip
    """One random history of light, size and JPEG; both members of a pair get the same."""
    mirrored, side = rng.random() < 0.5, int(SIDE * rng.uniform(0.5, 1.0))
    smaller, gain, offset = rng.random() < 0.4, rng.uniform(0.8, 1.2), rng.uniform(-15, 15)
    lit, coded, quality = rng.random() < 0.4, rng.random() < 0.8, int(rng.integers(50, 96))

    def apply(view: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if mirrored:
            view, cells = view[:, ::-1], cells[:, ::-1]
        if lit:
            view = np.clip(view * gain + offset, 0, 255).astype(np.uint8)
        if smaller:
            small = cv2.resize(view, (side, side), interpolation=cv2.INTER_AREA)
            view = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        view = np.ascontiguousarray(view)
        return compressed(view, quality) if coded else view, np.ascontiguousarray(cells)

    return apply


def _decoded(blob: bytes) -> np.ndarray:
    bgr = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("no picture")
    return np.ascontiguousarray(bgr[..., ::-1])


def drawn(faces: AlteredFaces, split: str, start: int, count: int) -> Iterator[AlteredFace]:
    """The faces of a run of numbers; those that cannot be made are left out."""
    for number in range(start, start + count):
        yield from faces.draw(split, number)
