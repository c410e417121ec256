"""The folder of a run: options, figures, environment and files.

`run.json` is written last and atomically: a folder without it holds an interrupted run, which
resumes when started again with the same folder. Beside it are `samples.jsonl` (every sample),
`pictures.json` and its pictures, `report.html`, and `home/`, the gallery of a run that measured
pictures. `run.json` contains no absolute path: only the name of the data folder.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from evals.runs import samples
from evals.runs.figures import jsonable
from tools.errors import SetupError
from tools.gallery.locking.state import require_unlocked
from tools.media.paths import exists, is_file, is_folder
from tools.media.private_files import open_private, private_folder, restrict_permissions

RUN_FILE = "run.json"
STARTED_FILE = "started.json"
PICTURES_FILE = "pictures.json"
REPORT_FILE = "report.html"
HOME_DIR = "home"
_PICTURE_KINDS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class EvalRun:
    """Content of `run.json`. `started` is UTC; `figures` are nested, None is not measured."""

    suite: str
    question: str
    started: str
    seconds: float
    options: Mapping[str, object]
    data: Mapping[str, object]
    environment: Mapping[str, object]
    figures: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RunPicture:
    """A picture of a run: its file in the folder, title, and caption."""

    file: Path
    title: str
    caption: str


def new_folder(runs: Path, suite: str, *, seed: int, at: datetime) -> Path:
    """A new folder below `runs` for a run that starts now."""
    name = f"{suite}-{at:%Y%m%dT%H%M%SZ}-{seed}"
    folder, count = runs / name, 1
    while exists(folder):
        count += 1
        folder = runs / f"{name}-{count}"
    return folder


def prepare_folder(folder: Path, suite: str, *, force: bool = False) -> None:
    """Prepare the folder: new, or an interrupted run's, whose gallery is kept.

    Raises SetupError if it holds a completed run (unless `force`), another suite's run, or other
    files.
    """
    if is_file(folder / RUN_FILE) and not force:
        raise SetupError(
            f"{str(folder)!r} holds a completed run; choose another folder, or replace it with "
            "--force"
        )
    _require_unlocked(folder)
    if exists(folder):
        _check_is_ours(folder, suite, force=force)
        _clear(folder)
    try:
        private_folder(folder)
    except OSError as error:
        raise SetupError(
            f"{str(folder)!r} cannot be created ({error.strerror}); choose another with --output"
        ) from error
    restrict_permissions(folder)  # what an earlier start left
    write_atomically(folder / STARTED_FILE, json.dumps({"suite": suite}))


def _check_is_ours(folder: Path, suite: str, *, force: bool) -> None:
    if not is_folder(folder):
        raise SetupError(f"{str(folder)!r} is a file; --output takes a folder")
    name = RUN_FILE if is_file(folder / RUN_FILE) else STARTED_FILE
    if not is_file(folder / name):
        if any(folder.iterdir()):
            raise SetupError(f"{str(folder)!r} holds other files; --output needs a separate folder")
        return
    other = _object(folder / name).get("suite")
    if other != suite and not force:
        raise SetupError(
            f"{str(folder)!r} holds a run of {other!r}, not of {suite!r}; choose another folder"
        )


def _clear(folder: Path) -> None:
    """Delete the files of an earlier start except the gallery, or samples would be duplicated."""
    for picture in load_pictures(folder):
        picture.file.unlink(missing_ok=True)
    for name in (RUN_FILE, samples.NAME, PICTURES_FILE, REPORT_FILE):
        (folder / name).unlink(missing_ok=True)


def discard_if_empty(folder: Path) -> bool:
    """After a failure, remove the folder if nothing was done in it; returns whether it still
    exists."""
    left = [path.name for path in folder.iterdir()] if is_folder(folder) else []
    if left == [STARTED_FILE]:
        shutil.rmtree(folder)
    return bool(left) and left != [STARTED_FILE]


def write_run(folder: Path, run: EvalRun) -> None:
    """Write `run.json`, which completes the run."""
    content = json.dumps(jsonable(asdict(run)), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / RUN_FILE, content + "\n")
    (folder / STARTED_FILE).unlink(missing_ok=True)
    restrict_permissions(folder)


def load_run(folder: Path) -> EvalRun:
    """A completed run. Raises SetupError if there is none or it cannot be read."""
    _require_unlocked(folder)
    if not is_file(folder / RUN_FILE):
        if is_file(folder / STARTED_FILE):
            raise SetupError(
                f"the run in {str(folder)!r} was interrupted; resume with `python -m evals run "
                f"{_object(folder / STARTED_FILE).get('suite')} --output {folder}`"
            )
        raise SetupError(f"no run in {str(folder)!r}; `python -m evals run SUITE` makes one")
    content = _object(folder / RUN_FILE)
    try:
        return EvalRun(**{name: content[name] for name in EvalRun.__slots__})  # type: ignore[arg-type]
    except KeyError as error:
        raise SetupError(
            f"{folder / RUN_FILE} lacks {error}: not written by this program"
        ) from error


def find_run(name: str, runs: Path) -> Path:
    """The folder of a run, given its path or its folder name below `runs`."""
    return Path(name) if exists(name) or not is_folder(runs / name) else runs / name


def load_pictures(folder: Path) -> list[RunPicture]:
    """The pictures of a run; missing files and files outside its folder are left out."""
    path = folder / PICTURES_FILE
    if not is_file(path):
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        listed = [(str(it["file"]), str(it["title"]), str(it["caption"])) for it in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise SetupError(f"{path} is not a list of pictures ({error})") from error
    found = [RunPicture(folder / name, title, caption) for name, title, caption in listed]
    return [it for it in found if _is_inside(it.file, folder)]


def _is_inside(file: Path, folder: Path) -> bool:
    """A run may be from another person: its page must not include files of this machine."""
    inside = file.resolve().is_relative_to(folder.resolve())
    return inside and file.suffix.lower() in _PICTURE_KINDS and file.is_file()


def write_atomically(path: Path, text: str) -> None:
    """Write all of the text or nothing, even if the machine stops."""
    part = path.with_name(path.name + ".part")
    with open_private(part) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _require_unlocked(folder: Path) -> None:
    require_unlocked(folder, f"the run {folder.name!r}", unlock="--all")


def _object(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SetupError(f"{path} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise SetupError(f"{path} is not a run")
    return content
