"""`unmask watch`: the command."""

import contextlib
import json as jsonlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import (
    GalleryOption,
    JsonOption,
    load_settings,
    parse_cli_path,
    redirect_library_output,
)
from assistant.console.output import (
    escape_terminal,
    pluralize,
    print_error,
    print_json,
    print_remarks,
    stderr_console,
    stdout_console,
)
from tools.errors import SetupError, ToolError

if TYPE_CHECKING:
    from assistant.cli.watch.places import Place
    from assistant.cli.watch.watcher import Pass, Watcher
    from assistant.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="Watch folders and report new hits, once each.")(watch)


def watch(
    context: typer.Context,
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR", parser=parse_cli_path, help="Folders to watch.")
    ],
    person: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=PHOTO",
            help="A person, and an authentic photo or a folder of them; repeat it for more.",
        ),
    ],
    gallery: GalleryOption = "watch",
    once: Annotated[bool, typer.Option("--once", help="Look once and end, as for cron.")] = False,
    every: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="Time between two looks.")
    ] = 30.0,
    baseline: Annotated[
        bool, typer.Option("--baseline", help="What is there now is known, and not reported.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Skip the closer look at hits.")] = False,
    feed: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=parse_cli_path, help="Feed of JSON lines, elsewhere."),
    ] = None,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Also post each report: this machine, or allowed hosts."),
    ] = None,
    mail_folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", parser=parse_cli_path, help="Also write each as an .eml file."),
    ] = None,
    mail_to: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Whom the e-mails are addressed to.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """Watch folders for new pictures and videos of persons, and report each hit once.

    \b
    unmask watch ~/incoming --person ada=ada.jpg
    unmask watch ~/incoming --person ada=~/ada-photos --person bob=bob.jpg --every 300
    unmask watch ~/incoming --person ada=ada.jpg --once --json        # for cron
    unmask watch ~/incoming --person ada=ada.jpg --baseline --once    # what is there is known
    unmask watch ~/incoming --person ada=ada.jpg --webhook http://127.0.0.1:9000/hook

    New files are indexed into a gallery of the watch's own, and looked at as a search would. A
    report is one line: the verdict, the person, both probabilities, the file. Verdicts other and
    not assessed are not reported. Folders are looked at every 30 seconds, network drives too.

    What was reported is remembered in the data folder: after a crash or a restart no report is
    missing, and none comes twice in the feed (by default watch/GALLERY/feed.jsonl in the data
    folder) or among the e-mails. A webhook gets the report's id as Idempotency-Key, because it may
    be called again if its answer was lost. A place added later gets the reports from then on. A
    webhook on another machine needs UNMASK_WEBHOOK_HOSTS. No e-mail is sent: a mail program takes
    the files. unmask forget reaches the default feed and the memory, not a feed or e-mails
    elsewhere.

    With --json, each report is one JSON object on a line; with --once, one object holds them all.

    Exit status of --once: 0 done, 1 a report could not be delivered yet, or the look failed.
    """
    settings = load_settings(context, writes=True)
    with _opened(
        context, settings, folders, person, gallery=gallery, quick=quick,
        places=lambda home: _places(home, settings, feed, webhook, mail_folder, mail_to),
    ) as watcher:  # fmt: skip
        watcher.baseline = baseline
        if once:
            _print_pass(watcher, _look(context, watcher), json=json)
            return
        stderr_console().print(
            f"watching {pluralize(len(folders), 'folder')} for "
            f"{pluralize(len(watcher.persons), 'person')}; Ctrl-C stops", style="dim",
        )  # fmt: skip
        pause = threading.Event()
        while True:
            try:
                _print_news(_look(context, watcher), json=json)
                watcher.baseline = False
            except (SetupError, ToolError) as error:
                print_error(error)  # a drive that is away, a gallery in use: tried again
            pause.wait(every)


@contextlib.contextmanager
def _opened(
    context: typer.Context, settings: "Settings", folders: Sequence[Path], person: Sequence[str],
    *, gallery: str, quick: bool, places: Any,
) -> Iterator["Watcher"]:  # fmt: skip
    """The watcher with its memory, after the reference photos were measured."""
    from assistant.cli.watch.state import WatchState
    from assistant.cli.watch.watcher import Watcher
    from assistant.investigation import Unmask
    from tools.gallery.database_file import gallery_folder

    persons = _persons(person)
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise SetupError(f"{str(missing[0])!r} is no folder: `unmask watch` takes folders")
    home = settings.watch_dir / gallery_folder(settings.home, gallery).name
    chosen = places(home)
    with WatchState.open(home) as state:
        for place in chosen:
            state.meet(place.name)
        watcher = Watcher(
            Unmask(settings, gallery), [folder.resolve() for folder in folders], persons, state,
            chosen, quick=quick,
        )  # fmt: skip
        with redirect_library_output(context):
            watcher.check()
        yield watcher


def _persons(said: Sequence[str]) -> dict[str, list[Path]]:
    """The reference photos by person: `ada=ada.jpg`, repeated for further photos."""
    persons = dict[str, list[Path]]()
    for each in said:
        name, equals, path = each.partition("=")
        if not (name.strip() and equals and path.strip()):
            raise typer.BadParameter(
                f"{each!r} is not NAME=PHOTO, as in ada=ada.jpg", param_hint="--person"
            )
        persons.setdefault(name.strip(), []).append(Path(path.strip()).expanduser())
    return persons


def _places(
    home: Path, settings: "Settings", feed: Path | None, webhook: str | None,
    mail_folder: Path | None, mail_to: str,
) -> list["Place"]:  # fmt: skip
    """The feed first: what it has not held yet is news."""
    from assistant.cli.watch.places import Feed, MailFolder, Webhook

    if mail_to and mail_folder is None:
        raise typer.BadParameter("needs --mail-folder", param_hint="--mail-to")
    chosen: list[Place] = [Feed((feed or home / "feed.jsonl").absolute())]
    if webhook is not None:
        chosen.append(Webhook.checked(webhook, allowed_hosts=settings.webhook_hosts))
    if mail_folder is not None:
        chosen.append(MailFolder(mail_folder.absolute(), mail_to))
    return chosen


def _look(context: typer.Context, watcher: "Watcher") -> "Pass":
    from assistant.console.progress import IndexingDisplay

    with redirect_library_output(context), IndexingDisplay() as display:
        watcher.on_progress = display
        return watcher.run()


def _print_news(made: "Pass", *, json: bool) -> None:
    for event in made.events:
        if json:
            stdout_console().print(
                jsonlib.dumps(event, ensure_ascii=True), soft_wrap=True, markup=False
            )
        else:
            stdout_console().print(
                f"{event['at']}  {escape_terminal(event['line'])}", soft_wrap=True, markup=False
            )
    print_remarks(f"not delivered yet, tried again: {problem}" for problem in made.undelivered)


def _print_pass(watcher: "Watcher", made: "Pass", *, json: bool) -> None:
    """The result of one look; exit status 1 if something was not delivered."""
    if json:
        indexed = made.indexed
        print_json({
            "gallery": watcher.unmask.gallery_name,
            "images_added": 0 if indexed is None else indexed.images_added,
            "videos_added": 0 if indexed is None else indexed.videos_added,
            "skipped": 0 if indexed is None else indexed.skipped,
            "new": list(made.events),
            "undelivered": list(made.undelivered),
        })  # fmt: skip
        print_remarks(f"not delivered yet: {problem}" for problem in made.undelivered)
    else:
        _print_news(made, json=False)
        if not made.events:
            stdout_console().print("Nothing new.")
    if made.undelivered:
        raise typer.Exit(1)
