"""Checkpoint store: locates and verifies the files of a profile, and downloads the full one.

`pocket` was trained by this project and ships in the package; `weights/manifest.json` holds its
hashes, rewritten by `python -m tools.checkpoints.store` after a training. `full` is downloaded on
request to the user's data folder. The rows are in `table.py`.
"""

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.request import OpenerDirector

from tools.checkpoints.download import HTTPS, Progress, download_file
from tools.checkpoints.table import (
    CHAT_COMPONENTS,
    CHAT_WEIGHTS_DIR,
    PROFILES,
    WEIGHTS_DIR,
    Checkpoint,
    Component,
    Profile,
)
from tools.errors import SetupError
from tools.media.hashing import combined_sha256, file_sha256

__all__ = [
    "EMBEDDING_PARTS",
    "PROFILES",
    "Checkpoint",
    "Component",
    "FileStatus",
    "Profile",
    "calibration_file",
    "checkpoint_folder",
    "download",
    "expected_files",
    "expected_fingerprint",
    "fingerprint",
    "locate",
    "verify",
    "write_manifest",
]

EMBEDDING_PARTS: tuple[Component, ...] = ("faces", "encoder")
"""The parts whose output a gallery stores; changing a head or calibration needs no re-indexing."""
MANIFEST_FILE = WEIGHTS_DIR / "manifest.json"


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file of a checkpoint: `state` is `ok`, `missing` or `wrong sha256`.

    `not in the manifest` means that no expected hash is recorded for the file.
    """

    part: Component
    checkpoint: str
    path: Path
    state: str


def checkpoint_folder(checkpoint: Checkpoint, models_dir: Path) -> Path:
    """Folder of a checkpoint, existing or not: in the package (pocket) or data folder (full)."""
    if checkpoint.profile == "pocket":
        chat = checkpoint.part in CHAT_COMPONENTS
        return (CHAT_WEIGHTS_DIR if chat else WEIGHTS_DIR) / checkpoint.folder
    return models_dir / checkpoint.profile / checkpoint.part


def locate(checkpoint: Checkpoint, models_dir: Path) -> Path:
    """Folder of a checkpoint whose files all exist; `verify` checks their content.

    Raises SetupError, with the command that helps, if a file is missing.
    """
    folder = checkpoint_folder(checkpoint, models_dir)
    missing = [name for name in expected_files(checkpoint) if not (folder / name).is_file()]
    if not missing:
        return folder
    if checkpoint.profile == "full":
        raise SetupError(
            f"{checkpoint.name} is not on this machine: run `unmask models download full`"
        )
    raise SetupError(
        f"{folder} lacks {', '.join(missing)}: install Unmask again, or make it with "
        f"`{checkpoint.source}`"
    )


def calibration_file(profile: Profile, models_dir: Path) -> Path | None:
    """The active calibration: this machine's own fit, otherwise the profile's, otherwise None.

    None means that the profile's scores have not been calibrated, so it has no probabilities.
    """
    own = models_dir / profile / "verdict" / "verdict.json"
    if own.is_file():
        return own
    checkpoint = PROFILES[profile].get("verdict")
    return locate(checkpoint, models_dir) / "verdict.json" if checkpoint else None


def expected_files(checkpoint: Checkpoint) -> dict[str, str | None]:
    """File names to sha256, from the row or (pocket) the manifest; None if not recorded."""
    if checkpoint.profile == "pocket":
        known = _manifest().get(checkpoint.part, {})
        return {name: known.get(name) for name in checkpoint.files}
    written = {
        name: hashlib.sha256(text.encode()).hexdigest()
        for name, text in checkpoint.generated_files.items()
    }
    return {**checkpoint.files, **written}


def expected_fingerprint(checkpoint: Checkpoint) -> str:
    """The `fingerprint` of an intact download of this row."""
    lines = sorted(f"{name} {sha256}\n" for name, sha256 in expected_files(checkpoint).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def fingerprint(
    profile: Profile, models_dir: Path, *, parts: Sequence[Component] = EMBEDDING_PARTS
) -> dict[str, str]:
    """sha256 per part, over the names and contents of its files; ties a gallery to them.

    Raises SetupError if a part is missing.
    """
    rows = {part: PROFILES[profile][part] for part in parts if part in PROFILES[profile]}
    return {
        part: combined_sha256(
            [locate(checkpoint, models_dir) / name for name in expected_files(checkpoint)]
        )
        for part, checkpoint in rows.items()
    }


def verify(profile: Profile, models_dir: Path) -> list[FileStatus]:
    """The state of every file of a profile, read from disk."""
    return [
        FileStatus(
            checkpoint.part,
            checkpoint.name,
            path := checkpoint_folder(checkpoint, models_dir) / name,
            _state(path, sha256),
        )
        for checkpoint in PROFILES[profile].values()
        for name, sha256 in expected_files(checkpoint).items()
    ]


def download(
    profile: Profile, models_dir: Path, progress: Progress, *, opener: OpenerDirector = HTTPS
) -> None:
    """Download the missing files of a profile. Called only on the user's request.

    Existing intact files are kept. Raises SetupError, see `download_file`; calling again resumes.
    """
    if profile == "pocket":
        raise SetupError("the pocket profile is part of Unmask: nothing to download")
    for checkpoint in PROFILES[profile].values():
        folder = checkpoint_folder(checkpoint, models_dir)
        states = {
            name: _state(folder / name, sha256)
            for name, sha256 in expected_files(checkpoint).items()
        }
        if any(states[name] != "ok" for name in checkpoint.files):
            _download(checkpoint, folder, partial(download_file, progress=progress, opener=opener))
        for name, text in checkpoint.generated_files.items():
            (folder / name).write_text(text, "utf-8", newline="\n")


def write_manifest() -> list[Path]:
    """Record the sha256 of the existing pocket files; returns the paths of the missing ones."""
    rows = PROFILES["pocket"].values()
    known: dict[str, dict[str, str]] = {}
    missing = []
    for row, name in [(each, name) for each in rows for name in sorted(each.files)]:
        # Pocket files are in the package, independent of the download folder.
        path = checkpoint_folder(row, WEIGHTS_DIR) / name
        if path.is_file():
            known.setdefault(row.part, {})[name] = file_sha256(path)
        else:
            missing.append(path)
    MANIFEST_FILE.write_text(json.dumps(known, indent=2) + "\n", "utf-8", newline="\n")
    return missing


def _download(checkpoint: Checkpoint, folder: Path, fetched: Callable[..., None]) -> None:
    if checkpoint.sizes:
        _download_each(checkpoint, folder, fetched)
        return
    size = checkpoint.size_bytes
    sha256 = checkpoint.archive_sha256 or next(iter(checkpoint.files.values()))
    if sha256 is None or size is None:
        raise ValueError(f"{checkpoint.name!r} cannot be downloaded: no sha256 or size is pinned")
    if checkpoint.archive_sha256 is None:
        (name,) = checkpoint.files
        fetched(checkpoint.source, folder / name, sha256=sha256, size=size)
        return
    archive = folder / checkpoint.source.rpartition("/")[2]
    fetched(checkpoint.source, archive, sha256=sha256, size=size)
    _unpack(archive, checkpoint)
    archive.unlink()


def _download_each(checkpoint: Checkpoint, folder: Path, fetched: Callable[..., None]) -> None:
    """Download the files of a row whose source is a folder; intact ones are kept."""
    for name, sha256 in checkpoint.files.items():
        target = folder / name
        if sha256 is None:
            raise ValueError(f"{name!r} of {checkpoint.name!r} has no sha256")
        if _state(target, sha256) != "ok":
            url = f"{checkpoint.source}{name}"
            fetched(url, target, sha256=sha256, size=checkpoint.sizes[name])


def _unpack(archive: Path, checkpoint: Checkpoint) -> None:
    """Extract only the row's files from an archive, by name."""
    with zipfile.ZipFile(archive) as bundle:
        members = {Path(member).name: member for member in bundle.namelist()}
        for name, sha256 in checkpoint.files.items():
            content = bundle.read(members[name])
            if hashlib.sha256(content).hexdigest() != sha256:
                raise SetupError(f"{name!r} in {archive} has the wrong sha256")
            part = archive.with_name(name + ".part")
            part.write_bytes(content)
            part.replace(archive.with_name(name))


def _state(path: Path, sha256: str | None) -> str:
    if not path.is_file():
        return "missing"
    if sha256 is None:
        return "not in the manifest"
    return "ok" if file_sha256(path) == sha256 else "wrong sha256"


def _manifest() -> dict[str, dict[str, str]]:
    if not MANIFEST_FILE.is_file():
        return {}
    content: dict[str, dict[str, str]] = json.loads(MANIFEST_FILE.read_text("utf-8"))
    return content


def main() -> int:
    """`python -m tools.checkpoints.store`: rewrite the manifest after a training."""
    missing = write_manifest()
    sys.stdout.write(f"wrote {MANIFEST_FILE}\n")
    sys.stdout.writelines(f"missing: {path}\n" for path in missing)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
