"""`unmask cases`: list, name, archive, share, duplicate, delete, verify and hand over cases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.casework import handover, replaying
from assistant.cli.options import JsonOption, load_settings, redirect_library_output
from assistant.console.output import (
    escape_terminal,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.case.record import Case
    from assistant.settings import Settings

_USAGE = {
    "list": "list [WORDS]", "rename": "rename ID NAME", "archive": "archive ID",
    "reopen": "reopen ID", "duplicate": "duplicate ID", "delete": "delete ID",
    "share": "share ID [--with NAME] [--not-with NAME]",
    "verify": "verify [ID|FILE]", "log": "log ID", "export": "export ID --to FILE.zip",
    "import": "import FILE.zip", "replay": "replay ID|FILE", "key": "key", "schema": "schema",
}  # fmt: skip
_READING = ("list", "verify", "log", "key", "schema")


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="List, name, archive, verify, replay or hand over cases.")(cases)


def cases(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ACTION] [ARGUMENT]...",
            help="list, rename, archive, reopen, duplicate, delete, share, verify, log, replay, "
            "export, import, key or schema.",
        ),
    ] = None,
    archived: Annotated[
        bool, typer.Option("--archived", help="list: archived cases, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="delete: do not ask.")] = False,
    share: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME", help="share: this account may see it."),
    ] = None,
    unshare: Annotated[
        list[str] | None,
        typer.Option("--not-with", metavar="NAME", help="share: this account may not any more."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="export: the bundle to write.")
    ] = None,
    key: Annotated[
        str, typer.Option("--key", metavar="NAME", help="import: only if this key signed it.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """List the cases, put them in order, and verify, replay or hand over their records.

    \b
    unmask cases
    unmask cases list ada forum                     # with these words in name, question or gallery
    unmask cases rename 20261120-193816-0fecd7 "Ada, forum pictures"
    unmask cases archive 20261120-193816-0fecd7     # left out of the list until reopened
    unmask cases reopen 20261120-193816-0fecd7
    unmask cases duplicate 20261120-193816-0fecd7   # try another way, and keep the first
    unmask cases delete 20261120-193816-0fecd7      # asks; see unmask forget
    unmask cases share 20261120-193816-0fecd7 --with bob --not-with eve   # accounts of the server
    unmask cases verify                             # all; with an ID or a bundle, that one
    unmask cases log 20261120-193816-0fecd7         # who searched and checked, and when
    unmask cases replay 20261120-193816-0fecd7      # the recorded search again, compared
    unmask cases export 20261120-193816-0fecd7 --to case.zip
    unmask cases import case.zip --key 1f8a09c37d2e4b56
    unmask cases key                                # the name of your key, for the recipient
    unmask cases schema                             # the JSON Schema of reports

    The state says how the last question ended: answered, stopped by you, failed, or unfinished: it
    is running now, or its process ended before the answer; ask again with unmask ask --case ID.

    Every step of a case is chained to the previous one, and the head of the chain is signed with a
    key that is kept apart from the cases (UNMASK_CONFIG_DIR moves it). The check detects photos
    that were changed, and steps that were changed, removed, inserted, moved or cut off, even if
    all hashes were computed again. It cannot detect changes by a person who can read the key and
    sign again, or the deletion of a whole case. Without the key, a signature cannot be checked.
    Cases recorded before signing was introduced are "not signed": the check detects only accidents
    in them.

    A bundle holds the record, the photos, the original files of the hits, the report in every
    format and a signed list of hashes. verify and replay read a bundle without importing it. A
    replay measures the recorded pictures again and says which verdicts and numbers differ, and
    which version or checkpoint does. The exit status is 1 if a record is damaged or cannot be
    checked, or if a verdict or number differs.
    """
    action, *rest = words or ["list"]
    if action not in _USAGE:
        action, rest = "verify", [action, *rest]  # an id or a bundle alone
    for option, given, owner in (
        ("--archived", archived, "list"), ("--yes", yes, "delete"), ("--to", to, "export"),
        ("--key", key, "import"), ("--with", share, "share"), ("--not-with", unshare, "share"),
    ):  # fmt: skip
        if given and action != owner:
            raise typer.BadParameter(f"belongs to `{owner}`", param_hint=option)
    settings = load_settings(context, writes=action not in _READING)
    home = settings.home
    match action, rest:
        case "list", _:
            _list(home, " ".join(rest), archived=archived, json=json)
        case "verify", [] | [_]:
            _verify(settings, rest, json=json)
        case "log", [id]:
            _print_log(home, id, json=json)
        case "rename", [id, *name] if name:
            _rename(home, id, " ".join(name), json=json)
        case (("archive" | "reopen"), [id]):
            _archive(home, id, archived=action == "archive", json=json)
        case "duplicate", [id]:
            _duplicate(home, id, json=json)
        case "share", [id]:
            _share(settings, id, share or (), unshare or (), json=json)
        case "delete", [id]:
            from assistant.cli.privacy.forget import forget_case

            forget_case(settings, id, yes=yes, json=json)
        case "replay", [named]:
            with redirect_library_output(context):
                replay = replaying.replay_case(settings, named)
            replaying.print_replay(replay, json=json)
        case "export", [id]:
            with redirect_library_output(context):
                said, data = handover.export_bundle(settings, id, to or Path(f"{id}.zip"))
            _say(said, data, json=json)
        case "import", [named]:
            _say(*handover.import_bundle(settings, Path(named), key=key), json=json)
        case "key", []:
            own = handover.key_name(settings)
            _say(own, {"key": own}, json=json)
        case "schema", []:
            from assistant.report.contents.model import report_schema

            print_json(report_schema())
        case _:
            raise typer.BadParameter(f"expected: {_USAGE[action]}", param_hint="[ACTION]")


# -- list, name, archive, duplicate ---------------------------------------------------------------


def _list(home: Path, text: str, *, archived: bool, json: bool) -> None:
    from assistant.case.catalogue import list_cases

    found = [it for it in list_cases(home) if it.matches(text) and (archived or not it.archived)]
    if json:
        print_json({"cases": [it.to_json() | {"damaged": it.damaged or None} for it in found]})
        return
    rows = [
        [it.id, it.began[:16].replace("T", " "), it.name, it.state, it.asked,
         *(["archived" if it.archived else ""] if archived else [])]
        for it in found
    ]  # fmt: skip
    head = ["case", "began (UTC)", "name", "state", "asked", *([""] if archived else [])]
    if rows:
        print_table(head, rows)
    else:
        said = (
            f"No case has {text!r} in its name, questions or gallery." if text else "No case yet."
        )
        stdout_console().print(said)
    print_remarks(it.damaged for it in found if it.damaged)


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


def _share(
    settings: "Settings", id: str, more: Sequence[str], fewer: Sequence[str], *, json: bool
) -> None:
    from assistant.case.record import Case
    from assistant.server.work.case_access import CaseAccess, known_names
    from assistant.server.work.ledger import Ledger

    Case.open(settings.home, id)
    ledger = Ledger(settings.home)
    try:
        access = CaseAccess(ledger, settings.home)
        names = {*access.shared_with(id), *known_names(settings, more)} - {*fewer}
        access.share(id, names)
        owner, shared = access.owner(id), access.shared_with(id)
    finally:
        ledger.close()
    seen = f"is shared with {', '.join(shared)}" if shared else "is shared with nobody"
    made = f", made by {owner}," if owner else ""
    _say(f"Case {id}{made} {seen}.", {"id": id, "owner": owner or None, "names": shared}, json=json)


def _say(text: str, data: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(data)
    else:
        stdout_console().print(escape_terminal(text), soft_wrap=True)


# -- verify and log -------------------------------------------------------------------------------


def _verify(settings: "Settings", named: Sequence[str], *, json: bool) -> None:
    """Check one case or bundle, or all cases; exit status 1 if anything is wrong."""
    from assistant.case.catalogue import list_cases

    if named and Path(named[0]).is_file():
        told = [_check_bundle(settings, Path(named[0]))]
    else:
        ids = named or [each.id for each in list_cases(settings.home)]
        told = [_check(settings.home, id) for id in ids]
    if json:
        print_json(told[0] if named else {"ok": all(it["ok"] for it in told), "cases": told})
    for it in () if json else told:
        about = "" if named else f"{it['id']}: "
        stdout_console().print(
            escape_terminal(about + ("; ".join(it["problems"]) or it["note"])), soft_wrap=True
        )
    if not all(it["ok"] for it in told):
        raise typer.Exit(1)


def _check(home: Path, id: str) -> dict[str, Any]:
    """The result of checking one case, as in the JSON output."""
    from assistant.case.record import Case
    from tools.gallery.access_log import record_access

    case = Case.open(home, id)
    record_access(case.folder, "verify")
    return _checked(case)


def _check_bundle(settings: "Settings", path: Path) -> dict[str, Any]:
    """The same for a bundle, whose hashes and signature were checked when it was opened."""
    from assistant.case.archive.importing import unpacked

    with unpacked(path, settings.home) as found:
        checked = _checked(found.case, known_heads=False)
        checked["note"] += (
            f"; the bundle was exported {found.exported} and signed with the key {found.key}, and "
            "every file has its listed hash"
        )
        return checked


def _checked(case: "Case", *, known_heads: bool = True) -> dict[str, Any]:
    try:
        found, head = case.verification(known_heads=known_heads), case.head
    except SetupError as damage:
        return {"id": case.id, "ok": False, "problems": [str(damage)],
                "signature": "cannot be checked", "note": str(damage), "head": None}  # fmt: skip
    sound = f"unchanged; {found.note}; its newest hash is {head}"
    unsigned = f"the chain is unbroken, but the record is {found.note}"
    return {
        "id": case.id,
        "ok": not found.problems,
        "problems": [*found.problems],
        "signature": found.signature,
        "note": sound if found.signature == "valid" else unsigned,
        "head": head,
    }


def _print_log(home: Path, id: str, *, json: bool) -> None:
    """The access log of one case."""
    from assistant.case.record import Case
    from assistant.cli.galleries import print_accesses

    print_accesses(Case.open(home, id).folder, json=json)
