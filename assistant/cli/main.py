"""The command line: `unmask index`, `find`, `check`, `ask`, `chat`, `demo`, `doctor` and more.

Exit status: 0 done (a damaged file among thousands is normal: skips are reported, not fatal),
1 cannot be done (one line on stderr says why and what to do), 2 wrong usage, 3 a forgery was found
by `check`, 130 interrupted. With --json, stdout carries exactly one JSON object, or nothing when
the status is not 0 (doctor, `models verify` and `galleries upgrade --all` report what is broken and
end with 1; `check` and `compare` print what they could do).

Everything heavy is imported inside the commands: `unmask --help` answers at once.
"""

import contextlib
import dataclasses
import errno
import logging
import os
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from assistant.cli import (
    ask,
    check,
    detectors,
    explain,
    fit,
    galleries,
)
from assistant.cli.casework import cases, review
from assistant.cli.models import download, setup
from assistant.cli.options import (
    FaceOption,
    GalleryOption,
    GlobalOptions,
    JsonOption,
    load_raw_settings,
    load_settings,
    parse_cli_path,
    parse_face_numbers,
    redirect_library_output,
)
from assistant.cli.privacy import forget, lock
from assistant.cli.server import accounts, serve, tokens
from assistant.cli.watch import command as watch
from assistant.console.output import (
    escape_terminal,
    escape_unencodable,
    print_error,
    print_findings,
    print_json,
    print_remarks,
    print_summary,
    stderr_console,
    stdout_console,
)
from tools.errors import SetupError, ToolError
from tools.media.private_files import private_umask

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


class _Commands(TyperGroup):
    """Turns expected failures into one line and an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (SetupError, ToolError) as error:
            print_error(error)
            raise typer.Exit(EXIT_ERROR) from error
        except (OSError, sqlite3.Error) as error:
            fault = _mendable(error)
            if fault is None:
                raise
            print_error(fault)
            raise typer.Exit(EXIT_ERROR) from error
        except KeyboardInterrupt as stop:
            stderr_console().print("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from stop


def _mendable(error: OSError | sqlite3.Error) -> SetupError | None:
    """The error as one line for the user: of the output, the data folder or a file name."""
    from assistant.settings import Settings
    from tools.media.data_folder import as_setup_error

    if (unwritable := _output_fault(error)) is not None:
        return unwritable
    fault = as_setup_error(error, Settings.load().home)
    if fault is None and isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return SetupError(f"{error.filename!r}: the name is too long for a file")
    return fault


_PRINTING = ("assistant.console.", "click.", "rich.", "typer.")


def _output_fault(ended: BaseException) -> SetupError | None:
    """Why the output cannot be written, if that ended the command or shows only now.

    What is left of it fails again, and is discarded: Python would stumble over it on its way out.
    Without a buffer (`python -u`) nothing is left, and who was writing tells.
    """
    error = ended if isinstance(ended, OSError) and _printed(ended) else None
    try:
        sys.stdout.flush()
    except OSError as left:
        error = left
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error is None or isinstance(error, BrokenPipeError):  # whose reader has gone, as in `| head`
        return None
    return SetupError(f"the output cannot be written: {(error.strerror or str(error)).lower()}")


def _printed(error: OSError) -> bool:
    """Whether an error comes from printing: of a file it would have the name."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = str(frames[-1].f_globals.get("__name__")) if frames else ""
    return error.filename is None and where.startswith(_PRINTING)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # a bug shows its traceback, without the values of locals
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(download.app, name="models")
app.add_typer(galleries.app, name="galleries")


def main() -> None:
    """Console script: switches the libraries to offline before any is imported."""
    from assistant.library_environment import harden_library_environment

    harden_library_environment()
    logging.captureWarnings(True)
    escape_unencodable()
    try:
        app()
    except (OSError, SystemExit) as ended:  # help is printed outside of any command
        fault = _output_fault(ended)
        if fault is None:
            raise
        print_error(fault)
        sys.exit(EXIT_ERROR)


def _show_version(wanted: bool) -> None:
    if wanted:
        from assistant.cli.doctor import version

        stdout_console().print(f"unmask {version()}")
        raise typer.Exit


@app.callback()
def unmask(
    context: typer.Context,
    profile: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Set of models: pocket (the default) or full."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log to stderr.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Find deepfakes that impersonate a person, on your own machine.

    \b
    First look:            unmask demo
    Your own photos:       unmask index ~/collection
                           unmask find ada.jpg
    A single photo:        unmask check suspect.jpg --of ada.jpg
    If something is off:   unmask doctor

    Nothing leaves this machine, and nothing is downloaded unless you ask for it.
    State is kept in one folder; UNMASK_HOME moves it.

    Exit status: 0 done, 1 cannot be done (a line on stderr says why and what to do), 2 wrong
    usage, 3 a forgery was found (unmask check), 130 interrupted.
    """
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(levelname)s %(name)s: %(message)s",
    )
    context.obj = GlobalOptions(profile=profile, verbose=verbose)
    if context.invoked_subcommand != "models":  # models are not personal data, and may be shared
        context.with_resource(private_umask())


@app.command(short_help="Add images and videos to a gallery.")
def index(
    context: typer.Context,
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR", parser=parse_cli_path, help="Folders (or single files) to add."
        ),
    ],
    gallery: GalleryOption = "default",
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links that leave the folders.")
    ] = False,
    search_index: Annotated[
        str | None,
        typer.Option("--index", metavar="INDEX", help="Search index, from now on: see below."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar="ENGINE", help="Analyse in processes of Ray: ray, ray:HOST:6379."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Add the images and videos in folders to a gallery.

    \b
    unmask index ~/collection
    unmask index /media/disk1 /media/disk2 --gallery case42
    unmask index clip.mp4

    Videos and animations are sampled at about 1 frame/s, with at least 8 and at most 300 frames.
    Slide shows of up to 32 pictures are indexed in full. TIFF and HEIF files are indexed page by
    page; files with more than 300 pages contribute 300 evenly spaced ones, and a notice says so.

    Run it again at any time: known files cost nothing, moved and copied files are recognised by
    their content, and after Ctrl-C or a crash indexing continues where it stopped. Files that are
    not usable images or videos are skipped and listed with the reason; the exit status is still 0.

    The gallery remembers its search index: auto (the default), exact (one file), chroma (Chroma in
    the gallery's folder), or a server, which then holds the face embeddings: http://HOST:8000
    (`chroma run`) or qdrant+http://HOST:6333. `unmask galleries index` changes it later.
    """
    with redirect_library_output(context):
        summary, interrupted = _index(
            context, folders, gallery, follow_links=follow_links, search_index=search_index,
            engine=engine,
        )  # fmt: skip
    print_remarks(summary.notices)
    if json:
        print_json({"gallery": gallery, "interrupted": interrupted, **summary.to_json()})
    else:
        print_summary(summary, gallery)
    if interrupted:
        print_remarks(["interrupted; all of this is kept: run the same command again to continue"])
        raise typer.Exit(EXIT_INTERRUPTED)


def _index(
    context: typer.Context, folders: list[Path], gallery: str, **options: Any
) -> tuple[Any, bool]:
    from assistant.console.progress import IndexingDisplay
    from assistant.investigation import Unmask
    from tools.gallery.indexing.progress import IndexingInterrupted

    unmask = Unmask(load_settings(context, writes=True), gallery)
    try:
        with IndexingDisplay() as display:
            return unmask.index(folders, on_progress=display, **options), False
    except IndexingInterrupted as stop:
        return stop.summary, True


@app.command(short_help="Rank images and videos that may impersonate a person.")
def find(
    context: typer.Context,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO",
            parser=parse_cli_path,
            help="Authentic photos, folders or videos of one person.",
        ),
    ],
    gallery: GalleryOption = "default",
    top: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most N hits.")] = 20,
    face: FaceOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Give reasons and evidence for every hit.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Skip the closer look at hits; only identical files then count as copies.",
        ),
    ] = False,
    opinion: Annotated[
        bool,
        typer.Option("--opinion", help="Also ask the chat model about each hit: weak and slow."),
    ] = False,
    page: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write a report: FILE.html, .pdf or .json."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Rank a gallery's images and videos by how likely they impersonate a person.

    \b
    unmask find ada.jpg
    unmask find ada1.jpg ada2.jpg --gallery case42 --top 50
    unmask find ada.jpg party.jpg --face party.jpg=3 --page findings.html
    unmask find ada.jpg --json | jq '.hits[] | select(.verdict == "impersonation") | .path'

    Several photos of the person improve the result. A folder of photos or a video works too;
    photos of two different people are refused. If a photo shows several faces, Unmask writes a
    picture with numbered faces and names it; if one photo shows several, --face 3 is enough.

    A video is one hit: it is judged by the mean over the frames that show the person, and the hit
    names the strongest moment. Verdicts:
    impersonation (the same person, forged), no forgery found, copy (the query photo itself), other
    (another person), inconclusive, not assessed (no usable face, or a measurement is missing).

    The hits shown, at most 50, get a closer look: their pictures are read again and measured
    further. A verdict becomes inconclusive if mild JPEG compression, resizing or blur turns it
    into another one, or if most of the three leave it open. With --opinion the chat model is asked
    too; its opinion is shown but decides nothing. `unmask explain TERM` explains a word.
    """
    if quick and opinion:
        raise typer.BadParameter(
            "needs the closer look, which --quick skips", param_hint="--opinion"
        )
    from assistant.console.progress import CountingDisplay, RerankingDisplay
    from assistant.investigation import Unmask
    from assistant.report.findings_page import require_report_name, write_report
    from assistant.report.pictures.numbered_faces import with_numbered_faces
    from tools.agent_tools.copies import findings_with_copies
    from tools.gallery.access_log import record_access
    from tools.gallery.database_file import gallery_folder
    from tools.search.query import SeveralFaces

    settings = load_settings(context)
    if page is not None:
        require_report_name(page)  # before the search, which takes its time
    chosen = parse_face_numbers(face)
    with redirect_library_output(context):
        unmask = Unmask(settings, gallery)
        try:
            with RerankingDisplay() as display:
                findings, query = unmask.investigate(
                    photos,
                    top=top,
                    face=chosen,
                    rerank=not quick,
                    opinion=opinion,
                    on_progress=display,
                    on_ranked=display.show_ranked,
                )
        except SeveralFaces as several:
            raise with_numbered_faces(several, settings.home / "faces") from several
        if page is not None:
            models = unmask.models
            with CountingDisplay("drawing pictures and maps") as drawing:
                write_report(
                    findings, query, page, rule=models.rule, instruments=models, on_progress=drawing
                )
            record_access(gallery_folder(settings.home, gallery), "export")
    print_remarks(findings.warnings)
    if json:
        print_json(findings_with_copies(findings))
    else:
        print_findings(findings, explain=explain)


@app.command(short_help="See it work on sample photos.")
def demo(
    context: typer.Context,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Give reasons and evidence for every hit.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """See it work: real sample photos, forgeries made on the spot, a ranked answer.

    \b
    unmask demo
    unmask demo --open

    Builds a small gallery from photos that come with installed packages, makes forgeries of one
    person, searches for that person, and writes an HTML page with pictures. Your own galleries
    are not touched.
    """
    from assistant.console.progress import CheckingDisplay
    from assistant.demo import run_demo

    with redirect_library_output(context), CheckingDisplay() as display:
        result = run_demo(load_settings(context, writes=True), display)
    if json:
        page = {"page": escape_terminal(result.page), "answers": result.answers}
        print_json(result.findings.to_json() | page)
    else:
        print_remarks(result.findings.warnings)
        print_findings(result.findings, explain=explain, truths=result.answers)
        stdout_console().print(
            f"\nThe same with pictures: {escape_terminal(result.page)}", soft_wrap=True
        )
    if open_page:
        typer.launch(result.page.as_uri())


@app.command(short_help="Check the installation, the models and the galleries.")
def doctor(context: typer.Context, json: JsonOption = False) -> None:
    """Check the installation, the models, the engines and the galleries.

    Changes nothing. Every problem comes with the command that fixes it; the exit status is 1 if
    something is broken.
    """
    from assistant.cli.doctor import print_checks, run_checks

    with redirect_library_output(context):
        checks = list(run_checks(load_raw_settings(context)))
    broken = any(check.state == "broken" for check in checks)
    if json:
        print_json({"ok": not broken, "checks": [dataclasses.asdict(check) for check in checks]})
    else:
        print_checks(checks)
    if broken:
        raise typer.Exit(EXIT_ERROR)


ask.register(app)
cases.register(app)
watch.register(app)
check.register(app)
detectors.register(app)
explain.register(app)
fit.register(app)
review.register(app)
serve.register(app)
tokens.register(app)
accounts.register(app)
forget.register(app)
lock.register(app)
setup.register(app)


if __name__ == "__main__":
    main()
