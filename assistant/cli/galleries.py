"""`unmask galleries`: list, prune and delete galleries, which hold biometric data."""

import shutil
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings
from assistant.console.output import (
    escape_terminal,
    pluralize,
    print_json,
    print_table,
    stdout_console,
)
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.settings import Settings

app = typer.Typer(
    help="List and forget galleries.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

GalleryArgument = Annotated[str, typer.Argument(metavar="NAME", help="Which gallery.")]


@app.command("list")
def list_galleries(context: typer.Context, json: JsonOption = False) -> None:
    """List galleries with what they hold."""
    from tools.gallery.record_store import Gallery

    settings = load_settings(context)
    described = [_describe(settings, name) for name in Gallery.names(settings.home)]
    if json:
        print_json({"home": escape_terminal(settings.home), "galleries": described})
    elif not described:
        stdout_console().print("No galleries yet: make one with `unmask index DIR`.")
    else:
        headings = (
            "name", "images", "videos", "faces", "files", "skipped", "gone", "made", "state",
        )  # fmt: skip
        print_table(headings, [list(item.values()) for item in described])


def _describe(settings: "Settings", name: str) -> dict[str, Any]:
    from tools.gallery.record_store import Gallery

    try:
        with Gallery.open_existing(settings.home, name) as gallery:
            held = gallery.counts()
            return {
                "name": name,
                "images": held.images,
                "videos": held.videos,
                "faces": held.faces,
                "files": held.files,
                "skipped": held.skipped,
                "missing": held.missing,
                "created": gallery.created,
                "problem": "",
            }
    except SetupError as error:
        held_none = ("images", "videos", "faces", "files", "skipped", "missing", "created")
        nothing = dict.fromkeys(held_none)
        return {"name": name, **nothing, "problem": str(error)}


@app.command()
def prune(context: typer.Context, name: GalleryArgument) -> None:
    """Forget images whose files are gone.

    Indexing never does this by itself, because an unplugged disk looks like deleted files. Run
    `unmask index` on the folders first; it notes which files are gone.
    """
    from tools.gallery.record_store import Gallery

    with Gallery.open_existing(load_settings(context).home, name) as gallery:
        forgotten = gallery.delete_missing()
    stdout_console().print(f"Forgot {pluralize(forgotten, 'image')} of gallery {name!r}.")


@app.command()
def forget(
    context: typer.Context,
    name: GalleryArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a gallery; the photos stay.

    All embeddings, features and paths that Unmask recorded in it are gone afterwards.
    """
    from tools.gallery.database_file import gallery_folder
    from tools.gallery.record_store import Gallery

    home = load_settings(context).home
    folder = gallery_folder(home, name)
    if name not in Gallery.names(home):
        raise SetupError(f"there is no gallery {name!r}; `unmask galleries list` shows all")
    if not yes:
        typer.confirm(f"Delete gallery {name!r}? Your photos are not touched.", abort=True)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise SetupError(f"gallery {name!r}: {error}; delete {str(folder)!r} by hand") from error
    stdout_console().print(f"Deleted gallery {name!r}.")
