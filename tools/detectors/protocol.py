"""What a detector is: something that gives a logit to faces or images; higher is more forged.

Three kinds, told apart by what they need to see:

| needs | protocol | asked by | costs |
|---|---|---|---|
| the encoder's features | `FeatureDetector` | `score(features)` | a matrix product |
| pixels | `PixelDetector` | `score_images(pictures)` | a network per picture |
| pixels and an identity | `IdentityDetector` | `score(pictures, identities)` | likewise |

`tools.detectors.scoring.run_detector` asks any of them about `DetectorInputs` and gives
`DetectorScores`: logits, calibrated probabilities, preprocessing and checkpoint, NaN for what was
not measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from tools.encoder.preprocessing import Mode

InputKind = Literal["face", "image"]
IdentityRole = Literal["candidate", "query"]


class DetectorMetadata(Protocol):
    """What every detector says of itself; `<inputs>/<name>` is what it is called."""

    @property
    def name(self) -> str:
        """The one name in code, evidence and evaluations."""

    @property
    def inputs(self) -> InputKind:
        """Whether it looks at the aligned face crop or at the whole image."""

    @property
    def sha256(self) -> str:
        """What names its checkpoint; the encoder's, for one that has no weights of its own."""


@runtime_checkable
class FeatureDetector(DetectorMetadata, Protocol):
    """Scores features, which are computed once, at indexing.

    `preprocessing` is how the encoder must have made them.
    """

    @property
    def preprocessing(self) -> Mode:
        """The encoder's mode."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, d) features, not normalised, to (n,) float64; a row with NaN scores NaN."""


class _Looks(DetectorMetadata, Protocol):
    """Wants pixels."""

    @property
    def preprocessing(self) -> str:
        """How it prepares a picture, in words."""

    def crop_input(self, pixels: np.ndarray, keypoints: np.ndarray | None) -> np.ndarray:
        """What it wants to see of a picture (h, w, 3) uint8 RGB: its own crop of the face.

        `keypoints` (5, 2) px are the face's; image detectors are asked without.
        """


@runtime_checkable
class PixelDetector(_Looks, Protocol):
    """Scores pictures by their pixels."""

    def score_images(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Pictures as of `crop_input`, of any sizes, to (n,) float64 logits."""


@runtime_checkable
class IdentityDetector(_Looks, Protocol):
    """Scores faces by their pixels and by who they are, or who is looked for."""

    @property
    def identity(self) -> IdentityRole:
        """Whose embedding it is to be given."""

    @property
    def embedder_sha256(self) -> str:
        """The face embedder whose embeddings it learnt with; empty where that is not known."""

    def score(self, pictures: Sequence[np.ndarray], identities: np.ndarray) -> np.ndarray:
        """Face crops as of `crop_input` and embeddings (n, e) to (n,) float64 logits."""


AnyDetector = FeatureDetector | PixelDetector | IdentityDetector


class DetectorInputs(Protocol):
    """n faces, and the images they are in, as detectors may ask to see them.

    Whatever is not there is not measured: a row of NaN, or None for a picture.
    """

    def __len__(self) -> int:
        """How many."""

    @property
    def face_features(self) -> np.ndarray:
        """(n, d) float32 of the aligned crops, by the encoder."""

    @property
    def image_features(self) -> np.ndarray:
        """(n, d) float32 of the whole images, by the encoder."""

    @property
    def embeddings(self) -> np.ndarray:
        """(n, e) float32 of length one: who each face is."""

    @property
    def query(self) -> np.ndarray | None:
        """(e,) float32 of length one: who is looked for; None when nobody is."""

    def images_with_keypoints(self) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """Pixels (h, w, 3) uint8 RGB and keypoints (5, 2) px of each row, read as they are asked.

        No pixels where the file is gone or damaged, no keypoints where there is no face.
        """


@dataclass(frozen=True, slots=True, eq=False)
class DetectorScores:
    """What one detector says of n faces or images.

    `logits` (n,) float64, higher is more likely forged; `probabilities` (n,) in 0..1 are
    calibrated. Both are NaN where nothing was measured, probabilities everywhere when this
    detector was never calibrated for this `preprocessing`. `checkpoint` is a sha256.
    """

    detector: str
    logits: np.ndarray
    probabilities: np.ndarray
    preprocessing: str
    checkpoint: str


def require_keypoints(keypoints: np.ndarray | None) -> np.ndarray:
    """The keypoints that a face detector needs; raises ValueError where there are none."""
    if keypoints is None:
        raise ValueError("a face detector needs the face's keypoints")
    return keypoints


def qualified_name(detector: DetectorMetadata) -> str:
    """`<inputs>/<name>`: what a detector is called in evidence, tables and files."""
    return f"{detector.inputs}/{detector.name}"
