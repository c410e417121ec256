"""Dataclasses for the rows of a gallery's record store, and packing of arrays into bytes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tools.faces.analyser import Face
from tools.faces.quality import FaceQuality

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedFace:
    """One detected face with the measurements of its crop.

    `features` (d,) float32 are the encoder's, not normalised; None if the face could not be
    cropped. `face_hash` is the perceptual hash of the crop (unsigned, 64 bits), None likewise.
    """

    face: Face
    features: Vector | None
    face_hash: int | None


@dataclass(frozen=True, slots=True)
class FramePosition:
    """Where a frame was taken from: a video (its sha256), at `time_s` seconds."""

    video_id: str
    time_s: float

    @property
    def image_id(self) -> str:
        """The frame's image id: the video's id, an @, the seconds."""
        return f"{self.video_id}@{self.time_s:.3f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedImage:
    """All measurements of one picture, ready to be recorded.

    `id` is the sha256 of the file's bytes or, for a frame of a video, the id of its `moment`;
    `features` (d,) float32 are those of the whole picture.
    """

    id: str
    width: int
    height: int
    format: str
    frames: int
    byte_size: int
    perceptual_hash: int
    unmask_forgery: bool
    features: Vector | None
    faces: tuple[AnalysedFace, ...]
    moment: FramePosition | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AnalysedVideo:
    """A whole video, ready to be recorded: its file, and the frames taken from it.

    `id` is the sha256 of the file; `frames` is its number of frames, of which `images` were
    analysed.
    """

    id: str
    format: str
    frames: int
    duration_s: float
    byte_size: int
    unmask_forgery: bool
    images: tuple[AnalysedImage, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ImageRecord:
    """One indexed picture; `indexed_at` is UTC, ISO 8601; only a video frame has a `moment`."""

    id: str
    width: int
    height: int
    format: str
    frames: int
    byte_size: int
    perceptual_hash: int
    unmask_forgery: bool
    features: Vector | None
    indexed_at: str
    moment: FramePosition | None = None


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One frame of an indexed video: its picture in the gallery, and its time."""

    image_id: str
    time_s: float


@dataclass(frozen=True, slots=True, eq=False)
class FaceRecord:
    """One indexed face; `id` is "<image id>:<ordinal>", ordinals count from the left, from 0."""

    id: str
    image_id: str
    ordinal: int
    face: Face
    features: Vector | None
    face_hash: int | None


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file on disk: the image or video it holds, or the problem that kept it out.

    `size` (bytes) and `mtime_ns` identify an unchanged file without reading it; `missing` means
    that it was gone when its folder was last scanned.
    """

    path: Path
    size: int
    mtime_ns: int
    image_id: str | None = None
    problem: str | None = None
    missing: bool = False

    def same_state(self, size: int, mtime_ns: int) -> bool:
        """Whether size and modification time (ns) equal those of the recorded file."""
        return (self.size, self.mtime_ns) == (size, mtime_ns)


@dataclass(frozen=True, slots=True)
class GalleryCounts:
    """How much a gallery holds; `missing` files are those gone from disk.

    `images` are single pictures; beside them stand `videos`, of which `frames` were taken. The
    pictures and videos `without_face`, of which `videos_without_face` are videos, show no detected
    face, so nothing in them can be a hit. `waiting` faces are set aside: the last upgrade
    could not read their files, so they have no embedding of the present models.
    """

    images: int
    faces: int
    files: int
    skipped: int
    missing: int
    videos: int = 0
    frames: int = 0
    waiting: int = 0
    without_face: int = 0
    videos_without_face: int = 0

    @property
    def pictures(self) -> int:
        """Single pictures and videos."""
        return self.images + self.videos


@dataclass(frozen=True, slots=True)
class IndexExtent:
    """What an index must cover: the first `faces` faces of this `epoch`, up to seq `last`.

    Faces are only ever appended within an epoch; deleting any begins a new one.
    """

    epoch: str
    faces: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class PictureLayouts:
    """Perceptual hashes of all pictures and video frames, and of the faces in them.

    `image_hashes` (n,) uint64 belong to `image_ids`; `face_hashes` (f,) uint64 are those of the
    aligned faces, and `face_images` (f,) the position of each one's picture in `image_ids`.
    """

    image_ids: Sequence[str]
    image_hashes: NDArray[np.uint64]
    face_hashes: NDArray[np.uint64]
    face_images: NDArray[np.intp]

    @classmethod
    def of(cls, images: Sequence[tuple[str, int]], faces: Sequence[tuple[str, int]]) -> Self:
        """From (image id, hash) of the pictures and of the faces, hashes of either sign."""
        places = {image_id: place for place, (image_id, _) in enumerate(images)}
        known = [(places[image_id], number) for image_id, number in faces if image_id in places]
        return cls(
            image_ids=tuple(places),
            image_hashes=_unsigned([number for _, number in images]),
            face_hashes=_unsigned([number for _, number in known]),
            face_images=np.array([place for place, _ in known], np.intp),
        )


def _unsigned(hashes: Sequence[int]) -> NDArray[np.uint64]:
    return np.array([number % (1 << 64) for number in hashes], np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingBatch:
    """Some faces in insertion order: ids, seqs, and `matrix` (n, d) of unit vectors."""

    ids: list[str]
    seqs: list[int]
    matrix: Vector


def face_id(image_id: str, ordinal: int) -> str:
    """Face id from its image id and its ordinal in the image."""
    return f"{image_id}:{ordinal}"


def pack(array: NDArray[np.generic] | None) -> bytes | None:
    """Little-endian float32 bytes of an array; None stays None."""
    return None if array is None else np.ascontiguousarray(array, dtype="<f4").tobytes()


def unpack(data: bytes | None, shape: Sequence[int] = (-1,)) -> Vector | None:
    """Undo `pack`."""
    return None if data is None else unpacked(data, shape)


def unpacked(data: bytes, shape: Sequence[int] = (-1,)) -> Vector:
    """The array stored as float32 bytes, as a writable copy."""
    return np.frombuffer(data, dtype="<f4").astype(np.float32).reshape(shape)


def to_signed_int64(value: int | None) -> int | None:
    """An unsigned 64-bit hash as the signed integer that SQLite can hold."""
    return None if value is None else value - (1 << 64) if value >= 1 << 63 else value


def to_unsigned_int64(value: int | None) -> int | None:
    """Undo `to_signed_int64`."""
    return None if value is None else value % (1 << 64)


def quality_json(quality: FaceQuality) -> str:
    """A face's quality as JSON; unmeasured numbers are NaN, as Python's json writes them."""
    return json.dumps(asdict(quality))


def quality_from_json(text: str) -> FaceQuality:
    """Undo `quality_json`."""
    fields = json.loads(text)
    return FaceQuality(**{**fields, "problems": tuple(fields["problems"])})
