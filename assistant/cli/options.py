"""Shared options and settings of all commands, and redirection of library output."""

import contextlib
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.settings import Settings
    from tools.search.query_files import FaceNumbers

GalleryOption = Annotated[
    str, typer.Option("--gallery", "-g", metavar="NAME", help="Which collection.")
]
FaceOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PHOTO=N", help="Which face of a photo, from left to right."),
]
HostOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Address to listen on; default: this machine only."),
]
PortOption = Annotated[
    int | None, typer.Option(min=0, max=65535, metavar="N", help="Port; default: 7860.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, for scripts.")
]


def parse_cli_path(text: str) -> Path:
    """Parse a path argument; an empty one (an unset variable) is not the current folder."""
    if not text or "\0" in text:
        raise typer.BadParameter("is empty" if not text else "holds a null byte")
    return Path(text)


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """Options given before the command's name."""

    profile: str | None
    verbose: bool


def load_settings(context: typer.Context, *, writes: bool = False) -> "Settings":
    """The settings of this run: the environment's, overridden by `--profile`.

    Raises SetupError at once, before any computation, if the data folder is not a folder or, for a
    command that `writes`, cannot be written.
    """
    from tools.media.data_folder import require_usable_dir, require_writable

    settings = load_raw_settings(context)
    (require_writable if writes else require_usable_dir)(settings.home)
    return settings


def changed_settings(context: typer.Context, **changes: object) -> "Settings":
    """The settings of a command that writes, with its options; None leaves what is set.

    Raises SetupError also for `folders` that do not exist.
    """
    from assistant.settings import Settings

    settings = load_settings(context, writes=True)
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return settings
    changed = Settings.model_validate(settings.model_dump() | given)
    missing = [it for it in changed.folders if "folders" in given and not it.is_dir()]
    if missing:
        raise SetupError(f"{str(missing[0])!r} is no folder: check --folder")
    return changed


def parse_face_numbers(said: Sequence[str] | None) -> "FaceNumbers | None":
    """The faces that `--face` chooses; wrong usage if it names none."""
    from assistant.report.pictures.numbered_faces import parse_face_option

    try:
        return parse_face_option(said or ())
    except SetupError as error:
        raise typer.BadParameter(str(error), param_hint="--face") from error


def load_raw_settings(context: typer.Context) -> "Settings":
    """The same without the checks, for a command that checks the data folder itself."""
    from assistant.settings import Settings

    return Settings.load(profile=global_options(context).profile)


def global_options(context: typer.Context) -> GlobalOptions:
    """Options given before the command's name."""
    shared = context.find_root().obj
    return (
        shared if isinstance(shared, GlobalOptions) else GlobalOptions(profile=None, verbose=False)
    )


@contextlib.contextmanager
def redirect_library_output(context: typer.Context) -> Iterator[None]:
    """Redirect library output to stderr with --verbose, otherwise discard it."""
    noise = sys.stderr if global_options(context).verbose else io.StringIO()
    with contextlib.redirect_stdout(noise):
        yield
