"""`unmask tokens`: create, list and revoke access tokens."""

import dataclasses
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

if TYPE_CHECKING:
    from assistant.server.access.tokens import TokenStore

tokens = typer.Typer(
    help="Create, list and revoke access tokens of `unmask serve`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(tokens, name="tokens")


@tokens.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what uses it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="check, search, index or page; may be repeated."),
    ] = None,
    account: Annotated[
        str,
        typer.Option(metavar="ACCOUNT", help="Acts in the name of this account, within its role."),
    ] = "",
    days: Annotated[
        int | None, typer.Option(min=1, max=3660, metavar="N", help="Valid for N days.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Create a token and print it, once: only its hash is stored.

    \b
    unmask tokens create lab --scope check --scope search --days 90

    check: photos without a gallery, and the history of checks (the default). search: galleries,
    investigations, cases, and MCP. index: add pictures to galleries. page: log in to the page.
    What a token makes belongs to its name; no other token sees it, unless a case is shared. With
    --account it belongs to the account: the token may do what its scopes and the account's role
    both allow (without --scope, all of that), and ends with the account.
    """
    scopes = scope or ([] if account else ["check"])
    store = token_store(context)
    secret = store.create(name, scopes, days=days, account=account)
    if json:
        (made,) = (it for it in store.records() if it.name == name)
        told = {"name": name, "scopes": made.scopes, "account": account or None}
        print_json(told | {"token": secret})
    else:
        stdout_console().print(secret, soft_wrap=True)
        print_remarks(["this is shown once; send it as `Authorization: Bearer TOKEN`"])


@tokens.command("list")
def list_tokens(context: typer.Context, json: JsonOption = False) -> None:
    """List the tokens with what they may do; their secrets are not stored."""
    known = token_store(context).records()
    rows = [dataclasses.asdict(it) | {"expired": it.expired} for it in known]
    if json:
        print_json({"tokens": rows})
    elif not rows:
        stdout_console().print("No tokens yet: make one with `unmask tokens create NAME`.")
    else:
        cells = [
            [it.name, it.account or "–", ", ".join(it.scopes), it.created,
             f"{it.expires} (expired)" if it.expired else it.expires or "never"]
            for it in known
        ]  # fmt: skip
        print_table(["name", "account", "scopes", "created", "expires"], cells)


@tokens.command("revoke")
def revoke_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which token.")],
) -> None:
    """Revoke a token; a running server refuses it from now on."""
    token_store(context).revoke(name)
    stdout_console().print(escape_terminal(f"Token {name!r} is revoked."))


def token_store(context: typer.Context) -> "TokenStore":
    """The tokens of this run's configuration folder."""
    from assistant.server.access.tokens import TokenStore

    return TokenStore(load_settings(context).config_dir)
