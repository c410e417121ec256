"""What a job is asked: refused before any work where it cannot be done, and told afterwards."""

from pathlib import Path

from tools.detectors.networks.class_labels import label_meaning
from tools.errors import SetupError
from tools.media.paths import exists
from tools.training.fitting.trainers import TRAINERS, TrainerEntry
from tools.training.fitting.training_context import FitOptions, InputKind


def check_request(
    kind: str, real: Path, fake: Path | None, *, inputs: InputKind | None, options: FitOptions
) -> TrainerEntry:
    """The row of a kind. Raises SetupError where it cannot be fitted as asked, before any work."""
    if kind not in TRAINERS:
        raise SetupError(f"no detector {kind!r} can be fitted; there are {', '.join(TRAINERS)}")
    trainer = TRAINERS[kind]
    if inputs is not None and inputs not in trainer.inputs:
        raise SetupError(f"{kind} looks at the {trainer.inputs[0]} only: leave --inputs out")
    for name in ("epochs", "minutes"):
        if getattr(options, name) is not None and name not in trainer.options:
            raise SetupError(f"{kind} is not learnt in {name}: leave --{name} out")
    for folder in (real, fake):
        if folder is not None and not exists(folder):
            raise SetupError(f"{str(folder)!r} does not exist: name a folder of pictures")
    if fake is not None:
        _check_forgeries(fake, real)
    return trainer


def authentic_folder_name(real: Path, fake: Path | None) -> str:
    """The name of the authentic folder, below that of the classes where it is one of those."""
    if fake is None or not _inside(real, fake):
        return real.absolute().name
    return (fake.absolute().name / real.resolve().relative_to(fake.resolve())).as_posix()


def _check_forgeries(fake: Path, real: Path) -> None:
    """Raises SetupError where what is given as forged would be authentic too, or says it is."""
    if _inside(fake, real):
        raise SetupError(
            f"--fake {fake} lies in --real {real}: name a folder beside it, or, with a folder a "
            "class, the one above all of them"
        )
    for folder in sorted(fake.iterdir()) if fake.is_dir() else ():
        other = folder.is_dir() and folder.resolve() != real.resolve()
        if other and label_meaning(folder.name) == "real":
            raise SetupError(
                f"{folder} is among the forgeries, and called like authentic pictures: give it "
                "with --real, or rename it"
            )


def _inside(folder: Path, other: Path) -> bool:
    """Whether a folder is the other, or below it."""
    return folder.resolve().is_relative_to(other.resolve())
