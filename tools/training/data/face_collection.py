"""Collect aligned faces from all sources once, so that training runs only read and augment them.

    python -m tools.training.data.face_collection --data ../shared/data --copies COPIES \
        --work RUN/faces

COPIES holds bare clones of the repositories in `face_sources`, as `<owner>+<name>/repo`; a missing
one is skipped with a message. Faces are detected and aligned with our own detector and landmarks
(LFW's with its labels), and embedded by the teacher. Existing chunks are kept: a restarted run
resumes, and training can start on the finished chunks.

A chunk is three memory-mappable `.npy` files and a JSON file written last: crops (n, 144, 144, 3)
uint8 RGB, the 112 px ArcFace crop with a 16 px margin on every side; landmarks (n, 68, 2) float16
in pixels of the crop; the teacher's unit vectors (n, d) float16; the JSON holds the source, the
split and each picture's path. Sealed groups are never collected; `val` is for model selection, not
for training.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import cv2
import numpy as np

from tools.checkpoints.table import WEIGHTS_DIR
from tools.errors import SetupError
from tools.faces.alignment import keypoints_from_landmarks, transform_points, warp
from tools.faces.analyser import FaceAnalyser, recognition_matrix
from tools.training.data.face_sources import (
    PUBLISHED,
    Entry,
    PublishedSource,
    SourcePhoto,
    labelled_photographs,
    read_picture,
    reserved_originals,
    synthesised,
)
from tools.training.faces.teacher import WHERE, Teacher

Item = TypeVar("Item")
SIZE, MARGIN = 112, 16  # px
SIDE = SIZE + 2 * MARGIN
CHUNK = 512  # pictures
PACK = WEIGHTS_DIR / "faces"


class EntryReader(Protocol):
    """Reads the pictures of one source's entries."""

    def __call__(self, entries: Sequence[Entry]) -> Iterator[SourcePhoto | None]:
        """The pictures in order; None for an unreadable one."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Pictures of one source and split that are processed together."""

    name: str
    source: str
    split: str
    entries: Sequence[Entry]
    read: EntryReader


class Collection:
    """The memory-mapped chunks of one split in a folder; the collection may grow."""

    def __init__(self, folder: Path, *, split: str = "train") -> None:
        self.folder, self.split = folder, split
        self._known: set[str] = set()
        self._chunks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._starts = np.zeros(1, np.int64)

    def refresh(self) -> int:
        """Load new chunks; returns the number of faces."""
        for path in sorted(self.folder.glob(f"*-{self.split}-*.json")):
            if path.stem not in self._known:
                self._known.add(path.stem)
                parts = (np.load(_part(self.folder, path.stem, it), mmap_mode="r") for it in _PARTS)
                crops, landmarks, teacher = parts
                self._chunks.append((crops, landmarks, teacher))
        sizes = [len(crops) for crops, _, _ in self._chunks]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return int(self._starts[-1])

    def face(self, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Crop (144, 144, 3) uint8, landmarks (68, 2) float32 px, the teacher's vector (d,)."""
        chunk = int(np.searchsorted(self._starts, index, side="right")) - 1
        row = index - int(self._starts[chunk])
        crops, landmarks, teacher = self._chunks[chunk]
        return np.array(crops[row]), landmarks[row].astype(np.float32), teacher[row].astype("f4")


_PARTS = ("crops", "landmarks", "teacher")


def _part(folder: Path, chunk: str, part: str) -> Path:
    return folder / f"{chunk}.{part}.npy"


def planned(data: Path, copies: Path, *, seed: int = 0) -> list[Chunk]:
    """All chunks in order: LFW's first (fastest), then the other sources mixed, `val` last."""
    labelled = list(_labelled_chunks(data))
    rest: list[Chunk] = []
    reserved = reserved_originals(data)
    for source in PUBLISHED:
        try:
            entries = list(source.choose(source.copy(copies), reserved))
        except SetupError as error:
            print(f"{source.name} is left out: {error}", flush=True)
            continue
        rest += _chunks(source.name, entries, _published_reader(source, copies))
    whole = list(synthesised(data, reserved))
    rest += _chunks("synthesis", whole, _folder_reader(data / "synthesis"))
    order = np.random.default_rng(seed).permutation(len(rest))
    return sorted([*labelled, *(rest[at] for at in order)], key=lambda it: it.split == "val")


def collect(chunks: Sequence[Chunk], folder: Path, *, teacher: Teacher, minutes: float) -> None:
    """Make the missing chunks in order until the time is up."""
    analyser, until = FaceAnalyser(PACK, threads=1), time.monotonic() + 60 * minutes
    for number, chunk in enumerate(chunks):
        done = folder / f"{chunk.name}.json"
        if done.is_file():
            continue
        if time.monotonic() > until:
            return
        faces = list(_faces(chunk, analyser))
        _write(chunk, faces, folder, teacher=teacher)
        share = f"{len(faces)}/{len(chunk.entries)} faces"
        print(f"chunk {number + 1}/{len(chunks)} {chunk.name} {share}", flush=True)


def aligned(pixels: np.ndarray, keypoints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ArcFace crop with margin, (144, 144, 3) uint8, and its matrix (2, 3)."""
    matrix = recognition_matrix(keypoints, size=SIZE)
    matrix[:, 2] += MARGIN
    return warp(pixels, matrix, size=SIDE), matrix


def inner(crops: np.ndarray) -> np.ndarray:
    """The ArcFace crops (n, 112, 112, 3) inside crops with a margin."""
    return crops[:, MARGIN:-MARGIN, MARGIN:-MARGIN]


def _faces(chunk: Chunk, analyser: FaceAnalyser) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Path, crop and landmarks of each picture's largest face."""
    for entry, photo in zip(chunk.entries, chunk.read(chunk.entries), strict=True):
        if photo is None:
            continue
        if photo.landmarks is not None:
            keypoints, landmarks = keypoints_from_landmarks(photo.landmarks), photo.landmarks
        elif found := _largest(analyser.find_faces(photo.pixels)):
            keypoints, landmarks = found
        else:
            continue
        crop, matrix = aligned(photo.pixels, keypoints)
        yield entry.path, crop, transform_points(landmarks, matrix)


def _largest(
    located: Sequence[tuple[np.ndarray, np.ndarray | None]],
) -> tuple[np.ndarray, np.ndarray] | None:
    known = [(keypoints, points) for keypoints, points in located if points is not None]
    return max(known, key=lambda it: float(np.ptp(it[1], axis=0).prod()), default=None)


def _write(
    chunk: Chunk,
    faces: Sequence[tuple[str, np.ndarray, np.ndarray]],
    folder: Path,
    *,
    teacher: Teacher,
) -> None:
    crops = (
        np.stack([crop for _, crop, _ in faces]) if faces else np.empty((0, SIDE, SIDE, 3), "u1")
    )
    landmarks = np.array([points for _, _, points in faces], np.float16).reshape(-1, 68, 2)
    vectors = teacher.embed(inner(crops)) if faces else np.empty((0, teacher.dimension), "f4")
    parts = (crops, landmarks, vectors.astype(np.float16))
    for part, values in zip(_PARTS, parts, strict=True):
        np.save(_part(folder, chunk.name, part), values)
    told = {"source": chunk.source, "split": chunk.split, "paths": [path for path, _, _ in faces]}
    partial = folder / f"{chunk.name}.partial"
    partial.write_text(json.dumps(told), encoding="utf-8")
    partial.replace(folder / f"{chunk.name}.json")


def _cut(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]


def _chunks(source: str, entries: Sequence[Entry], read: EntryReader) -> Iterator[Chunk]:
    for split in ("train", "val"):
        chosen = [it for it in entries if it.split == split]
        order = np.random.default_rng(0).permutation(len(chosen)).tolist()
        for number, rows in enumerate(_cut(order)):
            name = f"{source}-{split}-{number:04d}"
            yield Chunk(name, source, split, [chosen[row] for row in rows], read)


def _labelled_chunks(data: Path) -> Iterator[Chunk]:
    """LFW's chunks, split by its own labels, by person."""
    known = list(labelled_photographs(data))
    places = {entry.path: landmarks for entry, _, landmarks in known}

    def read(entries: Sequence[Entry]) -> Iterator[SourcePhoto | None]:
        for entry in entries:
            pixels = read_picture(data / "lfw" / "images" / entry.path)
            yield None if pixels is None else SourcePhoto(pixels, places[entry.path])

    for split in ("train", "val"):
        chosen = [entry for entry, its_split, _ in known if its_split == split]
        for number, rows in enumerate(_cut(chosen)):
            yield Chunk(f"lfw-{split}-{number:04d}", "lfw", split, rows, read)


def _published_reader(source: PublishedSource, copies: Path) -> EntryReader:
    return lambda entries: source.read(copies, entries)


def _folder_reader(folder: Path) -> EntryReader:
    def read(entries: Sequence[Entry]) -> Iterator[SourcePhoto | None]:
        for entry in entries:
            pixels = read_picture(folder / entry.path)
            yield None if pixels is None else SourcePhoto(pixels)

    return read


def main() -> None:
    """Parse the command line and collect."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--copies", type=Path, required=True, help="folder of bare repositories")
    parser.add_argument("--work", type=Path, default=Path("runs/faces"))
    parser.add_argument("--minutes", type=float, default=1e6)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    chunks = planned(options.data, options.copies)
    teacher = Teacher(options.data / WHERE)
    collect(chunks, options.work, teacher=teacher, minutes=options.minutes)


if __name__ == "__main__":
    main()
