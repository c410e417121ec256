"""MLflow tracking of eval runs and trainings: parameters, metrics, curves and files in a local
store.

The default store is SQLite below the application's data folder, because MLflow no longer supports
plain files. MLflow's telemetry is disabled before it is imported, so nothing leaves this machine
unless the user names a remote store.
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import SetupError
from tools.media.private_files import private_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

# MLflow does not treat `DO_NOT_TRACK=1` as true; its log lines report the tables it creates.
_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
_LONGEST_TEXT = 5000
_METRICS_AT_ONCE = 1000
_MISSING = "MLflow is not installed: run `pip install -e '.[eval]'`"


@dataclass(frozen=True, slots=True, eq=False)
class TrackedRun:
    """The tracked data of one run, in the experiment `unmask/<experiment>`.

    `metrics` that are None or NaN were not measured: they are not logged, but named in a tag.
    `curve` holds step-by-step measurements. `files` are given with their artefact folder, "" for
    none.
    """

    experiment: str
    name: str
    params: Mapping[str, object]
    metrics: Mapping[str, float | None]
    tags: Mapping[str, str] = field(default_factory=dict)
    curve: Sequence[Mapping[str, float]] = ()
    files: Sequence[tuple[Path, str]] = ()


def mlflow_installed() -> bool:
    """Whether MLflow and the database driver of its local store are installed."""
    return all(find_spec(name) is not None for name in ("mlflow", "sqlalchemy", "alembic"))


def require_mlflow() -> None:
    """Raises SetupError when MLflow, or the database driver of its local store, is missing."""
    if not mlflow_installed():
        raise SetupError(_MISSING)


def resolve_store_uri(uri: str, folder: Path) -> str:
    """The tracking URI; for "", the local store in `folder`, which is created."""
    if uri:
        return uri
    private_folder(folder)
    return f"sqlite:///{folder / 'mlflow.db'}"


def log_run(tracked: TrackedRun, uri: str) -> str:
    """Log a run to the store at `uri` and return MLflow's id. Raises SetupError if that fails."""
    require_mlflow()
    os.environ.update(_ENVIRONMENT)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(tracking_uri=uri)
        identity = client.create_run(
            _experiment(client, tracked.experiment, uri), tags=_tags(tracked), run_name=tracked.name
        ).info.run_id
        client.log_batch(identity, params=_params(tracked.params))
        metrics = list(_metrics(tracked))
        for start in range(0, len(metrics), _METRICS_AT_ONCE):
            client.log_batch(identity, metrics=metrics[start : start + _METRICS_AT_ONCE])
        for file, folder in tracked.files:
            client.log_artifact(identity, str(file), folder or None)
        client.set_terminated(identity)
    except MlflowException as error:
        raise SetupError(f"MLflow at {uri!r}: {str(error).splitlines()[0]}") from error
    return str(identity)


def _experiment(client: "MlflowClient", experiment: str, uri: str) -> str:
    name = f"unmask/{experiment}"
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    # Beside the database; otherwise MLflow would write artefacts to the working directory.
    path = uri.removeprefix("sqlite:///")
    beside = (Path(path).resolve().parent / "mlflow-artefacts" / experiment).as_uri()
    return str(client.create_experiment(name, artifact_location=beside if path != uri else None))


def _tags(tracked: TrackedRun) -> dict[str, str]:
    missing = [name for name, value in tracked.metrics.items() if _missing(value)]
    tags = {**tracked.tags, "not measured": ", ".join(missing)}
    return {name: value[:_LONGEST_TEXT] for name, value in tags.items()}


def _params(told: Mapping[str, object]) -> list[Any]:
    from mlflow.entities import Param

    return [
        Param(_name(name), (it if isinstance(it, str) else json.dumps(it))[:_LONGEST_TEXT])
        for name, it in told.items()
    ]


def _metrics(tracked: TrackedRun) -> "Iterator[Metric]":
    from mlflow.entities import Metric

    for name, value in tracked.metrics.items():
        if value is not None and not _missing(value):
            yield Metric(_name(name), value, 0, 0)
    for step, row in enumerate(tracked.curve, 1):
        for name, value in row.items():
            if not _missing(value):
                yield Metric(_name(f"curve/{name}"), value, 0, step)


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def _name(name: str) -> str:
    """A name that MLflow accepts; other characters become dashes."""
    return re.sub(r"[^\w\-. :/]", "-", name)[:250]
