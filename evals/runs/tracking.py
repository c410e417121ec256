"""A run as MLflow keeps it: options as parameters, figures as metrics, the folder as artefacts.

The store is SQLite below the application's data folder unless another is named: MLflow no longer
takes plain files. MLflow reports its use to its makers unless told otherwise before it is
imported; nothing leaves this machine here, unless the person named a store that is elsewhere.
"""

import json
import math
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.runs import folder as runs
from evals.runs import samples
from evals.runs.figures import flat, number
from evals.runs.folder import Run
from tools.errors import SetupError

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow does not take `DO_NOT_TRACK=1` for a yes; its log lines tell of tables that it makes.
_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_LOGGING_LEVEL": "WARNING"}
_LONGEST_TEXT = 5000
_METRICS_AT_ONCE = 1000


def require() -> None:
    """Raises SetupError when MLflow, or the database driver of its local store, is missing."""
    if any(find_spec(name) is None for name in ("mlflow", "sqlalchemy", "alembic")):
        raise SetupError("MLflow is not installed: run `pip install -e '.[eval]'`")


def store(uri: str, folder: Path) -> str:
    """The tracking URI; for "" the local store in `folder`, which is made."""
    if uri:
        return uri
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"


def track(folder: Path, uri: str) -> str:
    """Keep a completed run in the store at `uri`; MLflow's id of it.

    Figures that were not measured are no metrics; their names are in the tag `not measured`.
    """
    require()
    os.environ.update(_ENVIRONMENT)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    run = runs.load(folder)
    try:
        client = MlflowClient(tracking_uri=uri)
        identity = client.create_run(
            _experiment(client, run.suite, uri), tags=_tags(run), run_name=folder.resolve().name
        ).info.run_id
        client.log_batch(identity, params=_params(run))
        _log_metrics(client, identity, run)
        _log_artefacts(client, identity, folder)
        client.set_terminated(identity)
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise SetupError(f"MLflow at {uri!r}: {reason}; the run is kept in {folder}") from error
    return str(identity)


def _experiment(client: "MlflowClient", suite: str, uri: str) -> str:
    name = f"unmask/{suite}"
    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    # Beside the database, or MLflow would put artefacts into the working directory.
    path = uri.removeprefix("sqlite:///")
    beside = (Path(path).resolve().parent / "mlflow-artefacts" / suite).as_uri()
    return str(client.create_experiment(name, artifact_location=beside if path != uri else None))


def _tags(run: Run) -> dict[str, str]:
    git = run.environment.get("git")
    tags = {
        "suite": run.suite,
        "question": run.question,
        "data digest": str(run.data.get("digest")),
        "not measured": ", ".join(
            name for name, value in flat(run.figures).items() if value is None
        ),
    }
    if isinstance(git, Mapping):
        tags["mlflow.source.git.commit"] = str(git.get("commit"))
        tags["dirty"] = str(git.get("dirty"))
    return {name: value[:_LONGEST_TEXT] for name, value in tags.items()}


def _params(run: Run) -> list[Any]:
    from mlflow.entities import Param

    told = {
        **flat(run.options),
        **flat(run.data, "data."),
        **flat(run.environment, "environment."),
    }
    return [
        Param(_name(name), (it if isinstance(it, str) else json.dumps(it))[:_LONGEST_TEXT])
        for name, it in told.items()
    ]


def _log_metrics(client: "MlflowClient", identity: str, run: Run) -> None:
    from mlflow.entities import Metric

    metrics = [Metric(_name(name), value, 0, 0) for name, value in _numbers(run).items()]
    for start in range(0, len(metrics), _METRICS_AT_ONCE):
        client.log_batch(identity, metrics=metrics[start : start + _METRICS_AT_ONCE])


def _numbers(run: Run) -> dict[str, float]:
    """Every number; both ends of an interval as `.low` and `.high`."""
    found: dict[str, float] = {}
    for name, value in flat(run.figures).items():
        if isinstance(value, list) and len(value) == 2 and name.endswith("_95"):
            found |= {f"{name}.low": number(value[0]), f"{name}.high": number(value[1])}
        else:
            found[name] = number(value)
    return {name: value for name, value in found.items() if not math.isnan(value)}


def _name(name: str) -> str:
    """What MLflow takes for a name; everything else becomes a dash."""
    return re.sub(r"[^\w\-. :/]", "-", name)[:250]


def _log_artefacts(client: "MlflowClient", identity: str, folder: Path) -> None:
    """Record, samples, page and pictures; never the gallery."""
    for name in (runs.RUN, samples.NAME, runs.PICTURES, runs.REPORT):
        if (folder / name).is_file():
            client.log_artifact(identity, str(folder / name))
    for picture in runs.pictures(folder):
        client.log_artifact(identity, str(picture.file), "pictures")
