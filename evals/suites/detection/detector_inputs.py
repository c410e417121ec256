"""Detector inputs of a measured data set: indexed features, and pixels read from disk."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from evals.protocol.measured import MeasuredDataset
from tools.encoder.clip import Encoder
from tools.encoder.preprocessing import Mode
from tools.errors import ToolError

Look = tuple[np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredViews:
    """The pictures of `measured` (`tools.detectors.protocol.DetectorInputs`).

    `face_features` and `image_features` (n, d), `embeddings` (n, e), `query` (n, e): the query of
    each row, NaN if there is none. `kept` are pictures held in memory for many detectors; None
    reads them for each detector.
    """

    measured: MeasuredDataset
    face_features: np.ndarray
    image_features: np.ndarray
    embeddings: np.ndarray
    query: np.ndarray | None = None
    kept: tuple[Look, ...] | None = None

    @classmethod
    def of(cls, measured: MeasuredDataset, *, query: np.ndarray | None = None) -> "MeasuredViews":
        """Inputs from the measurements and the queries."""
        return cls(
            measured, measured.face_features, measured.image_features, measured.embeddings, query
        )

    def __len__(self) -> int:
        return len(self.measured)

    def images_with_keypoints(self) -> Iterator[Look]:
        """Pixels and keypoints of each row; no pixels if the file can no longer be read."""
        yield from self._read() if self.kept is None else self.kept

    def _read(self) -> Iterator[Look]:
        for index, face in enumerate(self.measured.faces):
            keypoints = face.face.keypoints if face and self.measured.found[index] else None
            try:
                yield self.measured.picture(index), keypoints
            except (ToolError, OSError):
                yield None, keypoints

    def held(self) -> "MeasuredViews":
        """A copy with every picture in memory; for a few hundred pictures."""
        return replace(self, kept=tuple(self._read()))

    def seen_in(self, mode: Mode, encoder: Encoder) -> "MeasuredViews":
        """A copy whose whole-picture features use another preprocessing."""
        features = np.full((len(self), encoder.dimension), np.nan, np.float32)
        for index, (pixels, _) in enumerate(self.images_with_keypoints()):
            if pixels is not None:
                features[index] = encoder.encode_images([pixels], mode=mode)[0]
        return replace(self, image_features=features)
