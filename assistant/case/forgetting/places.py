"""Files outside galleries and cases that may show a subject: uploads, reports, runs, the demo.

Uploads and pictures with numbered faces are copies for the screen, encoded anew: they cannot be
told apart by content and are emptied whole. An evaluation run, the demo, an unfinished fit and a
kept check mix pictures, pages, features and reports: each goes whole if any file in it holds or
names the subject. Of a watch's memory only that goes (`watches`). Only Unmask's own folders are
looked at; the user's files stay, also where they lie in the data folder.

Does not show: pages that were written elsewhere with `unmask find --page`.
"""

import json
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant.case.forgetting.request import ForgetRequest
from assistant.case.forgetting.watches import HeldInWatch, held_in_watch
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.locking.state import is_locked
from tools.media.file_names import printable
from tools.media.hashing import read_sha256

CACHES = ("uploads", "faces")
"""Folders of copies for the screen, which are made anew when needed."""

_DEMO_GALLERY = "unmask-demo"
FIT_WORK = "detectors/*/.fit"
"""Unfinished fits below the folder of the models: faces, features, checkpoints."""
_KEPT_CHECKS = "history/*/*"


@dataclass(frozen=True, slots=True)
class LoosePlaces:
    """What goes outside records: single `files`, and `folders` with all in them.

    `beside` are the files in `folders` that neither hold nor name the subject: they go with the
    rest. `reports` are further files, exported into the folders of cases. `watches` lose what they
    remember of the subject, which `needles` names; `problems` are sentences about what could not be
    looked at.
    """

    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    reports: tuple[Path, ...] = ()
    beside: tuple[Path, ...] = ()
    watches: tuple[HeldInWatch, ...] = ()
    needles: tuple[bytes, ...] = ()
    problems: tuple[str, ...] = ()


def loose_places(settings: Settings, request: ForgetRequest) -> LoosePlaces:
    """Find the files and folders that go with a request. Raises OSError."""
    home = settings.home
    if request.kind == "gallery":
        named = [home / "dropped" / request.key, settings.watch_dir / request.key]
        if request.key == _DEMO_GALLERY:
            named.append(settings.demo_dir)
        closed = tuple(_locked(it) for it in (home / "dropped",) if is_locked(it))
        return LoosePlaces(folders=tuple(it for it in named if it.is_dir()), problems=closed)
    caches = [it for name in CACHES for it in _files(home / name)]
    if request.kind == "case":
        return LoosePlaces(tuple(caches))
    dropped = [it for it in _files(home / "dropped") if read_sha256(it) in request.images]
    names = [*_needles(request), *_tails(request)]
    units = [
        settings.demo_dir, *settings.evals_dir.glob("*"), *settings.models_dir.glob(FIT_WORK),
        *home.glob(_KEPT_CHECKS),
    ]  # fmt: skip
    watches, problems = _watches(settings, names, request)
    problems += [
        _locked(it) for it in (*units, home / "dropped", home / "history") if is_locked(it)
    ]
    held = sorted(it for it in units if it.is_dir() and any(_about(it, request, names)))
    beside = (
        file
        for folder in held
        for file, about in zip(_files(folder), _about(folder, request, names), strict=True)
        if not about
    )
    return LoosePlaces(
        (*caches, *dropped), tuple(held), beside=tuple(beside), watches=tuple(watches),
        needles=tuple(names), problems=tuple(problems),
    )  # fmt: skip


def _watches(
    settings: Settings, needles: Sequence[bytes], request: ForgetRequest
) -> tuple[list[HeldInWatch], list[str]]:
    """What each watch holds, and why one could not be looked at."""
    found, problems = list[HeldInWatch](), list[str]()
    for folder in sorted(it for it in settings.watch_dir.glob("*") if it.is_dir()):
        try:
            held = held_in_watch(folder, needles, request.images)
        except SetupError as error:
            problems.append(str(error))
            continue
        found += [held] if held else []
    return found, problems


def _locked(folder: Path) -> str:
    return f"{folder.name!r} in the data folder is locked: open it with `unmask unlock --all`"


def _files(folder: Path) -> list[Path]:
    """The regular files below a folder; links are not followed."""
    return sorted(it for it in folder.rglob("*") if it.is_file() and not it.is_symlink())


def _about(folder: Path, request: ForgetRequest, needles: Sequence[bytes]) -> Iterator[bool]:
    """For each file below a folder, whether it holds or names the subject."""
    return (
        read_sha256(file) in request.images or any(_contains(file, it) for it in needles)
        for file in _files(folder)
    )


def _needles(request: ForgetRequest) -> Iterator[bytes]:
    """The bytes by which files name the subject: ids as text and raw, and whole paths."""
    for each in sorted({*request.images, *request.faces}):
        yield each.encode()
    for image in sorted(request.images):
        yield bytes.fromhex(image)
    for path in sorted(request.paths):
        yield bytes(path)
        yield json.dumps(printable(path))[1:-1].encode()


def _tails(request: ForgetRequest) -> Iterator[bytes]:
    """The last folder and the file's name: runs name pictures from the root of their data."""
    for path in sorted(request.paths):
        if path.parent.name:
            yield f"{path.parent.name}/{printable(Path(path.name))}".encode()


def _contains(file: Path, needle: bytes) -> bool:
    if not file.stat().st_size:
        return False
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(needle) >= 0
