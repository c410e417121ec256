"""`unmask lock` and `unmask unlock`: encrypt galleries and cases at rest, and open them again."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.options import JsonOption, load_settings, parse_cli_path
from assistant.console.output import (
    escape_terminal,
    print_error,
    print_json,
    print_remarks,
    stdout_console,
)
from assistant.console.secret_input import read_secret
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.case.locking import LockOutcome, LockUnit
    from assistant.settings import Settings
    from tools.gallery.locking.keys import KeyFinder, LockKey

_KEY_FILE_INSTEAD = ", or use --key-file FILE"

GalleriesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[GALLERY]...", help="Which galleries.")
]
CaseOption = Annotated[
    list[str] | None, typer.Option("--case", metavar="ID", help="A case; may be repeated.")
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file", metavar="FILE", parser=parse_cli_path,
        help="A key file, kept elsewhere, in place of a passphrase; also UNMASK_KEY_FILE.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Encrypt galleries and cases at rest.")(lock)
    app.command(short_help="Open locked galleries and cases again.")(unlock)


def lock(
    context: typer.Context,
    galleries: GalleriesArgument = None,
    case: CaseOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="All personal data in the data folder.")
    ] = False,
    key_file: KeyFileOption = None,
    new_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=parse_cli_path, help="Only make a new key file."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Encrypt galleries and cases at rest: nothing opens them until `unmask unlock`.

    \b
    unmask lock case-17                             # a gallery; asks for a passphrase, twice
    unmask lock --case 20261120-193816-0fecd7
    unmask lock --all                               # galleries, cases, watches, dropped files …
    unmask lock --new-key /media/stick/unmask.key   # then: --key-file, or UNMASK_KEY_FILE
    unmask lock --all --key-file /media/stick/unmask.key

    Close the chat and servers first. The files are encrypted into one archive, which is decrypted
    again and compared before the plain files are overwritten and deleted. A crash loses nothing:
    run the same command again. It needs as much free space as the largest gallery meanwhile.

    Without the passphrase or the key file nobody can open it, and nobody can restore it. Without a
    terminal, the passphrase is the first line of stdin. The archive is in the age format: without
    Unmask, `age -d -i locked.key.age locked.age | tar x` opens it.

    Visible stay: the names of galleries, ids of cases, sizes and times. An SSD, snapshots, backups
    and copy-on-write file systems may keep old blocks of the plain files: only an encrypted disk
    protects those. Your own photos, and reports written elsewhere, are not locked.
    """
    from assistant.case.locking import lock_units, require_outside, shred_caches

    settings = load_settings(context, writes=True)
    if new_key is not None:
        require_outside(new_key, settings)
        _make_key(new_key, json=json)
        return
    units = _chosen(settings, galleries, case, every=every)
    key_file = key_file or settings.key_file
    if key_file is not None:
        require_outside(key_file, settings)
    key = _key_to_lock(key_file)
    outcomes = list(lock_units(settings, units, key))
    if every:
        shred_caches(settings)
    _report(outcomes, "locked", json=json)


def unlock(
    context: typer.Context,
    galleries: GalleriesArgument = None,
    case: CaseOption = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that is locked.")] = False,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Open locked galleries and cases again, with the passphrase or key file of `unmask lock`.

    \b
    unmask unlock case-17
    unmask unlock --case 20261120-193816-0fecd7
    unmask unlock --all --key-file /media/stick/unmask.key

    The files come back as they were, and the encrypted archive is deleted. After a crash, run the
    same command again. A wrong passphrase changes nothing. Without a terminal, the passphrase is
    the first line of stdin.
    """
    from assistant.case.locking import unlock_units
    from tools.gallery.locking.state import is_locked

    settings = load_settings(context, writes=True)
    units = _chosen(settings, galleries, case, every=every)
    if any(is_locked(it.folder) for it in units):
        outcomes = list(
            unlock_units(settings, units, _key_to_unlock(key_file or settings.key_file))
        )
    else:
        outcomes = []
    _report(outcomes, "unlocked", json=json)


def _chosen(
    settings: "Settings", galleries: Sequence[str] | None, cases: Sequence[str] | None, *,
    every: bool,
) -> "list[LockUnit]":  # fmt: skip
    from assistant.case.locking import all_units, case_unit, gallery_unit

    if every is bool(galleries or cases):
        raise typer.BadParameter("name galleries or --case ID, or use --all")
    if every:
        return all_units(settings)
    return [
        *(gallery_unit(settings, name) for name in galleries or ()),
        *(case_unit(settings, id) for id in cases or ()),
    ]


def _make_key(path: Path, *, json: bool) -> None:
    from tools.gallery.locking.keys import write_key_file

    public = write_key_file(path)
    if json:
        print_json({"key_file": escape_terminal(path), "public_key": public})
    else:
        stdout_console().print(f"Key file: {escape_terminal(path)}", soft_wrap=True)
        print_remarks(["keep a copy in a safe place: without it nobody can open what it locks"])


def _key_to_lock(key_file: Path | None) -> "LockKey":
    from tools.gallery.locking.keys import passphrase_key, read_key_file

    if key_file is not None:
        return read_key_file(key_file)
    return passphrase_key(read_secret("passphrase", confirm=True, instead=_KEY_FILE_INSTEAD))


def _key_to_unlock(key_file: Path | None) -> "KeyFinder":
    from tools.gallery.locking.keys import PassphraseFinder, key_file_finder

    if key_file is not None:
        return key_file_finder(key_file)
    return PassphraseFinder(read_secret("passphrase", confirm=False, instead=_KEY_FILE_INSTEAD))


def _report(outcomes: "Iterable[LockOutcome]", done: str, *, json: bool) -> None:
    """Print what became of each unit; exit status 1 if one has a problem."""
    told = list(outcomes)
    changed = [it.unit.name for it in told if it.changed]
    problems = {it.unit.name: it.problem for it in told if it.problem}
    if json:
        print_json({done: changed, "problems": problems})
    else:
        console = stdout_console()
        for name in changed:
            console.print(escape_terminal(f"{done.capitalize()}: {name}"), soft_wrap=True)
        if not changed and not problems:
            console.print(f"Nothing to do: all of it is {done} or empty.")
        for name, problem in problems.items():
            print_error(SetupError(f"{name}: {problem}"))
    if problems:
        raise typer.Exit(1)
