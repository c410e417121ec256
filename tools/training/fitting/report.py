"""A fitted detector as JSON and as an MLflow run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tools.detectors.calibration import CALIBRATION_FILE
from tools.detectors.catalogue import METRICS_FILE
from tools.detectors.folders import DESCRIPTION_FILE
from tools.media.file_names import printable
from tools.training.fitting.card import CARD
from tools.training.fitting.run import FittedDetector
from tools.training.tracking import TrackedRun


def to_json(fitted: FittedDetector) -> dict[str, Any]:
    """All fields except the weights; figures that were not measured are null."""
    skipped = [{"path": printable(it.path), "reason": it.reason} for it in fitted.skipped]
    found = {
        "detector": fitted.title,
        "kind": fitted.kind,
        "inputs": fitted.about.inputs,
        "folder": printable(fitted.folder),
        "licence": fitted.about.licence,
        "trained_on": fitted.about.trained_on,
        "data": asdict(fitted.told),
        "figures": asdict(fitted.figures),
        "calibration": None if fitted.calibration is None else asdict(fitted.calibration),
        "recipe": dict(fitted.learnt.recipe),
        "curve": [dict(row) for row in fitted.learnt.curve],
        "remarks": list(fitted.remarks),
        "skipped_files": skipped,
        "resumed": fitted.resumed,
        "seconds": round(fitted.seconds, 1),
    }
    return {name: _plain(value) for name, value in found.items()}


def to_tracked_run(fitted: FittedDetector) -> TrackedRun:
    """A run of the MLflow experiment `unmask/fit`; the weights are not uploaded, a tag holds their
    path."""
    figures = asdict(fitted.figures)
    interval = figures.pop("auc_interval") or (None, None)
    families = {f"auc {name}": value for name, value in figures.pop("families").items()}
    metrics = {name: value for name, value in figures.items() if not isinstance(value, tuple)}
    metrics |= {"auc.low": interval[0], "auc.high": interval[1], **families}
    names = (DESCRIPTION_FILE, CALIBRATION_FILE, CARD, METRICS_FILE)
    return TrackedRun(
        "fit",
        fitted.title,
        params={**_flat(_plain(asdict(fitted.told))), **_flat(_plain(fitted.learnt.recipe))},
        metrics=metrics,
        tags={"kind": fitted.kind, "folder": printable(fitted.folder)},
        curve=fitted.learnt.curve,
        files=[(path, "") for name in names if (path := fitted.folder / name).is_file()],
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in values.items():
        found |= (
            _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping)
            else {f"{prefix}{name}": value}
        )  # fmt: skip
    return found


def _plain(value: Any) -> Any:
    """JSON-compatible values, without NaN, infinity, paths or tuples."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return printable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
