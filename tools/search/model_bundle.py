"""Protocol for a profile's loaded models, as the search uses them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tools.detectors import FeatureDetector
from tools.detectors.calibration import Calibration
from tools.detectors.protocol import AnyDetector
from tools.encoder.clip import Encoder
from tools.faces.analyser import FaceAnalyser
from tools.faces.further_embedders import FaceEmbedder
from tools.search.checking.impression import Look
from tools.verdict.rule import VerdictRule


class ModelBundle(Protocol):
    """A profile's models, loaded once and shared; holds no state of a case."""

    @property
    def profile(self) -> str:
        """The profile's name."""

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of each part that computes embeddings; ties a gallery to its checkpoints."""

    @property
    def faces(self) -> FaceAnalyser:
        """Detection, landmarks, quality and embeddings."""

    @property
    def encoder(self) -> Encoder:
        """CLIP features."""

    @property
    def detectors(self) -> Sequence[FeatureDetector]:
        """Detectors that score the encoder's features for forgery."""

    @property
    def pixel_detectors(self) -> Sequence[AnyDetector]:
        """Detectors that score pixels, used on the leading hits only; may be empty."""

    @property
    def localising_detectors(self) -> Sequence[tuple[AnyDetector, Calibration | None]]:
        """Detectors whose network also locates forgery, each with its calibration; may be empty."""

    @property
    def second_embedder(self) -> FaceEmbedder | None:
        """A second face embedder, for a second opinion on identity; may be None."""

    @property
    def look(self) -> Look | None:
        """Forms an impression of a picture, which is only shown; None without its network."""

    @property
    def notices(self) -> Sequence[str]:
        """Notices for the user about parts that were left out."""

    @property
    def rule(self) -> VerdictRule | None:
        """The fitted verdict rule; None if the profile's calibration has not been fitted."""


def map_detector(models: ModelBundle) -> FeatureDetector | None:
    """The profile's detector whose score the maps of the face explain; None if there is none."""
    heads = (it for it in models.detectors if (it.inputs, it.name) == ("face", "unifd_linear"))
    return next(heads, None)
