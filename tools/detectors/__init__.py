"""Detectors score authenticity, from features or from pictures; one file each, two protocols.

| needs | protocol | asked by | costs |
|---|---|---|---|
| the encoder's features | `Detector` | `score(features)` | a matrix product |
| pixels | `PictureDetector` | `score_pictures(pictures)` | a network per picture |

Features are computed once, at indexing, so a `Detector` scores any number of faces again at next
to no cost; a `PictureDetector` is for the leading hits. Both look at the face crop or at the whole
image (`inputs`), give one number a picture, higher is more likely forged, and NaN for what was
not measured. `detectors` is the explicit list of the heads; to add one, write a class with the
protocol's members and a line in `HEADS`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from tools.detectors.image_classifier import ImageClassifier
from tools.detectors.unifd_linear import PUBLIC_HEAD, UnifdLinear
from tools.detectors.unifd_neighbours import UnifdNeighbours
from tools.detectors.zero_shot import ZeroShot
from tools.errors import SetupError
from tools.preprocessing import Mode

Inputs = Literal["face", "image"]


class Detector(Protocol):
    """Scores features; higher means more likely forged.

    `inputs` says whose features it wants, those of the aligned face crop or of the whole image,
    and `preprocessing` how the encoder must have made them.
    """

    @property
    def name(self) -> str:
        """The one name in code, evidence and evaluations."""

    @property
    def inputs(self) -> Inputs:
        """`face` or `image`."""

    @property
    def preprocessing(self) -> Mode:
        """The encoder's mode."""

    def score(self, features: np.ndarray) -> np.ndarray:
        """(n, d) features, not normalised, to (n,) float64; a row with NaN scores NaN."""


class PictureDetector(Protocol):
    """Scores pictures by looking at their pixels; higher means more likely forged.

    `inputs` says what to show it, aligned face crops or whole images.
    """

    @property
    def name(self) -> str:
        """The one name in code, evidence and evaluations."""

    @property
    def inputs(self) -> Inputs:
        """`face` or `image`."""

    @property
    def preprocessing(self) -> str:
        """How it prepares a picture, in words."""

    def score_pictures(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """(h, w, 3) uint8 RGB pictures of any sizes to (n,) float64 logits."""


# File in the heads' folder, what it works on, how it is read.
HEADS: tuple[tuple[str, Inputs, Callable[..., Detector]], ...] = (
    ("face_linear.safetensors", "face", UnifdLinear.load),
    ("face_bank.safetensors", "face", UnifdNeighbours.load),
    ("image_linear.safetensors", "image", UnifdLinear.load),
    ("image_bank.safetensors", "image", UnifdNeighbours.load),
    # The head its authors published; it serves both, see its docstring.
    (PUBLIC_HEAD, "face", UnifdLinear.load_public),
    (PUBLIC_HEAD, "image", UnifdLinear.load_public),
)


def detectors(folder: Path, encoder_sha256: str) -> list[Detector]:
    """The detectors whose heads lie in `folder`, in a fixed order.

    Raises SetupError when there is none, and when a head was trained on another encoder than the
    one whose `sha256` is given: its scores would be numbers without meaning.
    """
    found = [
        load(folder / file, inputs=inputs, encoder_sha256=encoder_sha256)
        for file, inputs, load in HEADS
        if (folder / file).is_file()
    ]
    if not found:
        raise SetupError(f"no detector's head lies in {folder}; see `unmask models verify`")
    return found


__all__ = [
    "HEADS",
    "Detector",
    "ImageClassifier",
    "Inputs",
    "PictureDetector",
    "UnifdLinear",
    "UnifdNeighbours",
    "ZeroShot",
    "detectors",
]
