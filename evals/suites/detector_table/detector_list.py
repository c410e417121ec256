"""List of the evaluated detectors, with their calibration and training families."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assistant.settings import Settings
from evals.protocol.measured import load_models
from evals.suites.detector_table.training_distance import (
    NO_SHARED_FAMILIES,
    POCKET_FAMILIES,
    TrainingFamilies,
    read_training_families,
)
from prompts.zero_shot import PROMPT_SETS
from tools.checkpoints.store import PROFILES, locate
from tools.checkpoints.table import WEIGHTS_DIR
from tools.detectors.calibration import Calibration
from tools.detectors.clip_heads.profile_heads import (
    calibration_of,
    detector_variants,
    read_calibrations,
    variant_name,
    zero_shot_detectors,
)
from tools.detectors.folders import DETECTORS_FOLDER, StoredDetector, find_stored_detectors
from tools.detectors.kinds import load_detector
from tools.detectors.networks.classifier_folders import classifier_folders, load_classifier
from tools.detectors.protocol import AnyDetector, IdentityDetector, InputKind
from tools.errors import SetupError


@dataclass(frozen=True, slots=True, eq=False)
class EvaluatedDetector:
    """A row of the table; `training_families` None: unknown."""

    name: str
    detector: AnyDetector
    calibration: Calibration | None
    training_families: TrainingFamilies | None

    @property
    def wants_query(self) -> bool:
        """Whether it needs a query to give a score."""
        return isinstance(self.detector, IdentityDetector) and self.detector.identity == "query"

    @property
    def key(self) -> str:
        """Cache key of its scores."""
        return f"{self.name} {self.detector.sha256} {self.detector.preprocessing}"


@dataclass(frozen=True, slots=True, eq=False)
class DetectorSet:
    """The detectors to evaluate, and those that cannot be: (name, reason)."""

    evaluated_detectors: tuple[EvaluatedDetector, ...]
    left_out: tuple[tuple[str, str], ...]


def evaluated_detectors(settings: Settings) -> DetectorSet:
    """Heads, prompts, installed detectors, classifiers; the chat model if `UNMASK_VLM` names one.

    Unusable detectors, and those with a duplicate name, are left out with the reason.
    """
    found = {it.name: it for it in _of_encoder(settings)}
    left_out: list[tuple[str, str]] = []
    for name, entrant in _of_folders(settings, left_out):
        try:
            asked = entrant()
        except SetupError as error:
            left_out.append((name, str(error)))
            continue
        if found.setdefault(asked.name, asked) is not asked:
            left_out.append((name, "another detector has this name: give it another"))
    if settings.vlm is not None:
        opinion = _chat_model(settings)
        found[opinion.name] = opinion
    return DetectorSet(tuple(found.values()), tuple(left_out))


def _of_folders(
    settings: Settings, left_out: list[tuple[str, str]]
) -> Iterator[tuple[str, Callable[[], EvaluatedDetector]]]:
    """Name and loader of every installed detector and classifier."""

    def unread(folder: Path, error: SetupError) -> None:
        left_out.append((folder.name, str(error)))

    for one in find_stored_detectors(
        [WEIGHTS_DIR / DETECTORS_FOLDER, settings.models_dir / DETECTORS_FOLDER], left_out=unread
    ):
        yield one.title, partial(_of_shelf, one)
    for inputs, folder in classifier_folders(settings.models_dir):
        yield f"{inputs}/{folder.name}", partial(_of_classifier, inputs, folder)


def _of_encoder(settings: Settings) -> Iterator[EvaluatedDetector]:
    heads = locate(PROFILES[settings.profile]["heads"], settings.models_dir)
    known = read_calibrations(heads)
    texts = {name: (it.real, it.fake) for name, it in PROMPT_SETS.items()}
    for detector in (
        *detector_variants(load_models().detectors),
        *zero_shot_detectors(load_models().encoder, texts),
    ):
        yield EvaluatedDetector(
            variant_name(detector), detector, calibration_of(detector, known), below(settings)
        )


def below(settings: Settings) -> TrainingFamilies:
    """Training families of the profile's encoder, and so of everything on its features."""
    return POCKET_FAMILIES if settings.profile == "pocket" else NO_SHARED_FAMILIES


def _of_shelf(one: StoredDetector) -> EvaluatedDetector:
    models = load_models()
    embedder = models.fingerprint["faces"]
    detector = load_detector(one, models.encoder, tower=models.tower, embedder_sha256=embedder)
    calibration = one.calibration
    fits = calibration is not None and calibration.matches_detector(detector)
    on_encoder = one.about.encoder_sha256 is not None
    encoder = below(load_models().settings) if on_encoder else None
    training_families = read_training_families(one.about.settings, below=encoder)
    return EvaluatedDetector(
        variant_name(detector), detector, calibration if fits else None, training_families
    )


def _of_classifier(inputs: InputKind, folder: Path) -> EvaluatedDetector:
    # Its weights are read before the evaluation: a broken file is reported now, not after hours.
    classifier = load_classifier(folder, inputs=inputs).with_weights_loaded()
    return EvaluatedDetector(variant_name(classifier), classifier, None, NO_SHARED_FAMILIES)


def _chat_model(settings: Settings) -> EvaluatedDetector:
    from assistant.chat_model.choice import load_chat_model
    from assistant.chat_model.opinion import VlmOpinion

    opinion = VlmOpinion(load_chat_model(settings))
    return EvaluatedDetector(variant_name(opinion), opinion, None, None)
