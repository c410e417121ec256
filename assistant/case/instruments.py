"""What measured: version, checkpoints, calibration and libraries, so that another run can compare.

A search is recorded with this description; a replay names what differs between the two.
"""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from tools.detectors.protocol import qualified_name
from tools.search.model_bundle import ModelBundle
from tools.verdict.rule import VerdictRule

_DISTRIBUTION = "unmask"
_LIBRARIES = ("numpy", "onnxruntime", "opencv-python", "pillow", "torch", "open_clip_torch", "av")
"""The libraries whose arithmetic or decoding a measurement depends on."""


_SINGLE = {
    "unmask": "Unmask", "profile": "profile", "calibration": "verdict rule", "python": "Python",
    "machine": "machine",
}  # fmt: skip


def describe_instruments(models: ModelBundle) -> dict[str, Any]:
    """A JSON-able dict: `unmask`, `profile`, `parts` and `calibration` (sha256), `libraries`.

    `parts` are the checkpoints by name; `python` and `machine` are those of this process.
    """
    return {
        "unmask": unmask_version(),
        "profile": models.profile,
        "parts": dict(_parts(models)),
        "calibration": None if models.rule is None else rule_sha256(models.rule),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }


def unmask_version() -> str:
    """The installed version of Unmask; "not installed" when it runs from a source tree only."""
    return _version(_DISTRIBUTION)


def rule_sha256(rule: VerdictRule) -> str:
    """sha256 of the parameters of a verdict rule, for a gallery of one face."""
    written = json.dumps(asdict(rule), sort_keys=True, default=str)
    return hashlib.sha256(written.encode()).hexdigest()


def differences(recorded: Mapping[str, Any] | None, here: Mapping[str, Any]) -> list[str]:
    """A line for each thing that differs between two descriptions; empty if nothing does.

    `recorded` is None for a search from before descriptions were recorded.
    """
    if not recorded:
        return ["the record does not say which version and checkpoints measured"]
    return [
        f"{name}: recorded {_short(before)}, here {_short(now)}"
        for name, before, now in _paired(recorded, here)
        if before != now
    ]


def _paired(recorded: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key, words in _SINGLE.items():
        yield words, recorded.get(key), here.get(key)
    for key in ("parts", "libraries"):
        before, now = recorded.get(key) or {}, here.get(key) or {}
        for name in dict.fromkeys((*before, *now)):
            yield name, before.get(name), now.get(name)


def _short(value: object) -> str:
    """A hash by its first twelve digits; None is "none"."""
    text = "none" if value is None else str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def _parts(models: ModelBundle) -> Iterator[tuple[str, str]]:
    yield from models.fingerprint.items()
    for detector in (*models.detectors, *models.pixel_detectors):
        yield qualified_name(detector), detector.sha256
    if models.second_embedder is not None:
        yield "second embedder", models.second_embedder.sha256


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
