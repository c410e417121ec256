"""Input and output types of a trainer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tools.detectors.folders import DetectorDescription
    from tools.encoder.clip import Encoder
    from tools.faces.analyser import FaceAnalyser
    from tools.training.fitting.data.pairs import FolderPairs


InputKind = Literal["face", "image"]
"""`tools.detectors.protocol.InputKind`, without that module's dependencies."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """Training duration; None uses the default of the detector kind.

    Training ends at `epochs` or `minutes`, whichever comes first. `pairs` is the approximate number
    of pairs per epoch: with fewer photographs, each is forged more often.
    """

    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    threads: int = 1
    pairs: int = 1500


@dataclass(frozen=True, slots=True, eq=False)
class TrainingContext:
    """Input of a trainer.

    No person of `learn` is in `stop`, which is for early stopping; `work` is for the trainer's own
    checkpoints, `out` the folder for weights and description. `about` builds the description;
    `progress` gets the completed share and the last measurement.
    """

    kind: str
    learn: "FolderPairs"
    stop: "FolderPairs"
    whole: bool
    encoder: "Encoder"
    faces: "FaceAnalyser"
    faces_sha256: str
    options: FitOptions
    work: Path
    out: Path
    about: "Callable[..., DetectorDescription]"
    progress: Callable[[float, Mapping[str, float]], None]

    @property
    def families(self) -> list[str]:
        """The forgery families in it."""
        return sorted({*self.learn.families, *self.stop.families})


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """Result of a training: the learning curve and the recipe, for the card.

    `families` are the forgery families the detector was trained on; None: those of the training
    data.
    """

    recipe: Mapping[str, Any]
    curve: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    families: Sequence[str] | None = None
