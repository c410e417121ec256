"""Track a run in MLflow: options as parameters, figures as metrics, the folder as artefacts."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from evals.runs import folder as runs
from evals.runs import samples
from evals.runs.figures import flatten_figures, number
from evals.runs.folder import EvalRun
from tools.errors import SetupError
from tools.training.tracking import TrackedRun, log_run, require_mlflow, resolve_store_uri

__all__ = ["require_mlflow", "resolve_store_uri", "track"]


def track(folder: Path, uri: str) -> str:
    """Log a completed run to the store at `uri`; returns MLflow's id.

    Figures that were not measured are not logged; their names are in the tag `not measured`.
    """
    run = runs.load_run(folder)
    told = {
        **flatten_figures(run.options),
        **flatten_figures(run.data, "data."),
        **flatten_figures(run.environment, "environment."),
    }
    tracked = TrackedRun(
        run.suite, folder.resolve().name, told, _numbers(run), _tags(run), files=[*_files(folder)]
    )
    try:
        return log_run(tracked, uri)
    except SetupError as error:
        raise SetupError(f"{error}; the run is kept in {folder}") from error


def _tags(run: EvalRun) -> dict[str, str]:
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


def _numbers(run: EvalRun) -> dict[str, float | None]:
    """Every number; interval ends as `.low` and `.high`; None for missing values."""
    found: dict[str, float | None] = {}
    for name, value in flatten_figures(run.figures).items():
        if isinstance(value, list) and len(value) == 2 and name.endswith("_95"):
            found |= {f"{name}.low": number(value[0]), f"{name}.high": number(value[1])}
        elif value is None:
            found[name] = None
        elif isinstance(value, bool | int | float):
            found[name] = number(value)
    return found


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Record, samples, page and pictures; never the gallery."""
    for name in (runs.RUN_FILE, samples.NAME, runs.PICTURES_FILE, runs.REPORT_FILE):
        if (folder / name).is_file():
            yield folder / name, ""
    for picture in runs.load_pictures(folder):
        yield picture.file, "pictures"
