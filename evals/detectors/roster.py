"""Everyone who is asked: each detector with its calibration and what it learnt from."""

from collections.abc import Iterator
from dataclasses import dataclass

from assistant.settings import Settings
from evals.detectors.nearness import NOTHING_OF_OURS, POCKET, Learnt, learnt_of
from evals.measured import parts
from prompts.zero_shot import PROMPT_SETS
from tools.checkpoints import PROFILES, WEIGHTS, locate
from tools.detectors.calibrating import Calibration
from tools.detectors.classifier_folders import classifier_folders, classifier_of
from tools.detectors.heads_calibrated import (
    calibration_of,
    called,
    prompted,
    read_calibrations,
    ways,
)
from tools.detectors.protocol import AnyDetector
from tools.detectors.shelf import FOLDER, Shelved, shelved
from tools.errors import SetupError


@dataclass(frozen=True, slots=True, eq=False)
class Entrant:
    """A row of the table; `learnt` None: nobody says what from."""

    name: str
    detector: AnyDetector
    calibration: Calibration | None
    learnt: Learnt | None

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
    """Heads, prompts, the shelf, classifiers; the chat model when `UNMASK_VLM` names one."""
    found = [*_of_encoder(settings)]
    left_out = []
    for one in shelved([WEIGHTS / FOLDER, settings.models_dir / FOLDER]):
        try:
            found.append(_of_shelf(one))
        except SetupError as error:
            left_out.append((one.title, str(error)))
    for inputs, folder in classifier_folders(settings.models_dir):
        try:
            classifier = classifier_of(folder, inputs=inputs)
        except SetupError as error:
            left_out.append((f"{inputs}/{folder.name}", str(error)))
        else:
            found.append(Entrant(called(classifier), classifier, None, NOTHING_OF_OURS))
    if settings.vlm is not None:
        found.append(_chat_model(settings))
    return Roster(tuple(found), tuple(left_out))


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
    detector = one.load(parts().encoder, embedder_sha256=embedder)
    calibration = one.calibration
    fits = calibration is not None and calibration.fits(detector)
    on_encoder = one.about.encoder_sha256 is not None
    encoder = below(parts().settings) if on_encoder else None
    learnt = learnt_of(one.about.settings, below=encoder)
    return Entrant(called(detector), detector, calibration if fits else None, learnt)


def _chat_model(settings: Settings) -> Entrant:
    from assistant.chat_model.server import chat_model
    from assistant.vlm_opinion import VlmOpinion

    opinion = VlmOpinion(chat_model(settings))
    return Entrant(called(opinion), opinion, None, None)
