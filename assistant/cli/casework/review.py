"""`unmask review`: filter, mark and export the hits of a case; `unmask about`: the project."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings, redirect_library_output
from assistant.console.output import (
    escape_terminal,
    print_copies,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from tools.errors import SetupError
from tools.media.file_names import printable

if TYPE_CHECKING:
    from tools.agent_tools.workspace import Workspace
    from tools.gallery.access_log import AccessKind

_ACTIONS = ("list", "mark", "note", "undo", "export")

CaseArgument = Annotated[str, typer.Argument(metavar="CASE", help="The case; see `unmask cases`.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Filter, mark and export the hits of a case.")(review)
    app.command(short_help="About Unmask: accuracy, method, limits, privacy, law.")(about)


def review(
    context: typer.Context,
    case: CaseArgument,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ACTION] [ARGUMENT]...", help="list, mark, note, undo or export."),
    ] = None,
    verdict: Annotated[
        str | None, typer.Option(metavar="VERDICT", help="list: only hits with this verdict.")
    ] = None,
    folder: Annotated[
        str | None, typer.Option(metavar="NAME", help="list: only hits in a folder named so.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="DATE", help="list: only files of this date or later.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="list: only files before this date.")
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="list: rank, date (or 'date reversed'), name, forgery, identity."
        ),
    ] = None,
    decision: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="list: only hits with this decision; none: undecided."),
    ] = None,
    forged: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="list: only hits forged so likely: 80, 20-80, -20."),
    ] = None,
    person: Annotated[
        str | None,
        typer.Option(metavar="PERCENT", help="list: only hits that so likely are this person."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="TEXT", help="list: only files with this in their name."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Filter, mark and export the hits of the latest search of a case.

    \b
    unmask review 20261120-193816-0fecd7
    unmask review 20261120-193816-0fecd7 list --verdict impersonation --after 2024 --sort date
    unmask review 20261120-193816-0fecd7 list --decision none --forged 80
    unmask review 20261120-193816-0fecd7 mark H3 rejected
    unmask review 20261120-193816-0fecd7 note H3 "seen on the forum in May"
    unmask review 20261120-193816-0fecd7 undo
    unmask review 20261120-193816-0fecd7 export csv

    A decision is confirmed, rejected, hidden or none, which takes it back. It belongs to the
    picture, is signed into the case record with time and user, and never changes a verdict. So
    does a note; an empty one removes it. Near-identical hits are listed below the first of them.
    Hidden hits are left out of lists; reports (html, pdf, json, csv, or a bundle with the original
    files) hold every hit and are written into the folder of the case. Dates are the EXIF date
    taken, else the file's modification time.
    """
    from assistant.case.record import Case
    from assistant.case.recorded_tools import TOOL_ACCESS
    from assistant.console.progress import CheckingDisplay
    from assistant.grounding.casework_answers import describe_casework
    from tools.verdict.handles import CITATION_PATTERN

    action, *rest = words or ["list"]
    wanted = {
        "verdict": verdict, "folder": folder, "after": after, "before": before, "sort": sort,
        "decision": decision, "forged": forged, "person": person, "name": name,
    }  # fmt: skip
    tool, arguments = _call(action, rest, {it: value for it, value in wanted.items() if value})
    with redirect_library_output(context):
        workspace, notes = _restored(context, case, what=TOOL_ACCESS.get(tool))
        with CheckingDisplay() as display:
            workspace.on_progress = display
            call, result = _run(workspace, tool, arguments)
    print_remarks(f"{note[:1].upper()}{note[1:]}." for note in notes)
    said = " ".join(it.text for it in describe_casework(workspace, call, result))
    if json:
        print_json(_as_json(workspace, said, result.data))
        return
    # The facts behind a sentence are for the page; here their marks would be noise.
    plain = re.sub(rf"\s*{CITATION_PATTERN.pattern}", "", said)
    stdout_console().print(escape_terminal(plain), soft_wrap=True)
    if tool == "export_report":
        path = Case.open(load_settings(context).home, case).folder / result.data["file"]
        stdout_console().print(escape_terminal(str(path)), soft_wrap=True)
    if tool == "list_hits":
        _print_hits(workspace)
        print_copies(workspace.review.listed_groups(), prefix="H")


def about(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(metavar="[TOPIC]", help="Without one, the topics are listed.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what Unmask is: abilities, accuracy, method, limits, privacy, law or indexing.

    \b
    unmask about
    unmask about accuracy
    unmask about law

    The figures of `accuracy` are those of the verdict rule in use.
    """
    from assistant.profile import LoadedModels
    from tools.agent_tools.about_unmask import TOPICS, about_unmask

    if topic is None:
        topics = ", ".join(TOPICS)
        if json:
            print_json({"topics": list(TOPICS)})
        else:
            stdout_console().print(f"Topics: {topics}. One of them: unmask about TOPIC")
        return
    models = LoadedModels(load_settings(context))
    text = about_unmask(topic, models.rule, judged_by=models.judged_by)
    if json:
        print_json({"topic": topic, "text": text})
    else:
        stdout_console().print(text, soft_wrap=True)


def _call(
    action: str, rest: list[str], wanted: dict[str, str]
) -> tuple[str, dict[str, str]]:  # fmt: skip
    """The tool call of an action."""
    from tools.agent_tools.casework_tools import EXPORT_FORMATS

    if wanted and action != "list":
        raise typer.BadParameter("belongs to `list`", param_hint=f"--{next(iter(wanted))}")
    match action, rest:
        case "list", []:
            return "list_hits", wanted
        case "mark", [hit, decision]:
            return "mark_hit", {"hit": hit, "decision": decision}
        case "note", [hit, *text]:
            return "note_hit", {"hit": hit, "text": " ".join(text)}
        case "undo", []:
            return "undo", {}
        case "export", [] | [_]:
            return "export_report", {"format": rest[0] if rest else "html"}
    usage = {
        "mark": "mark HIT DECISION",
        "note": "note HIT TEXT",
        "export": f"export [{'|'.join(EXPORT_FORMATS)}]",
    }
    expected = usage.get(action, action if action in _ACTIONS else "one of " + ", ".join(_ACTIONS))
    raise typer.BadParameter(f"expected: {expected}", param_hint="[ACTION]")


def _restored(
    context: typer.Context, id: str, *, what: "AccessKind | None"
) -> tuple["Workspace", tuple[str, ...]]:
    """The resumed case; `what` is done is logged, an export by the exporter."""
    from assistant.case.record import Case
    from assistant.case.restoring import restore_case
    from assistant.profile import LoadedModels
    from assistant.report.case_export import attach_exporter
    from tools.gallery.access_log import record_access

    settings = load_settings(context, writes=True)
    case = Case.open(settings.home, id)
    restored = restore_case(case, LoadedModels(settings), home=settings.home)
    restored.workspace.review.on_decision = case.record_decision
    attach_exporter(restored.workspace, case)
    if what is not None:
        record_access(case.folder, what)
    if restored.workspace.last_search is None:  # nothing to review, and why
        never = "this case holds no search: search for a person in a photo first"
        raise SetupError("; ".join(restored.notes) or never)
    return restored.workspace, restored.notes


def _run(workspace: "Workspace", name: str, arguments: dict[str, str]) -> tuple[Any, Any]:
    """Run the tool; the call and its result, as a conversation would hold them."""
    from assistant.conversation.steps import ToolCall, ToolResult
    from tools import toolkit

    (tool,) = toolkit(workspace, names=(name,))
    message = tool.invoke({"type": "tool_call", "id": name, "name": name, "args": arguments})
    return ToolCall(name, arguments, name), ToolResult(name, name, message.content, True, 0.0)


def _print_hits(workspace: "Workspace") -> None:
    review = workspace.review
    hits = [workspace.hit(handle) for handle in review.listed().hits]
    decided, decisions = review.authors.column("decision", [review.decision(hit) for hit in hits])
    noted, notes = review.authors.column("note", [review.note(hit) for hit in hits])
    rows = [
        [hit.handle, hit.verdict, decision, printable(hit.path) + hit.at, note]
        for hit, decision, note in zip(hits, decisions, notes, strict=True)
    ]
    print_table(["hit", "verdict", decided, "file", noted], rows)


def _as_json(workspace: "Workspace", said: str, result: dict[str, Any]) -> dict[str, Any]:
    from assistant.report.case_export import findings_json

    assert workspace.last_search is not None  # noqa: S101 - `_restored` refuses it otherwise
    findings = workspace.last_search[0]
    review = workspace.review
    listed = result.get("listed", review.listed().hits)
    data = findings_json(findings, review.decisions_for(findings), review.notes_for(findings))
    return {"said": said, "result": result, "listed": list(listed), **data}
