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

GalleryName = Annotated[
    str, typer.Option("--gallery", "-g", metavar="NAME", help="Which collection.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, for scripts.")
]


def named(text: str) -> Path:
    """A path of the command line; an empty one (an unset variable) is not the current folder."""
    if not text or "\0" in text:
        raise typer.BadParameter("is empty" if not text else "holds a null byte")
    return Path(text)


@dataclass(frozen=True, slots=True)
class Shared:
    """What was said before the command's name."""

    profile: str | None
    verbose: bool


def settings_of(context: typer.Context, *, writes: bool = False) -> "Settings":
    """The settings of this run: the environment's, with `--profile` on top.

    Raises SetupError for a data folder that is none or, for a command that `writes`, one that
    cannot be written: at once, before anything is computed.
    """
    from assistant.cli.data_folder import require_folder, require_writable

    settings = settings_as_given(context)
    (require_writable if writes else require_folder)(settings.home)
    return settings


def settings_as_given(context: typer.Context) -> "Settings":
    """The same for a command that looks at the data folder itself."""
    from assistant.settings import Settings

    return Settings.load(profile=shared_of(context).profile)


def shared_of(context: typer.Context) -> Shared:
    """What was said before the command's name."""
    shared = context.find_root().obj
    return shared if isinstance(shared, Shared) else Shared(profile=None, verbose=False)


@contextlib.contextmanager
def stdout_kept_clean(context: typer.Context) -> Iterator[None]:
    """Whatever libraries print while they work goes to stderr with --verbose, else nowhere."""
    noise = sys.stderr if shared_of(context).verbose else io.StringIO()
    with contextlib.redirect_stdout(noise):
        yield
