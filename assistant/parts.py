"""The loaded parts of a profile: faces, encoder, detectors and the verdict rule.

Each part is loaded on first use from the checkpoint that the profile's table names; which
profile it is makes no other difference.
"""

from dataclasses import dataclass
from functools import cached_property

from assistant.settings import Settings
from tools.checkpoints import PROFILES, calibration_file, fingerprint, locate
from tools.detectors import Detector, detectors
from tools.encoder import Encoder
from tools.faces import FaceAnalyser
from tools.verdict import Rule


@dataclass(frozen=True)
class Parts:
    """What a profile measures with; weights are shared, nothing of a case lives here."""

    settings: Settings

    @property
    def profile(self) -> str:
        """The profile's name."""
        return self.settings.profile

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """sha256 per part that embeds; binds a gallery to the checkpoints that made it."""
        return fingerprint(self.settings.profile, self.settings.models_dir)

    @cached_property
    def faces(self) -> FaceAnalyser:
        """Detection, landmarks, quality and embeddings."""
        pack = locate(PROFILES[self.settings.profile]["faces"], self.settings.models_dir)
        return FaceAnalyser(pack, threads=self.settings.threads)

    @cached_property
    def encoder(self) -> Encoder:
        """CLIP features."""
        folder = locate(PROFILES[self.settings.profile]["encoder"], self.settings.models_dir)
        return Encoder.load(folder, threads=self.settings.threads)

    @cached_property
    def detectors(self) -> list[Detector]:
        """Scores of authenticity over the encoder's features."""
        folder = locate(PROFILES[self.settings.profile]["heads"], self.settings.models_dir)
        return detectors(folder, self.encoder.sha256)

    @cached_property
    def rule(self) -> Rule | None:
        """The fitted verdict rule; None while this profile's calibration was never fitted."""
        path = calibration_file(self.settings.profile, self.settings.models_dir)
        return None if path is None else Rule.load(path)
