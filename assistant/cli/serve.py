"""`unmask serve`, `unmask tokens` and `unmask mcp`: doors for other programs."""

import dataclasses
from pathlib import Path
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
from tools.errors import SetupError

if TYPE_CHECKING:
    from assistant.server.access.tokens import TokenStore
    from assistant.settings import Settings

tokens = typer.Typer(
    help="Create, list and revoke access tokens of `unmask serve`.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

FolderOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--folder", metavar="DIR", help="A folder whose files clients may index or use as photos."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(short_help="Serve the REST API, the page and MCP.")(serve)
    app.command(short_help="Serve the tools to an agent on stdin and stdout (MCP).")(mcp)
    app.add_typer(tokens, name="tokens")


def serve(
    context: typer.Context,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Address to listen on; default: this machine only."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65535, help="Port; default: 7860.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="A further host name that the server answers to."),
    ] = None,
    folders: FolderOption = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Also serve the page.")] = True,
    mcp: Annotated[bool, typer.Option("--mcp/--no-mcp", help="Also serve MCP at /mcp.")] = True,
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate chain, for https.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The certificate's private key.")
    ] = None,
    vlm: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Chat model of the page: a folder, an id, or the URL of a server.",
        ),
    ] = None,
) -> None:
    """Serve Unmask to other programs: a REST API, the page, and MCP for other agents.

    \b
    unmask serve --open
    unmask serve --no-page --folder ~/collection
    unmask tokens create lab --scope search --scope check
    unmask serve --host 0.0.0.0 --name lab.example.org --certificate chain.pem --key key.pem

    Every request needs a token, also on this machine, where any web page could reach the server.
    While it runs, a token with all scopes lies in an owner-only file, whose place is printed; for
    other users and machines, create tokens with `unmask tokens create`. The page asks for a token,
    or for a name and password of UNMASK_AUTH.

    The models run one request at a time; further requests wait. A client that closes its connection
    stops its work. Indexing jobs are recorded: after a restart they say that they were interrupted.
    The API is described at /openapi.json.
    """
    from assistant.server.access.run_token import run_token, run_token_file
    from assistant.server.serving import build_server, listen

    if (certificate is None) is not (key is None):
        raise typer.BadParameter("give --certificate and --key together", param_hint="--key")
    changes = {"host": host, "port": port, "folders": folders, "vlm": vlm}
    settings = _settings(context, **changes)
    with run_token(settings.config_dir) as secret:
        server = build_server(settings, run_secret=secret, names=name or (), mcp=mcp)
        if page:
            from assistant.chat.serving import mount_page

            mount_page(server)

        def started(address: str) -> None:
            console = stdout_console()
            link = f"{address}/login#{server.access.logins.link()}"
            console.print(f"API:    {address}/api/v1  (described at {address}/openapi.json)")
            if mcp:
                console.print(f"MCP:    {address}/mcp")
            if page:
                console.print(f"Page:   {address}/")
                console.print(f"        {link}  (logs you in; once, within 10 min)", soft_wrap=True)
            file = escape_terminal(run_token_file(settings.config_dir))
            console.print(f"Token:  in {file}, while the server runs", soft_wrap=True)
            console.print("Ctrl-C ends it.")
            if certificate is None and settings.host not in ("127.0.0.1", "localhost", "::1"):
                print_remarks(
                    ["the connection is not encrypted: use --certificate, or a proxy that is"]
                )
            if open_page and page:
                typer.launch(link)

        listen(
            server,
            certificate=None if certificate is None or key is None else (certificate, key),
            on_start=started,
        )


def mcp(context: typer.Context, folders: FolderOption = None) -> None:
    """Serve the tools to one agent on stdin and stdout, by the Model Context Protocol.

    \b
    unmask mcp --folder ~/photos

    The agent's program starts this command; the README shows its configuration. The agent names
    files only by handles that list_files gives it, of files in the folders given here.
    """
    import anyio

    from assistant.server.api.services import Services
    from assistant.server.mcp_server import McpServer
    from assistant.server.mcp_tools import AgentTools

    settings = _settings(context, folders=folders)
    parts = Services.of(settings)
    tools = AgentTools(parts.investigations, settings.home, settings.folders)
    try:
        anyio.run(McpServer(tools, parts.lane).serve_stdio)
    finally:
        parts.ledger.close()


@tokens.command("create")
def create_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who or what uses it.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="check, search, index or page; may be repeated."),
    ] = None,
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
    What a token makes belongs to its name; no other token sees it.
    """
    scopes = scope or ["check"]
    secret = _store(context).create(name, scopes, days=days)
    if json:
        print_json({"name": name, "scopes": scopes, "token": secret})
    else:
        stdout_console().print(secret, soft_wrap=True)
        print_remarks(["this is shown once; send it as `Authorization: Bearer TOKEN`"])


@tokens.command("list")
def list_tokens(context: typer.Context, json: JsonOption = False) -> None:
    """List the tokens with what they may do; their secrets are not stored."""
    known = _store(context).records()
    rows = [dataclasses.asdict(it) | {"expired": it.expired} for it in known]
    if json:
        print_json({"tokens": rows})
    elif not rows:
        stdout_console().print("No tokens yet: make one with `unmask tokens create NAME`.")
    else:
        cells = [
            [it.name, ", ".join(it.scopes), it.created,
             f"{it.expires} (expired)" if it.expired else it.expires or "never"]
            for it in known
        ]  # fmt: skip
        print_table(["name", "scopes", "created", "expires"], cells)


@tokens.command("revoke")
def revoke_token(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which token.")],
) -> None:
    """Revoke a token; a running server refuses it from now on."""
    _store(context).revoke(name)
    stdout_console().print(escape_terminal(f"Token {name!r} is revoked."))


def _store(context: typer.Context) -> "TokenStore":
    from assistant.server.access.tokens import TokenStore

    return TokenStore(load_settings(context).config_dir)


def _settings(context: typer.Context, **changes: object) -> "Settings":
    """The settings of this run, with the command's options applied."""
    from assistant.settings import Settings

    settings = load_settings(context, writes=True)
    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return settings
    missing = [it for it in given.get("folders", ()) if not Path(it).is_dir()]  # type: ignore[attr-defined]
    if missing:
        raise SetupError(f"{str(missing[0])!r} is no folder: check --folder")
    return Settings.model_validate(settings.model_dump() | given)
