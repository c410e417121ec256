"""The assistant on the command line: `unmask ask`, `unmask chat`, `unmask cases`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli_options import AsJson, settings_of, stdout_kept_clean
from assistant.console import err, out, print_json, print_table, tell
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.agent import Agent
    from assistant.settings import Settings

QUESTION = "Find fakes of this person."
"""What is asked when only photos are given."""

EXPLAINED = 5
"""Leading hits that `--explain` explains."""

Vlm = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", help="Chat model: a folder, an id, or the URL of an OpenAI-like server."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Ask the assistant, who calls the tools.")(ask)
    app.command(short_help="Open the chat in a browser.")(chat)
    app.command(short_help="List or check the records of past cases.")(cases)


def ask(
    context: typer.Context,
    words: Annotated[
        list[str], typer.Argument(metavar="[PHOTO]... QUESTION", help="Photos, then the question.")
    ],
    gallery: Annotated[
        str | None, typer.Option("--gallery", "-g", metavar="NAME", help="Which collection.")
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with a case instead of a new one.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also explain the leading hits.")
    ] = False,
    vlm: Vlm = None,
    json: AsJson = False,
) -> None:
    """Ask the assistant. It calls the tools, and every sentence of its answer is checked.

    \b
    unmask ask ada.jpg "find fakes of this person" --gallery case42
    unmask ask ada.jpg --explain
    unmask ask "why is H1 an impersonation?" --case 20261120-193816-0fecd7

    What the answer says of photos and hits is filled in from the measurements, with values in
    brackets. Sentences marked (plain) are not the model's: fixed templates wrote them, where the
    model's own were refused. What no tool measures is marked (unchecked). Every question is
    recorded as a case in the data folder, with private copies of the photos.
    """
    from assistant.progress import CloserLookDisplay
    from assistant.telling import Told
    from tools.images import read_photo

    photos, question = _parted(words)
    settings = _settings(context, vlm)
    with stdout_kept_clean(context):
        for photo in photos:
            read_photo(photo)  # a broken one is refused before a model is loaded
        agent, notes = _agent(settings, gallery=gallery, case_id=case)
    tell(notes)
    told = Told(agent, show=not json)
    try:
        with stdout_kept_clean(context), CloserLookDisplay() as display:
            agent.desk.on_progress = display
            told.turn(question, photos)
            told.explain(EXPLAINED if explain else 0)
        if json:
            print_json(told.to_json(question))
        else:
            told.print_answer()
    finally:  # also where a turn has failed: the case goes on
        err().print(f"case {agent.case.id}", style="dim")


def chat(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Where to listen; this machine only.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="At which port.")
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--folder", metavar="DIR", help="A folder that may be added from the page."),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    vlm: Vlm = None,
) -> None:
    """Open the chat: drop a photo, ask, watch the tools, look at what was measured.

    \b
    unmask chat --open
    unmask chat --folder ~/collection --port 8000
    UNMASK_AUTH=ada:secret unmask chat --host 0.0.0.0

    Serves this machine only, until Ctrl-C. To let others in, set UNMASK_AUTH to logins and
    listen on another address.
    """
    changes = {"host": host, "port": port, "folders": folders}
    settings = _settings(context, vlm, **{k: v for k, v in changes.items() if v is not None})
    if settings.host not in ("127.0.0.1", "localhost", "::1") and not settings.logins:
        raise SetupError(
            f"anyone who reaches {settings.host} could use the chat: set UNMASK_AUTH to "
            "name:password, or leave --host away"
        )
    from assistant.chat.serving import serve

    serve(settings, open_browser=open_page)


def cases(
    context: typer.Context,
    id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The case to check.")] = None,
    json: AsJson = False,
) -> None:
    """List the cases, or check that the record of one was not changed.

    \b
    unmask cases
    unmask cases 20261120-193816-0fecd7
    """
    from assistant.case import Case
    from assistant.case import cases as all_cases

    home = settings_of(context).home
    if id is None:
        rows = [
            {"id": it.id, "began": it.began, "steps": it.steps, "asked": it.asked}
            for it in all_cases(home)
        ]
        if json:
            print_json({"cases": rows})
        else:
            print_table(["case", "began", "steps", "asked"], [[*row.values()] for row in rows])
        return
    case = Case.open(home, id)
    problems = case.verify()
    if json:
        print_json({"id": id, "ok": not problems, "problems": [*problems], "head": case.head})
    else:
        out().print("\n".join(problems) or f"unchanged; its newest hash is {case.head}")
    if problems:
        raise typer.Exit(1)


def _settings(context: typer.Context, vlm: str | None, **changes: Any) -> "Settings":
    """The settings of this run, with what the command's options say on top."""
    from assistant.settings import Settings

    settings = settings_of(context, writes=True)
    if vlm is not None:
        changes["vlm"] = vlm
    return Settings.model_validate(settings.model_dump() | changes) if changes else settings


def _parted(words: Sequence[str]) -> tuple[list[Path], str]:
    """Photos and the question; without a question the usual one, where the last is a file."""
    *photos, last = words
    if Path(last).is_file():
        return [Path(word) for word in words], QUESTION
    return [Path(word) for word in photos], last


def _agent(
    settings: "Settings", *, gallery: str | None, case_id: str | None
) -> tuple["Agent", tuple[str, ...]]:
    """The assistant on a new case, or on one that goes on; with notes for the person."""
    from assistant.agent import Agent
    from assistant.case import Case
    from assistant.chat_model import chat_model
    from assistant.parts import Parts
    from tools.desk import Desk

    home, parts = settings.home, Parts(settings)
    opened = None if case_id is None else Case.open(home, case_id)
    model = chat_model(settings)
    if opened is None:
        name = gallery or "default"
        desk = Desk(parts, home=home, gallery=name)
        return Agent(model, desk, Case.create(home, gallery=name)), ()
    restored = opened.restore(parts, home=home)
    if gallery is not None:
        restored.desk.gallery = gallery
    return Agent(model, restored.desk, opened), restored.notes
