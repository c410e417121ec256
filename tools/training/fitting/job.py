"""The folder of an `unmask fit` job: resumable, and the detector's folder when complete.

    <detectors>/<name>/.fit/     during the job: faces found, features, checkpoints, new files
    <detectors>/<name>/          afterwards: detector.json, weights, calibration, card, figures

`detector.json` is written last: a folder that has one is a complete detector.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.detectors.folders import DESCRIPTION_FILE
from tools.errors import SetupError
from tools.gallery.locking.state import require_unlocked
from tools.media.private_files import private_folder, restrict_permissions

WORK, REQUEST_FILE = ".fit", "asked.json"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}")


@dataclass(frozen=True, slots=True)
class FitJob:
    """The folder of a detector in training; `resumed` is true if an earlier run started the job."""

    folder: Path
    resumed: bool

    @classmethod
    def create_or_resume(cls, folder: Path, asked: Mapping[str, Any], *, force: bool) -> "FitJob":
        """Create the folder, or resume the job in it if the request is the same.

        Raises SetupError if it holds a detector or a job with another request, unless `force`
        allows replacing them; and for an invalid name.
        """
        check_name(folder.name)
        work = folder / WORK
        require_unlocked(work, f"the unfinished fit of {folder.name!r}", unlock="--all")
        begun = work / REQUEST_FILE
        same = begun.is_file() and _read(begun) == dict(asked)
        if not same:
            _refuse(folder, begun, force=force)
            shutil.rmtree(work, ignore_errors=True)
            private_folder(folder)
            private_folder(work)
            _write(begun, dict(asked))
        restrict_permissions(folder)  # files from an earlier run
        return cls(folder, same)

    @property
    def work(self) -> Path:
        """Folder of the job's intermediate files."""
        return self.folder / WORK

    @property
    def made(self) -> Path:
        """Folder of the new files until all are complete."""
        return self.work / "made"

    def training_folder(self, pictures: str) -> Path:
        """Training folder for pictures with this digest; cleared if it belongs to other pictures.

        If a folder changed since a job was interrupted, training starts anew, so that no old
        picture influences the weights.
        """
        folder = self.work / "learning"
        for other in folder.glob("*"):
            if other.name != pictures[:16]:
                shutil.rmtree(other)
        chosen = folder / pictures[:16]
        chosen.mkdir(parents=True, exist_ok=True)
        return chosen

    def complete(self) -> None:
        """Move the new files into the detector's folder and delete all other files of the job."""
        (self.folder / DESCRIPTION_FILE).unlink(missing_ok=True)
        for file in sorted(self.made.iterdir(), key=lambda it: it.name == DESCRIPTION_FILE):
            file.replace(self.folder / file.name)
        restrict_permissions(self.folder)
        shutil.rmtree(self.work)


def check_name(name: str) -> None:
    """Raises SetupError for an invalid detector name, such as a path."""
    if not _NAME.fullmatch(name):
        raise SetupError(
            f"{name!r} is not a detector name: letters, digits, dots, dashes and underscores, "
            "at most 64 (--name)"
        )


def lines_sha256(lines: list[str]) -> str:
    """One sha256 (hex) of a list, independent of its order."""
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _refuse(folder: Path, begun: Path, *, force: bool) -> None:
    if force:
        return
    if (folder / DESCRIPTION_FILE).is_file():
        raise SetupError(
            f"{folder} holds a detector: --force fits it anew, --name NAME keeps it beside it"
        )
    if begun.is_file():
        raise SetupError(
            f"{folder} holds a job that was begun with other options or folders: repeat those to "
            "go on with it, or begin anew with --force"
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise SetupError(f"{folder} holds other files: take another --name")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError:
        return None


def _write(path: Path, value: Mapping[str, Any]) -> None:
    partial = path.with_suffix(".new")
    partial.write_text(json.dumps(value, indent=1) + "\n", "utf-8")
    partial.replace(path)
