"""`unmask cases`: list, search, name, archive, duplicate, delete and check the cases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings
from assistant.console.output import (
    escape_terminal,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.case.catalogue import CaseSummary

_USAGE = {
    "list": "list [WORDS]", "rename": "rename ID NAME", "archive": "archive ID",
    "reopen": "reopen ID", "duplicate": "duplicate ID", "delete": "delete ID",
    "verify": "verify [ID]", "log": "log ID",
}  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="List, search, name, archive, delete and check cases.")(cases)


def cases(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ACTION] [ARGUMENT]...",
            help="list, rename, archive, reopen, duplicate, delete, verify or log.",
        ),
    ] = None,
    archived: Annotated[
        bool, typer.Option("--archived", help="list: archived cases, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="delete: do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """List the cases, put them in order, or check that their records were not changed.

    \b
    unmask cases
    unmask cases list ada forum                     # with these words in name, question or gallery
    unmask cases rename 20261120-193816-0fecd7 "Ada, forum pictures"
    unmask cases archive 20261120-193816-0fecd7     # left out of the list until reopened
    unmask cases reopen 20261120-193816-0fecd7
    unmask cases duplicate 20261120-193816-0fecd7   # try another way, and keep the first
    unmask cases delete 20261120-193816-0fecd7      # asks; see unmask forget
    unmask cases verify                             # all; with an ID, that one
    unmask cases log 20261120-193816-0fecd7         # who searched and checked, and when

    The state says how the last question ended: answered, stopped by you, failed, or unfinished: it
    is running now, or its process ended before the answer; ask again with unmask ask --case ID.

    Every step of a case is chained to the previous one, and the head of the chain is signed with a
    key that is kept apart from the cases (UNMASK_CONFIG_DIR moves it). The check detects photos
    that were changed, and steps that were changed, removed, inserted, moved or cut off, even if
    all hashes were computed again. It cannot detect changes by a person who can read the key and
    sign again, or the deletion of a whole case. Without the key, a signature cannot be checked.
    Cases recorded before signing was introduced are "not signed": the check detects only accidents
    in them. The exit status is 1 if a record is damaged or cannot be checked.
    """
    action, *rest = words or ["list"]
    if action not in _USAGE:
        action, rest = "verify", [action, *rest]  # an id alone
    if (archived and action != "list") or (yes and action != "delete"):
        wrong = "--yes" if yes else "--archived"
        raise typer.BadParameter(f"does not belong to `{action}`", param_hint=wrong)
    home = load_settings(context, writes=action not in ("list", "verify", "log")).home
    match action, rest:
        case "list", _:
            _list(home, " ".join(rest), archived=archived, json=json)
        case "verify", [] | [_]:
            _verify(home, rest, json=json)
        case "log", [id]:
            _print_log(home, id, json=json)
        case "rename", [id, *name] if name:
            _rename(home, id, " ".join(name), json=json)
        case (("archive" | "reopen"), [id]):
            _archive(home, id, archived=action == "archive", json=json)
        case "duplicate", [id]:
            _duplicate(home, id, json=json)
        case "delete", [id]:
            from assistant.cli.forget import forget_case

            forget_case(load_settings(context, writes=True), id, yes=yes, json=json)
        case _:
            raise typer.BadParameter(f"expected: {_USAGE[action]}", param_hint="[ACTION]")


def _list(home: Path, text: str, *, archived: bool, json: bool) -> None:
    from assistant.case.catalogue import list_cases

    found = [it for it in list_cases(home) if it.matches(text) and (archived or not it.archived)]
    if json:
        print_json({"cases": [_row(it) for it in found]})
        return
    rows = [
        [it.id, it.began[:16].replace("T", " "), it.name, it.state, it.asked,
         *(["archived" if it.archived else ""] if archived else [])]
        for it in found
    ]  # fmt: skip
    head = ["case", "began", "name", "state", "asked", *([""] if archived else [])]
    if rows:
        print_table(head, rows)
    else:
        said = (
            f"No case has {text!r} in its name, questions or gallery." if text else "No case yet."
        )
        stdout_console().print(said)
    print_remarks(it.damaged for it in found if it.damaged)


def _row(it: "CaseSummary") -> dict[str, Any]:
    return {
        "id": it.id,
        "name": it.name,
        "began": it.began,
        "changed": it.changed,
        "state": it.state,
        "archived": it.archived,
        "gallery": it.gallery,
        "steps": it.steps,
        "asked": it.asked,
        "photos": [path.name for path in it.photos],
        "damaged": it.damaged or None,
    }


def _rename(home: Path, id: str, name: str, *, json: bool) -> None:
    from assistant.case.catalogue import rename_case
    from assistant.case.record import Case

    given = rename_case(Case.open(home, id), name)
    said = f"Case {id} is named {given!r}." if given else f"Case {id} has no name."
    _say(said, {"id": id, "name": given}, json=json)


def _archive(home: Path, id: str, *, archived: bool, json: bool) -> None:
    from assistant.case.catalogue import archive_case
    from assistant.case.record import Case

    archive_case(Case.open(home, id), archived=archived)
    said = (
        f"Case {id} is archived: `unmask cases list --archived` shows it."
        if archived
        else f"Case {id} is in the list again; go on with `unmask ask QUESTION --case {id}`."
    )
    _say(said, {"id": id, "archived": archived}, json=json)


def _duplicate(home: Path, id: str, *, json: bool) -> None:
    from assistant.case.catalogue import duplicate_case
    from assistant.case.record import Case

    made = duplicate_case(Case.open(home, id), home)
    _say(f"Case {made.id} is a duplicate of {id}.", {"id": made.id, "of": id}, json=json)


def _say(text: str, data: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(data)
    else:
        stdout_console().print(escape_terminal(text), soft_wrap=True)


def _verify(home: Path, named: Sequence[str], *, json: bool) -> None:
    """Check one case or all; exit status 1 if a record is damaged."""
    from assistant.case.catalogue import list_cases

    ids = named or [each.id for each in list_cases(home)]
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


def _print_log(home: Path, id: str, *, json: bool) -> None:
    """The access log of one case."""
    from assistant.case.record import Case
    from assistant.cli.galleries import print_accesses

    print_accesses(Case.open(home, id).folder, json=json)


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
