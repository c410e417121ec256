"""`unmask cases`: list, verify, replay, export and import the records of past cases."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli.options import JsonOption, load_settings, redirect_library_output
from assistant.console.output import (
    escape_terminal,
    pluralize,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.case.record import Case, CaseSummary
    from assistant.case.replay import Difference, Replay
    from assistant.settings import Settings

_ACTIONS = {
    "verify": "verify [ID|FILE]", "log": "log ID", "export": "export ID --to FILE.zip",
    "import": "import FILE.zip", "replay": "replay ID|FILE", "key": "key", "schema": "schema",
}  # fmt: skip
_NUMBERS_SHOWN = 6


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(short_help="List, verify, replay, export or import past cases.")(cases)


def cases(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ACTION] [ID|FILE]",
            help="verify, log, replay, export, import, key or schema; without one: the list.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="export: the bundle to write.")
    ] = None,
    key: Annotated[
        str, typer.Option("--key", metavar="NAME", help="import: only if this key signed it.")
    ] = "",
    json: JsonOption = False,
) -> None:
    """List the cases; verify, replay and hand over their records.

    \b
    unmask cases
    unmask cases verify                              # all of them
    unmask cases verify 20261120-193816-0fecd7
    unmask cases log 20261120-193816-0fecd7          # who searched and checked, and when
    unmask cases replay 20261120-193816-0fecd7       # the recorded search again, compared
    unmask cases export 20261120-193816-0fecd7 --to case.zip
    unmask cases import case.zip --key 1f8a09c37d2e4b56
    unmask cases key                                 # the name of your key, for the recipient
    unmask cases schema                              # the JSON Schema of reports

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
    action, *rest = words or [""]
    if action and action not in _ACTIONS:
        action, rest = "verify", [action, *rest]
    if len(rest) > 1 or (not rest and action in ("log", "export", "import", "replay")):
        usage = _ACTIONS.get(action, "name one case")
        raise typer.BadParameter(f"expected: {usage}", param_hint="[ACTION] [ID|FILE]")
    for option, given, belongs in (("--to", to, "export"), ("--key", key, "import")):
        if given and action != belongs:
            raise typer.BadParameter(f"belongs to `{belongs}`", param_hint=option)
    settings = load_settings(context, writes=action in ("export", "import", "replay"))
    match action, rest:
        case "", _:
            _list_cases(settings, json=json)
        case "verify", _:
            _verify(settings, rest, json=json)
        case "log", [id]:
            _print_log(settings, id, json=json)
        case "replay", [named]:
            with redirect_library_output(context):
                replay = _replay(settings, named)
            _print_replay(replay, json=json)
        case "export", [id]:
            with redirect_library_output(context):
                path = _export(settings, id, to or Path(f"{id}.zip"))
            said = (
                f"Written: {path}. It is signed with the key {_key(settings)}; tell the recipient "
                "that name by another way."
            )
            _tell(said, {"written": str(path), "key": _key(settings)}, json=json)
        case "import", [named]:
            _import(settings, Path(named), key=key, json=json)
        case "key", []:
            name = _key(settings)
            _tell(name, {"key": name}, json=json)
        case "schema", []:
            from assistant.report.contents.model import report_schema

            print_json(report_schema())
        case _:
            raise typer.BadParameter(f"expected: {_ACTIONS[action]}", param_hint="[ACTION]")


def _tell(said: str, data: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(data)
    else:
        stdout_console().print(escape_terminal(said), soft_wrap=True)


# -- list, log and key ----------------------------------------------------------------------------


def _list_cases(settings: "Settings", *, json: bool) -> None:
    from assistant.case.record import list_cases

    listed: Sequence[CaseSummary] = list_cases(settings.home)
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


def _print_log(settings: "Settings", id: str, *, json: bool) -> None:
    from assistant.case.record import Case
    from assistant.cli.galleries import print_accesses

    print_accesses(Case.open(settings.home, id).folder, json=json)


def _key(settings: "Settings") -> str:
    """The name of the user's key, which is made if there is none."""
    from assistant.case.signing import SigningKeys

    keys = SigningKeys(settings.keys_dir)
    name = keys.ensure()
    if not name:
        raise SetupError(keys.trouble)
    return name


# -- verify ---------------------------------------------------------------------------------------


def _verify(settings: "Settings", named: Sequence[str], *, json: bool) -> None:
    """Check one case or bundle, or all cases; exit status 1 if anything is wrong."""
    from assistant.case.record import list_cases

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
    record_access(case.folder, "check")
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


# -- export, import, replay -----------------------------------------------------------------------


def _export(settings: "Settings", id: str, path: Path) -> Path:
    """Write a bundle with the reports of the case's latest search, if it has one."""
    from assistant.case.archive.writing import write_bundle
    from assistant.case.record import Case
    from assistant.profile import LoadedModels
    from assistant.report.case_export import export_findings
    from tools.gallery.access_log import record_access

    case = Case.open(settings.home, id)
    record_access(case.folder, "export")
    if case.latest_search() is None:
        return write_bundle(path, case, None, {})
    restored = case.restore(LoadedModels(settings), home=settings.home)
    print_remarks(f"{note[:1].upper()}{note[1:]}." for note in restored.notes)
    if restored.workspace.last_search is None:
        raise SetupError(
            f"case {id!r} is not exported: its search cannot be run again here, so its report and "
            "originals would be missing"
        )
    return export_findings(restored.workspace, case, "bundle", path=path)


def _import(settings: "Settings", path: Path, *, key: str, json: bool) -> None:
    from assistant.case.archive.importing import import_case

    found = import_case(path, settings.home, expected_key=key)
    asked = "as you expected" if key else (
        "ask the person who gave it to you, by another way, whether that is theirs"
    )  # fmt: skip
    data = {"id": found.case.id, "key": found.key, "exported": found.exported,
            "signature": found.verification.signature}  # fmt: skip
    _tell(
        f"Imported as case {found.case.id}, exported {found.exported}. It was signed with the key "
        f"{found.key}: {asked}. Record, photos, exhibits and every hash verify.", data, json=json,
    )  # fmt: skip


def _replay(settings: "Settings", named: str) -> "Replay":
    """Replay a case, or a bundle without importing it."""
    from assistant.case.archive.importing import unpacked
    from assistant.case.record import Case
    from assistant.case.replay import replay_search
    from assistant.console.progress import RerankingDisplay
    from assistant.profile import LoadedModels
    from tools.gallery.access_log import record_access

    models = LoadedModels(settings)
    with RerankingDisplay() as display:
        if Path(named).is_file():
            with unpacked(Path(named), settings.home) as found:
                return replay_search(found.case, models, on_progress=display)
        case = Case.open(settings.home, named)
        record_access(case.folder, "check")
        return replay_search(case, models, on_progress=display)


def _replay_json(replay: "Replay") -> dict[str, Any]:
    import dataclasses

    hits = [dataclasses.asdict(hit) | {"same": hit.same} for hit in replay.hits]
    return {"same": replay.same, "same_verdicts": replay.same_verdicts, "hits": hits,
            "instruments": list(replay.instruments)}  # fmt: skip


def _print_replay(replay: "Replay", *, json: bool) -> None:
    """Exit status 1 if something differs."""
    if json:
        print_json(_replay_json(replay))
    else:
        _tell_replay(replay)
    if not replay.same:
        raise typer.Exit(1)


def _tell_replay(replay: "Replay") -> None:
    rows = [
        [hit.handle, hit.recorded_verdict, hit.verdict or "–", _outcome(hit), hit.path]
        for hit in replay.hits
    ]
    print_table(["hit", "recorded", "here", "numbers", "file"], rows)
    say = stdout_console()
    for hit in replay.hits:
        for it in hit.differences[:_NUMBERS_SHOWN]:
            say.print(escape_terminal(f"{hit.handle} {_worded(it)}"), soft_wrap=True)
        if len(hit.differences) > _NUMBERS_SHOWN:
            say.print(f"{hit.handle}: {len(hit.differences) - _NUMBERS_SHOWN} more (--json)")
    count = len(replay.hits)
    say.print(f"{replay.same_verdicts} of {pluralize(count, 'verdict')} as recorded.")
    for line in replay.instruments:
        say.print(escape_terminal(f"Differs: {line}"), soft_wrap=True)
    if not replay.instruments:
        say.print("Version, checkpoints, verdict rule and libraries are the recorded ones.")


def _outcome(hit: Any) -> str:
    if hit.problem:
        return str(hit.problem)
    return "the same" if hit.same else f"{pluralize(len(hit.differences), 'difference')}"


def _worded(it: "Difference") -> str:
    return f"{it.what}: recorded {_value(it.recorded)}, here {_value(it.here)}"


def _value(value: float | str | None) -> str:
    if value is None:
        return "not measured"
    return value if isinstance(value, str) else f"{value:.4g}"
