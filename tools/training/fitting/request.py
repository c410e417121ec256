"""Validate the request of a fitting job before any work starts."""

from pathlib import Path

from tools.detectors.networks.class_labels import label_meaning
from tools.errors import SetupError
from tools.media.paths import exists
from tools.training.fitting.trainers import TRAINERS, TrainerEntry
from tools.training.fitting.training_context import FitOptions, InputKind


def check_request(
    kind: str, real: Path, fake: Path | None, *, inputs: InputKind | None, options: FitOptions
) -> TrainerEntry:
    """The table row of a kind. Raises SetupError if it cannot be fitted as requested."""
    if kind not in TRAINERS:
        raise SetupError(f"no detector {kind!r} can be fitted; there are {', '.join(TRAINERS)}")
    trainer = TRAINERS[kind]
    if inputs is not None and inputs not in trainer.inputs:
        raise SetupError(f"{kind} takes {trainer.inputs[0]} inputs only: leave --inputs out")
    for name in ("epochs", "minutes"):
        if getattr(options, name) is not None and name not in trainer.options:
            raise SetupError(f"{kind} is not trained in {name}: leave --{name} out")
    for folder in (real, fake):
        if folder is not None and not exists(folder):
            raise SetupError(f"{str(folder)!r} does not exist: name a folder of pictures")
    if fake is not None:
        _check_forgeries(fake, real)
    return trainer


def authentic_folder_name(real: Path, fake: Path | None) -> str:
    """The name of the authentic folder, relative to the class folders if it is one of them."""
    if fake is None or not _inside(real, fake):
        return real.absolute().name
    return (fake.absolute().name / real.resolve().relative_to(fake.resolve())).as_posix()


def _check_forgeries(fake: Path, real: Path) -> None:
    """Raises SetupError if the forged folder is inside the authentic one or has an authentic
    name."""
    if _inside(fake, real):
        raise SetupError(
            f"--fake {fake} lies in --real {real}: name a folder beside it, or, with a folder per "
            "class, the one above all of them"
        )
    for folder in sorted(fake.iterdir()) if fake.is_dir() else ():
        other = folder.is_dir() and folder.resolve() != real.resolve()
        if other and label_meaning(folder.name) == "real":
            raise SetupError(
                f"{folder} is among the forgeries, but its name means authentic pictures: pass it "
                "with --real, or rename it"
            )


def _inside(folder: Path, other: Path) -> bool:
    """Whether a folder is the other one or inside it."""
    return folder.resolve().is_relative_to(other.resolve())
