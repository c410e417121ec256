"""`unmask check`, `compare` and `provenance`: look at photos without a gallery."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.options import (
    FaceOption,
    JsonOption,
    load_settings,
    parse_cli_path,
    parse_face_numbers,
    redirect_library_output,
)
from assistant.console.output import print_error, print_json, print_remarks

if TYPE_CHECKING:
    from assistant.settings import Settings
    from tools.errors import ToolError

EXIT_PROBLEM, EXIT_FORGED = 1, 3
_SKIPS_SHOWN = 10


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Check photos for forgery, without a gallery.")(check)
    app.command(short_help="Compare two photos: person, photograph, places.")(compare)
    app.command(short_help="Read what a file says about its own origin.")(provenance)


def check(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO", parser=parse_cli_path, help="Photos, or folders of them, to check."
        ),
    ],
    of: Annotated[
        list[Path] | None,
        typer.Option(
            "--of",
            metavar="REFERENCE",
            parser=parse_cli_path,
            help="An authentic photo of the person, or a folder; may be repeated.",
        ),
    ] = None,
    face: FaceOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Give reasons and evidence for every face.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check photos: is a face forged, where, and, with --of, is it this person's?

    \b
    unmask check suspect.jpg
    unmask check suspect.jpg --of ada-1.jpg --of ada-2.jpg
    unmask check ~/received --of ~/ada-photos
    unmask check group.jpg --face 2
    unmask check *.jpg --json | jq '.faces[] | select(.forged == "forged") | .path'

    With --of, the answer is that of a search among these photos: the face most like the person is
    judged in each, and a video is judged as a whole. Without it, every face of a photo is judged by
    itself, numbered from left to right; --face chooses one. "No forgery found" is never a proof of
    authenticity. Nothing is indexed or stored, except a picture with numbered faces if a reference
    shows several and none is chosen; the message says where it lies.

    A file that cannot be checked is named on stderr, and the rest is still done. References that
    cannot serve (unreadable, without a face, of two persons) are named as well; if none is left,
    the photos are checked without them.

    Below the verdicts stands what the files say about their own origin (unmask provenance); it has
    no part in them.

    Exit status: 0 no face reads as forged (but it may be inconclusive or not assessed), 1 a named
    photo or reference could not be used and no face reads as forged, 2 wrong usage, 3 at least one
    face reads as forged, whomever it shows, 130 interrupted. With --json, stdout carries one object
    with status 0, 1 and 3.
    """
    from assistant.console.checks import print_report
    from assistant.console.progress import CheckingDisplay
    from assistant.investigation import Unmask

    settings = load_settings(context)
    with redirect_library_output(context), CheckingDisplay() as display:
        report = Unmask(settings).check(
            photos, of=of or (), face=parse_face_numbers(face), on_progress=display
        )
    named = [problem.error for problem in report.problems if problem.named]
    _print_problems(named, settings)
    skipped = [problem.text for problem in report.problems if not problem.named]
    print_remarks([f"not checked: {text}" for text in skipped[:_SKIPS_SHOWN]])
    if len(skipped) > _SKIPS_SHOWN:
        print_remarks([f"{len(skipped) - _SKIPS_SHOWN} more were not checked; --json names them"])
    print_remarks(report.warnings)
    if json:
        print_json(report.to_json())
    else:
        print_report(report, explain=explain)
    if report.forged or named:
        raise typer.Exit(EXIT_FORGED if report.forged else EXIT_PROBLEM)


def compare(
    context: typer.Context,
    first: Annotated[Path, typer.Argument(metavar="A", parser=parse_cli_path, help="A photo.")],
    second: Annotated[Path, typer.Argument(metavar="B", parser=parse_cli_path, help="Another.")],
    face: FaceOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two photos: the same person, the same photograph, and which places differ.

    \b
    unmask compare suspect.jpg original.jpg
    unmask compare suspect.jpg group.jpg --face group.jpg=2

    If both are the same photograph with two different faces, one of them was altered: their forgery
    scores say which, if the lead is clear. Otherwise check one of them against authentic photos, as
    in unmask check suspect.jpg --of original.jpg. Nothing is stored, except a picture with
    numbered faces if a photo shows several and none is chosen; the message says where it lies.

    Exit status: 0 compared, 1 something could not be compared (stderr says what; the rest is still
    printed), 2 wrong usage, 130 interrupted.
    """
    from assistant.console.checks import print_comparison
    from assistant.investigation import Unmask

    settings, numbers = load_settings(context), parse_face_numbers(face)
    if isinstance(numbers, int):
        raise typer.BadParameter("name the photo, as in A.jpg=2", param_hint="--face")
    with redirect_library_output(context):
        found = Unmask(settings).compare(first, second, face=numbers)
    _print_problems(found.problems, settings)
    print_remarks(found.notes)
    if json:
        print_json(found.to_json())
    else:
        print_comparison(found)
    if found.problems:
        raise typer.Exit(EXIT_PROBLEM)


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
    generators, the JPEG tables, and signs that a JPEG was compressed before. No model is loaded and
    nothing is fetched: credentials at an address are only named, and revoked certificates are not
    recognised. Without --trust, signers are not checked.

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
    from tools.media.skip_reasons import without_path
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
    for _, problem in problems:
        print_error(problem)
    if json:
        print_json(
            {
                "files": [{"path": printable(path), **found.to_json()} for path, found in read],
                "problems": [
                    {"path": printable(path), "reason": without_path(problem)}
                    for path, problem in problems
                ],
                "limits": LIMITS,
            }
        )
    else:
        print_provenance([(path.name, found) for path, found in read], explain=True)
    if problems:
        raise typer.Exit(EXIT_PROBLEM)


def _print_problems(errors: "Sequence[ToolError]", settings: "Settings") -> None:
    """One line each; of a photo with several faces a picture shows the numbers."""
    from assistant.report.pictures.numbered_faces import with_numbered_faces
    from tools.search.query import SeveralFaces

    for error in errors:
        if isinstance(error, SeveralFaces):
            print_error(with_numbered_faces(error, settings.home / "faces"))
        else:
            print_error(error)
