"""What can be locked at rest: galleries, cases, and the data folder's other personal data.

`tools.gallery.locking` locks one folder; here are the folders, their lock files, and the caches
that are deleted instead. Checkpoints, signing keys and tokens, proofs of deletion (which hold no
face) and the notes of unfinished deletions are not locked; nor is which browser had which case.

Does not show: copies elsewhere (the user's own files, pages and bundles written to other folders,
backups), the names of galleries and the ids of cases, and the memory of a running chat or server.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from assistant.case.forgetting.places import CACHES, FIT_WORK
from assistant.case.record import Case, case_folders
from assistant.settings import Settings
from tools.errors import SetupError
from tools.gallery.access_log import AccessKind, record_access
from tools.gallery.database_file import gallery_folder
from tools.gallery.engines.choice import remove_from_server
from tools.gallery.locking.folder import lock_folder, shred_folder, unlock_folder
from tools.gallery.locking.keys import KeyFinder, LockKey
from tools.gallery.record_store import Gallery
from tools.media.data_folder import as_setup_error

_GALLERY_GUARDS = ("writer.lock", "chroma.lock")
_WATCH_GUARDS = ("watch.lock",)
_SERVERS = "running-*.lock"
"""Held by each server while it runs."""


@dataclass(frozen=True, slots=True)
class LockUnit:
    """A folder that is locked as one; `name` says what it is, `guards` are its lock files.

    A gallery may have embeddings `on_server` as well, which are deleted there.
    """

    name: str
    folder: Path
    guards: tuple[str, ...] = ()
    logged: bool = False
    on_server: bool = False


def gallery_unit(settings: Settings, name: str) -> LockUnit:
    """A gallery. Raises SetupError for an unknown one."""
    folder = gallery_folder(settings.home, name)
    if name not in Gallery.names(settings.home):
        raise SetupError(f"there is no gallery {name!r}; `unmask galleries list` shows all")
    return LockUnit(f"gallery {name!r}", folder, _GALLERY_GUARDS, logged=True, on_server=True)


def case_unit(settings: Settings, id: str) -> LockUnit:
    """A case. Raises SetupError for an unknown one."""
    return LockUnit(f"case {id}", Case.find(settings.home, id).folder, logged=True)


def all_units(settings: Settings) -> list[LockUnit]:
    """Everything that can be locked, in the order in which it should be."""
    home = settings.home
    galleries = [gallery_unit(settings, name) for name in Gallery.names(home)]
    cases = [case_unit(settings, it.name) for it in case_folders(home)]
    watches = [
        LockUnit(f"watch {it.name!r}", it, _WATCH_GUARDS) for it in _folders(settings.watch_dir)
    ]
    runs = [LockUnit(f"evaluation {it.name}", it) for it in _folders(settings.evals_dir)]
    fits = [
        LockUnit(f"unfinished fit of {it.parent.name!r}", it)
        for it in sorted(settings.models_dir.glob(FIT_WORK))
    ]
    servers = tuple(it.name for it in (home / "server").glob(_SERVERS))
    rest = [
        LockUnit("demo", settings.demo_dir),
        LockUnit("dropped files", home / "dropped"),
        LockUnit("history of checks", home / "history"),
        LockUnit("record of the server", home / "server", servers),
    ]
    return [*galleries, *cases, *watches, *runs, *fits, *(it for it in rest if it.folder.is_dir())]


@dataclass(frozen=True, slots=True)
class LockOutcome:
    """What became of a unit: `changed` (or there was nothing to do), or `problem` says why not."""

    unit: LockUnit
    changed: bool
    problem: str = ""


def lock_units(
    settings: Settings, units: Iterable[LockUnit], key: LockKey
) -> Iterator[LockOutcome]:
    """Lock each unit; one that cannot be locked stays as it is and does not stop the others."""
    for unit in units:
        try:
            begin = partial(_begin, unit)
            changed = lock_folder(unit.folder, key, guards=unit.guards, on_begin=begin)
            yield LockOutcome(unit, changed)
        except (OSError, SetupError) as error:
            yield LockOutcome(unit, False, _reason(error, settings))


def unlock_units(
    settings: Settings, units: Iterable[LockUnit], find_key: KeyFinder
) -> Iterator[LockOutcome]:
    """Unlock each unit; one that cannot be unlocked stays locked and does not stop the others."""
    for unit in units:
        try:
            changed = unlock_folder(unit.folder, find_key, guards=unit.guards)
            if changed:
                _log(unit, "unlock")
            yield LockOutcome(unit, changed)
        except (OSError, SetupError) as error:
            yield LockOutcome(unit, False, _reason(error, settings))


def _begin(unit: LockUnit) -> None:
    if unit.on_server:
        remove_from_server(unit.folder)
    _log(unit, "lock")


def _log(unit: LockUnit, what: AccessKind) -> None:
    if unit.logged:
        record_access(unit.folder, what)


def shred_caches(settings: Settings) -> None:
    """Overwrite and delete copies for the screen, which are made anew when needed; OSError."""
    for name in CACHES:
        shred_folder(settings.home / name)


def require_outside(key_file: Path, settings: Settings) -> None:
    """Raise SetupError for a key file that lies in the data folder, which it is to protect."""
    if key_file.resolve().is_relative_to(settings.home.resolve()):
        raise SetupError(
            f"the key file {str(key_file)!r} lies in the data folder: keep it elsewhere, best on "
            "another device, or who takes the folder has the key too"
        )


def _folders(folder: Path) -> list[Path]:
    return sorted(it for it in folder.glob("*") if it.is_dir() and not it.is_symlink())


def _reason(error: OSError | SetupError, settings: Settings) -> str:
    if isinstance(error, SetupError):
        return str(error)
    return str(as_setup_error(error, settings.home) or error.strerror or error)
