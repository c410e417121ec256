"""Detector protocols: a detector gives faces or images a logit; higher means more likely forged.

Three kinds, by their input:

| input | protocol | call | cost |
|---|---|---|---|
| the encoder's features | `FeatureDetector` | `score(features)` | a matrix product |
| pixels | `PixelDetector` | `score_images(pictures)` | a network per image |
| pixels and an identity | `IdentityDetector` | `score(pictures, identities)` | likewise |

`tools.detectors.scoring.run_detector` runs any of them on `DetectorInputs` and returns
`DetectorScores`: logits, calibrated probabilities, preprocessing and checkpoint; NaN means not
measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from tools.encoder.preprocessing import Mode

InputKind = Literal["face", "image"]
IdentityRole = Literal["candidate", "query"]


class DetectorMetadata(Protocol):
    """Properties common to all detectors; `<inputs>/<name>` is the full name."""

    @property
    def name(self) -> str:
        """Its single name in code, evidence and evaluations."""

    @property
    def inputs(self) -> InputKind:
        """Whether the input is the aligned face crop or the whole image."""

    @property
    def sha256(self) -> str:
        """Identifies its checkpoint; the encoder's, for a detector without weights of its own."""


@runtime_checkable
class FeatureDetector(DetectorMetadata, Protocol):
    """Scores encoder features, which are computed once, at indexing.

    The features must have been computed with its `preprocessing`.
    """

    @property
    def preprocessing(self) -> Mode:
        """The encoder's mode."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """Features (n, d), not normalised, to scores (n,) float64; a row with NaN scores NaN."""


class _PixelInput(DetectorMetadata, Protocol):
    """A detector that needs pixels."""

    @property
    def preprocessing(self) -> str:
        """Description of its image preprocessing."""

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """Its input from an image (h, w, 3) uint8 RGB: its own crop of the face, or the image.

        `keypoints` (5, 2) px are the face's; None for image detectors.
        """


@runtime_checkable
class PixelDetector(_PixelInput, Protocol):
    """Scores images by their pixels."""

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Outputs of `crop_input`, of any sizes, to logits (n,) float64."""


@runtime_checkable
class IdentityDetector(_PixelInput, Protocol):
    """Scores faces by their pixels and an identity: the face's own, or the query person's."""

    @property
    def identity(self) -> IdentityRole:
        """Whose embedding it takes."""

    @property
    def embedder_sha256(self) -> str:
        """The face embedder it was trained with; empty if unknown."""

    def score(self, pictures: Sequence[np.ndarray], identities: np.ndarray) -> np.ndarray:
        """Face crops from `crop_input` and embeddings (n, e) to logits (n,) float64."""


AnyDetector = FeatureDetector | PixelDetector | IdentityDetector


class DetectorInputs(Protocol):
    """n faces with their images, in every form that detectors may need.

    Missing data are not measured: a row of NaN, or None for an image.
    """

    def __len__(self) -> int:
        """Number of faces."""

    @property
    def face_features(self) -> np.ndarray:
        """Encoder features (n, d) float32 of the aligned crops."""

    @property
    def image_features(self) -> np.ndarray:
        """Encoder features (n, d) float32 of the whole images."""

    @property
    def embeddings(self) -> np.ndarray:
        """Face embeddings (n, e) float32, unit length."""

    @property
    def query(self) -> np.ndarray | None:
        """The query person's embedding (e,) float32, unit length; None if there is no query."""

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """Yield pixels (h, w, 3) uint8 RGB and keypoints (5, 2) px of each row, read lazily.

        Pixels are None if the file is missing or damaged, keypoints if there is no face.
        """


@dataclass(frozen=True, slots=True, eq=False)
class DetectorScores:
    """One detector's output for n faces or images.

    `logits` (n,) float64, higher is more likely forged; `probabilities` (n,) in 0..1 are
    calibrated. Both are NaN if not measured; all probabilities are NaN if the detector was never
    calibrated for this `preprocessing`. `checkpoint` is a sha256.
    """

    detector: str
    logits: np.ndarray
    probabilities: np.ndarray
    preprocessing: str
    checkpoint: str


def require_keypoints(keypoints: np.ndarray | None) -> np.ndarray:
    """The keypoints; raises ValueError if a face detector gets none."""
    if keypoints is None:
        raise ValueError("a face detector needs the face's keypoints")
    return keypoints


def qualified_name(detector: DetectorMetadata) -> str:
    """`<inputs>/<name>`: a detector's name in evidence, tables and files."""
    return f"{detector.inputs}/{detector.name}"
