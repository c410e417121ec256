"""The photographs that are described: several sources, split by photograph or person."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from tools.faces.analyser import FaceAnalyser
from tools.training.data.bare_repository import BareRepository

OBJECTS = "EliSchwartz+imagenet-sample-images"
SCENES = "BIDS+BSDS500"
TRAIN, CALIBRATION, TEST, LEFT_OUT = "train", "calibration", "test", "left_out"
VALIDATION = "validation"
"""LFW's own validation persons: no part of training, for `python -m evals run looking`."""

Row = TypeVar("Row")

LEAST_FACE, TINY_FACE = 0.06, 0.025
"""Widths of faces over the picture's longest side: counted from the first, ignored to the second.
The number of faces of a picture with one between them is left open."""
_MOSTLY_GREY = 4.0
"""Mean distance of the channels in grey levels below which a photograph is grey."""


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A photograph (h, w, 3) uint8 RGB with its faces' boxes (n, 4) px.

    `countable` is whether every face is clearly there or clearly tiny.
    """

    pixels: np.ndarray
    boxes: np.ndarray
    countable: bool

    @property
    def is_grey(self) -> bool:
        """Whether it was taken or stored without colours."""
        wide = np.ptp(self.pixels.astype(np.int16), axis=2)
        return float(wide.mean()) < _MOSTLY_GREY


def split_of(source: str, name: str) -> str:
    """Objects and LFW are split by photograph or person; the other sources are left out."""
    if source in ("scenes", "web"):
        return LEFT_OUT
    person = name.split("/")[0]
    tenth = int(hashlib.sha1(f"looking {person}".encode()).hexdigest(), 16) % 10  # noqa: S324 - no secret
    return TEST if tenth < 2 else CALIBRATION if tenth == 2 else TRAIN


@dataclass(frozen=True, eq=False)
class Photographs:
    """All photographs; `data` is the data folder, `copies` holds bare clones, if any."""

    data: Path
    copies: Path | None
    faces: FaceAnalyser
    _known: dict[tuple[str, str], Photograph] = field(default_factory=dict)

    @cached_property
    def listed(self) -> dict[str, list[tuple[str, str]]]:
        """Source and name of each photograph by split, in a random order."""
        found: dict[str, list[tuple[str, str]]] = {}
        for source, name in self._all():
            split = VALIDATION if source == VALIDATION else split_of(source, name)
            found.setdefault(split, []).append((source, name))
        return {split: shuffled(rows) for split, rows in found.items()}

    def _all(self) -> Iterator[tuple[str, str]]:
        for path in sorted(self._files(OBJECTS)):
            if path.endswith(".JPEG"):
                yield "objects", path
        with np.load(self.data / "lfw" / "labels.npz") as labels:
            rows = sorted(str(it) for it in labels["path"][labels["split"] == "train"])
            held = sorted(str(it) for it in labels["path"][labels["split"] != "train"])
        # As many as there are of objects; one of a person is enough.
        first = {it.split("/")[0]: it for it in rows}
        for name in [*first.values()][:1000]:
            yield "lfw", name
        for name in {it.split("/")[0]: it for it in held}.values():
            yield VALIDATION, name
        for path in sorted(self._files(SCENES)):
            if path.endswith(".jpg") and "/images/" in path:
                yield "scenes", path
        for photo in sorted((self.data / "photos").rglob("*.jpg")):
            yield "web", str(photo.relative_to(self.data / "photos"))

    def read(self, source: str, name: str) -> Photograph:
        """A photograph with its faces; ValueError if it cannot be read."""
        key = source, name
        if key not in self._known:
            self._known[key] = self._read(source, name)
        return self._known[key]

    def _read(self, source: str, name: str) -> Photograph:
        blob = self._bytes(source, name)
        bgr = cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError(f"{name!r} is no picture")
        scale = min(1.0, 900 / max(bgr.shape[:2]))
        if scale < 1:
            bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pixels = np.ascontiguousarray(bgr[..., ::-1])
        boxes = np.array([it.box for it in self.faces.analyse([pixels])[0]], np.float32)
        boxes = boxes.reshape(-1, 4)
        wide = (boxes[:, 2] - boxes[:, 0]) / max(pixels.shape[:2])
        open_ = ((wide > TINY_FACE) & (wide < LEAST_FACE)).any()
        return Photograph(pixels, boxes[wide >= LEAST_FACE], not open_)

    def _bytes(self, source: str, name: str) -> bytes:
        if source in ("lfw", VALIDATION):
            return (self.data / "lfw" / "images" / name).read_bytes()
        if source == "web":
            return (self.data / "photos" / name).read_bytes()
        copy = self._copy(OBJECTS if source == "objects" else SCENES)
        return next(iter(copy.blobs([name]))) or b""

    def _files(self, name: str) -> Iterable[str]:
        return self._copy(name).files if self.copies is not None else ()

    def _copy(self, name: str) -> BareRepository:
        return self._copies[name]

    @cached_property
    def _copies(self) -> dict[str, BareRepository]:
        if self.copies is None:
            return {}
        return {it: BareRepository(self.copies / it / "repo") for it in (OBJECTS, SCENES)}


def shuffled(rows: list[Row]) -> list[Row]:
    """The rows in a random order that depends on their number alone."""
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    return [rows[at] for at in order]
