"""Detector inputs of one part of the data, read or forged on demand.

A detector is calibrated and tested on the same inputs as in use: framed by itself, or as features
of the crop of an indexed face.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from tools.encoder.clip import Encoder
from tools.faces.alignment import aligned_crop
from tools.faces.analyser import FaceAnalyser
from tools.training.data.pairs import TrainingImage
from tools.training.fitting.data.pairs import EvaluationSample, FolderPairs

_BATCH = 32


class SplitInputs:
    """`DetectorInputs` of evaluation samples; `progress` gets the number of pictures shown and the
    total."""

    query: np.ndarray | None = None

    def __init__(
        self,
        source: FolderPairs,
        evaluation_samples: Sequence[EvaluationSample],
        *,
        encoder: Encoder,
        faces: FaceAnalyser,
        seed: int,
        progress: Callable[[int, int], None],
    ) -> None:
        self.evaluation_samples = evaluation_samples
        self._source, self._seed = source, seed
        self._encoder, self._faces = encoder, faces
        self._progress = progress

    def __len__(self) -> int:
        return len(self.evaluation_samples)

    @property
    def forged(self) -> np.ndarray:
        """(n,) bool."""
        return np.array([case.forged for case in self.evaluation_samples])

    @cached_property
    def face_features(self) -> np.ndarray:
        """(n, d) float32 of the aligned crops."""
        size, margin = self._encoder.image_size, self._encoder.face_margin

        def crop(look: TrainingImage) -> np.ndarray | None:
            if not np.isfinite(look.keypoints).all():
                return None
            return aligned_crop(look.pixels, look.keypoints, size=size, margin=margin)

        return self._features(crop)

    @cached_property
    def image_features(self) -> np.ndarray:
        """(n, d) float32 of the whole pictures."""
        return self._features(lambda look: look.pixels)

    @cached_property
    def embeddings(self) -> np.ndarray:
        """(n, e) float32 face embeddings of the pictures, forgeries included."""
        rows: list[np.ndarray | None] = []
        for look in self._looks():
            known = look is not None and bool(np.isfinite(look.keypoints).all())
            rows.append(
                self._faces.embed([(look.pixels, look.keypoints)])[0]
                if look is not None and known
                else None
            )
        width = next((len(row) for row in rows if row is not None), 0)
        missing = np.full(width, np.nan, np.float32)
        return np.array([missing if row is None else row for row in rows], np.float32)

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """Pixels and keypoints of each picture; see `Views`."""
        for look in self._looks():
            if look is None:
                yield None, None
            else:
                faced = bool(np.isfinite(look.keypoints).all())
                yield look.pixels, look.keypoints if faced else None

    def _looks(self) -> Iterator[TrainingImage | None]:
        for number, case in enumerate(self.evaluation_samples, 1):
            yield self._source.show(case, seed=self._seed)
            self._progress(number, len(self.evaluation_samples))

    def _features(self, cut: Callable[[TrainingImage], np.ndarray | None]) -> np.ndarray:
        found = np.full((len(self), self._encoder.dimension), np.nan, np.float32)
        rows: list[int] = []
        crops: list[np.ndarray] = []
        for row, look in enumerate(self._looks()):
            crop = None if look is None else cut(look)
            if crop is not None:
                rows.append(row)
                crops.append(crop)
            if len(crops) == _BATCH or row == len(self) - 1:
                found[rows] = self._encoder.encode_images(crops)
                rows, crops = [], []
        return found
