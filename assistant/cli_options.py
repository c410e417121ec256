"""What all commands share: their options, their settings, and keeping libraries off stdout."""

import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Shared:
    """What was said before the command's name."""

    profile: str | None
    verbose: bool


def settings_of(context: typer.Context) -> "Settings":
    """The settings of this run: the environment's, with `--profile` on top."""
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
