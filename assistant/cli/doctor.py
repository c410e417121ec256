"""`unmask doctor`: check the installation; each finding names the command that fixes it.

Read-only: no folder is created, nothing is downloaded.
"""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table
from rich.text import Text

from assistant.console.output import badge, escape_terminal, stdout_console
from assistant.settings import Settings
from tools.errors import SetupError
from tools.media.data_folder import nearest_existing, probe_write

DISTRIBUTION = "unmask"
OUR_PACKAGES = ("assistant", "tools", "prompts", "evals")

MIN_FREE_DISK_GB = 2.0
"""Free disk space in GB below which a warning appears: a gallery takes about 20 kB per face."""

# By import name: opencv and onnxruntime come from one of several distributions.
_LIBRARIES = (
    "torch",
    "open_clip",
    "insightface",
    "onnxruntime",
    "chromadb",
    "numpy",
    "cv2",
    "PIL",
    "pillow_heif",
    "skimage",
    "sklearn",
    "pydantic_settings",
    "typer",
)

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check; `hint` names the command that fixes it."""

    name: str
    state: State
    detail: str
    hint: str = ""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Run every check; the slow ones (hashes, engines, galleries) come last.

    An error that prevents a check (permissions, a failing disk) is its finding.
    """
    yield from _reported("python", lambda: [check_python()])
    yield from _reported("libraries", lambda: [check_libraries()])
    yield from _reported("package names", lambda: [check_package_conflicts()])
    yield check_home(settings.home)
    yield check_disk(settings.home)
    yield from _reported(f"profile {settings.profile}", lambda: [check_profile(settings)])
    yield from _reported("parts of setup", lambda: check_parts(settings))
    yield from _reported("engines", lambda: [check_gpu()])
    yield from _reported("galleries", lambda: check_galleries(settings))
    yield from _reported("deletions", lambda: check_deletions(settings))


def _reported(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except (OSError, SetupError, importlib.metadata.PackageNotFoundError) as error:
        yield Check(name, "broken", f"cannot be looked at: {error}")


def version() -> str:
    """The installed version of Unmask."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def check_python() -> Check:
    """The versions of Unmask and Python, and the system."""
    found = f"Unmask {version()}, Python {platform.python_version()}, {platform.platform()}"
    if version() == "not installed":
        return Check("python", "warning", found, "run `pip install -e .` in its folder")
    return Check("python", "ok", found)


def check_libraries() -> Check:
    """Versions of the libraries that do the computations."""
    providers = importlib.metadata.packages_distributions()
    missing = [name for name in _LIBRARIES if name not in providers]
    if missing:
        hint = "run `pip install -e .` in Unmask's folder"
        return Check("libraries", "broken", f"missing: {', '.join(missing)}", hint)
    found = [providers[name][0] for name in _LIBRARIES]
    detail = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in found)
    return Check("libraries", "ok", detail)


def find_package_conflicts() -> dict[str, list[str]]:
    """Our package names that other installed distributions ship too, with those distributions."""
    claims = importlib.metadata.packages_distributions()
    others = {
        name: sorted({it for it in claims.get(name, ()) if it.lower() != DISTRIBUTION})
        for name in OUR_PACKAGES
    }
    return {name: distributions for name, distributions in others.items() if distributions}


def check_package_conflicts() -> Check:
    """Check that `tools` and the like are ours, not from another distribution or folder."""
    claims = find_package_conflicts()
    if claims:
        culprits = sorted({name for names in claims.values() for name in names})
        pairs = ", ".join(f"{name!r} ({', '.join(others)})" for name, others in claims.items())
        detail = f"other distributions ship the same names: {pairs}"
        hint = f"run `pip uninstall {' '.join(culprits)}`, or use an environment of its own"
        return Check("package names", "broken", detail, hint)
    strays = _packages_from_elsewhere()
    if strays:
        hint = "start `unmask` from another folder, or rename that one"
        return Check("package names", "broken", f"imported from elsewhere: {strays}", hint)
    return Check("package names", "ok", "no clash with other installed distributions")


def _packages_from_elsewhere() -> str:
    root = Path(__file__).parents[2]
    specs = {name: importlib.util.find_spec(name) for name in OUR_PACKAGES}
    places = {name: Path(str(spec.origin)) for name, spec in specs.items() if spec is not None}
    return ", ".join(str(place) for place in places.values() if place.parent.parent != root)


def check_home(home: Path) -> Check:
    """Check that the data folder can be written or created."""
    hint = "make it writable, or set UNMASK_HOME to a folder that is"
    try:
        place = nearest_existing(home)
        if not place.is_dir():
            return Check("data folder", "broken", f"{place} is not a folder", hint)
        if not os.access(place, os.W_OK | os.X_OK):
            return Check("data folder", "broken", f"{place} cannot be written", hint)
        probe_write(place)
    except OSError as error:
        reason = error.strerror or str(error)
        return Check("data folder", "broken", f"{home} cannot be written: {reason.lower()}", hint)
    return Check("data folder", "ok", f"{home}" + ("" if home.exists() else " (not made yet)"))


def check_disk(home: Path) -> Check:
    """Check the free disk space at the data folder."""
    hint = "free some space, or set UNMASK_HOME to a folder on a larger disk"
    try:
        free_gb = shutil.disk_usage(nearest_existing(home)).free / 1e9
    except OSError as error:
        return Check("disk", "broken", f"{error.strerror or error}".lower(), hint)
    detail = f"{free_gb:.1f} GB free"
    if free_gb < MIN_FREE_DISK_GB:
        return Check("disk", "warning", detail, hint)
    return Check("disk", "ok", detail)


def check_profile(settings: Settings) -> Check:
    """Check that the profile's checkpoints are present and match the table (reads all of them)."""
    from tools.checkpoints.store import verify

    name = f"profile {settings.profile}"
    statuses = verify(settings.profile, settings.models_dir)
    wrong = {it.state for it in statuses} - {"ok"}
    if wrong:
        files = {
            state: ", ".join(f"{it.part}/{it.path.name}" for it in statuses if it.state == state)
            for state in sorted(wrong)
        }
        hint = (
            "run `pip install -e .` in a fresh copy of Unmask"
            if settings.profile == "pocket"
            else f"run `unmask models download {settings.profile}`"
        )
        detail = "; ".join(f"{state}: {names}" for state, names in files.items())
        return Check(name, "broken", detail, hint)
    return Check(name, "ok", f"{len(statuses)} files as they should be")


def check_parts(settings: Settings) -> Iterator[Check]:
    """Each part that `unmask setup` fetches: what it is for, and whether it is here."""
    from tools.checkpoints.pretrained import PRETRAINED_PARTS, verify_part

    for part in PRETRAINED_PARTS.values():
        found = verify_part(part, settings.models_dir)
        title, detail = f"part {part.name}", f"{part.title}, for {part.purpose}"
        if found.state == "here":
            yield Check(title, "ok", f"{detail}: here")
        else:
            # Unmask works without them: only a damaged one is a fault.
            state: State = "ok" if found.state == "not here" else "warning"
            why = f" ({found.detail})" if found.detail else ""
            hint = "run `unmask setup`; Unmask works without it"
            yield Check(title, state, f"{detail}: {found.state}{why}", hint)


def check_gpu() -> Check:
    """List the engines that see a GPU; onnxruntime falls back to the CPU silently."""
    try:
        import onnxruntime
        import torch
    except (ImportError, OSError, RuntimeError) as error:
        return Check("engines", "broken", str(error), "run `pip install -e .` in Unmask's folder")
    on_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    if not torch.cuda.is_available():
        return Check("engines", "ok", "no GPU is visible: everything runs on the CPU")
    name = torch.cuda.get_device_name(0)
    if on_cuda:
        return Check("engines", "ok", f"torch and onnxruntime see {name}")
    detail = f"torch sees {name}, onnxruntime does not: faces are found and embedded on the CPU"
    hint = "run `pip uninstall onnxruntime && pip install onnxruntime-gpu`"
    return Check("engines", "warning", detail, hint)


def check_galleries(settings: Settings) -> Iterator[Check]:
    """Check each gallery's record by reading it completely."""
    from tools.gallery.record_store import Gallery

    names = Gallery.names(settings.home)
    if not names:
        yield Check("galleries", "ok", "none yet: make one with `unmask index DIR`")
    for name in names:
        yield _check_gallery(settings, name)


def _check_gallery(settings: Settings, name: str) -> Check:
    from assistant.server.work.galleries import needs_upgrade
    from tools.gallery.record_store import Gallery
    from tools.search.results import pictures_in_words

    title = f"gallery {name}"
    try:
        Gallery.require_unlocked(settings.home, name)
    except SetupError as locked:
        return Check(title, "ok", str(locked))
    try:
        with Gallery.open_existing(settings.home, name) as gallery:
            problems, counts = gallery.problems(), gallery.counts()
            outdated, notices = needs_upgrade(settings, gallery), gallery.notices
            noted = gallery.retention.text
    except SetupError as error:
        return Check(title, "broken", str(error))
    if problems:
        hint = f"run `unmask galleries forget {name}`, then `unmask index` on its folders again"
        return Check(title, "broken", "; ".join(problems[:5]), hint)
    pictures = pictures_in_words(counts.pictures, videos=counts.videos)
    detail = f"{pictures}, {counts.faces} faces, {counts.skipped} files skipped"
    detail += f"; {noted}" if noted else ""
    if outdated:
        hint = f"run `unmask galleries upgrade {name}`"
        return Check(title, "warning", f"{detail}; made with another face embedder", hint)
    if notices:
        return Check(title, "warning", "; ".join([detail, *notices]))
    return Check(title, "ok", detail)


def check_deletions(settings: Settings) -> Iterator[Check]:
    """Report deletions that were interrupted; nothing if there are none."""
    from assistant.case.forgetting.journal import unfinished_deletions

    for begun in unfinished_deletions(settings.home):
        detail = f"a deletion begun on {begun.began} was interrupted ({begun.kind})"
        hint = "run the same `unmask forget` command again: it does the rest"
        yield Check("deletions", "warning", detail, hint)


def print_checks(checks: Sequence[Check]) -> None:
    """Print the checks, each hint below its finding."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(overflow="fold")
    for check in checks:
        detail = Text(escape_terminal(check.detail))
        if check.hint:
            detail.append(f"\n→ {escape_terminal(check.hint)}", style="bold")
        table.add_row(badge(check.state), Text(escape_terminal(check.name)), detail)
    stdout_console().print(table)
