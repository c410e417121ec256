"""`unmask provenance`: what files say about their own origin."""

from pathlib import Path
from typing import Annotated

import typer

from assistant.cli.options import JsonOption, parse_cli_path, redirect_library_output
from assistant.console.output import print_error, print_json

EXIT_PROBLEM = 1


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="Read what a file says about its own origin.")(provenance)


def provenance(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTO", parser=parse_cli_path, help="Photos or videos to read."),
    ],
    trust: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM",
            parser=parse_cli_path,
            help="Certificates of trusted signers of content credentials.",
        ),
    ] = None,
    location: Annotated[
        bool, typer.Option("--location", help="Print the position held in the file, if any.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read what a file says about its own origin, and where it contradicts itself.

    \b
    unmask provenance suspect.jpg
    unmask provenance *.jpg --json | jq '.files[] | {path, summary}'
    unmask provenance press.jpg --trust anchors.pem

    Read are content credentials (C2PA), the IPTC's source types, EXIF and XMP, the texts of image
    generators and the JPEG tables. No model is loaded and nothing is fetched: credentials at an
    address are only named, and revoked certificates are not recognised. Without --trust, signers
    are not checked.

    Provenance is a hint, never proof: anyone can add, change or remove metadata, and most services
    remove it. Finding nothing is not evidence. It has no part in any verdict; see unmask check for
    those.

    Exit status: 0 all files read, 1 a file cannot be read (stderr names it; the rest is still
    read), 2 wrong usage, 130 interrupted. With --json, stdout carries one object with status 0
    and 1.
    """
    from assistant.console.provenance import print_provenance
    from tools.errors import ToolError
    from tools.media.file_names import printable
    from tools.provenance.findings import LIMITS
    from tools.provenance.reading import read_provenance, read_trust_anchors

    anchors = "" if trust is None else read_trust_anchors(trust)
    read, problems = [], list[tuple[Path, ToolError]]()
    with redirect_library_output(context):
        for path in photos:
            try:
                found = read_provenance(path, trust_anchors=anchors, show_location=location)
            except ToolError as error:
                problems.append((path, error))
            else:
                read.append((path, found))
    for _, error in problems:
        print_error(error)
    if json:
        print_json(
            {
                "files": [{"path": printable(path), **found.to_json()} for path, found in read],
                "problems": [
                    {"path": printable(path), "reason": str(error)} for path, error in problems
                ],
                "limits": LIMITS,
            }
        )
    else:
        print_provenance([(path.name, found) for path, found in read], explain=True)
    if problems:
        raise typer.Exit(EXIT_PROBLEM)
