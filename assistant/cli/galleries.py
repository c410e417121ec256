"""`unmask galleries`: list, note, log, upgrade, prune and delete galleries of biometric data."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings, redirect_library_output
from assistant.console.output import (
    escape_terminal,
    pluralize,
    print_error,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from tools.errors import SetupError
from tools.media.file_names import printable

if TYPE_CHECKING:
    from pathlib import Path

    from assistant.settings import Settings
    from tools.gallery.upgrade.job import UpgradeSummary

_FILES_SHOWN = 10
_HEADINGS = {
    "name": "name", "images": "images", "videos": "videos", "faces": "faces", "files": "files",
    "skipped": "skipped", "missing": "gone", "created": "made", "basis": "basis",
    "keep_until": "keep until",
}  # fmt: skip
"""Columns of the list, by the fields of `describe_gallery`."""

app = typer.Typer(
    help="List, annotate, upgrade and forget galleries.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

GalleryArgument = Annotated[str, typer.Argument(metavar="NAME", help="Which gallery.")]


@app.command("list")
def list_galleries(context: typer.Context, json: JsonOption = False) -> None:
    """List galleries with what they hold."""
    from assistant.server.work.galleries import describe_gallery
    from tools.gallery.record_store import Gallery

    settings = load_settings(context)
    described = [describe_gallery(settings, name) for name in Gallery.names(settings.home)]
    if json:
        print_json({"home": escape_terminal(settings.home), "galleries": described})
    elif not described:
        stdout_console().print("No galleries yet: make one with `unmask index DIR`.")
    else:
        print_table((*_HEADINGS.values(), "state"), [_row(item) for item in described])


def _row(item: dict[str, Any]) -> list[object]:
    unread = "" if item["files"] is None else "not checked"  # locked or damaged, or too many files
    cells = [unread if item[it] is None else item[it] for it in _HEADINGS]
    upgrade = f"needs `unmask galleries upgrade {item['name']}`" if item["needs_upgrade"] else ""
    return [*cells, "; ".join(filter(None, (upgrade, item["problem"])))]


@app.command()
def upgrade(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Which gallery.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every gallery that needs it.")] = False,
    json: JsonOption = False,
) -> None:
    """Embed a gallery's faces again, for the face embedder in use.

    \b
    unmask galleries upgrade case42
    unmask galleries upgrade --all

    Its files are read again. Faces keep their ids, and all of them change at once, when the last
    one is ready. After Ctrl-C or a crash, run the same command to continue. Faces whose files are
    gone are set aside and not searched; nothing recorded about them is lost. When the files are
    back, run the command again.
    """
    if (name is None) is not every:
        raise typer.BadParameter("name a gallery, or use --all", param_hint="NAME")
    settings = load_settings(context, writes=True)
    with redirect_library_output(context):
        names = [name] if name is not None else _outdated(settings)
        results = {each: _upgraded(settings, each, one=name is not None) for each in names}
    if json:
        shown = [_upgrade_json(each, result) for each, result in results.items()]
        print_json({"galleries": shown})
    else:
        for result in results.values():
            _print_upgrade(result)
        if not results:
            stdout_console().print("No gallery needs an upgrade.")
    if any(isinstance(result, SetupError) for result in results.values()):
        raise typer.Exit(1)


def _outdated(settings: "Settings") -> list[str]:
    """The galleries that need an upgrade, or have faces set aside by the last one."""
    from assistant.server.work.galleries import describe_gallery
    from tools.gallery.record_store import Gallery

    described = [describe_gallery(settings, name) for name in Gallery.names(settings.home)]
    return [it["name"] for it in described if it["needs_upgrade"] or it["faces_waiting"]]


def _upgraded(settings: "Settings", name: str, *, one: bool) -> "UpgradeSummary | SetupError":
    """Upgrade a gallery; one of several that cannot be upgraded does not stop the others."""
    from assistant.console.progress import CountingDisplay
    from assistant.investigation import Unmask

    try:
        with CountingDisplay(f"embedding the faces of {name!r}") as display:
            return Unmask(settings, name).upgrade(on_progress=display)
    except SetupError as error:
        if one:
            raise
        return error
    except KeyboardInterrupt:
        print_remarks(["interrupted; what is done is kept: run the same command to continue"])
        raise typer.Exit(130) from None


def _upgrade_json(name: str, result: "UpgradeSummary | SetupError") -> dict[str, Any]:
    if isinstance(result, SetupError):
        return {"gallery": name, "problem": escape_terminal(result)}
    named = [{"path": printable(path), "reason": why} for path, why in result.files_named]
    return dataclasses.asdict(result) | {"files_named": named, "problem": ""}


def _print_upgrade(result: "UpgradeSummary | SetupError") -> None:
    if isinstance(result, SetupError):
        print_error(result)
        return
    print_remarks(result.notices)
    console = stdout_console()
    console.print(
        f"Gallery {result.gallery!r}: {pluralize(result.faces_embedded, 'face')} embedded again "
        f"in {result.seconds:.1f} s."
    )
    if not result.faces_waiting:
        return
    reasons = ", ".join(f"{count:,} {why}" for why, count in sorted(result.files.items()))
    console.print(
        f"  {pluralize(result.faces_waiting, 'face')} set aside, not searched, nothing deleted: "
        f"the files could not be read ({reasons or 'all were overwritten'}). When they are back, "
        f"run `unmask galleries upgrade {result.gallery}` again."
    )
    for path, why in result.files_named[:_FILES_SHOWN]:
        console.print(f"    {escape_terminal(path)}  ({why})", soft_wrap=True, markup=False)
    if len(result.files_named) > _FILES_SHOWN:
        console.print("    … and more; --json names them")


@app.command()
def prune(context: typer.Context, name: GalleryArgument) -> None:
    """Forget images whose files are gone.

    Indexing never does this by itself, because an unplugged disk looks like deleted files. Run
    `unmask index` on the folders first; it notes which files are gone.
    """
    from tools.gallery.access_log import record_access
    from tools.gallery.record_store import Gallery

    with Gallery.open_existing(load_settings(context).home, name) as gallery:
        forgotten = gallery.delete_missing()
        record_access(gallery.folder, "forget")
    stdout_console().print(f"Forgot {pluralize(forgotten, 'image')} of gallery {name!r}.")


@app.command()
def note(
    context: typer.Context,
    name: GalleryArgument,
    basis: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Lawful basis; empty text removes it.")
    ] = None,
    keep_until: Annotated[
        str | None,
        typer.Option("--keep-until", metavar="DATE", help="Last day of keeping, as 2027-01-31."),
    ] = None,
) -> None:
    """Note why a gallery may be kept, and until when.

    \b
    unmask galleries note case42 --basis "consent of 2026-11-02" --keep-until 2027-01-31

    The note is stored in the gallery and shown by `unmask galleries list`, in reports and by
    `unmask doctor`. After the last day, every search names the gallery and the command that deletes
    it. Nothing is deleted by itself.
    """
    from tools.gallery.record_store import Gallery
    from tools.gallery.retention import checked_basis, checked_day

    settings = load_settings(context)
    with Gallery.open_existing(settings.home, name) as gallery:
        noted = gallery.retention
        if basis is not None:
            noted = dataclasses.replace(noted, basis=checked_basis(basis))
        if keep_until is not None:
            noted = dataclasses.replace(noted, keep_until=checked_day(keep_until))
        if basis is not None or keep_until is not None:
            gallery.note_retention(noted)
    stdout_console().print(
        escape_terminal(f"Gallery {name!r}: {noted.text or 'nothing is noted.'}"), soft_wrap=True
    )


@app.command("index")
def search_index(
    context: typer.Context,
    name: GalleryArgument,
    index: Annotated[
        str | None, typer.Argument(metavar="INDEX", help="What to use from now on.")
    ] = None,
) -> None:
    """Show or choose what finds a gallery's nearest faces.

    \b
    unmask galleries index case42
    unmask galleries index case42 http://localhost:8000
    unmask galleries index case42 auto

    INDEX is auto, exact (one file), chroma (Chroma in the gallery's folder), or a server, which
    then holds the face embeddings: http://HOST:8000 (`chroma run`) or qdrant+http://HOST:6333.
    The index is built from the record by the next search; the one before is deleted. Whatever it
    finds is ranked by exact similarity.
    """
    from tools.gallery.engines.choice import choose_index, describe_index
    from tools.gallery.record_store import Gallery

    with Gallery.open_existing(load_settings(context).home, name) as gallery:
        if index is not None:
            print_remarks(choose_index(gallery, index))
        stdout_console().print(
            escape_terminal(f"Gallery {name!r}: {describe_index(gallery)}."), soft_wrap=True
        )


@app.command()
def log(context: typer.Context, name: GalleryArgument, json: JsonOption = False) -> None:
    """Show who searched, checked, exported or deleted from a gallery, and when."""
    from tools.gallery.database_file import gallery_folder
    from tools.gallery.record_store import Gallery

    home = load_settings(context).home
    folder = gallery_folder(home, name)
    if name not in Gallery.names(home):
        raise SetupError(f"there is no gallery {name!r}; `unmask galleries list` shows all")
    Gallery.require_unlocked(home, name)
    print_accesses(folder, json=json)


def print_accesses(folder: "Path", *, json: bool) -> None:
    """Print the access log of a gallery or case."""
    from tools.gallery.access_log import accesses

    rows = [dataclasses.asdict(it) for it in accesses(folder)]
    if json:
        print_json({"accesses": rows})
    elif rows:
        print_table(["at", "who", "what"], [[*row.values()] for row in rows])
    else:
        stdout_console().print("No access is logged.")


@app.command()
def forget(
    context: typer.Context,
    name: GalleryArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a gallery; the photos stay. The same as `unmask forget --gallery NAME`.

    All embeddings, features and paths that Unmask recorded in it are gone afterwards.
    """
    from assistant.cli.privacy.forget import forget_gallery

    forget_gallery(load_settings(context), name, yes=yes)
