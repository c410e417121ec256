"""The assistant on the command line: `unmask ask`, `unmask chat`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import (
    HostOption,
    JsonOption,
    PortOption,
    changed_settings,
    redirect_library_output,
)
from assistant.console.output import (
    print_json,
    print_remarks,
    stderr_console,
)
from tools.errors import SetupError
from tools.media.paths import is_file

if TYPE_CHECKING:
    from assistant.agent.agent import Agent
    from assistant.settings import Settings

DEFAULT_EXPLAIN_COUNT = 5
"""Number of leading hits that `--explain` explains."""

VlmOption = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL",
        help="Chat model: a folder, an id, or the URL of an OpenAI-compatible server.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Ask the assistant, which calls the tools.")(ask)
    app.command(short_help="Open the chat in a browser.")(chat)


def ask(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(metavar="[PHOTO]... QUESTION", help="Photos, then the question."),
    ],
    gallery: Annotated[
        str | None, typer.Option("--gallery", "-g", metavar="NAME", help="Which collection.")
    ] = None,
    case: Annotated[
        str | None, typer.Option(metavar="ID", help="Continue a case instead of starting one.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also explain the leading hits.")
    ] = False,
    vlm: VlmOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the assistant. It calls the tools, and every sentence of its answer is checked.

    \b
    unmask ask ada.jpg "find fakes of this person" --gallery case42
    unmask ask ada.jpg --explain
    unmask ask "why is H1 an impersonation?" --case 20261120-193816-0fecd7

    Statements about photos and hits are inserted from the measurements, with values in brackets.
    Sentences marked (plain) come from fixed templates, which replace refused sentences of the
    model. Sentences that no measurement supports are marked (unchecked). Every question is recorded
    as a case in the data folder, with private copies of the photos.
    """
    from assistant.cli.casework.transcript import TurnReporter
    from assistant.console.progress import CheckingDisplay
    from tools.search.query_files import readable

    photos, question = _parted(words)
    settings = changed_settings(context, vlm=vlm)
    with redirect_library_output(context):
        for photo in photos:
            readable(photo)  # an unreadable photo is refused before a model is loaded
        agent = _agent(settings, gallery=gallery, case_id=case)
    print_remarks(agent.notes)
    told = TurnReporter(agent, show=not json)
    try:
        with redirect_library_output(context), CheckingDisplay() as display:
            agent.workspace.on_progress = display
            told.turn(question, photos)
            told.explain(DEFAULT_EXPLAIN_COUNT if explain else 0)
    except SetupError as error:
        raise SetupError(f"{error} (continue the case with `--case {agent.case.id}`)") from error
    if json:
        print_json(told.to_json(question))
    else:
        told.print_answer()
    stderr_console().print(f"case {agent.case.id}", style="dim")


def chat(
    context: typer.Context,
    host: HostOption = None,
    port: PortOption = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--folder", metavar="DIR", help="A folder that may be added from the page."),
    ] = None,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    vlm: VlmOption = None,
) -> None:
    """Open the chat: drop a photo, ask, watch the tools, look at what was measured.

    \b
    unmask chat --open
    unmask chat --folder ~/collection --port 8000
    UNMASK_AUTH=ada:secret unmask chat --host 0.0.0.0

    Serves this machine only, until Ctrl-C. To give others access, set logins in UNMASK_AUTH and
    listen on another address.
    """
    from assistant.server.access.hosts import is_loopback

    settings = changed_settings(context, host=host, port=port, folders=folders, vlm=vlm)
    if not is_loopback(settings.host) and not settings.logins:
        raise SetupError(
            f"anyone who reaches {settings.host} could use the chat: set UNMASK_AUTH to "
            "name:password, or omit --host"
        )
    from assistant.chat.serving import serve

    serve(settings, open_browser=open_page)


def _parted(words: Sequence[str]) -> tuple[list[Path], str]:
    """Split the arguments into photos and question; if the last is a file, the default question."""
    from assistant.agent.explicit_requests import DEFAULT_QUESTION

    *photos, last = words
    if is_file(last):
        return [Path(word) for word in words], DEFAULT_QUESTION
    return [Path(word) for word in photos], last


def _agent(settings: "Settings", *, gallery: str | None, case_id: str | None) -> "Agent":
    """The agent on a new case, or on a resumed one."""
    from assistant.agent.agent import Agent
    from assistant.agent.requests.loading import StandIn, load_request_reader
    from assistant.case.record import Case
    from assistant.chat_model.choice import load_chat_model
    from assistant.profile import LoadedModels
    from assistant.report.case_export import attach_exporter
    from tools.gallery.record_store import Gallery

    home, parts = settings.home, LoadedModels(settings)
    names = Gallery.names(home)
    if gallery is not None and gallery not in names:
        known = f"there are {', '.join(names[:5])}" if names else "there is none yet"
        raise SetupError(
            f"there is no gallery {gallery!r}; {known}. Fill it with `unmask index DIR --gallery "
            f"{gallery}`"
        )
    if gallery is not None:
        Gallery.require_unlocked(home, gallery)
    opened = None if case_id is None else Case.open(home, case_id)
    model, reader = load_chat_model(settings), load_request_reader(settings)
    understanding: dict[str, Any] = {
        "reader": reader,
        "stand_in": StandIn(settings),
    }
    if opened is None:
        agent = Agent.begin(model, parts, home=home, gallery=gallery or "default", **understanding)
    else:
        agent = Agent.resume(model, parts, opened, home=home, **understanding)
        if gallery is not None:
            agent.workspace.gallery = gallery
    attach_exporter(agent.workspace, agent.case)
    return agent
