"""A run as MLflow keeps it: options as parameters, figures as metrics, the folder as artefacts."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from evals.runs import folder as runs
from evals.runs import samples
from evals.runs.figures import flat, number
from evals.runs.folder import Run
from tools.errors import SetupError
from tools.training.tracking import Tracked, keep, require, store

__all__ = ["require", "store", "track"]


def track(folder: Path, uri: str) -> str:
    """Keep a completed run in the store at `uri`; MLflow's id of it.

    Figures that were not measured are no metrics; their names are in the tag `not measured`.
    """
    run = runs.load(folder)
    told = {
        **flat(run.options),
        **flat(run.data, "data."),
        **flat(run.environment, "environment."),
    }
    tracked = Tracked(
        run.suite, folder.resolve().name, told, _numbers(run), _tags(run), files=[*_files(folder)]
    )
    try:
        return keep(tracked, uri)
    except SetupError as error:
        raise SetupError(f"{error}; the run is kept in {folder}") from error


def _tags(run: Run) -> dict[str, str]:
    git = run.environment.get("git")
    tags = {
        "suite": run.suite,
        "question": run.question,
        "data digest": str(run.data.get("digest")),
    }
    if isinstance(git, Mapping):
        tags["mlflow.source.git.commit"] = str(git.get("commit"))
        tags["dirty"] = str(git.get("dirty"))
    return tags


def _numbers(run: Run) -> dict[str, float | None]:
    """Every number; both ends of an interval as `.low` and `.high`; None for what is missing."""
    found: dict[str, float | None] = {}
    for name, value in flat(run.figures).items():
        if isinstance(value, list) and len(value) == 2 and name.endswith("_95"):
            found |= {f"{name}.low": number(value[0]), f"{name}.high": number(value[1])}
        elif value is None:
            found[name] = None
        elif isinstance(value, bool | int | float):
            found[name] = number(value)
    return found


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Record, samples, page and pictures; never the gallery."""
    for name in (runs.RUN, samples.NAME, runs.PICTURES, runs.REPORT):
        if (folder / name).is_file():
            yield folder / name, ""
    for picture in runs.pictures(folder):
        yield picture.file, "pictures"
