"""What all commands share: their options, their settings, and keeping libraries off stdout."""

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
    """A path of the command line; an empty one (an unset variable) is not the current folder."""
    if not text or "\0" in text:
        raise typer.BadParameter("is empty" if not text else "holds a null byte")
    return Path(text)


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was said before the command's name."""

    profile: str | None
    verbose: bool


def load_settings(context: typer.Context, *, writes: bool = False) -> "Settings":
    """The settings of this run: the environment's, with `--profile` on top.

    Raises SetupError for a data folder that is none or, for a command that `writes`, one that
    cannot be written: at once, before anything is computed.
    """
    from assistant.cli.data_folder import require_usable_dir, require_writable

    settings = load_raw_settings(context)
    (require_writable if writes else require_usable_dir)(settings.home)
    return settings


def load_raw_settings(context: typer.Context) -> "Settings":
    """The same for a command that looks at the data folder itself."""
    from assistant.settings import Settings

    return Settings.load(profile=global_options(context).profile)


def global_options(context: typer.Context) -> GlobalOptions:
    """What was said before the command's name."""
    shared = context.find_root().obj
    return (
        shared if isinstance(shared, GlobalOptions) else GlobalOptions(profile=None, verbose=False)
    )


@contextlib.contextmanager
def redirect_library_output(context: typer.Context) -> Iterator[None]:
    """Whatever libraries print while they work goes to stderr with --verbose, else nowhere."""
    noise = sys.stderr if global_options(context).verbose else io.StringIO()
    with contextlib.redirect_stdout(noise):
        yield
