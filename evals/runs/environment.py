"""Record the environment of a run: versions, commit and checkpoints."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from assistant.settings import Settings
from tools.checkpoints.store import PROFILES, calibration_file, fingerprint
from tools.errors import SetupError
from tools.media.hashing import file_sha256

_LIBRARIES = (
    "numpy", "scipy", "scikit-learn", "opencv-python", "pillow", "onnxruntime", "torch",
    "open_clip_torch", "insightface", "chromadb", "transformers",
)  # fmt: skip
_ROOT = Path(__file__).parents[2]


def environment(settings: Settings) -> dict[str, object]:
    """Everything about this machine that may affect a figure; no name of machine or person."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
        "git": _commit(),
        "profile": settings.profile,
        "threads": settings.threads,
        "checkpoints": _checkpoints(settings),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> dict[str, object] | None:
    """The commit of this checkout and whether files were modified; None outside a checkout."""
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None
    commit = _asked(git, "rev-parse", "HEAD")
    changed = _asked(git, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changed)} if commit else None


def _asked(git: str, *arguments: str) -> str | None:
    answer = subprocess.run(
        [git, "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else None


def _checkpoints(settings: Settings) -> dict[str, str] | None:
    """sha256 by part of the scoring models; None if the profile is not installed."""
    parts = [part for part in PROFILES[settings.profile] if part not in ("vlm", "verdict")]
    try:
        found = {
            str(part): sha256
            for part, sha256 in fingerprint(
                settings.profile, settings.models_dir, parts=parts
            ).items()
        }
        rule = calibration_file(settings.profile, settings.models_dir)
    except SetupError:
        return None
    return found if rule is None else {**found, "verdict": file_sha256(rule)}
