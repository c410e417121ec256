"""Execute a run: prepare the folder, run the suite, write everything down."""

import dataclasses
import hashlib
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.console.progress import EvaluationDisplay
from assistant.settings import Settings
from evals.options import EvalOptions
from evals.runs import folder as runs
from evals.runs import report, tracking
from evals.runs.environment import environment
from evals.runs.figures import jsonable, without_folders
from evals.runs.folder import EvalRun
from evals.suite_table import SUITES, Suite
from tools.errors import SetupError
from tools.media.hashing import file_sha256
from tools.media.paths import exists, is_file

if TYPE_CHECKING:
    from evals.datasets.manifest import Manifest


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A suite's name and the options around it.

    `mlflow` is the URI of a tracking store, "" the default one, None no tracking.
    """

    suite: str
    options: EvalOptions
    force: bool = False
    quiet: bool = False
    mlflow: str | None = None


def execute_run(request: RunRequest, settings: Settings) -> tuple[Path, EvalRun]:
    """Run a suite and keep the run; returns its folder and the figures.

    Without an output folder, one is created below the application's data folder, and the run's
    gallery, which holds faces, is deleted on completion.
    """
    suite, options = SUITES[request.suite], request.options
    _check(suite, request)
    begun = datetime.now(UTC)
    folder = options.output or runs.new_folder(
        settings.evals_dir, request.suite, seed=options.seed, at=begun
    )
    runs.prepare_folder(folder, request.suite, force=request.force)
    try:
        run = _measure(request, folder, begun, settings)
    except BaseException:
        if runs.discard_if_empty(folder):
            sys.stderr.write(f"finished work is kept; resume with --output {str(folder)!r}\n")
        raise
    if options.output is None:
        shutil.rmtree(folder / runs.HOME_DIR, ignore_errors=True)
    runs.write_run(folder, run)
    report.write(folder)
    if request.mlflow is not None:
        tracking.track(folder, tracking.resolve_store_uri(request.mlflow, settings.evals_dir))
    return folder, run


def _check(suite: Suite, request: RunRequest) -> None:
    """Check before the run for errors that would otherwise occur after it."""
    options = request.options
    if suite.needs_data and not exists(options.copies or options.data):
        raise SetupError(f"no data at {str(options.data)!r}; pass --data DIR")
    for name, file in options.peers:
        if not is_file(file):
            raise SetupError(f"no scores of {name!r} at {str(file)!r}; see --peer NAME=FILE")
    if request.mlflow is not None:
        tracking.require_mlflow()


def _measure(request: RunRequest, folder: Path, begun: datetime, settings: Settings) -> EvalRun:
    suite, manifests = SUITES[request.suite], list["Manifest"]()
    clock = time.perf_counter()
    with EvaluationDisplay(request.suite, quiet=request.quiet) as watch:
        options = dataclasses.replace(
            request.options, output=folder, progress=watch, record=manifests.append
        )
        figures = import_module(suite.module).run(options)
    seconds = time.perf_counter() - clock
    folders = _folders(options.data, folder, settings.home)
    return EvalRun(
        suite=request.suite,
        question=suite.question,
        started=begun.isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        options=_told(options),
        data=_kept(_data(options, manifests), folders) if suite.needs_data else {},
        environment=environment(settings),
        figures=_kept(figures, folders),
    )


def _told(options: EvalOptions) -> dict[str, object]:
    return {
        "limit": options.limit,
        "seed": options.seed,
        "layout": options.layout,
        "peers": {
            name: {"file": file.name, "sha256": file_sha256(file)} for name, file in options.peers
        },
    }


def _data(options: EvalOptions, manifests: Sequence["Manifest"]) -> dict[str, object]:
    """Description of the data; only the last part of its path, and no digest without manifests."""
    sets = {f"{it.name} {it.digest}": it for it in manifests}
    digests = "\n".join(sorted(it.digest for it in sets.values()))
    return {
        "root": options.data.resolve().name,
        "layout": options.layout,
        "rows": sum(len(it.rows) for it in sets.values()) if sets else None,
        "digest": hashlib.sha256(digests.encode()).hexdigest() if sets else None,
        "sets": [
            {"name": it.name, "rows": len(it.rows), "digest": it.digest, "notes": dict(it.notes)}
            for it in sets.values()
        ],
    }


def _folders(*folders: Path) -> list[str]:
    """Folders of this machine that may occur in figures, longest first."""
    names = {str(it) for it in folders} | {str(it.resolve()) for it in folders}
    return sorted(names - {".", "/"}, key=len, reverse=True)


def _kept(values: Mapping[str, object], folders: Sequence[str]) -> dict[str, object]:
    """Values as stored: without NaN and without folders of this machine."""
    kept = without_folders(jsonable(values), folders)
    return dict(kept) if isinstance(kept, Mapping) else {}
