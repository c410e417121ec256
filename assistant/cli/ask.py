"""The assistant on the command line: `unmask ask`, `unmask chat`, `unmask cases`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings, redirect_library_output
from assistant.console.output import (
    escape_terminal,
    print_json,
    print_remarks,
    print_table,
    stderr_console,
    stdout_console,
)
from tools.errors import SetupError
from tools.media.paths import is_file

if TYPE_CHECKING:
    from assistant.agent.agent import Agent
    from assistant.case.record import CaseSummary
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
    app.command(short_help="List or check the records of past cases.")(cases)


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
    from assistant.cli.transcript import TurnReporter
    from assistant.console.progress import RerankingDisplay
    from tools.search.query_files import readable

    photos, question = _parted(words)
    settings = _settings(context, vlm)
    with redirect_library_output(context):
        for photo in photos:
            readable(photo)  # an unreadable photo is refused before a model is loaded
        agent = _agent(settings, gallery=gallery, case_id=case)
    print_remarks(agent.notes)
    told = TurnReporter(agent, show=not json)
    try:
        with redirect_library_output(context), RerankingDisplay() as display:
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
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on; default: this machine only."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on.")
    ] = None,
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
    changes = {"host": host, "port": port, "folders": folders}
    settings = _settings(context, vlm, **{k: v for k, v in changes.items() if v is not None})
    if settings.host not in ("127.0.0.1", "localhost", "::1") and not settings.logins:
        raise SetupError(
            f"anyone who reaches {settings.host} could use the chat: set UNMASK_AUTH to "
            "name:password, or omit --host"
        )
    from assistant.chat.serving import serve

    serve(settings, open_browser=open_page)


def cases(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[verify|log] [ID]", help="The case to check; `verify` alone: all."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the cases, or check that their records were not changed.

    \b
    unmask cases
    unmask cases verify
    unmask cases verify 20261120-193816-0fecd7
    unmask cases log 20261120-193816-0fecd7         # who searched and checked, and when

    Every step of a case is chained to the previous one, and the head of the chain is signed with a
    key that is kept apart from the cases (UNMASK_CONFIG_DIR moves it). The check detects photos
    that were changed, and steps that were changed, removed, inserted, moved or cut off, even if
    all hashes were computed again. It cannot detect changes by a person who can read the key and
    sign again, or the deletion of a whole case. Without the key, a signature cannot be checked.
    Cases recorded before signing was introduced are "not signed": the check detects only accidents
    in them. The exit status is 1 if a record is damaged or cannot be checked.
    """
    from assistant.case.record import list_cases as all_cases

    home, named = load_settings(context).home, list(words or ())
    if named and named[0] == "log":
        _print_log(home, named[1:], json=json)
        return
    checking = bool(named)
    if named and named[0] == "verify":
        named = named[1:]
    if len(named) > 1:
        raise typer.BadParameter("name one case", param_hint="[ID]")
    if not checking:
        _list_cases(all_cases(home), json=json)
        return
    ids = named or [each.id for each in all_cases(home)]
    told = [_check(home, id) for id in ids]
    if json:
        print_json(told[0] if named else {"ok": all(it["ok"] for it in told), "cases": told})
    for it in () if json else told:
        about = "" if named else f"{it['id']}: "
        stdout_console().print(
            escape_terminal(about + ("; ".join(it["problems"]) or it["note"])), soft_wrap=True
        )
    if not all(it["ok"] for it in told):
        raise typer.Exit(1)


def _print_log(home: Path, named: Sequence[str], *, json: bool) -> None:
    """The access log of one case."""
    from assistant.case.record import Case
    from assistant.cli.galleries import print_accesses

    if len(named) != 1:
        raise typer.BadParameter("name one case", param_hint="log [ID]")
    print_accesses(Case.open(home, named[0]).folder, json=json)


def _list_cases(listed: Sequence["CaseSummary"], *, json: bool) -> None:
    rows = [{"id": it.id, "began": it.began, "steps": it.steps, "asked": it.asked} for it in listed]
    damaged = {it.id: it.damaged for it in listed if it.damaged}
    if json:
        marked = [row | {"damaged": damaged.get(str(row["id"]))} for row in rows]
        print_json({"cases": marked})
    else:
        for row in rows:
            row |= {"steps": "damaged"} if row["id"] in damaged else {}
        print_table(["case", "began", "steps", "asked"], [[*row.values()] for row in rows])
        print_remarks(damaged.values())


def _check(home: Path, id: str) -> dict[str, Any]:
    """The result of checking one case, as in the JSON output."""
    from assistant.case.record import Case
    from tools.gallery.access_log import record_access

    case = Case.open(home, id)
    record_access(case.folder, "check")
    try:
        found, head = case.verification(), case.head
    except SetupError as damage:
        return {"id": id, "ok": False, "problems": [str(damage)], "signature": "cannot be checked",
                "note": str(damage), "head": None}  # fmt: skip
    sound = f"unchanged; {found.note}; its newest hash is {head}"
    unsigned = f"the chain is unbroken, but the record is {found.note}"
    return {
        "id": id,
        "ok": not found.problems,
        "problems": [*found.problems],
        "signature": found.signature,
        "note": sound if found.signature == "valid" else unsigned,
        "head": head,
    }


def _settings(context: typer.Context, vlm: str | None, **changes: Any) -> "Settings":
    """The settings of this run, with the command's options applied."""
    from assistant.settings import Settings

    settings = load_settings(context, writes=True)
    if vlm is not None:
        changes["vlm"] = vlm
    return Settings.model_validate(settings.model_dump() | changes) if changes else settings


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
    from assistant.agent.requests.loading import load_request_reader
    from assistant.case.record import Case
    from assistant.chat_model.choice import load_chat_model
    from assistant.profile import LoadedModels
    from assistant.report.case_export import attach_exporter

    home, parts = settings.home, LoadedModels(settings)
    opened = None if case_id is None else Case.open(home, case_id)
    model, reader = load_chat_model(settings), load_request_reader(settings)
    if opened is None:
        agent = Agent.begin(model, parts, home=home, gallery=gallery or "default", reader=reader)
    else:
        agent = Agent.resume(model, parts, opened, home=home, reader=reader)
        if gallery is not None:
            agent.workspace.gallery = gallery
    attach_exporter(agent.workspace, agent.case.folder)
    return agent
