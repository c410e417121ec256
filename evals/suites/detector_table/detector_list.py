"""Everyone who is asked: each detector with its calibration and what it learnt from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assistant.settings import Settings
from evals.protocol.measured import parts
from evals.suites.detector_table.training_distance import NOTHING_OF_OURS, POCKET, Learnt, learnt_of
from prompts.zero_shot import PROMPT_SETS
from tools.checkpoints.store import PROFILES, locate
from tools.checkpoints.table import WEIGHTS
from tools.detectors.calibration import Calibration
from tools.detectors.clip_heads.profile_heads import (
    calibration_of,
    called,
    prompted,
    read_calibrations,
    ways,
)
from tools.detectors.folders import FOLDER, Shelved, shelved
from tools.detectors.kinds import load_detector
from tools.detectors.networks.classifier_folders import classifier_folders, classifier_of
from tools.detectors.protocol import AnyDetector, IdentityDetector, Inputs
from tools.errors import SetupError


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """A row of the table; `learnt` None: nobody says what from."""

    name: str
    detector: AnyDetector
    calibration: Calibration | None
    learnt: Learnt | None

    @property
    def wants_query(self) -> bool:
        """Whether it has no answer unless it is told who is looked for."""
        return isinstance(self.detector, IdentityDetector) and self.detector.identity == "query"

    @property
    def key(self) -> str:
        """What its scores are kept under."""
        return f"{self.name} {self.detector.sha256} {self.detector.preprocessing}"


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """Those who are asked, and why others could not be: (name, reason)."""

    entrants: tuple[Entrant, ...]
    left_out: tuple[tuple[str, str], ...]


def roster(settings: Settings) -> Roster:
    """Heads, prompts, the shelf, classifiers; the chat model when `UNMASK_VLM` names one.

    What cannot be used is left out with the reason, and so is what is called as another is.
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
    return Roster(tuple(found.values()), tuple(left_out))


def _of_folders(
    settings: Settings, left_out: list[tuple[str, str]]
) -> Iterator[tuple[str, Callable[[], Entrant]]]:
    """Everything on the shelf and every classifier: its name, and what reads it."""

    def unread(folder: Path, error: SetupError) -> None:
        left_out.append((folder.name, str(error)))

    for one in shelved([WEIGHTS / FOLDER, settings.models_dir / FOLDER], left_out=unread):
        yield one.title, partial(_of_shelf, one)
    for inputs, folder in classifier_folders(settings.models_dir):
        yield f"{inputs}/{folder.name}", partial(_of_classifier, inputs, folder)


def _of_encoder(settings: Settings) -> Iterator[Entrant]:
    heads = locate(PROFILES[settings.profile]["heads"], settings.models_dir)
    known = read_calibrations(heads)
    texts = {name: (it.real, it.fake) for name, it in PROMPT_SETS.items()}
    for detector in (*ways(parts().detectors), *prompted(parts().encoder, texts)):
        yield Entrant(called(detector), detector, calibration_of(detector, known), below(settings))


def below(settings: Settings) -> Learnt:
    """What the profile's encoder, and so all that reads its features, learnt from."""
    return POCKET if settings.profile == "pocket" else NOTHING_OF_OURS


def _of_shelf(one: Shelved) -> Entrant:
    embedder = parts().fingerprint["faces"]
    detector = load_detector(one, parts().encoder, embedder_sha256=embedder)
    calibration = one.calibration
    fits = calibration is not None and calibration.fits(detector)
    on_encoder = one.about.encoder_sha256 is not None
    encoder = below(parts().settings) if on_encoder else None
    learnt = learnt_of(one.about.settings, below=encoder)
    return Entrant(called(detector), detector, calibration if fits else None, learnt)


def _of_classifier(inputs: Inputs, folder: Path) -> Entrant:
    # Its weights are read before anybody is asked: a broken one is told now, not after hours.
    classifier = classifier_of(folder, inputs=inputs).loaded()
    return Entrant(called(classifier), classifier, None, NOTHING_OF_OURS)


def _chat_model(settings: Settings) -> Entrant:
    from assistant.chat_model.choice import chat_model
    from assistant.chat_model.opinion import VlmOpinion

    opinion = VlmOpinion(chat_model(settings))
    return Entrant(called(opinion), opinion, None, None)
