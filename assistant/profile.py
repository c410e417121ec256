"""The loaded models of a profile: faces, encoder, detectors and the verdict rule.

Each part is loaded on first use from the checkpoint in the profile's table; profiles differ in
nothing else.
"""

import hashlib
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from assistant.settings import Settings
from tools.checkpoints.store import (
    PROFILES,
    calibration_file,
    checkpoint_folder,
    fingerprint,
    locate,
)
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors import FeatureDetector, load_detectors
from tools.detectors.calibration import Calibration
from tools.detectors.catalogue import (
    GROUPS_FILE,
    GROUPS_PREFIX,
    group_differences,
    read_metrics,
)
from tools.detectors.folders import (
    DETECTORS_FOLDER,
    TOWER_KINDS,
    DetectorDescription,
    StoredDetector,
    find_stored_detectors,
)
from tools.detectors.kinds import load_detector
from tools.detectors.protocol import AnyDetector, qualified_name
from tools.encoder.clip import Encoder
from tools.encoder.pretrained_tower import PretrainedTower
from tools.errors import SetupError
from tools.faces.analyser import Face, FaceAnalyser
from tools.faces.further_embedders import FaceEmbedder, load_embedders
from tools.gallery.record_store import Gallery
from tools.media.hashing import file_sha256
from tools.search.checking.impression import Look
from tools.verdict.evidence import RERANK_ONLY_MEASURES
from tools.verdict.rule import VerdictRule


@dataclass(frozen=True)
class LoadedModels:
    """The models of a profile; weights are shared, and no case data is kept here."""

    settings: Settings

    @property
    def profile(self) -> str:
        """The profile's name."""
        return self.settings.profile

    @property
    def show_bystanders(self) -> bool:
        """Whether the user wants to see everybody in a picture."""
        return self.settings.show_bystanders

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """sha256 of each embedding part; binds a gallery to the checkpoints that made it."""
        return fingerprint(self.settings.profile, self.settings.models_dir)

    def gallery_problem(self, gallery: str) -> str:
        """Why a gallery cannot be used with these models, in one line; empty if it can."""
        try:
            Gallery.open_existing(self.settings.home, gallery, fingerprint=self.fingerprint).close()
        except SetupError as error:
            return str(error)
        return ""

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
    def detectors(self) -> list[FeatureDetector]:
        """Authenticity scores from the encoder's features."""
        folder = locate(PROFILES[self.settings.profile]["heads"], self.settings.models_dir)
        return load_detectors(folder, self.encoder.sha256)

    @cached_property
    def pixel_detectors(self) -> list[AnyDetector]:
        """Detectors on the shelf that read pixels and count as evidence.

        A detector that was trained on another profile's encoder is left out, and one on the
        pretrained tower if that is not installed.
        """
        named = {measure.score for measure in RERANK_ONLY_MEASURES}
        return [
            load_detector(found, self.encoder, tower=self.tower)
            for found in self._shelf[0]
            if found.title in named
            and (self.tower is not None or found.about.kind not in TOWER_KINDS)
            and (
                found.about.encoder_sha256 is None
                or found.about.encoder_sha256 == self.encoder.sha256
            )
        ]

    @cached_property
    def tower(self) -> PretrainedTower | None:
        """The pretrained CLIP tower of `unmask setup`, for any profile; None without it."""
        return PretrainedTower.installed(self.settings.models_dir)

    @cached_property
    def look(self) -> Look | None:
        """The model's impression of pictures, on the same tower; None without it."""
        if self.tower is None:
            return None
        from assistant.chat_model.looking.looker import Looker

        return Looker(self.tower)

    @property
    def notices(self) -> Sequence[str]:
        """Notices about omitted detector folders, and about error rates that differ by group."""
        told = self.group_differences
        if not told:
            return self._shelf[1]
        first = told[0].removeprefix(GROUPS_PREFIX)
        return (
            *self._shelf[1],
            f"{GROUPS_PREFIX}{first}; `unmask detectors` lists all differences",
        )

    @cached_property
    def group_differences(self) -> tuple[str, ...]:
        """Error rates of these models that differ between groups of people, a sentence each.

        Empty if none do, or if these models were not measured.
        """
        heads = checkpoint_folder(
            PROFILES[self.settings.profile]["heads"], self.settings.models_dir
        )
        rows = read_metrics(heads, GROUPS_FILE)
        if not rows or {it.checkpoint for it in rows} != {self.judged_by}:
            return ()
        return tuple(f"{GROUPS_PREFIX}{it}" for it in group_differences(rows))

    @cached_property
    def judged_by(self) -> str:
        """One sha256 over the checkpoints and the calibration that make verdicts."""
        profile, folder = self.settings.profile, self.settings.models_dir
        parts = fingerprint(profile, folder, parts=("faces", "encoder", "heads"))
        calibration = calibration_file(profile, folder)
        told = [*parts.values(), "" if calibration is None else file_sha256(calibration)]
        return hashlib.sha256(" ".join(told).encode()).hexdigest()

    @cached_property
    def _shelf(self) -> tuple[tuple[StoredDetector, ...], tuple[str, ...]]:
        """The detectors in folders, and notices about those that are left out."""
        folders, said = (
            [WEIGHTS_DIR / DETECTORS_FOLDER, self.settings.models_dir / DETECTORS_FOLDER],
            list[str](),
        )
        found = tuple(
            find_stored_detectors(folders, left_out=lambda _, error: said.append(str(error)))
        )
        return found, tuple(f"a detector is left out: {it}" for it in said)

    @cached_property
    def localising_detectors(self) -> list[tuple[AnyDetector, Calibration | None]]:
        """Shelved detectors whose own network localises, each with its calibration.

        An unreadable detector is left out; `unmask detectors` gives the reason.
        """
        known = {qualified_name(it): it for it in self.pixel_detectors}
        found: list[tuple[AnyDetector, Calibration | None]] = []
        for one in self._shelf[0]:
            if _says_where(one.about):
                with suppress(SetupError):
                    detector = known.get(one.title) or load_detector(one, self.encoder)
                    found.append((detector, one.calibration))
        return found

    @cached_property
    def second_embedder(self) -> FaceEmbedder | None:
        """A second face embedder beside the first: the user's own, or the shipped one."""
        settings = self.settings
        return next(iter(load_embedders(settings.models_dir, threads=settings.threads)), None)

    @cached_property
    def rule(self) -> VerdictRule | None:
        """The fitted verdict rule; None if this profile's calibration was never fitted."""
        path = calibration_file(self.settings.profile, self.settings.models_dir)
        return None if path is None else VerdictRule.load(path)


class AnalysersOnDemand:
    """The profile's face analyser and encoder for indexing, loaded with the first new picture.

    Thread-safe. A run that finds nothing new loads neither.
    """

    def __init__(self, models: LoadedModels) -> None:
        self._models, self._turn = models, threading.Lock()

    def analyse(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """Faces per picture (h, w, 3) uint8 RGB, from left to right."""
        with self._turn:
            faces = self._models.faces
        return faces.analyse(images)

    @property
    def image_size(self) -> int:
        """Side of the encoder's square input, in pixels."""
        return self._encoder.image_size

    @property
    def face_margin(self) -> float:
        """Margin of the face crops that the encoder was trained on."""
        return self._encoder.face_margin

    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """Features (n, d) float32 of pictures (h, w, 3) uint8 RGB."""
        return self._encoder.encode_images(images)

    @property
    def _encoder(self) -> Encoder:
        with self._turn:
            return self._models.encoder


def load_analysers(settings: Settings) -> tuple[FaceAnalyser, Encoder]:
    """The face analyser and the encoder for indexing in another process, on one core."""
    models = LoadedModels(settings.model_copy(update={"threads": 1}))
    return models.faces, models.encoder


def _says_where(about: DetectorDescription) -> bool:
    """Whether the detector localises: by boxes, as CADDM does, or by Grad-CAM."""
    return about.kind == "classifier" or bool((about.settings or {}).get("boxed"))
