"""What a trainer is given, and what it gives back."""

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
"""`tools.detectors.protocol.InputKind`, without what that file needs."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    """How long to learn; None is what the kind itself thinks right.

    Whichever of `epochs` and `minutes` comes first ends it. `pairs` is about how many pairs an
    epoch draws: fewer photographs are forged the more often.
    """

    epochs: int | None = None
    minutes: float | None = None
    seed: int = 0
    threads: int = 1
    pairs: int = 1500


@dataclass(frozen=True, slots=True, eq=False)
class TrainingContext:
    """What a trainer is given.

    No person of `learn` is in `stop`, which says when learning no longer helps; `work` is for its
    own checkpoints, `out` the folder for weights and description. `about` makes the description;
    `progress` is told the share that is done and what was measured last.
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
        """The kinds of forgeries that it shows."""
        return sorted({*self.learn.families, *self.stop.families})


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """How it went: what was measured over time, and the recipe, for the card.

    `families` are the kinds of forgeries that the detector knows now; None: those it was shown.
    """

    recipe: Mapping[str, Any]
    curve: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    families: Sequence[str] | None = None
