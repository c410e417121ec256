"""Analyse pictures in batches for indexing: faces, embeddings and features."""

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tools.errors import ToolError
from tools.faces.alignment import aligned_crop, face_hash
from tools.faces.analyser import Face
from tools.gallery.indexing import free_memory
from tools.gallery.records import AnalysedFace, AnalysedImage, FramePosition, Vector
from tools.media.pictures.decoding import Photo
from tools.media.skip_reasons import UnreadableImage


class FaceAnalysisProtocol(Protocol):
    """Detects and embeds faces; implemented by `tools.faces.analyser.FaceAnalyser`."""

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Faces per picture (h, w, 3) uint8 RGB, from left to right."""
        ...


class ImageEncoder(Protocol):
    """Computes features of pictures; implemented by `tools.encoder.clip.Encoder`."""

    @property
    def image_size(self) -> int:
        """Side of its square input, in pixels."""
        ...

    @property
    def face_margin(self) -> float:
        """Margin of the face crops used in its training."""
        ...

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Features (n, d) float32 of pictures (h, w, 3) uint8 RGB."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class DecodedImage:
    """A decoded picture with the size of its file in bytes; for a frame, with its `moment`."""

    photo: Photo
    byte_size: int
    moment: FramePosition | None = None


class BatchPool(Protocol):
    """Analyses batches beside the thread that reads files: `AnalysisPool`, `RayAnalysisPool`."""

    workers: int

    def submit(self, batch: Sequence[DecodedImage]) -> "Future[list[AnalysedImage | ToolError]]":
        """Queue a batch for analysis."""
        ...

    def running(self) -> AbstractContextManager[None]:
        """Run the workers inside this context; batches not started by its end are dropped."""
        ...


class AnalysisPool:
    """Analyses several batches in parallel, each on one core.

    Small networks gain little from splitting one picture over several cores, and on a busy machine
    the cores would wait for each other; whole batches in parallel use every core.
    """

    def __init__(self, workers: int, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder) -> None:
        self._faces = faces
        self._encoder = encoder
        self.workers = workers
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="analysis")
        self._turn = threading.Lock()
        self._threads_before: int | None = None  # PyTorch's; None until it is loaded

    def submit(self, batch: Sequence[DecodedImage]) -> "Future[list[AnalysedImage | ToolError]]":
        """Queue a batch for analysis."""
        return self._executor.submit(self._analyse, batch)

    def _analyse(self, batch: Sequence[DecodedImage]) -> list[AnalysedImage | ToolError]:
        _ = self._encoder.image_size  # an encoder that is loaded on demand is loaded now
        self._use_one_core()
        return analyse_batch(batch, faces=self._faces, encoder=self._encoder)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the workers inside this context; batches not started by its end are dropped."""
        free_memory.limit_malloc_arenas()
        try:
            yield
        finally:
            self._executor.shutdown(cancel_futures=True)
            if self._threads_before is not None:
                sys.modules["torch"].set_num_threads(self._threads_before)
            free_memory.trim_malloc()

    def _use_one_core(self) -> None:
        torch = sys.modules.get("torch")  # not loaded if the encoder does not need it
        if not torch:
            return
        with self._turn:
            if self._threads_before is None:
                self._threads_before = torch.get_num_threads()
            torch.set_num_threads(1)  # for this thread and threads started until it is reset


def analyse_batch(
    batch: Sequence[DecodedImage], *, faces: FaceAnalysisProtocol, encoder: ImageEncoder
) -> list[AnalysedImage | ToolError]:
    """Analyse pictures together; one that cannot be analysed yields its `ToolError` instead."""
    if not batch:
        return []
    try:
        return list(_analyse(batch, faces, encoder))
    except (ToolError, MemoryError) as failure:
        error = (
            failure
            if isinstance(failure, ToolError)
            else UnreadableImage("unreadable", "out of memory")
        )
        if len(batch) == 1:
            return [error]
        # One picture failed the batch: find it by analysing them one by one, this once.
        return [analyse_batch([each], faces=faces, encoder=encoder)[0] for each in batch]


def analyse_photo(
    photo: Photo, byte_size: int, *, faces: FaceAnalysisProtocol, encoder: ImageEncoder
) -> AnalysedImage:
    """Analyse one picture; ToolError if that fails."""
    (analysed,) = analyse_batch([DecodedImage(photo, byte_size)], faces=faces, encoder=encoder)
    if isinstance(analysed, ToolError):
        raise analysed
    return analysed


def _analyse(
    batch: Sequence[DecodedImage], faces: FaceAnalysisProtocol, encoder: ImageEncoder
) -> list[AnalysedImage]:
    pictures = [each.photo.pixels for each in batch]
    found = faces.analyse(pictures)
    crops = [
        aligned_crop(pixels, face.keypoints, size=encoder.image_size, margin=encoder.face_margin)
        for pixels, its_faces in zip(pictures, found, strict=True)
        for face in its_faces
        if _can_be_cropped(face)
    ]
    features = encoder.encode_images([*crops, *pictures])
    of_crops, of_pictures = iter(features[: len(crops)]), features[len(crops) :]
    return [
        AnalysedImage(
            id=each.photo.id,
            width=each.photo.pixels.shape[1],
            height=each.photo.pixels.shape[0],
            format=each.photo.format,
            frames=each.photo.frames,
            byte_size=each.byte_size,
            perceptual_hash=each.photo.perceptual_hash,
            unmask_forgery=each.photo.unmask_forgery,
            features=whole,
            faces=tuple(
                _analysed(face, each.photo.pixels, next(of_crops))
                if _can_be_cropped(face)
                else AnalysedFace(face=face, features=None, face_hash=None)
                for face in its_faces
            ),
            moment=each.moment,
        )
        for each, its_faces, whole in zip(batch, found, of_pictures, strict=True)
    ]


def _analysed(face: Face, pixels: np.ndarray, features: Vector) -> AnalysedFace:
    return AnalysedFace(face=face, features=features, face_hash=face_hash(pixels, face.keypoints))


def _can_be_cropped(face: Face) -> bool:
    return bool(np.isfinite(face.keypoints).all())
