"""What a profile measures with: the seam between the search and the parts that are loaded."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tools.detectors import FeatureDetector
from tools.detectors.calibration import Calibration
from tools.detectors.protocol import AnyDetector
from tools.encoder.clip import Encoder
from tools.faces.analyser import FaceAnalyser
from tools.faces.further_embedders import FaceEmbedder
from tools.verdict.rule import VerdictRule


class ModelBundle(Protocol):
    """Loaded once and shared; nothing of a case lives here."""

    @property
    def profile(self) -> str:
        """The profile's name."""

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """sha256 per part that embeds; binds a gallery to its checkpoints."""

    @property
    def faces(self) -> FaceAnalyser:
        """Detection, landmarks, quality and embeddings."""

    @property
    def encoder(self) -> Encoder:
        """CLIP features."""

    @property
    def detectors(self) -> Sequence[FeatureDetector]:
        """Scores of authenticity over the encoder's features."""

    @property
    def pixel_detectors(self) -> Sequence[AnyDetector]:
        """Scores of authenticity over pixels, for the leading hits only; may be none."""

    @property
    def localising_detectors(self) -> Sequence[tuple[AnyDetector, Calibration | None]]:
        """Those with a network that itself says where, and how each reads; may be none."""

    @property
    def second_embedder(self) -> FaceEmbedder | None:
        """A second opinion on who a face is; None where there is none."""

    @property
    def notices(self) -> Sequence[str]:
        """What a person should know of parts that were left out."""

    @property
    def rule(self) -> VerdictRule | None:
        """The fitted verdict rule; None while the profile's calibration was never fitted."""
