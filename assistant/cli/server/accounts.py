"""`unmask accounts`: the people who may use `unmask serve`, and their roles."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.cli.options import JsonOption, load_settings
from assistant.console.output import (
    escape_terminal,
    print_json,
    print_remarks,
    print_table,
    stdout_console,
)
from assistant.console.secret_input import read_secret
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.server.access.accounts import AccountStore

accounts = typer.Typer(
    help="Accounts of `unmask serve`: who may use it, and in which role.\n\n"
    "viewer: looks at cases that are shared with it, and changes nothing. investigator: searches, "
    "checks, compares, indexes, decides, exports, and shares or deletes its own cases. admin: also "
    "sees and keeps every case, opens locked ones, and reads access logs. Accounts, tokens, "
    "retention, watch, lock and forget belong to whoever runs these commands on the server.\n\n"
    "On one's own machine no account is needed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Whose account.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(accounts, name="accounts")


@accounts.command("add")
def add_account(
    context: typer.Context,
    name: NameArgument,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="viewer, investigator or admin.")
    ] = "viewer",
) -> None:
    """Make an account, and ask for its password.

    \b
    unmask accounts add ada --role admin
    unmask accounts add bob --role investigator
    unmask accounts add eve < password.txt           # without a terminal: the first line of stdin

    A password has at least 12 characters; only a hash of it is stored. Names of tokens and of
    UNMASK_AUTH are not free, since cases belong to names.
    """
    from assistant.server.access.accounts import AccountStore, require_role
    from assistant.server.work.case_access import names_taken

    settings = load_settings(context)
    store, taken = AccountStore(settings.config_dir), names_taken(settings)
    require_role(role)
    store.require_free(name, taken=taken)
    store.add(name, role, read_secret("password", confirm=True), taken=taken)
    _say(f"Account {name!r} may log in; its role is {role}.")


@accounts.command("list")
def list_accounts(context: typer.Context, json: JsonOption = False) -> None:
    """List the accounts with their roles."""
    known = _store(context).records()
    if json:
        rows = [{"name": it.name, "role": it.role, "created": it.created} for it in known]
        print_json({"accounts": rows})
    elif known:
        print_table(["name", "role", "created"], [[it.name, it.role, it.created] for it in known])
    else:
        stdout_console().print("No accounts yet: make one with `unmask accounts add NAME`.")


@accounts.command("role")
def change_role(
    context: typer.Context,
    name: NameArgument,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, investigator or admin.")],
) -> None:
    """Give an account another role; it has to log in again. The last admin stays one."""
    _store(context).set_role(name, role)
    _say(f"Account {name!r} has the role {role}.")


@accounts.command("password")
def change_password(context: typer.Context, name: NameArgument) -> None:
    """Give an account another password; it has to log in again. Its tokens stay valid."""
    store = _store(context)
    store.require(name)
    store.set_password(name, read_secret("password", confirm=True))
    _say(f"Account {name!r} has a new password.")


@accounts.command("remove")
def remove_account(
    context: typer.Context,
    name: NameArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an account: its sessions and tokens end, and nothing is shared with it any more.

    Its cases stay; admins see them, and `unmask cases share` gives them to others. A new account of
    the same name would own them. The last admin cannot be removed.
    """
    from assistant.server.access.tokens import TokenStore
    from assistant.server.work.ledger import Ledger

    settings, store = load_settings(context), _store(context)
    store.require(name)
    if not yes:
        if not sys.stdin.isatty():
            raise SetupError("to remove an account without being asked, add --yes")
        typer.confirm(f"Remove the account {name!r}?", abort=True, err=True)
    ledger = Ledger(settings.home)  # before the change: a locked data folder refuses both
    try:
        store.remove(name)
        TokenStore(settings.config_dir).revoke_of(name)
        ledger.drop_shares(name)
    finally:
        ledger.close()
    _say(f"Account {name!r} is removed.")
    print_remarks(["its cases stay: admins see them, and `unmask cases share` gives them away"])


def _store(context: typer.Context) -> "AccountStore":
    from assistant.server.access.accounts import AccountStore

    return AccountStore(load_settings(context).config_dir)


def _say(text: str) -> None:
    stdout_console().print(escape_terminal(text), soft_wrap=True)
