"""Shared options and settings of all commands, and redirection of library output."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from assistant.settings import Settings

GalleryOption = Annotated[
    str, typer.Option("--gallery", "-g", metavar="NAME", help="Which collection.")
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
