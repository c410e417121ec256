"""`unmask models`: list and verify checkpoints, and download those of the full profile."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings
from assistant.console.output import escape_terminal, print_json, print_table, stdout_console
from tools.errors import SetupError

if TYPE_CHECKING:
    from tools.checkpoints.store import Checkpoint, Profile

app = typer.Typer(
    help="List, verify and download the models of a profile.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_HEADINGS = ("profile", "part", "name", "licence", "download", "state")

ProfileArgument = Annotated[
    str | None, typer.Argument(metavar="[PROFILE]", help="pocket or full; default: the one in use.")
]


@app.command("list")
def list_models(context: typer.Context, json: JsonOption = False) -> None:
    """List models with licence, size and state.

    Put a face embedder of your own, an ArcFace-style ONNX file, into MODELS/embedders: the first
    by name replaces our second embedder. A JSON of the same name can describe its input
    (tools/faces/embedder_input.py). For detectors of your own, see unmask detectors --help. The end
    of the list shows where MODELS is.
    """
    from tools.checkpoints.store import PROFILES

    settings = load_settings(context)
    rows = [row for parts in PROFILES.values() for row in parts.values()]
    described = [_describe(row, settings.models_dir) for row in rows]
    if json:
        print_json({"profile": settings.profile, "models": described})
        return
    print_table(_HEADINGS, [_cells(item) for item in described])
    console = stdout_console()
    console.print(f"\nIn use: {settings.profile}. Another: unmask --profile NAME ...")
    console.print(f"Models: {escape_terminal(settings.models_dir)}", soft_wrap=True)


def _describe(row: "Checkpoint", models_dir: Any) -> dict[str, Any]:
    from tools.checkpoints.store import checkpoint_folder, expected_files

    folder = checkpoint_folder(row, models_dir)
    present = all((folder / name).is_file() for name in expected_files(row))
    return {
        "profile": row.profile,
        "part": row.part,
        "name": row.name,
        "licence": row.license,
        "size_bytes": row.size_bytes,
        "present": present,
        "folder": escape_terminal(folder),
        "source": row.source,
        "validated_on": row.validated_on,
    }


def _cells(item: dict[str, Any]) -> list[str]:
    size = item["size_bytes"]
    return [
        item["profile"],
        item["part"],
        item["name"],
        item["licence"],
        "comes with Unmask" if size is None else megabytes(size),
        "here" if item["present"] else "not here",
    ]


def megabytes(size_bytes: int) -> str:
    """A size in megabytes, for display."""
    return f"{size_bytes / 1e6:,.1f} MB" if size_bytes > 1e5 else f"{size_bytes / 1e3:,.1f} kB"


@app.command()
def verify(
    context: typer.Context, profile: ProfileArgument = None, json: JsonOption = False
) -> None:
    """Check every file of a profile by its sha256.

    The exit status is 1 if a file is missing or damaged.
    """
    from tools.checkpoints import store

    settings = load_settings(context)
    statuses = store.verify(_known(profile or settings.profile), settings.models_dir)
    intact = all(status.state == "ok" for status in statuses)
    if json:
        files = [
            {
                "part": it.part,
                "checkpoint": it.checkpoint,
                "path": escape_terminal(it.path),
                "state": it.state,
            }
            for it in statuses
        ]
        print_json({"intact": intact, "files": files})
    else:
        print_table(("state", "part", "file"), [(it.state, it.part, it.path) for it in statuses])
    if not intact:
        raise typer.Exit(1)


@app.command()
def download(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="full")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Download the missing models of a profile.

    Sizes and licences are shown, and you are asked, before anything is downloaded.

    \b
    unmask models download full

    Interrupted downloads continue where they stopped; every file is checked by its sha256.
    """
    from assistant.console.progress import DownloadDisplay
    from assistant.library_environment import harden_library_environment
    from tools.checkpoints import store

    name, models_dir = _known(profile), load_settings(context).models_dir
    described = [_describe(row, models_dir) for row in store.PROFILES[name].values()]
    print_table(_HEADINGS, [_cells(item) for item in described])
    stdout_console().print(f"Into: {escape_terminal(models_dir)}", soft_wrap=True)
    if not yes and name != "pocket":
        typer.confirm("Download, and accept these licences?", abort=True)
    harden_library_environment(downloads=True)
    with DownloadDisplay() as display:
        store.download(name, models_dir, display)
    stdout_console().print(f"The profile is complete: unmask --profile {name} index DIR")


def _known(profile: str) -> "Profile":
    from tools.checkpoints.store import PROFILES

    for name in PROFILES:
        if name == profile:
            return name
    raise SetupError(f"there is no profile {profile!r}; `unmask models list` shows all")
